//! What can be done: few actions, named for what they do to whom.

use crate::operation::closed_enum;

closed_enum! {
    /// One thing that can be done. If none fits, name a new one; never check for a role instead.
    Action {
        /// Read schools, CLBs and rules: class `public`.
        ReadPublic = "read_public",
        /// Read basic pupil data, field by field as agreed: classes `agreed.*`.
        ReadPupils = "read_pupils",
        /// Read truancy signals and where they stand: class `case`.
        ReadSignals = "read_signals",
        /// Read the legal minimum that an obligatory report carries.
        ReadReport = "read_report",
        /// Report a signal to the CLB, for the school.
        ReportSignal = "report_signal",
        /// Take a signal up, for the CLB.
        AcceptSignal = "accept_signal",
        /// Read the agreements one is a party to.
        ReadAgreements = "read_agreements",
        /// Propose, accept, refuse or end an agreement.
        DecideAgreement = "decide_agreement",
        /// Give a worker a post at a school, or take it away.
        AssignPost = "assign_post",
        /// Read sources, runs and gaps: class `operations`; of one's own school, to know what one approves.
        ReadOperations = "read_operations",
        /// Read what waits because no roster names its pupil, under the key that names nobody.
        ReadQuarantine = "read_quarantine",
        /// Tie two pupils whom no number ties, and take them apart again.
        TiePupils = "tie_pupils",
        /// Let a held run go on.
        ApproveHeldRun = "approve_held_run",
        /// Issue and revoke what vendors' software acts by.
        GrantClients = "grant_clients",
        /// Read what came of what one brought in by oneself.
        ReadDeliveries = "read_deliveries",
        /// Bring in a roster by oneself.
        SubmitRoster = "submit_roster",
        /// Bring in half-days of absence by oneself.
        SubmitAbsences = "submit_absences",
        /// Register schools, CLBs, principals, sources and signed agreements.
        Administer = "administer",
        /// Bring in what a source says.
        Sync = "sync",
    }
}
