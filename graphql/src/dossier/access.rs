//! Access to what was withheld: asked for, and given for a time by the team that has it.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{AccessRequestId, DecisionId, PrincipalId, PupilId};

use super::step::{Stepped, is_text, payload};
use super::terms::Domain;
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// A request, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// Its id.
    pub id: AccessRequestId,
    /// About whom.
    pub pupil: PupilId,
    /// To which domain; none for health data.
    pub domain: Option<hub_entities::dossier::Domain>,
    /// Who asks.
    pub by: PrincipalId,
    /// When.
    pub at: DateTime<Utc>,
    /// Rises with every change.
    pub version: i32,
    /// Why.
    pub reason: String,
}

impl std::fmt::Debug for AccessRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("AccessRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A colleague's request for access, which waits for the team.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessRequest {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<AccessRequestId>,
    /// The pupil.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_id: Gid<PupilId>,
    /// To which domain; none for the medical part.
    #[graphql(tag = "class:secret.granted")]
    pub domain: Option<Domain>,
    /// Who asks: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub requested_by: Gid<PrincipalId>,
    /// When.
    #[graphql(tag = "class:secret.granted")]
    pub requested_at: DateTime<Utc>,
    /// Rises with every change: give it back with the answer.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// Why.
    #[graphql(tag = "class:secret.granted")]
    pub reason: String,
}

impl From<AccessRow> for AccessRequest {
    fn from(row: AccessRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            domain: row.domain.map(Into::into),
            requested_by: Gid(row.by),
            requested_at: row.at,
            version: row.version,
            reason: row.reason,
        }
    }
}

/// The root of requests for access.
#[derive(Default)]
pub struct AccessRoot;

#[Object]
impl AccessRoot {
    /// Requests for access to a pupil's dossier that wait, oldest first: those that the viewer's team answers. Being asked is
    /// logged.
    #[graphql(tag = "class:secret.granted")]
    async fn access_requests(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The pupil.")] pupil_id: ID,
    ) -> Result<Vec<AccessRequest>, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&pupil_id) else {
            return Ok(Vec::new());
        };
        let found = asked.hub.access_requests(asked.operation, pupil).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// Asking for access to what was withheld.
#[derive(Clone, InputObject)]
pub struct RequestAccessInput {
    /// The decision that a withheld field names, made for this viewer.
    #[graphql(tag = "class:public")]
    pub decision_id: ID,
    /// Why: not blank, at most 65,536 bytes. Who answers reads it.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// Answering a request for access.
#[derive(Debug, Clone, InputObject)]
pub struct AnswerAccessRequestInput {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// What is opened; nothing is a refusal.
    #[graphql(tag = "class:public")]
    pub lend: Option<LendInput>,
}

/// What is opened to a colleague, to read, for a time.
#[derive(Debug, Clone, InputObject)]
pub struct LendInput {
    /// The trajectory.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// Until when: at most thirty days.
    #[graphql(tag = "class:public")]
    pub until: DateTime<Utc>,
}

/// It was asked. Whether there is anything to have is not said.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessRequested {
    /// The decision it was asked with.
    #[graphql(tag = "class:public")]
    pub decision_id: Gid<DecisionId>,
}

impl AccessRequested {
    const fn of(id: DecisionId, _version: i32) -> Self {
        Self { decision_id: Gid(id) }
    }
}

/// It is answered.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessAnswered {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<AccessRequestId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl AccessAnswered {
    const fn of(id: AccessRequestId, version: i32) -> Self {
        Self {
            request_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `requestAccess`.
    RequestAccessPayload, AccessRequested, DecisionId
);
payload!(
    /// What came of `answerAccessRequest`.
    AnswerAccessRequestPayload, AccessAnswered, AccessRequestId
);

/// Asking for access, and answering.
#[derive(Default)]
pub struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Asks for access to what a decision withheld from this viewer. It goes to the team that has it, if there is any; of that
    /// the asker hears nothing. Asked again with the same decision it is the same request.
    #[graphql(tag = "class:public")]
    async fn request_access(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What, and why.")] input: RequestAccessInput,
    ) -> Result<RequestAccessPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(decision) = id(&input.decision_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let requested = asked
            .hub
            .request_access(asked.operation, decision, &input.reason)
            .await?;
        Ok(requested.into())
    }

    /// Opens to a colleague who asked, for a time, what a trajectory of the viewer's team holds; or refuses.
    #[graphql(tag = "class:public")]
    async fn answer_access_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and what is opened.")] input: AnswerAccessRequestInput,
    ) -> Result<AnswerAccessRequestPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let lends = match input.lend {
            None => None,
            Some(lend) => match id(&lend.trajectory_id) {
                Some(trajectory) => Some((trajectory, lend.until)),
                None => return Ok(Stepped::Unknown.into()),
            },
        };
        let of = (request, input.version);
        Ok(asked.hub.answer_access(asked.operation, of, lends).await?.into())
    }
}
