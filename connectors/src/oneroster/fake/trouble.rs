//! What of its own can go wrong at a fake system, and when. What can befall any answer is [`crate::fake::Unruly`]'s.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::System;
use crate::fake::Delivery;

/// What happens to a system before it answers.
#[derive(Clone)]
pub struct Change(pub(super) Arc<dyn Fn(&mut System) + Send + Sync>);

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}

/// What happens instead of an answer, or to it.
#[derive(Debug, Clone)]
pub enum Instead {
    /// An error with this status, in the manner of the version.
    Status(u16),
    /// These bytes as the body.
    Body(Bytes),
    /// The answer, delivered so.
    Delivered(Delivery),
    /// The tokens that were given are not taken any more.
    Expired,
    /// Half of the page, although more would come: what follows is still there for who asks behind it.
    Short,
    /// A page that begins with the last record of the one before.
    Again,
    /// The answer, after something has changed.
    Change(Change),
}

impl Instead {
    /// The answer, after a change.
    pub fn change(change: impl Fn(&mut System) + Send + Sync + 'static) -> Self {
        Self::Change(Change(Arc::new(change)))
    }
}

/// When: for pages of one list; after so many of them, so many times.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The list, as its path names it.
    pub list: String,
    /// How many answers go well before.
    pub after: u64,
    /// How many go wrong.
    pub times: u64,
    /// How.
    pub instead: Instead,
}

impl Plan {
    /// Every answer of a list goes wrong.
    pub fn always(list: &str, instead: Instead) -> Self {
        Self {
            list: list.to_owned(),
            after: 0,
            times: u64::MAX,
            instead,
        }
    }

    /// The `k`-th answer of a list from now on, from 1, goes wrong.
    pub fn at(list: &str, k: u64, instead: Instead) -> Self {
        Self {
            after: k.saturating_sub(1),
            times: 1,
            ..Self::always(list, instead)
        }
    }

    /// What happens to this answer.
    pub(super) fn meets(&mut self, list: &str) -> Option<Instead> {
        if self.list != list {
            return None;
        }
        if self.after > 0 {
            self.after = self.after.saturating_sub(1);
            return None;
        }
        let goes_wrong = self.times > 0;
        self.times = self.times.saturating_sub(1);
        goes_wrong.then(|| self.instead.clone())
    }
}
