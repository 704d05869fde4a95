//! What of its own can go wrong at a fake tenant, and when. What can befall any answer is [`crate::fake::Unruly`]'s.

use bytes::Bytes;

use crate::fake::Delivery;

/// What happens instead of an answer, or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// A fault of the server with status 500, whose text repeats the whole question, access code included.
    ServerFault,
    /// A fault that is the caller's, the same way.
    ClientFault,
    /// A result code.
    Code(i64),
    /// This text in the envelope.
    Text(String),
    /// These bytes as the body.
    Body(Bytes),
    /// The answer, delivered so.
    Delivered(Delivery),
}

/// When: for calls of one method; after so many of them, so many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The method.
    pub method: String,
    /// How many calls go well before.
    pub after: u64,
    /// How many go wrong.
    pub times: u64,
    /// How.
    pub instead: Instead,
}

impl Plan {
    /// Every call of a method goes wrong.
    pub fn always(method: &str, instead: Instead) -> Self {
        Self {
            method: method.to_owned(),
            after: 0,
            times: u64::MAX,
            instead,
        }
    }

    /// The next calls of a method go wrong, so many of them.
    pub fn next(method: &str, times: u64, instead: Instead) -> Self {
        Self {
            times,
            ..Self::always(method, instead)
        }
    }

    /// What happens to this call.
    pub(super) fn meets(&mut self, method: &str) -> Option<Instead> {
        if self.method != method {
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
