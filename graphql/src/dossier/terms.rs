//! The closed lists of the dossier, as enums of the schema.

use async_graphql::Enum;
use hub_entities::dossier::entry::{About as AnAbout, ClosedGround as AGround};
use hub_entities::dossier::trajectory::{
    AskedBy as AnAsker, Obligation as AnObligation, Phase as APhase, TrajectoryState as AState,
};
use hub_entities::dossier::{Domain as ADomain, Post as APost};
use hub_entities::policy::secret::Code;

/// One of the four domains of pupil guidance (begeleidingsdomein).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ADomain")]
pub enum Domain {
    /// Learning and studying (leren en studeren).
    #[graphql(tag = "class:public")]
    Learning,
    /// School career (onderwijsloopbaan).
    #[graphql(tag = "class:public")]
    Career,
    /// Preventive health care (preventieve gezondheidszorg).
    #[graphql(tag = "class:public")]
    Health,
    /// Psychological and social functioning (psychisch en sociaal functioneren).
    #[graphql(tag = "class:public")]
    Wellbeing,
}

/// Where a trajectory stands in the continuum of care (zorgcontinuüm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "APhase")]
pub enum Phase {
    /// Phase 0, broad basic care (brede basiszorg).
    #[graphql(tag = "class:public")]
    BasicCare,
    /// Phase 1, increased care (verhoogde zorg).
    #[graphql(tag = "class:public")]
    IncreasedCare,
    /// Phase 2, extension of care (uitbreiding van zorg).
    #[graphql(tag = "class:public")]
    ExtendedCare,
    /// Phase 3, an individually adapted curriculum or another school (IAC, overstap naar buitengewoon onderwijs).
    #[graphql(tag = "class:public")]
    AdaptedCurriculum,
}

/// How far a trajectory has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AState")]
pub enum TrajectoryState {
    /// Guidance is given.
    #[graphql(tag = "class:public")]
    Open,
    /// It is over. What was written stays.
    #[graphql(tag = "class:public")]
    Closed,
}

/// Who asked for guidance (vraaggestuurd).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AnAsker")]
pub enum AskedBy {
    /// The pupil.
    #[graphql(tag = "class:public")]
    Pupil,
    /// A parent.
    #[graphql(tag = "class:public")]
    Parent,
    /// The school.
    #[graphql(tag = "class:public")]
    School,
    /// The CLB itself.
    #[graphql(tag = "class:public")]
    Clb,
}

/// Why guidance cannot be refused (verplichte begeleiding).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AnObligation")]
pub enum Obligation {
    /// Compulsory education (leerplicht): truancy from the fifth half-day.
    #[graphql(tag = "class:public")]
    CompulsoryEducation,
    /// A systematic contact moment (systematisch contactmoment).
    #[graphql(tag = "class:public")]
    SystematicContact,
    /// Measures against a contagious disease (profylaxe).
    #[graphql(tag = "class:public")]
    Prophylaxis,
}

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AnAbout")]
pub enum About {
    /// The pupil.
    #[graphql(tag = "class:public")]
    Pupil,
    /// Parents, who raises the pupil, and who lives with the pupil (contextuele gegevens).
    #[graphql(tag = "class:public")]
    Context,
    /// Anyone else.
    #[graphql(tag = "class:public")]
    ThirdParty,
}

/// Why an entry is never open to the pupil or a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AGround")]
pub enum ClosedGround {
    /// A third person gave it and expressly asked to keep it confidential.
    #[graphql(tag = "class:public")]
    ThirdPartyConfidential,
    /// It is only about third persons.
    #[graphql(tag = "class:public")]
    ThirdPartyOnly,
    /// It was made for the court.
    #[graphql(tag = "class:public")]
    Court,
    /// Telling is not in the minor's interest (agogische exceptie).
    #[graphql(tag = "class:public")]
    Agogic,
}

/// What a worker is for at a school: it allows intake, and opens nothing that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "APost")]
pub enum Post {
    /// First contact of school, pupil and parents (ankerfiguur).
    #[graphql(tag = "class:public")]
    Anchor,
    /// The doctor of the school (CLB-arts).
    #[graphql(tag = "class:public")]
    Doctor,
    /// The nurse of the school (CLB-verpleegkundige).
    #[graphql(tag = "class:public")]
    Nurse,
}

/// Why a field was withheld: a function of the asker and the question alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Code")]
pub enum WithheldCode {
    /// Under professional secrecy (beroepsgeheim).
    #[graphql(tag = "class:public")]
    Secrecy,
    /// For the team of the pupil.
    #[graphql(tag = "class:public")]
    NotInTeam,
    /// For another discipline.
    #[graphql(tag = "class:public")]
    OtherDiscipline,
    /// Through the doctor of the CLB.
    #[graphql(tag = "class:public")]
    ThroughDoctor,
    /// For a purpose that was not given: header `CLB-Purpose`.
    #[graphql(tag = "class:public")]
    NeedsPurpose,
    /// With a stronger or fresher sign-in.
    #[graphql(tag = "class:public")]
    NeedsStepUp,
}
