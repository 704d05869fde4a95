//! What happened, in an order that never skips (R07): ids and counts only.

use async_graphql::{Context, Enum, Lookahead, Object, SimpleObject};
use chrono::{DateTime, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{EventId, PupilId, SchoolId, SignalId};
use hub_entities::signal::EventKind as Happened;

use crate::asked::Asked;
use crate::hub::Position;
use crate::page::size;
use crate::problem::Problem;
use crate::scalar::{Gid, Year};

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Happened")]
pub enum ChangeKind {
    /// A signal came to stand.
    #[graphql(tag = "class:case")]
    Raised,
    /// A signal no longer stands.
    #[graphql(tag = "class:case")]
    Withdrawn,
    /// The school reported it.
    #[graphql(tag = "class:case")]
    Reported,
    /// The CLB took it up.
    #[graphql(tag = "class:case")]
    Accepted,
    /// A standing signal counts another number of half-days.
    #[graphql(tag = "class:case")]
    Changed,
    /// A standing signal concerns you from now on: its pupil came to your school or CLB.
    #[graphql(tag = "class:case")]
    NowYours,
    /// The last you hear of this signal: its pupil left your school or CLB. Ids only.
    #[graphql(tag = "class:case")]
    NoLongerYours,
}

/// What the hub answers of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Stable over every delivery.
    pub id: EventId,
    /// What it tells.
    pub kind: Happened,
    /// Of which signal.
    pub signal: SignalId,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// What is told beside the ids; nothing of a signal that is no longer the viewer's.
    pub told: Option<ChangeTold>,
}

/// What an event tells beside its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeTold {
    /// Which rule.
    pub signal_kind: String,
    /// Where the pupil goes to school today, as far as the viewer may know it.
    pub school: Option<SchoolId>,
    /// The school year.
    pub year: hub_entities::time::SchoolYear,
    /// Half-days.
    pub count: i32,
    /// The signal's version.
    pub version: i32,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// One event: ids and counts; whoever wants more asks for it and is decided upon. Of `NO_LONGER_YOURS` only the ids
/// are told.
#[derive(Debug, Clone, SimpleObject)]
pub struct Change {
    /// The event's id: the same however often it is delivered.
    #[graphql(tag = "class:case")]
    pub id: Gid<EventId>,
    /// Where it stands: go on `after` it.
    #[graphql(tag = "class:public")]
    pub cursor: String,
    /// What it tells.
    #[graphql(tag = "class:case")]
    pub kind: ChangeKind,
    /// Of which signal.
    #[graphql(tag = "class:case")]
    pub signal_id: Gid<SignalId>,
    /// About whom.
    #[graphql(tag = "class:case")]
    pub pupil_id: Option<Gid<PupilId>>,
    /// Which rule: `truancy.5`, `truancy.30`.
    #[graphql(tag = "class:case")]
    pub signal_kind: Option<String>,
    /// Where the pupil goes to school today, as far as the viewer may know it.
    #[graphql(tag = "class:case")]
    pub school_id: Option<Gid<SchoolId>>,
    /// The school year.
    #[graphql(tag = "class:case")]
    pub school_year: Option<Year>,
    /// Half-days.
    #[graphql(tag = "class:case")]
    pub count: Option<i32>,
    /// The signal's version: drop what is older than what you have.
    #[graphql(tag = "class:case")]
    pub version: Option<i32>,
    /// When.
    #[graphql(tag = "class:case")]
    pub occurred_at: Option<DateTime<Utc>>,
}

impl Change {
    /// The event as it is answered, with the cursor of where it stands.
    pub(crate) fn of(cursor: String, row: ChangeRow) -> Self {
        let (told, kind) = (row.told, row.kind.into());
        let (school_id, occurred_at) = (
            told.as_ref().and_then(|told| told.school).map(Gid),
            told.as_ref().map(|told| told.occurred_at),
        );
        Self {
            id: Gid(row.id),
            cursor,
            kind,
            signal_id: Gid(row.signal),
            pupil_id: row.pupil.map(Gid),
            school_id,
            school_year: told.as_ref().map(|told| Year(told.year)),
            count: told.as_ref().map(|told| told.count),
            version: told.as_ref().map(|told| told.version),
            occurred_at,
            signal_kind: told.map(|told| told.signal_kind),
        }
    }
}

/// The columns that are read for these fields of a change.
pub(crate) fn columns(change: &Lookahead<'_>) -> Categories {
    if change.field("schoolId").exists() {
        Categories::NONE.with(Category::Enrolment)
    } else {
        Categories::NONE
    }
}

/// Some changes, and where to go on.
#[derive(Debug, Clone, SimpleObject)]
pub struct ChangePage {
    /// In the order in which they are told; a page may hold none although there are more.
    #[graphql(tag = "class:case")]
    pub changes: Vec<Change>,
    /// Go on `after` this, also when there were no changes for this viewer.
    #[graphql(tag = "class:public")]
    pub end_cursor: String,
    /// Whether there is more already.
    #[graphql(tag = "class:public")]
    pub has_more: bool,
}

/// The root about changes.
#[derive(Default)]
pub struct ChangeRoot;

/// Cursors of `changes` and of `signals` are the same: one goes on where the other stood.
pub(crate) const LIST: &str = "changes";

#[Object]
impl ChangeRoot {
    /// What happened to signals about the viewer's pupils, without ever skipping. A cursor of before
    /// a restore of the hub's database gets `CURSOR_EXPIRED`.
    #[graphql(tag = "class:case")]
    async fn changes(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Look at so many events, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor; from the beginning if left out.")] after: Option<
            String,
        >,
    ) -> Result<ChangePage, Problem> {
        let asked = Asked::of(context)?;
        let open = |cursor: String| asked.keys.open::<Position>(asked.operation, LIST, &cursor);
        let after = after.map(open).transpose()?;
        let columns = columns(&context.look_ahead().field("changes"));
        let found = asked.hub.changes(asked.operation, after, size(first)?, columns);
        let found = found.await?;
        let seal = |at: Position| asked.keys.seal(asked.operation, LIST, &at);
        let change = |(at, row): (Position, ChangeRow)| Ok(Change::of(seal(at)?, row));
        Ok(ChangePage {
            changes: found.rows.into_iter().map(change).collect::<Result<_, Problem>>()?,
            end_cursor: seal(found.end)?,
            has_more: found.more,
        })
    }
}
