//! A request for guidance (aanmelding): what a CLB is asked before a trajectory begins, or instead of one.

use crate::operation::closed_enum;

closed_enum! {
    /// How far a request has come. Whoever asked is told that it was received, and no more.
    RequestState {
        /// It waits for the anchor of the school.
        Received = "received",
        /// It was taken in: about a pupil a trajectory began, without one the school was advised (phase 1).
        TakenIn = "taken_in",
        /// It was declined, for a reason.
        Declined = "declined",
    }
}

closed_enum! {
    /// How far a request for access has come.
    AccessState {
        /// It waits for the team.
        Waiting = "waiting",
        /// The team opened something for a time.
        Lent = "lent",
        /// The team said no.
        Refused = "refused",
    }
}
