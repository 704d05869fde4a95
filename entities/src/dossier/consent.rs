//! Consent (toestemming), and whether a minor can give it. The law over it is [`crate::law::consent`].

use chrono::NaiveDate;

use crate::operation::closed_enum;

closed_enum! {
    /// What is consented to.
    ConsentTo {
        /// A trajectory of guidance.
        Guidance = "guidance",
        /// Telling the school something of it.
        Sharing = "sharing",
        /// Telling the school something that is health data.
        SharingHealth = "sharing_health",
        /// Referral to a partner outside.
        Referral = "referral",
        /// That a parent reads what concerns a pupil who decides alone.
        ParentReads = "parent_reads",
    }
}

closed_enum! {
    /// Who gave or refused it.
    Giver {
        /// The pupil.
        Pupil = "pupil",
        /// A parent with verified authority.
        Parent = "parent",
    }
}

closed_enum! {
    /// In which form it was given. Explicit it always is; noting it in the dossier is enough but for
    /// health data (domain facts §3.4).
    Form {
        /// Said, and noted in the dossier.
        Noted = "noted",
        /// In writing.
        Written = "written",
    }
}

closed_enum! {
    /// What was answered.
    Reply {
        /// Yes.
        Given = "given",
        /// No.
        Refused = "refused",
    }
}

closed_enum! {
    /// What the team decided of one minor, with reasons, against the presumption of the law
    /// (bekwaamheid, decreet rechtspositie art. 4).
    Capability {
        /// Able to judge their own interests.
        Capable = "capable",
        /// Not able to.
        NotCapable = "not_capable",
    }
}

/// One consent or refusal, as far as the law needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// To what.
    pub to: ConsentTo,
    /// Who answered.
    pub by: Giver,
    /// How.
    pub form: Form,
    /// What.
    pub reply: Reply,
    /// On which day.
    pub given_on: NaiveDate,
    /// The first day it no longer holds, where it was given for a time.
    pub ends_on: Option<NaiveDate>,
    /// The day on which it was taken back.
    pub revoked_on: Option<NaiveDate>,
}

impl Consent {
    /// Whether it is an answer that stands on this day.
    pub fn stands(&self, day: NaiveDate) -> bool {
        self.given_on <= day
            && self.ends_on.is_none_or(|ends| day < ends)
            && self.revoked_on.is_none_or(|revoked| day < revoked)
    }
}
