//! What can go wrong with a whole request: a closed list of codes, and no text of ours but these.
//!
//! A fault is not a "no". What a viewer may not see is absent or withheld, and what cannot be done
//! is a payload; neither is ever an entry of `errors` (design §3).

/// A fault. It has no `Display`, so nothing else can be turned into an answer by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The cursor was made for another viewer, another list or another order, or was altered.
    CursorInvalid,
    /// The cursor is too old, or of before a restore: read again from the beginning (design §6).
    CursorExpired,
    /// `first` is not between 1 and [`crate::page::MOST`].
    PageInvalid,
    /// The hub cannot answer now; the same request may succeed later.
    Unavailable,
}

impl Problem {
    /// The code in `extensions.code`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CursorInvalid => "CURSOR_INVALID",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::PageInvalid => "PAGE_INVALID",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// The one text that goes with the code.
    pub const fn text(self) -> &'static str {
        match self {
            Self::CursorInvalid => "the cursor does not belong to this list",
            Self::CursorExpired => "the cursor has expired; read again from the beginning",
            Self::PageInvalid => "`first` must be from 1 to 200",
            Self::Unavailable => "the hub cannot answer now",
        }
    }
}

impl From<Problem> for async_graphql::Error {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a fault becomes an error, with its fixed text"
    )]
    fn from(problem: Problem) -> Self {
        use async_graphql::ErrorExtensions as _;
        Self::new(problem.text()).extend_with(|_, extensions| extensions.set("code", problem.code()))
    }
}
