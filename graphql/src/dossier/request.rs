//! Requests for guidance (aanmeldingen) as the CLB sees them: they wait for the anchor of the school.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{GuidanceRequestId, PupilId, SchoolId, TrajectoryId};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use super::step::{Stepped, is_text};
use super::terms::{AskedBy, Domain, Phase};
use crate::asked::{Asked, id};
use crate::guidance::{SubmitGuidanceRequestPayload, ask};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// A request, as the hub answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Its id.
    pub id: GuidanceRequestId,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// The school whose anchor takes it in.
    pub school: SchoolId,
    /// Who asks.
    pub asked_by: hub_entities::dossier::trajectory::AskedBy,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Rises with every change.
    pub version: i32,
    /// What is asked.
    pub text: Protected<String>,
}

/// A request that is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeIn {
    /// Which.
    pub request: GuidanceRequestId,
    /// The version that was read.
    pub version: i32,
    /// In which domain guidance begins.
    pub domain: hub_entities::dossier::Domain,
    /// Where it begins in the continuum of care.
    pub phase: hub_entities::dossier::trajectory::Phase,
}

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Which.
    pub request: GuidanceRequestId,
    /// What began.
    pub trajectory: Option<TrajectoryId>,
}

/// A text that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedText {
    /// The text.
    #[graphql(tag = "class:secret.granted")]
    pub value: String,
}

/// A text, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedText {
    /// It may be read.
    Granted(GrantedText),
    /// It may not.
    Withheld(Withheld),
}

impl From<Protected<String>> for ProtectedText {
    fn from(text: Protected<String>) -> Self {
        match text {
            Protected::Granted(opened) => Self::Granted(GrantedText {
                value: opened.into_inner(),
            }),
            Protected::Withheld { why, decision } => Self::Withheld(Withheld::of(why, decision)),
        }
    }
}

/// A request for guidance (aanmelding) that waits. It is there for whoever may see that it is.
#[derive(Debug, Clone, SimpleObject)]
pub struct GuidanceRequest {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<GuidanceRequestId>,
    /// The pupil; none where the school asks for advice to itself.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_id: Option<Gid<PupilId>>,
    /// The school whose anchor takes it in.
    #[graphql(tag = "class:secret.granted")]
    pub school_id: Gid<SchoolId>,
    /// Who asks.
    #[graphql(tag = "class:secret.granted")]
    pub asked_by: AskedBy,
    /// When it was asked.
    #[graphql(tag = "class:secret.granted")]
    pub requested_at: DateTime<Utc>,
    /// Rises with every change: give it back with the answer.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// What is asked.
    #[graphql(tag = "class:secret.intake")]
    pub text: ProtectedText,
}

impl From<RequestRow> for GuidanceRequest {
    fn from(row: RequestRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: row.pupil.map(Gid),
            school_id: Gid(row.school),
            asked_by: row.asked_by.into(),
            requested_at: row.requested_at,
            version: row.version,
            text: row.text.into(),
        }
    }
}

/// The root of requests that wait.
#[derive(Default)]
pub struct RequestRoot;

#[Object]
impl RequestRoot {
    /// The requests of a school that wait for its anchor, the oldest first, at most 200: for that anchor; for director and
    /// administration without what was said. Being asked is logged.
    #[graphql(tag = "class:secret.intake")]
    async fn guidance_requests(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The school.")] school_id: ID,
    ) -> Result<Vec<GuidanceRequest>, Problem> {
        let asked = Asked::of(context)?;
        let Some(school) = id(&school_id) else {
            return Ok(Vec::new());
        };
        let with_text = context.look_ahead().field("text").exists();
        let found = asked.hub.guidance_requests(asked.operation, school, with_text).await?;
        Ok(found.into_iter().map(GuidanceRequest::from).collect())
    }
}

/// A CLB notes what it is asked.
#[derive(Clone, InputObject)]
pub struct SubmitGuidanceRequestInput {
    /// A name of the asker's choice, 1 to 128 characters: asked again under it, it is the same request.
    #[graphql(tag = "class:public")]
    pub idempotency_key: String,
    /// The pupil; none for advice to the school itself (consultatieve begeleiding, phase 1).
    #[graphql(tag = "class:public")]
    pub pupil_id: Option<ID>,
    /// The school whose anchor takes it in; without one a school where the pupil is enrolled.
    #[graphql(tag = "class:public")]
    pub school_id: Option<ID>,
    /// Who asked the CLB.
    #[graphql(tag = "class:public")]
    pub asked_by: AskedBy,
    /// What is asked: not blank, at most 16,384 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: String,
}

/// Taking a request in.
#[derive(Debug, Clone, InputObject)]
pub struct TakeInGuidanceRequestInput {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The domain in which guidance begins, where it is about a pupil.
    #[graphql(tag = "class:public")]
    pub domain: Domain,
    /// Where it begins in the continuum of care.
    #[graphql(tag = "class:public")]
    pub phase: Phase,
}

/// Declining a request.
#[derive(Clone, InputObject)]
pub struct DeclineGuidanceRequestInput {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// Why: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// It is answered.
#[derive(Debug, Clone, SimpleObject)]
pub struct GuidanceRequestAnswered {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<GuidanceRequestId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The trajectory that began, where it is about a pupil and was taken in.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Option<Gid<TrajectoryId>>,
}

/// What came of `takeInGuidanceRequest` and `declineGuidanceRequest`.
#[derive(Union)]
pub enum AnswerGuidanceRequestPayload {
    /// It is done.
    Done(GuidanceRequestAnswered),
    /// The input cannot be right.
    Invalid(Invalid),
    /// It changed since it was read.
    Conflict(Conflict),
    /// Not now, or not by this viewer.
    NotPossible(NotPossible),
}

impl From<Stepped<Answered>> for AnswerGuidanceRequestPayload {
    fn from(stepped: Stepped<Answered>) -> Self {
        match stepped {
            Stepped::Done(answered, version) => Self::Done(GuidanceRequestAnswered {
                request_id: Gid(answered.request),
                version,
                trajectory_id: answered.trajectory.map(Gid),
            }),
            Stepped::Changed(version) => Self::Conflict(Conflict { version }),
            Stepped::Invalid(field) => Self::Invalid(Invalid::of(field)),
            Stepped::State => Self::NotPossible(Reason::State.into()),
            Stepped::NotAllowed => Self::NotPossible(Reason::NotAllowed.into()),
            Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
        }
    }
}

/// What a CLB does with requests.
#[derive(Default)]
pub struct RequestMutation;

#[Object]
impl RequestMutation {
    /// Notes what someone asks the CLB: guidance of a pupil, or advice to a school. It waits for the anchor of the school.
    #[graphql(tag = "class:public")]
    async fn submit_guidance_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What is asked.")] input: SubmitGuidanceRequestInput,
    ) -> Result<SubmitGuidanceRequestPayload, Problem> {
        let about = (input.pupil_id.as_ref(), input.school_id.as_ref());
        let said = (input.idempotency_key, input.text);
        ask(context, about, input.asked_by.into(), said).await
    }

    /// Takes a request in: by the anchor of the school. About a pupil a trajectory begins, whose first entry is what was
    /// asked; without one the school was advised.
    #[graphql(tag = "class:public")]
    async fn take_in_guidance_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and what begins.")] input: TakeInGuidanceRequestInput,
    ) -> Result<AnswerGuidanceRequestPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let take = TakeIn {
            request,
            version: input.version,
            domain: input.domain.into(),
            phase: input.phase.into(),
        };
        Ok(asked.hub.take_in_guidance(asked.operation, take).await?.into())
    }

    /// Declines a request, with a reason that is kept: by the anchor of the school.
    #[graphql(tag = "class:public")]
    async fn decline_guidance_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and why.")] input: DeclineGuidanceRequestInput,
    ) -> Result<AnswerGuidanceRequestPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let of = (request, input.version);
        let declined = asked.hub.decline_guidance(asked.operation, of, &input.reason).await?;
        Ok(declined.into())
    }
}
