//! What happened, by the sequencer's positions: never skipped, and only what concerns the reader.

use chrono::{DateTime, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{EventId, PupilId, SchoolId, SignalId};
use hub_entities::policy::Scope;
use hub_entities::signal::EventKind;
use hub_entities::time::SchoolYear;
use sea_orm::Value;
use uuid::Uuid;

use super::{Piece, agreed, told};
use crate::store::sql::{row, rows};
use crate::store::{Db, DbError};

/// One event. Thin: ids, kind, count, school, version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stable over every delivery.
    pub id: EventId,
    /// Its position.
    pub position: i64,
    /// What it tells.
    pub kind: EventKind,
    /// Of which signal.
    pub signal: SignalId,
    /// Which rule.
    pub signal_kind: String,
    /// The school year.
    pub year: SchoolYear,
    /// Half-days.
    pub half_days: i32,
    /// The signal's version.
    pub version: i32,
    /// About whom.
    pub pupil: PupilId,
    /// enrolment: a school where the pupil is enrolled today, as far as the reader may know it.
    pub school: Option<SchoolId>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// Events after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The epoch of the positions.
    pub epoch: Uuid,
    /// What concerns the reader.
    pub told: Vec<Event>,
    /// Up to where was looked: the next call goes on from here.
    pub end: i64,
    /// The last position given.
    pub last: i64,
    /// Whether there is more behind it.
    pub more: bool,
}

/// Where the sequencer stands; `None` before its first event.
pub async fn sequence(db: &Db) -> Result<Option<(Uuid, i64)>, DbError> {
    let found = row(
        db.reader(),
        "select epoch, position from sequence where name = 'outbox'",
        Vec::new(),
    )
    .await?;
    found
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .transpose()
}

/// How many positions one call looks through: a reader that few concern is not read to exhaustion.
const LOOK: i64 = 5_000;

/// Where the pupil of an event goes to school today: a school with which nothing was agreed is not this
/// reader's to know of.
fn school_of(scope: &Scope) -> Piece {
    let may = agreed(scope, "e.school_id", Categories::all());
    let text = format!(
        "(select e.school_id from enrolment e where e.pupil_id = o.pupil_id and e.begins_on <= ?
          and (e.ends_on is null or e.ends_on > ?) and {} order by e.begins_on desc, e.id limit 1)",
        may.text
    );
    let mut values: Vec<Value> = vec![scope.day().into(), scope.day().into()];
    values.extend(may.values);
    Piece::new(text, values)
}

/// What happened after a position, with the columns of these categories. The authority of the reader is decided
/// for each event, as of today.
pub async fn after(
    db: &Db,
    scope: &Scope,
    position: i64,
    first: u32,
    wanted: Categories,
) -> Result<Option<Events>, DbError> {
    let Some((epoch, last)) = sequence(db).await? else {
        return Ok(None);
    };
    let concerns = told(scope, "o.signal_kind", "o.pupil_id");
    let school = if wanted.has(Category::Enrolment) {
        school_of(scope)
    } else {
        Piece::new("null", Vec::new())
    };
    let until = last.min(position.saturating_add(LOOK));
    let text = format!(
        "select o.id, o.position, o.kind, o.signal_id, o.signal_kind, o.school_year, o.half_days, o.version,
         {}, o.occurred_at, o.pupil_id from outbox o
         where o.position > ? and o.position <= ? and {} order by o.position limit ?",
        school.text, concerns.text
    );
    let mut values = school.values;
    values.extend([Value::from(position), until.into()]);
    values.extend(concerns.values);
    values.push(i64::from(first).into());
    let mut events = Vec::new();
    for row in rows(db.reader(), &text, values).await? {
        events.push(Event {
            id: row.try_get_by_index(0)?,
            position: row.try_get_by_index(1)?,
            kind: row.try_get_by_index(2)?,
            signal: row.try_get_by_index(3)?,
            signal_kind: row.try_get_by_index(4)?,
            year: row.try_get_by_index(5)?,
            half_days: row.try_get_by_index(6)?,
            version: row.try_get_by_index(7)?,
            school: row.try_get_by_index(8)?,
            occurred_at: row.try_get_by_index(9)?,
            pupil: row.try_get_by_index(10)?,
        });
    }
    // A full page ends at its last event; one that is not full has looked as far as `until`.
    let full = events.len() >= usize::try_from(first).unwrap_or(usize::MAX);
    let end = if full {
        events.last().map_or(until, |event| event.position)
    } else {
        until
    };
    Ok(Some(Events {
        epoch,
        told: events,
        end,
        last,
        more: end < last,
    }))
}
