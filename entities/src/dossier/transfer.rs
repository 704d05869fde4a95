//! What goes along when a pupil comes under another CLB (overdracht), what cannot be kept back, and who may object. The
//! terms stand in `transfer.toml`.

use super::consent::Giver;
use super::trajectory::Obligation;
use crate::law::consent::Decides;
use crate::operation::closed_enum;

closed_enum! {
    /// The part of a dossier whose transfer cannot be refused (domain facts §4.2).
    ObligatoryPart {
        /// Who the pupil is.
        Identification = "identification",
        /// Guidance of compulsory education (leerplichtbegeleiding).
        CompulsoryEducation = "compulsory_education",
        /// Systematic contacts, medical examinations and their follow-up.
        Contact = "contact",
        /// Vaccinations.
        Vaccination = "vaccination",
        /// A copy of a formal report (verslag, gemotiveerd verslag).
        Report = "report",
    }
}

impl ObligatoryPart {
    /// The part that guidance under this obligation is; measures against a contagious disease are of none.
    pub const fn of(obligation: Obligation) -> Option<Self> {
        match obligation {
            Obligation::CompulsoryEducation => Some(Self::CompulsoryEducation),
            Obligation::SystematicContact => Some(Self::Contact),
            Obligation::Prophylaxis => None,
        }
    }
}

closed_enum! {
    /// In whose keeping a dossier is.
    Custody {
        /// This CLB keeps it.
        Held = "held",
        /// The transfer was announced; the term to object runs.
        Announced = "announced",
        /// All of it went to the new CLB.
        Transferred = "transferred",
        /// The obligatory part went, with a copy of the objection; the rest stays here.
        Partly = "partly",
    }
}

closed_enum! {
    /// Why a transfer waits although its day has come.
    Waits {
        /// The new CLB keeps no dossiers in the hub: somewhere else, or nobody knows.
        Receiver = "receiver",
        /// Several other CLBs are competent by enrolment: it goes to one.
        SeveralClbs = "several_clbs",
        /// A legal hold stands on it at the CLB that keeps it: what is to be kept there goes when that is lifted.
        LegalHold = "legal_hold",
    }
}

/// For how many days a transfer that is over is told at either CLB: ours. The access log keeps it.
pub const SHOWN_DAYS: i64 = 92;

/// Whether an objection of this one counts, while that one decides (domain facts §4.2: the competent pupil, else the parents).
/// Where nobody knows who decides, either counts: to keep something back that could have gone can be put right, the other way
/// round it cannot.
pub const fn may_object(by: Giver, decides: Decides) -> bool {
    match (by, decides) {
        (Giver::Pupil, Decides::Pupil) | (Giver::Parent, Decides::Parents) | (_, Decides::Unknown) => true,
        (Giver::Pupil, Decides::Parents) | (Giver::Parent, Decides::Pupil) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Domain facts §4.2, row by row.
    #[test]
    fn who_decides_objects() {
        use Decides::{Parents, Pupil, Unknown};
        for (by, decides, expected) in [
            (Giver::Pupil, Pupil, true),
            (Giver::Pupil, Parents, false),
            (Giver::Pupil, Unknown, true),
            (Giver::Parent, Pupil, false),
            (Giver::Parent, Parents, true),
            (Giver::Parent, Unknown, true),
        ] {
            assert_eq!(may_object(by, decides), expected, "{by} {decides:?}");
        }
    }
}
