//! What persons ask of their own dossier, in realm `clb`: who answers it opens something after the talk, or refuses.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::access::DossierRequestState as AState;
use hub_entities::id::{DossierAccessId, DossierRequestId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role as Acting;

use super::own::DossierRequestState;
use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::viewer::Role;

/// A person's request, as the hub answers it to who is to answer the person.
#[derive(Clone, PartialEq, Eq)]
pub struct StandingRow {
    /// Its id.
    pub id: DossierRequestId,
    /// About whom.
    pub pupil: PupilId,
    /// Who asks.
    pub by: PrincipalId,
    /// As pupil or as parent.
    pub asked_as: Acting,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// How far it has come.
    pub state: AState,
    /// Rises with every change.
    pub version: i32,
    /// In the words of the person.
    pub reason: String,
    /// What was opened for it.
    pub opened: Vec<OpenedRow>,
}

impl std::fmt::Debug for StandingRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("StandingRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What was opened to a person, as the hub answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRow {
    /// Its id.
    pub id: DossierAccessId,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Whether it is its health data.
    pub medical: bool,
    /// Who opened it.
    pub by: PrincipalId,
    /// The day of the talk.
    pub talk_on: NaiveDate,
    /// From which day.
    pub begins_on: NaiveDate,
    /// The first day no longer.
    pub ends_on: NaiveDate,
    /// Whether the pupil objects.
    pub pupil_objects: bool,
    /// Rises with every change.
    pub version: i32,
}

/// What a worker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenDossier {
    /// For which request.
    pub request: DossierRequestId,
    /// The version that was read.
    pub version: i32,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Whether it is its health data.
    pub medical: bool,
    /// The day of the talk.
    pub talk_on: NaiveDate,
    /// The first day no longer.
    pub ends_on: NaiveDate,
    /// Whether it is in the pupil's interest, and the pupil does not object.
    pub in_interest: bool,
}

/// What a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndAccess {
    /// What was opened.
    pub access: DossierAccessId,
    /// The version that was read.
    pub version: i32,
    /// Whether it is that the pupil objects.
    pub pupil_objects: bool,
}

/// A person's request to read the own dossier (verzoek tot inzage).
#[derive(Debug, Clone, SimpleObject)]
pub struct DossierRequest {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<DossierRequestId>,
    /// The pupil.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_id: Gid<PupilId>,
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
    /// How far it has come.
    #[graphql(tag = "class:secret.granted")]
    pub state: DossierRequestState,
    /// Rises with every change: give it back with the answer.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// In the words of the person.
    #[graphql(tag = "class:secret.granted")]
    pub reason: String,
    /// What was opened for it in the viewer's own trajectories, and still is.
    #[graphql(tag = "class:secret.granted")]
    pub opened: Vec<DossierAccess>,
}

/// What was opened to a person after the talk (inzage).
#[derive(Debug, Clone, SimpleObject)]
pub struct DossierAccess {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<DossierAccessId>,
    /// Of which trajectory.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Whether it is the health data of that trajectory; otherwise it is all but those.
    #[graphql(tag = "class:secret.granted")]
    pub medical: bool,
    /// Who opened it: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub opened_by: Gid<PrincipalId>,
    /// The day of the talk.
    #[graphql(tag = "class:secret.granted")]
    pub talk_on: NaiveDate,
    /// The first day.
    #[graphql(tag = "class:secret.granted")]
    pub begins: NaiveDate,
    /// The first day no longer.
    #[graphql(tag = "class:secret.granted")]
    pub ends: NaiveDate,
    /// Whether the pupil objects; then no parent reads it while parents decide.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_objects: bool,
    /// Rises with every change: give it back with the next one.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

impl From<StandingRow> for DossierRequest {
    fn from(row: StandingRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            requested_by: Gid(row.by),
            asked_as: row.asked_as.into(),
            requested_at: row.at,
            answer_by: row.answer_by,
            state: row.state.into(),
            version: row.version,
            reason: row.reason,
            opened: row.opened.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<OpenedRow> for DossierAccess {
    fn from(row: OpenedRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            medical: row.medical,
            opened_by: Gid(row.by),
            talk_on: row.talk_on,
            begins: row.begins_on,
            ends: row.ends_on,
            pupil_objects: row.pupil_objects,
            version: row.version,
        }
    }
}

/// The root of what persons ask.
#[derive(Default)]
pub struct RightsRoot;

#[Object]
impl RightsRoot {
    /// What persons ask of their own dossier and waits for the viewer, the oldest first: a team of the pupil answers, or the
    /// anchor of the school. What was opened stands here until it ends. Being asked is logged.
    #[graphql(tag = "class:secret.granted")]
    async fn dossier_requests(&self, context: &Context<'_>) -> Result<Vec<DossierRequest>, Problem> {
        let asked = Asked::of(context)?;
        let found = asked.hub.standing_requests(asked.operation).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// Opening a trajectory to the person who asked.
#[derive(Debug, Clone, InputObject)]
pub struct OpenDossierInput {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: ID,
    /// The version of the request that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The trajectory: one of the viewer's own team.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// Whether its health data are opened, and these alone: that does a doctor.
    #[graphql(tag = "class:public", default)]
    pub medical: bool,
    /// The day of the talk: not after today.
    #[graphql(tag = "class:public")]
    pub talk_on: NaiveDate,
    /// The first day no longer: within 92 days.
    #[graphql(tag = "class:public")]
    pub ends: NaiveDate,
    /// That it is in the pupil's interest, and that the pupil, who was heard, does not object: asked where parents decide.
    #[graphql(tag = "class:public", default)]
    pub in_pupils_interest: bool,
}

/// Refusing a request.
#[derive(Clone, InputObject)]
pub struct RefuseDossierRequestInput {
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

/// Ending what was opened.
#[derive(Debug, Clone, InputObject)]
pub struct EndDossierAccessInput {
    /// What was opened.
    #[graphql(tag = "class:public")]
    pub access_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// That the pupil objects, where parents decide: noted instead of an end, and no parent reads it from then on.
    #[graphql(tag = "class:public", default)]
    pub pupil_objects: bool,
}

/// It is opened.
#[derive(Debug, Clone, SimpleObject)]
pub struct DossierOpened {
    /// What was opened.
    #[graphql(tag = "class:public")]
    pub access_id: Gid<DossierAccessId>,
    /// The version of the request now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// It is refused.
#[derive(Debug, Clone, SimpleObject)]
pub struct DossierRequestRefused {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<DossierRequestId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// It is ended, or the pupil's objection is noted.
#[derive(Debug, Clone, SimpleObject)]
pub struct DossierAccessEnded {
    /// What was opened.
    #[graphql(tag = "class:public")]
    pub access_id: Gid<DossierAccessId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl DossierOpened {
    const fn of(id: DossierAccessId, version: i32) -> Self {
        Self {
            access_id: Gid(id),
            version,
        }
    }
}

impl DossierRequestRefused {
    const fn of(id: DossierRequestId, version: i32) -> Self {
        Self {
            request_id: Gid(id),
            version,
        }
    }
}

impl DossierAccessEnded {
    const fn of(id: DossierAccessId, version: i32) -> Self {
        Self {
            access_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `openDossier`.
    OpenDossierPayload, DossierOpened, DossierAccessId
);
payload!(
    /// What came of `refuseDossierRequest`.
    RefuseDossierRequestPayload, DossierRequestRefused, DossierRequestId
);
payload!(
    /// What came of `endDossierAccess`.
    EndDossierAccessPayload, DossierAccessEnded, DossierAccessId
);

/// Answering persons.
#[derive(Default)]
pub struct RightsMutation;

#[Object]
impl RightsMutation {
    /// Opens a trajectory of the viewer's team to the person who asked, after the talk and for a time; health data a doctor
    /// opens. The person reads what is own and context data in it, and never what is closed to the person.
    #[graphql(tag = "class:public")]
    async fn open_dossier(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What, to whom, until when.")] input: OpenDossierInput,
    ) -> Result<OpenDossierPayload, Problem> {
        let asked = Asked::of(context)?;
        let (Some(request), Some(trajectory)) = (id(&input.request_id), id(&input.trajectory_id)) else {
            return Ok(Stepped::Unknown.into());
        };
        let open = OpenDossier {
            request,
            version: input.version,
            trajectory,
            medical: input.medical,
            talk_on: input.talk_on,
            ends_on: input.ends,
            in_interest: input.in_pupils_interest,
        };
        Ok(asked.hub.open_dossier(asked.operation, open).await?.into())
    }

    /// Refuses a person's request that waits, for a reason that the person reads.
    #[graphql(tag = "class:public")]
    async fn refuse_dossier_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and why.")] input: RefuseDossierRequestInput,
    ) -> Result<RefuseDossierRequestPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(request) = id(&input.request_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let of = (request, input.version);
        let refused = asked.hub.refuse_request(asked.operation, of, &input.reason).await?;
        Ok(refused.into())
    }

    /// Ends from today on what was opened to a person, or notes that the pupil objects.
    #[graphql(tag = "class:public")]
    async fn end_dossier_access(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and how.")] input: EndDossierAccessInput,
    ) -> Result<EndDossierAccessPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(access) = id(&input.access_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let end = EndAccess {
            access,
            version: input.version,
            pupil_objects: input.pupil_objects,
        };
        Ok(asked.hub.end_access(asked.operation, end).await?.into())
    }
}
