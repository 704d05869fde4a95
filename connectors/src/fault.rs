//! Why a pull did not come to its end, named by what must happen next.
//!
//! The text of a fault repeats nothing that the source sent and no address: it ends up in logs and before people who
//! may not see the pupils behind it (R54, R61).

use std::time::Duration;

/// Why a source could not be read. Nothing of a read that failed may end or delete anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The settings of the connection are wrong: an operator must change them. Not tried again by itself.
    #[error("the settings of the connection are wrong: {0}")]
    Config(&'static str),
    /// The source says no to these credentials or rights: the school must grant or renew them.
    #[error("the source refuses: {0}")]
    Refused(&'static str),
    /// The source is not there, too slow or too busy: it is tried again, not before `retry_after` where the source
    /// said so.
    #[error("the source did not answer: {reason}")]
    Transient {
        /// What was met.
        reason: &'static str,
        /// How long the source asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The source answers what cannot be read: its vendor must look. `record` is its position in the answer.
    #[error("the source answers what cannot be read: {rule} in {stream}, record {record}")]
    Broken {
        /// The list or call, such as `users`.
        stream: &'static str,
        /// The position of the record, from 1; 0 when it is about the whole answer.
        record: u64,
        /// The rule that was broken, such as `json.depth`.
        rule: &'static str,
    },
}

impl Fault {
    /// Whether the same call may be made again without anyone changing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// A [`Fault::Transient`] without a word about when.
    pub const fn transient(reason: &'static str) -> Self {
        Self::Transient {
            reason,
            retry_after: None,
        }
    }
}
