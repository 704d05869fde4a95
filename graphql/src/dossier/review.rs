//! Reviewing the access log for parents (nazicht) in realm `person`: by the data protection officer of the controller, who also
//! finds when a team held it back, and not why.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{PrincipalId, PupilId};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use super::step::{Stepped, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// A review, as the hub answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewRow {
    /// Up to which line, by its number in the log.
    pub position: i32,
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub at: DateTime<Utc>,
}

/// That the log was held back, as the hub answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRow {
    /// By whom.
    pub by: PrincipalId,
    /// Since when.
    pub at: DateTime<Utc>,
    /// By whom and when it was let go, if it was.
    pub lifted: Option<(PrincipalId, DateTime<Utc>)>,
}

/// What the officer finds of the parents' part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParentsLogRow {
    /// The reviews, the latest first.
    pub reviews: Vec<ReviewRow>,
    /// When it was held back, the latest first.
    pub holds: Vec<HeldRow>,
}

/// That the log of a pupil was reviewed for parents.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLogReview {
    /// Up to which line: its number in the log of the controller. What stands behind it is closed to parents.
    #[graphql(tag = "class:audit")]
    pub position: i32,
    /// Who reviewed it: the principal's id.
    #[graphql(tag = "class:audit")]
    pub reviewed_by: Gid<PrincipalId>,
    /// When.
    #[graphql(tag = "class:audit")]
    pub reviewed_at: DateTime<Utc>,
}

/// That the log of a pupil is or was held back from parents. Why, the team alone knows.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLogHeldBack {
    /// Who held it back: the principal's id.
    #[graphql(tag = "class:audit")]
    pub held_by: Gid<PrincipalId>,
    /// Since when.
    #[graphql(tag = "class:audit")]
    pub held_at: DateTime<Utc>,
    /// Who let it go, if anyone did.
    #[graphql(tag = "class:audit")]
    pub lifted_by: Option<Gid<PrincipalId>>,
    /// When it was let go; while that is null, parents read nothing.
    #[graphql(tag = "class:audit")]
    pub lifted_at: Option<DateTime<Utc>>,
}

/// What parents are told of the access log of one pupil, and why not more.
#[derive(Debug, Clone, SimpleObject)]
pub struct ParentsLog {
    /// The reviews, the latest first, at most 200: what counts is the highest position.
    #[graphql(tag = "class:audit")]
    pub reviews: Vec<AccessLogReview>,
    /// When it was held back, the latest first, at most 200.
    #[graphql(tag = "class:audit")]
    pub holds: Vec<AccessLogHeldBack>,
}

impl From<ParentsLogRow> for ParentsLog {
    fn from(row: ParentsLogRow) -> Self {
        let review = |one: ReviewRow| AccessLogReview {
            position: one.position,
            reviewed_by: Gid(one.by),
            reviewed_at: one.at,
        };
        let held = |one: HeldRow| AccessLogHeldBack {
            held_by: Gid(one.by),
            held_at: one.at,
            lifted_by: one.lifted.map(|(by, _)| Gid(by)),
            lifted_at: one.lifted.map(|(_, at)| at),
        };
        Self {
            reviews: row.reviews.into_iter().map(review).collect(),
            holds: row.holds.into_iter().map(held).collect(),
        }
    }
}

/// It may be seen.
#[derive(SimpleObject)]
pub struct GrantedParentsLog {
    /// What parents are told.
    #[graphql(tag = "class:audit")]
    pub value: ParentsLog,
}

/// What parents are told of a log, or why that is not told.
#[derive(Union)]
pub enum ProtectedParentsLog {
    /// It may be seen.
    Granted(Box<GrantedParentsLog>),
    /// It may not.
    Withheld(Withheld),
}

/// The root of what parents are told.
#[derive(Default)]
pub struct ReviewRoot;

#[Object]
impl ReviewRoot {
    /// How far the access log of a pupil was reviewed for parents, and when a team held it back: for the data protection officer of
    /// the controller, and null for anyone else. Being asked is logged.
    #[graphql(tag = "class:audit")]
    async fn parents_log(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The pupil.")] pupil_id: ID,
    ) -> Result<Option<ProtectedParentsLog>, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&pupil_id) else {
            return Ok(None);
        };
        let told = asked.hub.parents_log(asked.operation, pupil).await?;
        Ok(told.map(|told| match told {
            Protected::Granted(opened) => ProtectedParentsLog::Granted(Box::new(GrantedParentsLog {
                value: opened.into_inner().into(),
            })),
            Protected::Withheld { why, decision } => ProtectedParentsLog::Withheld(Withheld::of(why, decision)),
        }))
    }
}

/// Reviewing the log for parents.
#[derive(Debug, Clone, InputObject)]
pub struct ReviewAccessLogInput {
    /// The pupil.
    #[graphql(tag = "class:public")]
    pub pupil_id: ID,
    /// The position of the last line that was reviewed, as `accessLog` tells it (`detail.position`): from 1, and not behind
    /// the last line that is sealed.
    #[graphql(tag = "class:public")]
    pub up_to: i32,
}

/// It was reviewed.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLogReviewed {
    /// The pupil.
    #[graphql(tag = "class:public")]
    pub pupil_id: Gid<PupilId>,
    /// Up to which line.
    #[graphql(tag = "class:public")]
    pub position: i32,
}

impl AccessLogReviewed {
    const fn of(pupil: PupilId, position: i32) -> Self {
        Self {
            pupil_id: Gid(pupil),
            position,
        }
    }
}

payload!(
    /// What came of `reviewAccessLog`.
    ReviewAccessLogPayload, AccessLogReviewed, PupilId
);

/// Reviewing the log for parents.
#[derive(Default)]
pub struct ReviewMutation;

#[Object]
impl ReviewMutation {
    /// Opens the access log of a pupil to parents, up to a position: the lines about this pupil up to there, and none behind it until
    /// it is reviewed again. No single line is left out: whoever finds one that must stay closed reviews no further than before it,
    /// or asks the team to hold the log back. It never goes back: a lower position than before is a conflict, which tells that one as
    /// its version.
    #[graphql(tag = "class:public")]
    async fn review_access_log(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Whose, and how far.")] input: ReviewAccessLogInput,
    ) -> Result<ReviewAccessLogPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&input.pupil_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if input.up_to < 1 {
            return Ok(Stepped::Invalid("upTo").into());
        }
        let reviewed = asked.hub.review_log(asked.operation, pupil, input.up_to).await?;
        Ok(reviewed.into())
    }
}
