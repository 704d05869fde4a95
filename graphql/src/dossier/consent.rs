//! Consents (toestemming) in a dossier: who agreed to what, what it rests on today, and what is to be done next.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::consent::Consent;
use hub_entities::id::{ConsentId, PrincipalId, TrajectoryId};
use hub_entities::law::consent::{Decides, NextStep, Standing};

use super::Withheld;
use super::step::{Stepped, TrajectoryStepped, is_text, payload};
use super::terms::{
    Capability, ConsentForm, ConsentGiver, ConsentReply, ConsentStanding, ConsentStep, ConsentTo, WhoDecides,
};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// An answer, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// Its id.
    pub id: ConsentId,
    /// About which trajectory.
    pub trajectory: TrajectoryId,
    /// What the law needs of it.
    pub consent: Consent,
    /// What was said with it.
    pub note: Option<String>,
    /// Who noted this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
}

/// How a trajectory stands, as the hub answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuidanceRow {
    /// Which.
    pub trajectory: TrajectoryId,
    /// Who decides today.
    pub decides: Decides,
    /// Whether it rests on what it needs.
    pub standing: Standing,
    /// What is to be done.
    pub next: Option<NextStep>,
}

/// What a team decided of a minor, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct JudgementRow {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// What.
    pub capability: hub_entities::dossier::consent::Capability,
    /// From which day.
    pub from: NaiveDate,
    /// Who noted it.
    pub author: PrincipalId,
    /// Why.
    pub reason: String,
}

/// All of the consents of one domain.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConsentRows {
    /// The answers.
    pub answers: Vec<ConsentRow>,
    /// The trajectories they are about.
    pub guidance: Vec<GuidanceRow>,
    /// What the team decided.
    pub judgements: Vec<JudgementRow>,
}

/// An answer that is noted.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordConsent {
    /// About which trajectory.
    pub trajectory: TrajectoryId,
    /// The answer.
    pub consent: Consent,
    /// What was said with it.
    pub note: Option<String>,
}

/// An answer that was noted wrongly.
#[derive(Clone, PartialEq, Eq)]
pub struct CorrectConsent {
    /// Which.
    pub id: ConsentId,
    /// The version that was read.
    pub version: i32,
    /// The answer as it was.
    pub consent: Consent,
    /// What was said with it.
    pub note: Option<String>,
}

/// What a team decides.
#[derive(Clone, PartialEq, Eq)]
pub struct JudgeCapability {
    /// The team of which trajectory.
    pub trajectory: TrajectoryId,
    /// What.
    pub capability: hub_entities::dossier::consent::Capability,
    /// Why.
    pub reason: String,
}

macro_rules! secret {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(
    ConsentRow,
    JudgementRow,
    ConsentRows,
    RecordConsent,
    CorrectConsent,
    JudgeCapability
);

/// A consent or a refusal.
#[derive(Debug, Clone, SimpleObject)]
pub struct ConsentAnswer {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<ConsentId>,
    /// The trajectory it is about.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// What was asked.
    #[graphql(tag = "class:secret.granted")]
    pub to: ConsentTo,
    /// Who answered.
    #[graphql(tag = "class:secret.granted")]
    pub by: ConsentGiver,
    /// In which form.
    #[graphql(tag = "class:secret.granted")]
    pub form: ConsentForm,
    /// What.
    #[graphql(tag = "class:secret.granted")]
    pub reply: ConsentReply,
    /// On which day.
    #[graphql(tag = "class:secret.granted")]
    pub given_on: NaiveDate,
    /// The first day it holds no longer, where it was given for a time.
    #[graphql(tag = "class:secret.granted")]
    pub ends_on: Option<NaiveDate>,
    /// The day on which it was taken back.
    #[graphql(tag = "class:secret.granted")]
    pub revoked_on: Option<NaiveDate>,
    /// What was said with it.
    #[graphql(tag = "class:secret.granted")]
    pub note: Option<String>,
    /// Who noted this version: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub author_id: Gid<PrincipalId>,
    /// When this version was noted.
    #[graphql(tag = "class:secret.granted")]
    pub written_at: DateTime<Utc>,
    /// Which version it is; former ones are kept.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

/// Whether a trajectory rests on the consent that it needs, today.
#[derive(Debug, Clone, SimpleObject)]
pub struct ConsentOfTrajectory {
    /// The trajectory.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Who decides today.
    #[graphql(tag = "class:secret.granted")]
    pub decides: WhoDecides,
    /// Whether it rests on what it needs.
    #[graphql(tag = "class:secret.granted")]
    pub standing: ConsentStanding,
    /// What is to be done next; nothing where it rests on what it needs, or is over.
    #[graphql(tag = "class:secret.granted")]
    pub next: Option<ConsentStep>,
}

/// What a team decided of a pupil, against the presumption of the law.
#[derive(Debug, Clone, SimpleObject)]
pub struct CapabilityJudgement {
    /// In which trajectory it was decided; it holds in all of them.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// What.
    #[graphql(tag = "class:secret.granted")]
    pub capability: Capability,
    /// From which day.
    #[graphql(tag = "class:secret.granted")]
    pub from: NaiveDate,
    /// Who noted it: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub author_id: Gid<PrincipalId>,
    /// Why.
    #[graphql(tag = "class:secret.granted")]
    pub reason: String,
}

/// Consents that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedConsents {
    /// The answers, in the order in which they were given.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<ConsentAnswer>,
    /// How each trajectory stands under them, in the order in which they began.
    #[graphql(tag = "class:secret.granted")]
    pub guidance: Vec<ConsentOfTrajectory>,
    /// What the team decided of whether the pupil can judge.
    #[graphql(tag = "class:secret.granted")]
    pub judgements: Vec<CapabilityJudgement>,
}

/// Consents, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedConsents {
    /// They may be read.
    Granted(GrantedConsents),
    /// They may not.
    Withheld(Withheld),
}

impl From<ConsentRow> for ConsentAnswer {
    fn from(row: ConsentRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            to: row.consent.to.into(),
            by: row.consent.by.into(),
            form: row.consent.form.into(),
            reply: row.consent.reply.into(),
            given_on: row.consent.given_on,
            ends_on: row.consent.ends_on,
            revoked_on: row.consent.revoked_on,
            note: row.note,
            author_id: Gid(row.author),
            written_at: row.written_at,
            version: row.version,
        }
    }
}

impl From<ConsentRows> for GrantedConsents {
    fn from(rows: ConsentRows) -> Self {
        let guidance = |row: GuidanceRow| ConsentOfTrajectory {
            trajectory_id: Gid(row.trajectory),
            decides: row.decides.into(),
            standing: row.standing.into(),
            next: row.next.map(Into::into),
        };
        let judgement = |row: JudgementRow| CapabilityJudgement {
            trajectory_id: Gid(row.trajectory),
            capability: row.capability.into(),
            from: row.from,
            author_id: Gid(row.author),
            reason: row.reason,
        };
        Self {
            value: rows.answers.into_iter().map(Into::into).collect(),
            guidance: rows.guidance.into_iter().map(guidance).collect(),
            judgements: rows.judgements.into_iter().map(judgement).collect(),
        }
    }
}

/// An answer to what was asked.
#[derive(Clone, InputObject)]
pub struct ConsentInput {
    /// What was asked.
    #[graphql(tag = "class:public")]
    pub to: ConsentTo,
    /// Who answered.
    #[graphql(tag = "class:public")]
    pub by: ConsentGiver,
    /// In which form.
    #[graphql(tag = "class:public")]
    pub form: ConsentForm,
    /// What.
    #[graphql(tag = "class:public")]
    pub reply: ConsentReply,
    /// On which day: today or before.
    #[graphql(tag = "class:public")]
    pub given_on: NaiveDate,
    /// The first day it holds no longer, where it was given for a time.
    #[graphql(tag = "class:public")]
    pub ends_on: Option<NaiveDate>,
    /// What was said with it: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub note: Option<String>,
}

/// Noting a consent or a refusal.
#[derive(Clone, InputObject)]
pub struct RecordConsentInput {
    /// The trajectory it is about.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// The answer.
    #[graphql(tag = "class:public")]
    pub answer: ConsentInput,
}

/// Correcting what was noted wrongly: a new version, and the former is kept.
#[derive(Clone, InputObject)]
pub struct CorrectConsentInput {
    /// Which.
    #[graphql(tag = "class:public")]
    pub consent_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The answer as it was.
    #[graphql(tag = "class:public")]
    pub answer: ConsentInput,
}

/// Taking a consent back, by who gave it.
#[derive(Debug, Clone, InputObject)]
pub struct WithdrawConsentInput {
    /// Which.
    #[graphql(tag = "class:public")]
    pub consent_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The first day it holds no longer: today or before.
    #[graphql(tag = "class:public")]
    pub on: NaiveDate,
}

/// Deciding that a pupil can judge, or not.
#[derive(Clone, InputObject)]
pub struct JudgeCapabilityInput {
    /// The trajectory whose team decides.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// What, from today on.
    #[graphql(tag = "class:public")]
    pub capability: Capability,
    /// Why: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// It is noted.
#[derive(Debug, Clone, SimpleObject)]
pub struct ConsentNoted {
    /// The consent or refusal.
    #[graphql(tag = "class:public")]
    pub consent_id: Gid<ConsentId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl ConsentNoted {
    const fn of(id: ConsentId, version: i32) -> Self {
        Self {
            consent_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `recordConsent`.
    RecordConsentPayload, ConsentNoted, ConsentId
);
payload!(
    /// What came of `correctConsent`.
    CorrectConsentPayload, ConsentNoted, ConsentId
);
payload!(
    /// What came of `withdrawConsent`.
    WithdrawConsentPayload, ConsentNoted, ConsentId
);
payload!(
    /// What came of `judgeCapability`.
    JudgeCapabilityPayload, TrajectoryStepped, TrajectoryId
);

impl ConsentInput {
    /// The answer, or the field that cannot be right.
    fn read(self, today: NaiveDate) -> Result<(Consent, Option<String>), &'static str> {
        if self.given_on > today {
            return Err("givenOn");
        }
        if self.ends_on.is_some_and(|ends| ends <= self.given_on) {
            return Err("endsOn");
        }
        if self.note.as_ref().is_some_and(|note| !is_text(note)) {
            return Err("note");
        }
        let consent = Consent {
            to: self.to.into(),
            by: self.by.into(),
            form: self.form.into(),
            reply: self.reply.into(),
            given_on: self.given_on,
            ends_on: self.ends_on,
            revoked_on: None,
        };
        Ok((consent, self.note))
    }
}

/// What a team does about consent.
#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Notes a consent or a refusal about a trajectory: by its team, whoever asked for guidance.
    #[graphql(tag = "class:public")]
    async fn record_consent(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The answer.")] input: RecordConsentInput,
    ) -> Result<RecordConsentPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let (consent, note) = match input.answer.read(asked.operation.today()) {
            Ok(read) => read,
            Err(field) => return Ok(Stepped::Invalid(field).into()),
        };
        let new = RecordConsent {
            trajectory,
            consent,
            note,
        };
        Ok(asked.hub.record_consent(asked.operation, new).await?.into())
    }

    /// Corrects an answer that was noted wrongly: by the team. The former version is kept.
    #[graphql(tag = "class:public")]
    async fn correct_consent(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The answer as it was.")] input: CorrectConsentInput,
    ) -> Result<CorrectConsentPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(consent_id) = id(&input.consent_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let (consent, note) = match input.answer.read(asked.operation.today()) {
            Ok(read) => read,
            Err(field) => return Ok(Stepped::Invalid(field).into()),
        };
        let corrected = CorrectConsent {
            id: consent_id,
            version: input.version,
            consent,
            note,
        };
        Ok(asked.hub.correct_consent(asked.operation, corrected).await?.into())
    }

    /// Takes a consent back, for who gave it: by the team. That it was given is kept.
    #[graphql(tag = "class:public")]
    async fn withdraw_consent(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and from when.")] input: WithdrawConsentInput,
    ) -> Result<WithdrawConsentPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(consent) = id(&input.consent_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if input.on > asked.operation.today() {
            return Ok(Stepped::Invalid("on").into());
        }
        let withdrawn = asked
            .hub
            .withdraw_consent(asked.operation, (consent, input.version), input.on)
            .await?;
        Ok(withdrawn.into())
    }

    /// Decides that a pupil is able to judge, or is not, against what the law presumes: by the team, with its reasons.
    #[graphql(tag = "class:public")]
    async fn judge_capability(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What was decided, and why.")] input: JudgeCapabilityInput,
    ) -> Result<JudgeCapabilityPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let judged = JudgeCapability {
            trajectory,
            capability: input.capability.into(),
            reason: input.reason,
        };
        Ok(asked.hub.judge_capability(asked.operation, judged).await?.into())
    }
}
