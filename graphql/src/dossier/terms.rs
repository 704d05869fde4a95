//! The closed lists of the dossier, as enums of the schema.

use async_graphql::Enum;
use hub_entities::dossier::consent::{
    Capability as ACapability, ConsentTo as AnAim, Form as AForm, Giver as AGiver, Reply as AReply,
};
use hub_entities::dossier::entry::{About as AnAbout, ClosedGround as AGround};
use hub_entities::dossier::trajectory::{
    AskedBy as AnAsker, Obligation as AnObligation, Phase as APhase, TrajectoryState as AState,
};
use hub_entities::dossier::{Domain as ADomain, Post as APost};
use hub_entities::law::consent::{Decides as ADecider, NextStep as ANext, Standing as AStanding};
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
    /// With a stronger or fresher sign-in: the header `WWW-Authenticate` of the answer says which.
    #[graphql(tag = "class:public")]
    NeedsStepUp,
}

/// What is consented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AnAim")]
pub enum ConsentTo {
    /// The guidance of a trajectory.
    #[graphql(tag = "class:public")]
    Guidance,
    /// Telling the school something of it.
    #[graphql(tag = "class:public")]
    Sharing,
    /// Telling the school something that is health data: in writing.
    #[graphql(tag = "class:public")]
    SharingHealth,
    /// Referral to a partner outside (draaischijf).
    #[graphql(tag = "class:public")]
    Referral,
    /// That a parent reads what concerns a pupil who decides alone.
    #[graphql(tag = "class:public")]
    ParentReads,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AGiver")]
pub enum ConsentGiver {
    /// The pupil.
    #[graphql(tag = "class:public")]
    Pupil,
    /// A parent with verified authority.
    #[graphql(tag = "class:public")]
    Parent,
}

/// In which form it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AForm")]
pub enum ConsentForm {
    /// Said, and noted here.
    #[graphql(tag = "class:public")]
    Noted,
    /// In writing.
    #[graphql(tag = "class:public")]
    Written,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AReply")]
pub enum ConsentReply {
    /// Yes.
    #[graphql(tag = "class:public")]
    Given,
    /// No.
    #[graphql(tag = "class:public")]
    Refused,
}

/// Whether a minor can judge their own interests (bekwaamheid), as a team decided with reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ACapability")]
pub enum Capability {
    /// Able to.
    #[graphql(tag = "class:public")]
    Capable,
    /// Not able to.
    #[graphql(tag = "class:public")]
    NotCapable,
}

/// Who decides for a pupil today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ADecider")]
pub enum WhoDecides {
    /// The pupil: from twelve, unless a team decided otherwise.
    #[graphql(tag = "class:public")]
    Pupil,
    /// The parents.
    #[graphql(tag = "class:public")]
    Parents,
    /// Nobody knows: the birth date is unknown, and no team has decided.
    #[graphql(tag = "class:public")]
    Unknown,
}

/// Whether guidance rests on the consent that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AStanding")]
pub enum ConsentStanding {
    /// It cannot be refused: no consent is asked.
    #[graphql(tag = "class:public")]
    NotNeeded,
    /// Whoever decides has consented.
    #[graphql(tag = "class:public")]
    Given,
    /// The parents consented while they decided: it continues, and the pupil is asked now.
    #[graphql(tag = "class:public")]
    AskThePupil,
    /// Nobody who decides has consented.
    #[graphql(tag = "class:public")]
    Missing,
    /// It is not known who decides.
    #[graphql(tag = "class:public")]
    Waits,
}

/// What is to be done next so that guidance rests on consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ANext")]
pub enum ConsentStep {
    /// Ask the parents, who decide.
    #[graphql(tag = "class:public")]
    AskTheParents,
    /// Ask the pupil, who decides.
    #[graphql(tag = "class:public")]
    AskThePupil,
    /// Ask the pupil too, who decides by now: what the parents began continues meanwhile.
    #[graphql(tag = "class:public")]
    AskThePupilToo,
    /// Decide with the team whether the pupil can judge: the birth date is not known.
    #[graphql(tag = "class:public")]
    JudgeCapability,
    /// Nothing obliges any more: obtain consent, or close.
    #[graphql(tag = "class:public")]
    AskOrClose,
    /// Close: whoever decides said no.
    #[graphql(tag = "class:public")]
    Close,
}
