//! Sources, runs and gaps: what arrives and what could not be taken over; no pupil content.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{GapId, RunId, SchoolId, SourceId};
use hub_entities::source::{RunKind as Brings, RunState as Stage};

use crate::asked::{Asked, counted, id};
use crate::outcome::{Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::SchoolRow;

/// A connection to a school's system.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Source")]
pub struct SourceRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<SourceId>,
    /// Its name within the school.
    #[graphql(tag = "class:operations")]
    pub name: String,
    /// The table by which its absence letters are read.
    #[graphql(tag = "class:operations")]
    pub letters: String,
    /// The school it speaks for.
    #[graphql(tag = "class:public")]
    pub school: SchoolRow,
    /// How well what it says of absences finds its pupils in the school's roster, whichever source brings that; null
    /// while it has named none.
    #[graphql(tag = "class:operations")]
    pub join: Option<JoinRow>,
    /// How many keys wait because no roster names their pupil.
    #[graphql(tag = "class:operations")]
    pub waiting: i64,
}

/// How many of the pupils that a source names are in the school's roster by the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Join")]
pub struct JoinRow {
    /// Pupils that were named.
    #[graphql(tag = "class:operations")]
    pub named: i64,
    /// Of those, the ones that the roster knows.
    #[graphql(tag = "class:operations")]
    pub found: i64,
    /// When that was measured.
    #[graphql(tag = "class:operations")]
    pub measured_at: DateTime<Utc>,
}

/// What a run brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Brings")]
pub enum RunKind {
    /// Pupils, classes, enrolments.
    #[graphql(tag = "class:operations")]
    Roster,
    /// Half-days of absence.
    #[graphql(tag = "class:operations")]
    Absences,
    /// Numbers of half-days carried in from former schools.
    #[graphql(tag = "class:operations")]
    CarriedIn,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Stage")]
pub enum RunState {
    /// What is read is being put aside; nothing of it is visible yet.
    #[graphql(tag = "class:operations")]
    Staging,
    /// It would end too many pupils: it waits for a person. Nothing was changed.
    #[graphql(tag = "class:operations")]
    Held,
    /// What was put aside is being merged.
    #[graphql(tag = "class:operations")]
    Merging,
    /// All of it is merged.
    #[graphql(tag = "class:operations")]
    Done,
    /// The data was faulty: nothing was changed.
    #[graphql(tag = "class:operations")]
    Refused,
}

/// One import, pull or push.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "SyncRun")]
pub struct RunRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<RunId>,
    /// The connection.
    #[graphql(tag = "class:operations")]
    pub source_id: Gid<SourceId>,
    /// The school it speaks for.
    #[graphql(tag = "class:operations")]
    pub school_id: Gid<SchoolId>,
    /// What it brings.
    #[graphql(tag = "class:operations")]
    pub kind: RunKind,
    /// How far it has come.
    #[graphql(tag = "class:operations")]
    pub state: RunState,
    /// Rows put aside.
    #[graphql(tag = "class:operations")]
    pub staged: i64,
    /// Rows that changed something.
    #[graphql(tag = "class:operations")]
    pub changed: i64,
    /// Rows that were known already.
    #[graphql(tag = "class:operations")]
    pub unchanged: i64,
    /// Rows that found no pupil and wait.
    #[graphql(tag = "class:operations")]
    pub quarantined: i64,
    /// Pupils that its rows name by a key; null where they name none so, as those of a roster.
    #[graphql(tag = "class:operations")]
    pub named: Option<i64>,
    /// Of those, the ones that the roster knows by it.
    #[graphql(tag = "class:operations")]
    pub found: Option<i64>,
    /// Rows ended because they were missing.
    #[graphql(tag = "class:operations")]
    pub ended: i64,
    /// Signals raised.
    #[graphql(tag = "class:operations")]
    pub raised: i64,
    /// Signals withdrawn.
    #[graphql(tag = "class:operations")]
    pub withdrawn: i64,
    /// When it began.
    #[graphql(tag = "class:operations")]
    pub started_at: DateTime<Utc>,
    /// When it came to its end.
    #[graphql(tag = "class:operations")]
    pub finished_at: Option<DateTime<Utc>>,
    /// When a person let it go on after it was held.
    #[graphql(tag = "class:operations")]
    pub approved_at: Option<DateTime<Utc>>,
}

/// Loss is data: something a source said that could not be taken over, counted. It names no person.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Gap")]
pub struct GapRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<GapId>,
    /// The connection.
    #[graphql(tag = "class:operations")]
    pub source_id: Gid<SourceId>,
    /// The rule that could not be met.
    #[graphql(tag = "class:operations")]
    pub rule: String,
    /// What the rule was about, such as the letter.
    #[graphql(tag = "class:operations")]
    pub detail: String,
    /// In how many rows, over all runs.
    #[graphql(tag = "class:operations")]
    pub occurrences: i64,
    /// First met.
    #[graphql(tag = "class:operations")]
    pub first_seen_at: DateTime<Utc>,
    /// Last met.
    #[graphql(tag = "class:operations")]
    pub last_seen_at: DateTime<Utc>,
}

connection!(
    /// A page of sources.
    SourceConnection,
    SourceEdge,
    SourceRow,
    "class:operations"
);
connection!(
    /// A page of runs.
    SyncRunConnection,
    SyncRunEdge,
    RunRow,
    "class:operations"
);
connection!(
    /// A page of gaps.
    GapConnection,
    GapEdge,
    GapRow,
    "class:operations"
);
connection!(
    /// A page of schools.
    SchoolFactsConnection,
    SchoolFactsEdge,
    SchoolRow,
    "class:public"
);

/// The roots about what arrived: of all schools for operators, of their own for those who may let a run go on.
#[derive(Default)]
pub struct RunRoot;

#[Object]
impl RunRoot {
    /// Imports, pulls and pushes, latest first.
    #[graphql(tag = "class:operations")]
    async fn sync_runs(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<SyncRunConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("runs", first, after.as_deref(), counted(context))?;
        let found = asked.hub.runs(asked.operation, &page).await?;
        Ok(SyncRunConnection::of("runs", found))
    }

    /// What could not be taken over, latest met first.
    #[graphql(tag = "class:operations")]
    async fn gaps(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<GapConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("gaps", first, after.as_deref(), counted(context))?;
        let found = asked.hub.gaps(asked.operation, &page).await?;
        Ok(GapConnection::of("gaps", found))
    }
}

/// The root about connections: of all schools for operators, of their own for those who may let software use one.
#[derive(Default)]
pub struct SourceRoot;

#[Object]
impl SourceRoot {
    /// Connections to schools' systems.
    #[graphql(tag = "class:operations")]
    async fn sources(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<SourceConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("sources", first, after.as_deref(), counted(context))?;
        let found = asked.hub.sources(asked.operation, &page).await?;
        Ok(SourceConnection::of("sources", found))
    }
}

/// The roots of operators alone.
#[derive(Default)]
pub struct OperationsRoot;

#[Object]
impl OperationsRoot {
    /// One school; null if unknown.
    #[graphql(tag = "class:public")]
    async fn school(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The school's id.")] school: ID,
    ) -> Result<Option<SchoolRow>, Problem> {
        let asked = Asked::of(context)?;
        let Some(school) = id::<SchoolId>(&school) else {
            return Ok(None);
        };
        let found = asked.hub.schools_by_id(asked.operation, &[school]).await?;
        Ok(found.into_values().next())
    }

    /// All schools, by institution number.
    #[graphql(tag = "class:public")]
    async fn schools(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<SchoolFactsConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("schools", first, after.as_deref(), counted(context))?;
        let found = asked.hub.schools(asked.operation, &page).await?;
        Ok(SchoolFactsConnection::of("schools", found))
    }
}

/// Letting a held run go on.
#[derive(Debug, Clone, InputObject)]
pub struct ApproveHeldRunInput {
    /// Which run.
    #[graphql(tag = "class:operations")]
    pub run: ID,
}

/// It goes on.
#[derive(Debug, Clone, SimpleObject)]
pub struct HeldRunApproved {
    /// The run as it is now.
    #[graphql(tag = "class:operations")]
    pub run: RunRow,
}

/// What came of `approveHeldRun`.
#[derive(Union)]
pub enum ApproveHeldRunPayload {
    /// It goes on.
    Approved(Box<HeldRunApproved>),
    /// The input cannot be right.
    Invalid(Invalid),
    /// No such run is held, or it is not this viewer's to approve.
    NotPossible(NotPossible),
}

/// What a person does with a held run.
#[derive(Default)]
pub struct RunMutation;

#[Object]
impl RunMutation {
    /// Lets a run go on that was held because it would end too many pupils. Who said so is written down.
    #[graphql(tag = "class:operations")]
    async fn approve_held_run(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:operations", desc = "Which one.")] input: ApproveHeldRunInput,
    ) -> Result<ApproveHeldRunPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(run) = id(&input.run) else {
            return Ok(ApproveHeldRunPayload::Invalid(Invalid::of("run")));
        };
        Ok(match asked.hub.approve_run(asked.operation, run).await? {
            Some(run) => ApproveHeldRunPayload::Approved(Box::new(HeldRunApproved { run })),
            None => ApproveHeldRunPayload::NotPossible(Reason::Unknown.into()),
        })
    }
}
