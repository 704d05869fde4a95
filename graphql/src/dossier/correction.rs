//! What persons ask of entries that were opened to them: asking in realm `person`, answering in realm `clb`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::correction::{CorrectionKind as AKind, CorrectionState as AState};
use hub_entities::id::{CorrectionId, EntryId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role as Acting;

use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::ClbRow;
use crate::viewer::Role;

/// What a person asks of an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct AskCorrection {
    /// Of which entry.
    pub entry: EntryId,
    /// What.
    pub kind: AKind,
    /// In the person's own words.
    pub text: String,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedCorrection {
    /// The request.
    pub id: CorrectionId,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
}

/// A person's own request, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCorrectionRow {
    /// Its id.
    pub id: CorrectionId,
    /// Of which CLB it was asked.
    pub clb: ClbRow,
    /// Of which entry.
    pub entry: EntryId,
    /// What.
    pub kind: AKind,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// In the person's own words.
    pub text: String,
    /// How far it has come.
    pub state: AState,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused.
    pub answer: Option<String>,
}

/// A request that waits, as the hub answers it to who is to answer it.
#[derive(Clone, PartialEq, Eq)]
pub struct CorrectionRow {
    /// Its id.
    pub id: CorrectionId,
    /// About whom.
    pub pupil: PupilId,
    /// Of which entry.
    pub entry: EntryId,
    /// The version of it that the person read.
    pub entry_version: i32,
    /// In which trajectory that is.
    pub trajectory: TrajectoryId,
    /// Who asks.
    pub by: PrincipalId,
    /// As pupil or as parent.
    pub asked_as: Acting,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// What.
    pub kind: AKind,
    /// In the person's own words.
    pub text: String,
    /// Rises with every change.
    pub version: i32,
}

/// What a team does of what was asked.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantCorrection {
    /// Which request.
    pub id: CorrectionId,
    /// The version that was read.
    pub version: i32,
    /// The version of the entry that was read.
    pub entry_version: i32,
    /// What the entry says from now on, where it is corrected.
    pub text: Option<String>,
    /// That there is a serious reason, where it is left out.
    pub serious_reason: bool,
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
secret!(AskCorrection, OwnCorrectionRow, CorrectionRow, GrantCorrection);

/// What is asked of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AKind")]
pub enum CorrectionKind {
    /// To correct it (verbeteren): the former version is kept, and shown to nobody.
    #[graphql(tag = "class:public")]
    Correct,
    /// To add the person's own words to it (aanvullen).
    #[graphql(tag = "class:public")]
    Add,
    /// To leave it out, for a serious reason (weglaten): then nothing of it is kept. Never of what is obligatory.
    #[graphql(tag = "class:public")]
    LeaveOut,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AState")]
pub enum CorrectionState {
    /// It waits for the team.
    #[graphql(tag = "class:public")]
    Waiting,
    /// It was done.
    #[graphql(tag = "class:public")]
    Granted,
    /// It was refused.
    #[graphql(tag = "class:public")]
    Refused,
}

/// What the viewer asked of an entry (verzoek tot verbetering, aanvulling of weglating).
#[derive(Debug, Clone, SimpleObject)]
pub struct OwnCorrection {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<CorrectionId>,
    /// Of which CLB it was asked.
    #[graphql(tag = "class:secret.granted")]
    pub clb: ClbRow,
    /// The entry that the viewer named.
    #[graphql(tag = "class:secret.granted")]
    pub entry_id: Gid<EntryId>,
    /// What was asked.
    #[graphql(tag = "class:secret.granted")]
    pub kind: CorrectionKind,
    /// When.
    #[graphql(tag = "class:secret.granted")]
    pub requested_at: DateTime<Utc>,
    /// The last day on which it is answered in time, by the law of that day; none where no term is known.
    #[graphql(tag = "class:secret.granted")]
    pub answer_by: Option<NaiveDate>,
    /// In the viewer's own words.
    #[graphql(tag = "class:secret.granted")]
    pub text: String,
    /// How far it has come.
    #[graphql(tag = "class:secret.granted")]
    pub state: CorrectionState,
    /// When it was answered.
    #[graphql(tag = "class:secret.granted")]
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused, if it was.
    #[graphql(tag = "class:secret.granted")]
    pub answer: Option<String>,
}

/// What a person asks of an entry (verzoek tot verbetering, aanvulling of weglating), for the team that answers it.
#[derive(Debug, Clone, SimpleObject)]
pub struct CorrectionRequest {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<CorrectionId>,
    /// The pupil.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_id: Gid<PupilId>,
    /// The entry.
    #[graphql(tag = "class:secret.granted")]
    pub entry_id: Gid<EntryId>,
    /// Which version of it the person read.
    #[graphql(tag = "class:secret.granted")]
    pub entry_version: i32,
    /// The trajectory in which it was written.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Who asks: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub requested_by: Gid<PrincipalId>,
    /// As pupil or as parent.
    #[graphql(tag = "class:secret.granted")]
    pub asked_as: Role,
    /// When.
    #[graphql(tag = "class:secret.granted")]
    pub requested_at: DateTime<Utc>,
    /// The last day on which it is answered in time, by the law of the day it was asked; none where no term is known.
    #[graphql(tag = "class:secret.granted")]
    pub answer_by: Option<NaiveDate>,
    /// What is asked.
    #[graphql(tag = "class:secret.granted")]
    pub kind: CorrectionKind,
    /// In the words of the person: what it should say, what is to be added, or why it is to be left out.
    #[graphql(tag = "class:secret.granted")]
    pub text: String,
    /// Rises with every change: give it back with the answer.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

impl From<OwnCorrectionRow> for OwnCorrection {
    fn from(row: OwnCorrectionRow) -> Self {
        Self {
            id: Gid(row.id),
            clb: row.clb,
            entry_id: Gid(row.entry),
            kind: row.kind.into(),
            requested_at: row.at,
            answer_by: row.answer_by,
            text: row.text,
            state: row.state.into(),
            answered_at: row.answered_at,
            answer: row.answer,
        }
    }
}

impl From<CorrectionRow> for CorrectionRequest {
    fn from(row: CorrectionRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            entry_id: Gid(row.entry),
            entry_version: row.entry_version,
            trajectory_id: Gid(row.trajectory),
            requested_by: Gid(row.by),
            asked_as: row.asked_as.into(),
            requested_at: row.at,
            answer_by: row.answer_by,
            kind: row.kind.into(),
            text: row.text,
            version: row.version,
        }
    }
}

/// Asking that an entry be corrected, added to or left out.
#[derive(Clone, InputObject)]
pub struct RequestCorrectionInput {
    /// The entry: one that the viewer reads.
    #[graphql(tag = "class:public")]
    pub entry_id: ID,
    /// What is asked.
    #[graphql(tag = "class:public")]
    pub kind: CorrectionKind,
    /// What it should say and why, the own words that are to be added, or the serious reason for leaving it out: not blank, at
    /// most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: String,
}

/// It was asked.
#[derive(Debug, Clone, SimpleObject)]
pub struct CorrectionRequested {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<CorrectionId>,
    /// The last day on which it is answered in time; none where no term is known.
    #[graphql(tag = "class:public")]
    pub answer_by: Option<NaiveDate>,
}

/// What came of `requestCorrection`.
#[derive(Debug, Clone, Union)]
pub enum RequestCorrectionPayload {
    /// It is done.
    Done(CorrectionRequested),
    /// The input cannot be right.
    Invalid(Invalid),
    /// Not now, or not by this viewer.
    NotPossible(NotPossible),
}

impl From<Stepped<AskedCorrection>> for RequestCorrectionPayload {
    fn from(stepped: Stepped<AskedCorrection>) -> Self {
        match stepped {
            Stepped::Done(asked, _) => Self::Done(CorrectionRequested {
                request_id: Gid(asked.id),
                answer_by: asked.answer_by,
            }),
            Stepped::Invalid(field) => Self::Invalid(Invalid::of(field)),
            Stepped::Changed(_) | Stepped::State => Self::NotPossible(Reason::State.into()),
            Stepped::NotAllowed => Self::NotPossible(Reason::NotAllowed.into()),
            Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
        }
    }
}

/// Asking for what is written to be put right.
#[derive(Default)]
pub struct OwnCorrectionMutation;

#[Object]
impl OwnCorrectionMutation {
    /// Asks that an entry that the viewer reads be corrected, that own words be added to it, or that it be left out. The team
    /// answers within the term of the law. Of an entry that is closed to the viewer, was not opened or is not there, the answer
    /// is the same; while one of the same kind waits for an entry, another is not taken.
    #[graphql(tag = "class:public")]
    async fn request_correction(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Of which entry, what, in which words.")] input: RequestCorrectionInput,
    ) -> Result<RequestCorrectionPayload, Problem> {
        let asked = Asked::of(context)?;
        if !is_text(&input.text) {
            return Ok(Stepped::Invalid("text").into());
        }
        let Some(entry) = id(&input.entry_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let ask = AskCorrection {
            entry,
            kind: input.kind.into(),
            text: input.text,
        };
        Ok(asked.hub.ask_correction(asked.operation, ask).await?.into())
    }
}

/// The root of what persons ask of entries.
#[derive(Default)]
pub struct CorrectionRoot;

#[Object]
impl CorrectionRoot {
    /// What persons ask of entries in the viewer's own trajectories and waits for an answer, the oldest first. Being asked is
    /// logged.
    #[graphql(tag = "class:secret.granted")]
    async fn correction_requests(&self, context: &Context<'_>) -> Result<Vec<CorrectionRequest>, Problem> {
        let asked = Asked::of(context)?;
        let found = asked.hub.standing_corrections(asked.operation).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// Doing what a person asked of an entry.
#[derive(Clone, InputObject)]
pub struct GrantCorrectionInput {
    /// The request: one that waits.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version of the request that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The version of the entry that was read.
    #[graphql(tag = "class:public")]
    pub entry_version: i32,
    /// What the entry says from now on, where it is to be corrected, and only there: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: Option<String>,
    /// That the reason is a serious one: asked where it is to be left out.
    #[graphql(tag = "class:public", default)]
    pub serious_reason: bool,
}

/// Refusing it.
#[derive(Clone, InputObject)]
pub struct RefuseCorrectionInput {
    /// The request: one that waits.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// Why: not blank, at most 65,536 bytes. The person reads it.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// It is answered.
#[derive(Debug, Clone, SimpleObject)]
pub struct CorrectionAnswered {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<CorrectionId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl CorrectionAnswered {
    const fn of(id: CorrectionId, version: i32) -> Self {
        Self {
            request_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `grantCorrection`.
    GrantCorrectionPayload, CorrectionAnswered, CorrectionId
);
payload!(
    /// What came of `refuseCorrection`.
    RefuseCorrectionPayload, CorrectionAnswered, CorrectionId
);

/// Answering what persons ask of entries.
#[derive(Default)]
pub struct CorrectionMutation;

#[Object]
impl CorrectionMutation {
    /// Does what a person asked of an entry, by the team of its trajectory. A correction keeps the former version; what is added
    /// is an entry of its own in the person's words, which nobody corrects; what is left out is gone, every version of it, and is
    /// never obligatory. A conflict tells the version of the request, or else that of the entry.
    #[graphql(tag = "class:public")]
    async fn grant_correction(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and how.")] input: GrantCorrectionInput,
    ) -> Result<GrantCorrectionPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if input.text.as_deref().is_some_and(|text| !is_text(text)) {
            return Ok(Stepped::Invalid("text").into());
        }
        let grant = GrantCorrection {
            id: request,
            version: input.version,
            entry_version: input.entry_version,
            text: input.text,
            serious_reason: input.serious_reason,
        };
        Ok(asked.hub.grant_correction(asked.operation, grant).await?.into())
    }

    /// Refuses what a person asked of an entry, for a reason that the person reads.
    #[graphql(tag = "class:public")]
    async fn refuse_correction(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and why.")] input: RefuseCorrectionInput,
    ) -> Result<RefuseCorrectionPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let of = (request, input.version);
        let refused = asked.hub.refuse_correction(asked.operation, of, &input.reason).await?;
        Ok(refused.into())
    }
}
