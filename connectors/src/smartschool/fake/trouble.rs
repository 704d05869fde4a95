//! What can go wrong at a fake tenant, and when.

use bytes::Bytes;

use crate::fake::Delivery;

/// What happens instead of an answer, or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A fault of the server with status 500, whose text repeats the whole question, access code included.
    Fault,
    /// This status, and seconds to wait where they are not 0.
    Status(u16, u64),
    /// A page for people instead of an answer, with status 200.
    Page,
    /// The answer, delivered so.
    Delivery(Delivery),
    /// The first bytes of the answer, as if that were all.
    Half,
    /// A result code instead.
    Code(i64),
    /// This text in the envelope instead.
    Text(String),
    /// These bytes as the body.
    Body(Bytes),
}

/// When: for calls of one method, or any; after so many calls, so many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The method; every one when none is named.
    pub method: Option<String>,
    /// How many calls go well before.
    pub after: u64,
    /// How many go wrong.
    pub times: u64,
    /// How.
    pub trouble: Trouble,
}

impl Plan {
    /// Every call of a method goes wrong.
    pub fn always(method: &str, trouble: Trouble) -> Self {
        Self {
            method: Some(method.to_owned()),
            after: 0,
            times: u64::MAX,
            trouble,
        }
    }

    /// The call that comes next but `after` goes wrong, whatever its method.
    pub const fn once_after(after: u64, trouble: Trouble) -> Self {
        Self {
            method: None,
            after,
            times: 1,
            trouble,
        }
    }

    /// What happens to this call.
    pub(super) fn meets(&mut self, method: &str) -> Option<Trouble> {
        if self.method.as_deref().is_some_and(|planned| planned != method) {
            return None;
        }
        if self.after > 0 {
            self.after = self.after.saturating_sub(1);
            return None;
        }
        let goes_wrong = self.times > 0;
        self.times = self.times.saturating_sub(1);
        goes_wrong.then(|| self.trouble.clone())
    }
}
