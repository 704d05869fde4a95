//! A value that was granted, or the reason why not: there is no third.

use super::verdict::{Code, Grant, Withheld};
use crate::id::DecisionId;

/// A secret as it leaves the hub. A withheld one never held a value.
///
/// Only a [`Grant`] makes the first, only a [`Withheld`] the second; neither can be made outside the
/// policy, and neither is read from outside data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protected<T> {
    /// The value, which may be null or empty: only who is granted can tell that there is nothing.
    Granted(Opened<T>),
    /// Not this.
    Withheld {
        /// Why, and whether one may ask.
        why: Withheld,
        /// The decision, to ask for access with. Random, of constant length.
        decision: DecisionId,
    },
}

/// A value behind a grant.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened<T>(T);

impl<T> std::fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("Opened(…)")
    }
}

impl<T> Opened<T> {
    /// The value: for the answer that it goes into, and nothing else.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Protected<T> {
    /// The value that this grant opened.
    pub fn granted(_by: &Grant, value: T) -> Self {
        Self::Granted(Opened(value))
    }

    /// What nobody decided on: it is denied, for no reason that is told.
    pub const fn unprepared(decision: DecisionId) -> Self {
        Self::Withheld {
            why: Withheld::new(Code::Secrecy, false),
            decision,
        }
    }

    /// Nothing but the reason.
    pub const fn withheld(why: Withheld, decision: DecisionId) -> Self {
        Self::Withheld { why, decision }
    }
}
