//! A legal hold (bewaringsplicht): while one stands a dossier is not erased, whatever its term and whoever asks for it.

use crate::operation::closed_enum;

closed_enum! {
    /// Why a dossier must be kept. No source lists the grounds: the list is ours, and the words of the director say which case
    /// it is.
    HoldGround {
        /// A dispute, or a case before a court (geschil, rechtszaak).
        Dispute = "dispute",
        /// A complaint that is being handled (klacht).
        Complaint = "complaint",
        /// An authority asks for it, or looks into it (vordering, onderzoek, inspectie).
        Authority = "authority",
        /// Another duty to keep it.
        Other = "other",
    }
}
