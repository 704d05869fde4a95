//! Signals and their events, in the transaction of the half-day that caused them.

use chrono::{DateTime, Utc};
use hub_entities::evaluation::{Outcome, Step};
use hub_entities::id::{Ids, PupilId, SignalId};
use hub_entities::signal::{EventKind, SignalState};
use hub_entities::time::SchoolYear;
use sea_orm::{DatabaseTransaction, Value};
use uuid::Uuid;

use super::Judge;
use crate::store::DbError;
use crate::store::audience;
use crate::store::intent::obligations_lapse;
use crate::store::run::Progress;
use crate::store::sql::execute;

pub(super) async fn write_signals(
    tx: &DatabaseTransaction,
    judge: &Judge<'_>,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
    progress: &mut Progress,
) -> Result<(), DbError> {
    let mut raised = Vec::new();
    let mut withdrawn = Vec::new();
    let mut events = Vec::new();
    for ((pupil, year), outcome) in outcomes {
        for step in &outcome.steps {
            match step.event {
                EventKind::Raised => {
                    raise(tx, judge, *pupil, *year, step).await?;
                    raised.push(step.signal.id);
                    progress.raised = progress.raised.saturating_add(1);
                }
                EventKind::Withdrawn => {
                    update(tx, judge, step).await?;
                    withdrawn.push(step.signal.id);
                    progress.withdrawn = progress.withdrawn.saturating_add(1);
                }
                _ => update(tx, judge, step).await?,
            }
            events.push(Event {
                kind: step.event,
                signal: step.signal.id,
                signal_kind: step.kind.to_owned(),
                pupil: *pupil,
                year: *year,
                half_days: step.signal.half_days,
                version: step.signal.version,
                party: None,
            });
        }
    }
    obligations_lapse(tx, judge.ids, &withdrawn, judge.now).await?;
    audience::begin(tx, &raised, judge.now).await?;
    tell_those_told(tx, judge.ids, events, judge.now).await
}

/// Puts events in the outbox that concern whoever knows of their signals: one for everyone, or one for each who was
/// told, where a signal is held back from another.
pub(in crate::store) async fn tell_those_told(
    tx: &DatabaseTransaction,
    ids: &dyn Ids,
    events: Vec<Event>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let signals: Vec<SignalId> = events.iter().map(|event| event.signal).collect();
    let apart = audience::told_apart(tx, &signals).await?;
    for event in events {
        let Some(told) = apart.get(&event.signal) else {
            tell(tx, ids.next(now), event, now).await?;
            continue;
        };
        for party in told {
            let own = Event {
                party: Some(*party),
                ..event.clone()
            };
            tell(tx, ids.next(now), own, now).await?;
        }
    }
    Ok(())
}

async fn raise(
    tx: &DatabaseTransaction,
    judge: &Judge<'_>,
    pupil: PupilId,
    year: SchoolYear,
    step: &Step,
) -> Result<(), DbError> {
    let signal = &step.signal;
    let values: Vec<Value> = vec![
        signal.id.into(),
        step.kind.into(),
        pupil.into(),
        year.into(),
        signal.key.clone().into(),
        signal.generation.into(),
        signal.half_days.into(),
        signal.reached_on.into(),
        signal.warned_at.into(),
        judge.now.into(),
        step.backfill.into(),
    ];
    // No `on conflict`: a second one of this key must fail, not be swallowed.
    execute(
        tx,
        "insert into signal (id, kind, subject, pupil_id, school_year, key, generation, state,
         half_days, reached_on, warned_at, raised_at, backfill, version)
         values (?, ?, 'pupil', ?, ?, ?, ?, 'raised', ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    Ok(())
}

async fn update(tx: &DatabaseTransaction, judge: &Judge<'_>, step: &Step) -> Result<(), DbError> {
    let signal = &step.signal;
    let withdrawn_at = (signal.state == SignalState::Withdrawn).then_some(judge.now);
    let values: Vec<Value> = vec![
        signal.state.into(),
        signal.half_days.into(),
        signal.reached_on.into(),
        withdrawn_at.into(),
        signal.version.into(),
        signal.id.into(),
    ];
    execute(
        tx,
        "update signal set state = ?, half_days = ?, reached_on = ?, withdrawn_at = ?, version = ? where id = ?",
        values,
    )
    .await?;
    Ok(())
}

/// An event for the outbox.
#[derive(Debug, Clone)]
pub(in crate::store) struct Event {
    pub(in crate::store) kind: EventKind,
    pub(in crate::store) signal: SignalId,
    pub(in crate::store) signal_kind: String,
    pub(in crate::store) pupil: PupilId,
    pub(in crate::store) year: SchoolYear,
    pub(in crate::store) half_days: i32,
    pub(in crate::store) version: i32,
    /// The one school or CLB it is told to; all whom it concerns without one.
    pub(in crate::store) party: Option<Uuid>,
}

/// Puts an event in the outbox, in the transaction of what it tells.
pub(in crate::store) async fn tell(
    tx: &DatabaseTransaction,
    id: Uuid,
    event: Event,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let values: Vec<Value> = vec![
        id.into(),
        event.kind.into(),
        event.signal.into(),
        event.signal_kind.into(),
        event.pupil.into(),
        event.year.into(),
        event.half_days.into(),
        event.version.into(),
        now.into(),
        event.party.into(),
    ];
    execute(
        tx,
        "insert into outbox
         (id, kind, signal_id, signal_kind, pupil_id, school_year, half_days, version, occurred_at, party)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}
