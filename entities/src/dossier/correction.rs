//! What a person asks of an entry that was opened: that it is corrected, that own words are added to it, that it is left out
//! (domain facts §4.1; GDPR art. 16 and 17).

use super::trajectory::Obligation;
use crate::operation::closed_enum;

closed_enum! {
    /// What is asked of an entry.
    CorrectionKind {
        /// To correct it (verbeteren). The former version is kept.
        Correct = "correct",
        /// To add the person's own words to it (aanvullen).
        Add = "add",
        /// To leave it out, for a serious reason (weglaten om ernstige reden). Then nothing of it is kept.
        LeaveOut = "leave_out",
    }
}

closed_enum! {
    /// How far it has come.
    CorrectionState {
        /// It waits for the team.
        Waiting = "waiting",
        /// It was done.
        Granted = "granted",
        /// It was refused, for a reason that the person reads.
        Refused = "refused",
    }
}

/// Whether an entry of such a trajectory may be left out: never while it is obligatory. What is written of compulsory education,
/// of systematic contacts and of prophylaxis is (domain facts §4.1 and §4.2); an obligation that has lapsed is none.
pub const fn may_be_left_out(obligation: Option<Obligation>, has_lapsed: bool) -> bool {
    obligation.is_none() || has_lapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Domain facts §4.1: not for obligatory data.
    #[test]
    fn what_is_obligatory_is_never_left_out() {
        assert!(may_be_left_out(None, false));
        for obligation in Obligation::ALL {
            assert!(!may_be_left_out(Some(*obligation), false), "{obligation}");
            assert!(may_be_left_out(Some(*obligation), true), "{obligation} has lapsed");
        }
    }
}
