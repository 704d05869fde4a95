//! Holding the access log back from parents (veiligheid) in realm `clb`: by a team, for a reason that only that team reads. No
//! other realm has a word for it: parents must not find that it is held back, as that itself may endanger the pupil.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{LogHoldId, PrincipalId, TrajectoryId};

use super::review::HeldRow;
use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// A hold, as the hub answers it to the team of its trajectory.
#[derive(Clone, PartialEq, Eq)]
pub struct LogHoldRow {
    /// Its id.
    pub id: LogHoldId,
    /// Under which trajectory.
    pub trajectory: TrajectoryId,
    /// Who, and from when until when.
    pub held: HeldRow,
    /// Why.
    pub reason: String,
    /// Rises with every change.
    pub version: i32,
}

impl std::fmt::Debug for LogHoldRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("LogHoldRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// That the access log of a pupil is or was held back from parents.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLogHold {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<LogHoldId>,
    /// Under which trajectory: its team reads the reason, and may let it go.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Who holds it back: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub held_by: Gid<PrincipalId>,
    /// Since when.
    #[graphql(tag = "class:secret.granted")]
    pub held_at: DateTime<Utc>,
    /// Why.
    #[graphql(tag = "class:secret.granted")]
    pub reason: String,
    /// Who let it go, if anyone did.
    #[graphql(tag = "class:secret.granted")]
    pub lifted_by: Option<Gid<PrincipalId>>,
    /// When it was let go; while that is null, parents read nothing.
    #[graphql(tag = "class:secret.granted")]
    pub lifted_at: Option<DateTime<Utc>>,
    /// Rises with every change: give it back to let it go.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

impl From<LogHoldRow> for AccessLogHold {
    fn from(row: LogHoldRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            held_by: Gid(row.held.by),
            held_at: row.held.at,
            reason: row.reason,
            lifted_by: row.held.lifted.map(|(by, _)| Gid(by)),
            lifted_at: row.held.lifted.map(|(_, at)| at),
            version: row.version,
        }
    }
}

/// The root of what is held back.
#[derive(Default)]
pub struct LogHoldRoot;

#[Object]
impl LogHoldRoot {
    /// When and why the access log of a pupil is or was held back from parents, the latest first, under the viewer's own
    /// trajectories and no other. Being asked is logged.
    #[graphql(tag = "class:secret.granted")]
    async fn access_log_holds(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The pupil.")] pupil_id: ID,
    ) -> Result<Vec<AccessLogHold>, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&pupil_id) else {
            return Ok(Vec::new());
        };
        let found = asked.hub.log_holds(asked.operation, pupil).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// Holding the access log back from parents.
#[derive(Clone, InputObject)]
pub struct HoldAccessLogInput {
    /// The trajectory under which it is held back: one of the viewer's own. What is held back is all of the pupil's log.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// Why: not blank, at most 65,536 bytes. The team of the trajectory reads it.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// Letting it go.
#[derive(Debug, Clone, InputObject)]
pub struct LiftAccessLogHoldInput {
    /// The hold.
    #[graphql(tag = "class:public")]
    pub hold_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// It is held back, or let go.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLogHoldNoted {
    /// The hold.
    #[graphql(tag = "class:public")]
    pub hold_id: Gid<LogHoldId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl AccessLogHoldNoted {
    const fn of(id: LogHoldId, version: i32) -> Self {
        Self {
            hold_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `holdAccessLog`.
    HoldAccessLogPayload, AccessLogHoldNoted, LogHoldId
);
payload!(
    /// What came of `liftAccessLogHold`.
    LiftAccessLogHoldPayload, AccessLogHoldNoted, LogHoldId
);

/// Holding the access log back from parents.
#[derive(Default)]
pub struct LogHoldMutation;

#[Object]
impl LogHoldMutation {
    /// Holds the access log of a pupil back from parents, for the pupil's safety, whatever was reviewed. They then read what is
    /// read where nothing was reviewed, and never that it is or was held back. The data protection officer is told that and
    /// when, and not why.
    #[graphql(tag = "class:public")]
    async fn hold_access_log(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Under which trajectory, and why.")] input: HoldAccessLogInput,
    ) -> Result<HoldAccessLogPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let held = asked.hub.hold_log(asked.operation, trajectory, &input.reason);
        Ok(held.await?.into())
    }

    /// Lets it go: parents read again what was reviewed, as long as no other hold stands. That it was held, and why, stays for the
    /// team.
    #[graphql(tag = "class:public")]
    async fn lift_access_log_hold(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, in which version.")] input: LiftAccessLogHoldInput,
    ) -> Result<LiftAccessLogHoldPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(hold) = id(&input.hold_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let lifted = asked.hub.lift_log_hold(asked.operation, (hold, input.version));
        Ok(lifted.await?.into())
    }
}
