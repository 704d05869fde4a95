//! What a worker releases to the pupil's school (vrijgave): a copy, written for the school, under consent, for a purpose and
//! until a day (design §3, class `shared`; domain facts §3.4).

use crate::operation::closed_enum;

closed_enum! {
    /// Why the school reads a release no longer. What was told stays in the dossier.
    Over {
        /// A worker of the team took it back.
        Revoked = "revoked",
        /// Who decides took the consent back, or it covers the release no longer.
        Consent = "consent",
        /// Its last day is over.
        Ended = "ended",
        /// The pupil left the school.
        Left = "left",
    }
}

closed_enum! {
    /// What the main store has yet to follow of what was released, or taken back, in the secrecy store.
    ReleaseIntent {
        /// The school may read a copy.
        Show = "show",
        /// It may no longer, and the copy goes.
        TakeBack = "take_back",
    }
}

/// For how many days a release may be made at most: ours, as no source names a term. What is to be known for longer is
/// consented to anew.
pub const LONGEST_DAYS: i64 = 366;
