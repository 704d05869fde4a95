//! What schools said of a pupil and could not be taken over as it stands, for the CLB of the pupil: it says where a count may
//! still change, and nothing of what another school said.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::id::{GapId, PupilId, SchoolId};

use crate::absence::PartOfDay;
use crate::asked::{Asked, counted};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;

/// A half-day about which a school of the pupil contradicts another: it waits, and is not counted as B, until they agree.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Gap")]
pub struct PupilGapRow {
    /// Its id.
    #[graphql(tag = "class:agreed.truancy")]
    pub id: Gid<GapId>,
    /// The rule that could not be met: `absence.conflict`.
    #[graphql(tag = "class:agreed.truancy")]
    pub rule: String,
    /// Of whom.
    #[graphql(tag = "class:agreed.truancy")]
    pub pupil_id: Gid<PupilId>,
    /// The date in Brussels.
    #[graphql(tag = "class:agreed.truancy")]
    pub day: NaiveDate,
    /// Morning or afternoon.
    #[graphql(tag = "class:agreed.truancy")]
    pub part: PartOfDay,
    /// The school that contradicts another. Which code either of them gave is not told here.
    #[graphql(tag = "class:agreed.truancy")]
    pub school_id: Gid<SchoolId>,
    /// Since when.
    #[graphql(tag = "class:agreed.truancy")]
    pub since: DateTime<Utc>,
}

connection!(
    /// A page of gaps about pupils.
    GapConnection,
    GapEdge,
    PupilGapRow,
    "class:agreed.truancy"
);

/// The root about gaps, for CLBs.
#[derive(Default)]
pub struct PupilGapRoot;

#[Object]
impl PupilGapRoot {
    /// Half-days of the CLB's pupils that wait because two schools contradict each other, the latest first: of the schools
    /// with which `truancy` was agreed.
    #[graphql(tag = "class:agreed.truancy")]
    async fn gaps(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<GapConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("gaps", first, after.as_deref(), counted(context))?;
        let found = asked.hub.pupil_gaps(asked.operation, &page).await?;
        Ok(GapConnection::of("gaps", found))
    }
}
