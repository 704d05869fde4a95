//! What happened, by the sequencer's positions: never skipped, and only what concerns the reader.

use chrono::{DateTime, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{EventId, PupilId, SchoolId, SignalId};
use hub_entities::policy::{Reach, Scope};
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
    /// About whom.
    pub pupil: PupilId,
    /// What it tells beside the ids; nothing where the pupil is no longer the reader's.
    pub told: Option<Told>,
}

/// What an event tells beside its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which rule.
    pub signal_kind: String,
    /// The school year.
    pub year: SchoolYear,
    /// Half-days.
    pub half_days: i32,
    /// The signal's version.
    pub version: i32,
    /// enrolment: a school where the pupil is enrolled today, as far as the reader may know it.
    pub school: Option<SchoolId>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// Where the sequencer stands, for a reader at some position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The epoch of the positions.
    pub epoch: Uuid,
    /// The last position given.
    pub last: i64,
    /// Whether the event behind the reader's position is kept, if one was given.
    pub next_kept: bool,
}

/// Events after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// What concerns the reader.
    pub told: Vec<Event>,
    /// Up to where was looked: the next call goes on from here.
    pub end: i64,
}

/// How many positions one call looks through: a reader that few concern is not read to exhaustion.
pub const LOOK: i64 = 5_000;

/// Where the sequencer stands, for a reader at this position; `None` before its first event.
pub async fn stand(db: &Db, position: i64) -> Result<Option<Stand>, DbError> {
    let text = "select epoch, position, (select o.id from outbox o where o.position = ?)
                from sequence where name = 'outbox'";
    let found = row(db.reader(), text, vec![position.saturating_add(1).into()]).await?;
    found
        .map(|row| {
            let last = row.try_get_by_index(1)?;
            let next: Option<EventId> = row.try_get_by_index(2)?;
            Ok(Stand {
                epoch: row.try_get_by_index(0)?,
                last,
                next_kept: position >= last || next.is_some(),
            })
        })
        .transpose()
}

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

/// That an event is told to the reader: one for everyone or for its party, about a signal that concerns it today; or
/// its last one, when the pupil has left.
fn concerns(scope: &Scope) -> Piece {
    let party: Value = match scope.reach() {
        Reach::School(school) => school.0.into(),
        Reach::Clb { clb, .. } => clb.0.into(),
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => return Piece::never(),
    };
    let told = told(scope, ("o.signal_id", "o.signal_kind"), "o.pupil_id");
    let gone: Value = EventKind::NoLongerYours.into();
    let text = format!(
        "(o.kind <> ? and (o.party is null or o.party = ?) and {} or o.kind = ? and o.party = ?)",
        told.text
    );
    let mut values = vec![gone.clone(), party.clone()];
    values.extend(told.values);
    values.extend([gone, party]);
    Piece::new(text, values)
}

/// What happened after a position and no later than another, `first` events at most, with the columns of these
/// categories. The authority of the reader is decided for each event, as of the day of the scope.
pub async fn between(
    db: &Db,
    scope: &Scope,
    (after, until): (i64, i64),
    first: u32,
    wanted: Categories,
) -> Result<Events, DbError> {
    let concerns = concerns(scope);
    let school = if wanted.has(Category::Enrolment) {
        school_of(scope)
    } else {
        Piece::new("null", Vec::new())
    };
    let text = format!(
        "select o.id, o.position, o.kind, o.signal_id, o.pupil_id,
         case when o.kind <> ? then o.signal_kind end, o.school_year, o.half_days, o.version, o.occurred_at, {}
         from outbox o where o.position > ? and o.position <= ? and {} order by o.position limit ?",
        school.text, concerns.text
    );
    let mut values: Vec<Value> = vec![EventKind::NoLongerYours.into()];
    values.extend(school.values);
    values.extend([Value::from(after), until.into()]);
    values.extend(concerns.values);
    values.push(i64::from(first).into());
    let mut events = Vec::new();
    for row in rows(db.reader(), &text, values).await? {
        let signal_kind: Option<String> = row.try_get_by_index(5)?;
        let told = match signal_kind {
            Some(signal_kind) => Some(Told {
                signal_kind,
                year: row.try_get_by_index(6)?,
                half_days: row.try_get_by_index(7)?,
                version: row.try_get_by_index(8)?,
                occurred_at: row.try_get_by_index(9)?,
                school: row.try_get_by_index(10)?,
            }),
            None => None,
        };
        events.push(Event {
            id: row.try_get_by_index(0)?,
            position: row.try_get_by_index(1)?,
            kind: row.try_get_by_index(2)?,
            signal: row.try_get_by_index(3)?,
            pupil: row.try_get_by_index(4)?,
            told,
        });
    }
    // A full page ends at its last event; one that is not full has looked as far as `until`.
    let full = events.len() >= usize::try_from(first).unwrap_or(usize::MAX);
    let end = if full {
        events.last().map_or(until, |event| event.position)
    } else {
        until
    };
    Ok(Events { told: events, end })
}
