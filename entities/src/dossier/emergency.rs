//! Opening in an emergency (noodtoegang): why somebody outside the team reads for minutes.

use crate::operation::closed_enum;

closed_enum! {
    /// On what ground (domain facts §3.5): the worker decides, and answers for it.
    Ground {
        /// Danger to life.
        DangerToLife = "danger_to_life",
        /// Public safety.
        PublicSafety = "public_safety",
        /// Disquiet about the situation in which the pupil lives (verontrusting).
        Disquiet = "disquiet",
        /// Suspected abuse.
        SuspectedAbuse = "suspected_abuse",
        /// Another state of need (noodtoestand).
        Necessity = "necessity",
    }
}
