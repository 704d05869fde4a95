//! A trajectory (begeleidingstraject): one course of guidance, in one domain, by its own team.

use super::Domain;
use crate::operation::closed_enum;

closed_enum! {
    /// Where a trajectory stands in the continuum of care (zorgcontinuüm, domain facts §5.1).
    Phase {
        /// Broad basic care (brede basiszorg): the CLB signals.
        BasicCare = "0",
        /// Increased care (verhoogde zorg): consultation with the school, action-oriented advice.
        IncreasedCare = "1",
        /// Extension of care (uitbreiding van zorg): a trajectory of the CLB.
        ExtendedCare = "2",
        /// An individually adapted curriculum, or another school (IAC, overstap naar buitengewoon onderwijs).
        AdaptedCurriculum = "3",
    }
}

closed_enum! {
    /// Who asked for guidance. It works on demand (vraaggestuurd): whoever asked, consent is asked.
    AskedBy {
        /// The pupil.
        Pupil = "pupil",
        /// A parent.
        Parent = "parent",
        /// The school.
        School = "school",
        /// The CLB itself.
        Clb = "clb",
    }
}

closed_enum! {
    /// Why guidance cannot be refused (verplichte begeleiding). The law of each stands in `consent.toml`.
    Obligation {
        /// Compulsory education (leerplicht): truancy from the fifth half-day.
        CompulsoryEducation = "compulsory_education",
        /// A systematic contact moment (systematisch contactmoment).
        SystematicContact = "systematic_contact",
        /// Measures against a contagious disease (profylaxe).
        Prophylaxis = "prophylaxis",
    }
}

impl Obligation {
    /// The domain in which guidance begins that it obliges to. No source names the one of truancy: ours is the domain of
    /// the social worker who follows it up, and the team may begin in others.
    pub const fn domain(self) -> Domain {
        match self {
            Self::CompulsoryEducation => Domain::Wellbeing,
            Self::SystematicContact | Self::Prophylaxis => Domain::Health,
        }
    }
}

closed_enum! {
    /// How far a trajectory has come.
    TrajectoryState {
        /// Guidance is given.
        Open = "open",
        /// It is over. What was written stays.
        Closed = "closed",
    }
}

closed_enum! {
    /// How far a referral to a partner outside has come (draaischijffunctie, domain facts §5.1).
    ReferralState {
        /// Put to the pupil or the parents.
        Proposed = "proposed",
        /// The partner was approached.
        Made = "made",
        /// The partner has taken over.
        Taken = "taken",
        /// It came to nothing.
        Dropped = "dropped",
    }
}

impl ReferralState {
    /// Whether a referral goes from here to there: forward, or to nothing; what is over stays so.
    pub const fn goes_to(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Proposed, Self::Made | Self::Dropped) | (Self::Made, Self::Taken | Self::Dropped)
        )
    }

    /// Whether it is reached by telling a partner, for which whoever decides must have consented (domain facts §3.5).
    pub const fn tells_the_partner(self) -> bool {
        matches!(self, Self::Made)
    }
}

closed_enum! {
    /// To which sector a CLB is the bridge (draaischijf, domain facts §5.1).
    PartnerSector {
        /// Welfare (welzijn, jeugdhulp).
        Welfare = "welfare",
        /// Health care (gezondheidszorg).
        Health = "health",
        /// Work (werk).
        Work = "work",
    }
}

closed_enum! {
    /// A formal report (verslag, decreet leersteun). The names are today's (domain facts §4.2, own knowledge).
    ReportKind {
        /// For support in the common curriculum (GC-verslag).
        CommonCurriculum = "gc",
        /// For an individually adapted curriculum (IAC-verslag).
        AdaptedCurriculum = "iac",
        /// For access to training form 4 of special secondary education (OV4-verslag).
        TrainingForm4 = "ov4",
        /// Of before the decree on learning support: a report with grounds (gemotiveerd verslag).
        Reasoned = "reasoned",
    }
}
