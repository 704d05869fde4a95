//! Signals and their events, in the transaction of the half-day that caused them.

use chrono::{DateTime, Utc};
use hub_entities::evaluation::{Outcome, Step};
use hub_entities::id::{Ids, PupilId, SignalId};
use hub_entities::signal::{EventKind, SignalState};
use hub_entities::time::SchoolYear;
use sea_orm::Value;
use uuid::Uuid;

use super::Judge;
use crate::store::DbError;
use crate::store::audience;
use crate::store::intent::obligations_lapse;
use crate::store::run::Progress;
use crate::store::sql::bulk;
use crate::store::transaction::Transaction;

pub(super) async fn write_signals(
    tx: &Transaction,
    judge: &Judge<'_>,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
    progress: &mut Progress,
) -> Result<(), DbError> {
    let mut raised = Vec::new();
    let mut withdrawn = Vec::new();
    let (mut new, mut other) = (Vec::new(), Vec::new());
    let mut events = Vec::new();
    for ((pupil, year), outcome) in outcomes {
        for step in &outcome.steps {
            if step.event == EventKind::Raised {
                new.push(raise(judge, *pupil, *year, step));
                raised.push(step.signal.id);
                progress.raised = progress.raised.saturating_add(1);
            } else {
                other.push(update(judge, step));
            }
            if step.event == EventKind::Withdrawn {
                withdrawn.push(step.signal.id);
                progress.withdrawn = progress.withdrawn.saturating_add(1);
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
    // Before the new ones: of one key, one stands at a time.
    bulk(tx, UPDATE.0, 6, other.into_iter(), UPDATE.1).await?;
    bulk(tx, RAISE, 14, new.into_iter(), "").await?;
    obligations_lapse(tx, judge.ids, &withdrawn, judge.now).await?;
    audience::begin(tx, &raised, judge.now).await?;
    tell_those_told(tx, judge.ids, events, judge.now).await
}

/// Puts events in the outbox that concern whoever knows of their signals: one for everyone, or one for each who was
/// told, where a signal is held back from another.
pub(in crate::store) async fn tell_those_told(
    tx: &Transaction,
    ids: &dyn Ids,
    events: Vec<Event>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let signals: Vec<SignalId> = events.iter().map(|event| event.signal).collect();
    let apart = audience::told_apart(tx, &signals).await?;
    let mut each = Vec::with_capacity(events.len());
    for event in events {
        let Some(told) = apart.get(&event.signal) else {
            each.push(event);
            continue;
        };
        for party in told {
            each.push(Event {
                party: Some(*party),
                ..event.clone()
            });
        }
    }
    tell(tx, ids, each, now).await
}

/// No `on conflict`: a second one of a key must fail, not be swallowed.
const RAISE: &str = "insert into signal (id, kind, subject, pupil_id, school_year, key, generation, state, half_days,
    reached_on, warned_at, raised_at, backfill, version)";

fn raise(judge: &Judge<'_>, pupil: PupilId, year: SchoolYear, step: &Step) -> Vec<Value> {
    let signal = &step.signal;
    vec![
        signal.id.into(),
        step.kind.into(),
        "pupil".into(),
        pupil.into(),
        year.into(),
        signal.key.clone().into(),
        signal.generation.into(),
        SignalState::Raised.into(),
        signal.half_days.into(),
        signal.reached_on.into(),
        signal.warned_at.into(),
        judge.now.into(),
        step.backfill.into(),
        1_i32.into(),
    ]
}

const UPDATE: (&str, &str) = (
    "with said (state, half_days, reached_on, withdrawn_at, version, id) as (",
    ") update signal set state = said.state, half_days = said.half_days, reached_on = said.reached_on,
     withdrawn_at = said.withdrawn_at, version = said.version from said where signal.id = said.id",
);

fn update(judge: &Judge<'_>, step: &Step) -> Vec<Value> {
    let signal = &step.signal;
    let withdrawn_at = (signal.state == SignalState::Withdrawn).then_some(judge.now);
    vec![
        signal.state.into(),
        signal.half_days.into(),
        signal.reached_on.into(),
        withdrawn_at.into(),
        signal.version.into(),
        signal.id.into(),
    ]
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

/// Puts events in the outbox, in the transaction of what they tell.
pub(in crate::store) async fn tell(
    tx: &Transaction,
    ids: &dyn Ids,
    events: Vec<Event>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let row = |event: Event| -> Vec<Value> {
        vec![
            ids.next(now).into(),
            event.kind.into(),
            event.signal.into(),
            event.signal_kind.into(),
            event.pupil.into(),
            event.year.into(),
            event.half_days.into(),
            event.version.into(),
            now.into(),
            event.party.into(),
        ]
    };
    let head = "insert into outbox
        (id, kind, signal_id, signal_kind, pupil_id, school_year, half_days, version, occurred_at, party)";
    bulk(tx, head, 10, events.into_iter().map(row), "").await
}
