//! What a person asks of the own dossier, and what a worker opens of it after the talk (inzage; decreet rechtspositie art. 22,
//! domain facts §4.4).

use crate::law::consent::Decides;
use crate::operation::{Role, closed_enum};

closed_enum! {
    /// A right of the person in the data, for which the law sets a term. The terms stand in `consent.toml`.
    Right {
        /// To read what is kept (recht op inzage).
        Access = "access",
        /// To have it corrected or left out, and to add to it (recht op rectificatie en gegevenswissing).
        Correction = "correction",
    }
}

closed_enum! {
    /// How far a person's request has come.
    DossierRequestState {
        /// It waits for the talk.
        Waiting = "waiting",
        /// After the talk something was opened.
        Opened = "opened",
        /// It was refused, for a reason that the person reads.
        Refused = "refused",
    }
}

/// For how many days a dossier may be opened to a person at most: ours, as no source names a term. What is to be read for
/// longer is asked for again, and talked over again.
pub const LONGEST_DAYS: i64 = 92;

/// Whether something may be opened to who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// It may. What is read is decided again with each look.
    Yes,
    /// Only where it is in the pupil's interest, and the pupil, who was heard, does not object.
    InTheInterest,
    /// Not now: who asks does not decide, or nobody knows who does.
    NotNow,
}

impl Opens {
    /// For who asked as this, while this one decides: a pupil who decides; parents who decide, in the pupil's interest; parents
    /// of a pupil who decides, who then read as long as that pupil consents (domain facts §4.4).
    pub const fn to(asked_as: Role, decides: Decides) -> Self {
        match (asked_as, decides) {
            (Role::Pupil | Role::Parent, Decides::Pupil) => Self::Yes,
            (Role::Parent, Decides::Parents) => Self::InTheInterest,
            _ => Self::NotNow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Domain facts §4.4, row by row.
    #[test]
    fn it_is_opened_by_who_decides() {
        use Decides::{Parents, Pupil, Unknown};
        for (asked_as, decides, expected) in [
            (Role::Pupil, Pupil, Opens::Yes),
            (Role::Pupil, Parents, Opens::NotNow),
            (Role::Pupil, Unknown, Opens::NotNow),
            (Role::Parent, Pupil, Opens::Yes),
            (Role::Parent, Parents, Opens::InTheInterest),
            (Role::Parent, Unknown, Opens::NotNow),
            (Role::ClbWorker, Pupil, Opens::NotNow),
            (Role::SchoolCareTeam, Parents, Opens::NotNow),
        ] {
            assert_eq!(Opens::to(asked_as, decides), expected, "{asked_as} {decides:?}");
        }
    }
}
