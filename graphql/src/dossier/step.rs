//! Steps in a dossier. Writing is no right to read: a step answers ids and versions, and echoes nothing.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::NaiveDate;
use hub_entities::dossier::entry::ClosedGrounds;
use hub_entities::id::{EntryId, PostId, PrincipalId, PupilId, SchoolId, TrajectoryId};

use super::terms::{About, AskedBy, ClosedGround, Domain, Obligation, Phase, Post};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest text of an entry, in bytes.
const LONGEST: usize = 65_536;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stepped<T> {
    /// It is done: this, with its version.
    Done(T, i32),
    /// It has another version by now.
    Changed(i32),
    /// This field of the input cannot be right.
    Invalid(&'static str),
    /// Not in the state that it is in.
    State,
    /// The viewer knows the pupil, and may not do this.
    NotAllowed,
    /// There is no such thing for this viewer.
    Unknown,
}

/// A trajectory that is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTrajectory {
    /// Whose.
    pub pupil: PupilId,
    /// In which domain.
    pub domain: hub_entities::dossier::Domain,
    /// Where it begins in the continuum of care.
    pub phase: hub_entities::dossier::trajectory::Phase,
    /// Who asked for it.
    pub asked_by: hub_entities::dossier::trajectory::AskedBy,
    /// Why it cannot be refused.
    pub obligation: Option<hub_entities::dossier::trajectory::Obligation>,
}

/// A worker's place in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutWorker {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// The version that was read.
    pub version: i32,
    /// Who.
    pub worker: PrincipalId,
    /// From which day.
    pub begins: NaiveDate,
    /// The first day no longer.
    pub ends: Option<NaiveDate>,
}

/// A worker's post at a school.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutPost {
    /// Who.
    pub worker: PrincipalId,
    /// Where.
    pub school: SchoolId,
    /// Which.
    pub post: hub_entities::dossier::Post,
    /// From which day.
    pub begins: NaiveDate,
    /// The first day no longer.
    pub ends: Option<NaiveDate>,
}

/// What is written.
#[derive(Clone, PartialEq, Eq)]
pub struct WriteEntry {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// Whether it is health data.
    pub medical: bool,
    /// Whom it is about.
    pub about: hub_entities::dossier::entry::About,
    /// What closes it to the person.
    pub closed: ClosedGrounds,
    /// The text.
    pub text: String,
}

/// What is corrected.
#[derive(Clone, PartialEq, Eq)]
pub struct CorrectEntry {
    /// Which entry.
    pub entry: EntryId,
    /// The version that was read.
    pub version: i32,
    /// Whom it is about.
    pub about: hub_entities::dossier::entry::About,
    /// What closes it to the person.
    pub closed: ClosedGrounds,
    /// The text.
    pub text: String,
}

impl std::fmt::Debug for WriteEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("WriteEntry(…)")
    }
}

impl std::fmt::Debug for CorrectEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("CorrectEntry(…)")
    }
}

/// Taking a pupil in (intake).
#[derive(Debug, Clone, InputObject)]
pub struct OpenTrajectoryInput {
    /// The pupil.
    #[graphql(tag = "class:public")]
    pub pupil_id: ID,
    /// The domain in which guidance begins.
    #[graphql(tag = "class:public")]
    pub domain: Domain,
    /// Where it begins in the continuum of care.
    #[graphql(tag = "class:public")]
    pub phase: Phase,
    /// Who asked for it.
    #[graphql(tag = "class:public")]
    pub asked_by: AskedBy,
    /// Why it cannot be refused, where it cannot.
    #[graphql(tag = "class:public")]
    pub obligation: Option<Obligation>,
}

/// Putting a worker in a team, or taking one out.
#[derive(Debug, Clone, InputObject)]
pub struct AssignTeamInput {
    /// The trajectory.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// The worker: a principal of this CLB.
    #[graphql(tag = "class:public")]
    pub worker_id: ID,
    /// The first day.
    #[graphql(tag = "class:public")]
    pub begins: NaiveDate,
    /// The first day no longer; the same day takes the worker out from then on.
    #[graphql(tag = "class:public")]
    pub ends: Option<NaiveDate>,
}

/// Moving a trajectory on, or closing it.
#[derive(Debug, Clone, InputObject)]
pub struct MoveTrajectoryInput {
    /// The trajectory.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// Its phase from now on.
    #[graphql(tag = "class:public")]
    pub phase: Option<Phase>,
    /// Whether it is over.
    #[graphql(tag = "class:public", default)]
    pub close: bool,
}

/// Writing an entry.
#[derive(Clone, InputObject)]
pub struct WriteEntryInput {
    /// The trajectory in which it is written.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// Whether it is health data: these are kept apart, for doctor and nurse.
    #[graphql(tag = "class:public", default)]
    pub medical: bool,
    /// Whom it is about.
    #[graphql(tag = "class:public")]
    pub about: About,
    /// Why it is never open to the pupil or a parent.
    #[graphql(tag = "class:public", default)]
    pub closed: Vec<ClosedGround>,
    /// The text: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: String,
}

/// Correcting an entry: a new version, and the former is kept.
#[derive(Clone, InputObject)]
pub struct CorrectEntryInput {
    /// The entry.
    #[graphql(tag = "class:public")]
    pub entry_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// Whom it is about.
    #[graphql(tag = "class:public")]
    pub about: About,
    /// Why it is never open to the pupil or a parent.
    #[graphql(tag = "class:public", default)]
    pub closed: Vec<ClosedGround>,
    /// The text: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: String,
}

/// Giving a worker a post at a school.
#[derive(Debug, Clone, InputObject)]
pub struct AssignPostInput {
    /// The worker: a principal of this CLB.
    #[graphql(tag = "class:public")]
    pub worker_id: ID,
    /// A school with which this CLB has an agreement.
    #[graphql(tag = "class:public")]
    pub school_id: ID,
    /// The post.
    #[graphql(tag = "class:public")]
    pub post: Post,
    /// The first day.
    #[graphql(tag = "class:public")]
    pub begins: NaiveDate,
    /// The first day no longer; the same day takes the post away from then on.
    #[graphql(tag = "class:public")]
    pub ends: Option<NaiveDate>,
}

/// It is done.
#[derive(Debug, Clone, SimpleObject)]
pub struct TrajectoryStepped {
    /// The trajectory.
    #[graphql(tag = "class:public")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// It is written.
#[derive(Debug, Clone, SimpleObject)]
pub struct EntryWritten {
    /// The entry.
    #[graphql(tag = "class:public")]
    pub entry_id: Gid<EntryId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// The worker has the post.
#[derive(Debug, Clone, SimpleObject)]
pub struct PostAssigned {
    /// The post.
    #[graphql(tag = "class:public")]
    pub post_id: Gid<PostId>,
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident, $done:ident, $id:ident) => {
        $(#[$doc])*
        #[derive(Union)]
        pub enum $name {
            /// It is done.
            Done($done),
            /// The input cannot be right.
            Invalid(Invalid),
            /// It changed since it was read.
            Conflict(Conflict),
            /// Not now, or not by this viewer.
            NotPossible(NotPossible),
        }

        impl From<Stepped<$id>> for $name {
            fn from(stepped: Stepped<$id>) -> Self {
                match stepped {
                    Stepped::Done(id, version) => Self::Done($done::of(id, version)),
                    Stepped::Changed(version) => Self::Conflict(Conflict { version }),
                    Stepped::Invalid(field) => Self::Invalid(Invalid::of(field)),
                    Stepped::State => Self::NotPossible(Reason::State.into()),
                    Stepped::NotAllowed => Self::NotPossible(Reason::NotAllowed.into()),
                    Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

pub(super) use payload;

impl TrajectoryStepped {
    pub(super) const fn of(id: TrajectoryId, version: i32) -> Self {
        Self {
            trajectory_id: Gid(id),
            version,
        }
    }
}

impl EntryWritten {
    const fn of(id: EntryId, version: i32) -> Self {
        Self {
            entry_id: Gid(id),
            version,
        }
    }
}

impl PostAssigned {
    const fn of(id: PostId, _version: i32) -> Self {
        Self { post_id: Gid(id) }
    }
}

payload!(
    /// What came of `openTrajectory`.
    OpenTrajectoryPayload, TrajectoryStepped, TrajectoryId
);
payload!(
    /// What came of `assignTeam`.
    AssignTeamPayload, TrajectoryStepped, TrajectoryId
);
payload!(
    /// What came of `moveTrajectory`.
    MoveTrajectoryPayload, TrajectoryStepped, TrajectoryId
);
payload!(
    /// What came of `writeEntry`.
    WriteEntryPayload, EntryWritten, EntryId
);
payload!(
    /// What came of `correctEntry`.
    CorrectEntryPayload, EntryWritten, EntryId
);
payload!(
    /// What came of `assignPost`.
    AssignPostPayload, PostAssigned, PostId
);

fn grounds(closed: Vec<ClosedGround>) -> ClosedGrounds {
    closed
        .into_iter()
        .map(hub_entities::dossier::entry::ClosedGround::from)
        .collect()
}

pub(super) fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= LONGEST
}

/// A period that does not end before it begins.
fn is_period(begins: NaiveDate, ends: Option<NaiveDate>) -> bool {
    ends.is_none_or(|ends| begins <= ends)
}

/// What workers and directors do in a dossier, and who is posted where.
#[derive(Default)]
pub struct DossierMutation;

#[Object]
impl DossierMutation {
    /// Takes a pupil in (intake): the first trajectory in a domain, by the worker who is posted at the pupil's school and
    /// is then in its team. The dossier begins with it.
    #[graphql(tag = "class:public")]
    async fn open_trajectory(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What begins.")] input: OpenTrajectoryInput,
    ) -> Result<OpenTrajectoryPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&input.pupil_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let new = NewTrajectory {
            pupil,
            domain: input.domain.into(),
            phase: input.phase.into(),
            asked_by: input.asked_by.into(),
            obligation: input.obligation.map(Into::into),
        };
        Ok(asked.hub.open_trajectory(asked.operation, new).await?.into())
    }

    /// Puts a worker in the team of a trajectory, or takes one out: by the director.
    #[graphql(tag = "class:public")]
    async fn assign_team(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Who, where, from when until when.")] input: AssignTeamInput,
    ) -> Result<AssignTeamPayload, Problem> {
        let asked = Asked::of(context)?;
        let (Some(trajectory), Some(worker)) = (id(&input.trajectory_id), id(&input.worker_id)) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_period(input.begins, input.ends) {
            return Ok(Stepped::Invalid("ends").into());
        }
        let put = PutWorker {
            trajectory,
            version: input.version,
            worker,
            begins: input.begins,
            ends: input.ends,
        };
        Ok(asked.hub.assign_team(asked.operation, put).await?.into())
    }

    /// Sets the phase of a trajectory, or closes it: by its team.
    #[graphql(tag = "class:public")]
    async fn move_trajectory(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and to where.")] input: MoveTrajectoryInput,
    ) -> Result<MoveTrajectoryPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let phase = input.phase.map(Into::into);
        let moved = asked
            .hub
            .move_trajectory(asked.operation, (trajectory, input.version), phase, input.close)
            .await?;
        Ok(moved.into())
    }

    /// Writes an entry: by the team, in its own trajectory.
    #[graphql(tag = "class:public")]
    async fn write_entry(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What is written.")] input: WriteEntryInput,
    ) -> Result<WriteEntryPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.text) {
            return Ok(Stepped::Invalid("text").into());
        }
        let entry = WriteEntry {
            trajectory,
            medical: input.medical,
            about: input.about.into(),
            closed: grounds(input.closed),
            text: input.text,
        };
        Ok(asked.hub.write_entry(asked.operation, entry).await?.into())
    }

    /// Corrects an entry: by the team, in its own trajectory. The former version is kept.
    #[graphql(tag = "class:public")]
    async fn correct_entry(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What it says from now on.")] input: CorrectEntryInput,
    ) -> Result<CorrectEntryPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(entry) = id(&input.entry_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.text) {
            return Ok(Stepped::Invalid("text").into());
        }
        let entry = CorrectEntry {
            entry,
            version: input.version,
            about: input.about.into(),
            closed: grounds(input.closed),
            text: input.text,
        };
        Ok(asked.hub.correct_entry(asked.operation, entry).await?.into())
    }

    /// Gives a worker a post at a school, or takes it away: by the director. It allows intake, and opens nothing.
    #[graphql(tag = "class:public")]
    async fn assign_post(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Who, where, from when until when.")] input: AssignPostInput,
    ) -> Result<AssignPostPayload, Problem> {
        let asked = Asked::of(context)?;
        let (Some(worker), Some(school)) = (id(&input.worker_id), id(&input.school_id)) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_period(input.begins, input.ends) {
            return Ok(Stepped::Invalid("ends").into());
        }
        let put = PutPost {
            worker,
            school,
            post: input.post.into(),
            begins: input.begins,
            ends: input.ends,
        };
        Ok(asked.hub.assign_post(asked.operation, put).await?.into())
    }
}
