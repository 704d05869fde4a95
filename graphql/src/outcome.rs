//! What a mutation answers when it changed nothing: payloads, never errors.

use async_graphql::{Enum, SimpleObject};

/// The input cannot be right, whatever the state of the hub.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct Invalid {
    /// Which field of the input.
    #[graphql(tag = "class:public")]
    pub field: String,
}

impl Invalid {
    /// This field of the input.
    pub(crate) fn of(field: &str) -> Self {
        Self {
            field: field.to_owned(),
        }
    }
}

/// It changed since it was read: read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct Conflict {
    /// The version it has now.
    #[graphql(tag = "class:case")]
    pub version: i32,
}

/// Why it cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Reason {
    /// There is no such thing, or it is not this viewer's to do.
    #[graphql(tag = "class:public")]
    Unknown,
    /// The viewer knows the pupil, and may not do this.
    #[graphql(tag = "class:public")]
    NotAllowed,
    /// The signal no longer stands.
    #[graphql(tag = "class:case")]
    Withdrawn,
    /// Not in the state it is in, or not by this party.
    #[graphql(tag = "class:case")]
    State,
}

/// It cannot be done now, or not by this viewer. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct NotPossible {
    /// Why.
    #[graphql(tag = "class:case")]
    pub reason: Reason,
}

impl From<Reason> for NotPossible {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}
