//! The two tracks of a signal: the school reports it, the CLB takes it up, each with who and when.

use chrono::{DateTime, Utc};
use hub_entities::id::{Ids, PrincipalId, PupilId, SignalId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::policy::{Reach, Scope};
use hub_entities::signal::{EventKind, SignalState, Track};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::intent::{TakenUp, obligation_begins};
use super::ledger::{Event, tell_those_told};
use super::read::told;
use super::sql::{execute, row};
use super::transaction::Transaction;
use super::{Db, DbError, audience};

/// What came of a step on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// It is done, and this is the proof.
    Done {
        /// Who.
        by: PrincipalId,
        /// When.
        at: DateTime<Utc>,
    },
    /// This party had done it already; the proof is the first one.
    Already {
        /// Who.
        by: PrincipalId,
        /// When.
        at: DateTime<Utc>,
    },
    /// It no longer stands.
    Withdrawn,
    /// Another version than the one read: read again.
    Changed {
        /// The version now.
        version: i32,
    },
    /// No such signal within the scope.
    Unknown,
}

/// One step of one party on one track.
#[derive(Debug, Clone, Copy)]
pub struct NewStep {
    /// Which signal.
    pub signal: SignalId,
    /// Which track.
    pub track: Track,
    /// The version that was read, if the caller wants it checked.
    pub version: Option<i32>,
    /// Ties it to log and trace of the request.
    pub request: Uuid,
    /// When.
    pub now: DateTime<Utc>,
}

/// Takes a step for the scope's school (report) or CLB (accept).
pub async fn step(db: &Db, scope: &Scope, ids: &dyn Ids, new: NewStep) -> Result<Stepped, DbError> {
    let party = match (scope.reach(), new.track) {
        (Reach::School(school), Track::Report) => school.0,
        (Reach::Clb { clb, .. }, Track::Accept) => clb.0,
        _ => return Err(DbError::OutOfScope),
    };
    let Some(by) = scope.viewer() else {
        return Err(DbError::OutOfScope);
    };
    let tx = db.begin().await?;
    // Under the lock of the pupil, as whatever else changes the signal or who is told of it.
    let mut locked = None;
    let signal = loop {
        let Some(signal) = find(&tx, scope, new.signal).await? else {
            return Ok(Stepped::Unknown);
        };
        let pupil: PupilId = signal.try_get_by_index(0)?;
        if locked == Some(pupil) {
            break signal;
        }
        db.dialect().lock_pupils(&tx, &[pupil]).await?;
        locked = Some(pupil);
    };
    if let Some(already) = taken(&tx, new, party).await? {
        return Ok(already);
    }
    let (state, version): (SignalState, i32) = (signal.try_get_by_index(3)?, signal.try_get_by_index(5)?);
    if state == SignalState::Withdrawn {
        return Ok(Stepped::Withdrawn);
    }
    if new.version.is_some_and(|read| read != version) {
        return Ok(Stepped::Changed { version });
    }
    let values: Vec<Value> = vec![
        new.signal.into(),
        new.track.into(),
        party.into(),
        by.into(),
        new.now.into(),
    ];
    execute(
        &tx,
        "insert into signal_track (signal_id, track, party, principal_id, at) values (?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    let (read, version) = (version, version.saturating_add(1));
    execute(
        &tx,
        "update signal set version = ? where id = ?",
        vec![version.into(), new.signal.into()],
    )
    .await?;
    let kind: String = signal.try_get_by_index(1)?;
    if let (Reach::Clb { clb, .. }, Ok(true)) = (scope.reach(), kind.parse().map(SignalKind::is_obligatory)) {
        let of = TakenUp {
            signal: new.signal,
            pupil: signal.try_get_by_index(0)?,
            clb: *clb,
            by,
            request: new.request,
            at: new.now,
        };
        obligation_begins(&tx, ids, of).await?;
    }
    let event = Event {
        kind: match new.track {
            Track::Report => EventKind::Reported,
            Track::Accept => EventKind::Accepted,
        },
        signal: new.signal,
        signal_kind: kind,
        pupil: signal.try_get_by_index(0)?,
        year: signal.try_get_by_index(2)?,
        half_days: signal.try_get_by_index(4)?,
        version,
        party: None,
    };
    if new.track == Track::Report {
        // The school has told its CLB: nobody waits any longer, and is told of the signal as it stood.
        let before = Event {
            kind: EventKind::Raised,
            version: read,
            ..event.clone()
        };
        audience::release(&tx, ids, &before, new.now).await?;
    }
    tell_those_told(&tx, ids, vec![event], new.now).await?;
    tx.commit().await?;
    Ok(Stepped::Done { by, at: new.now })
}

/// A signal within the scope.
async fn find(tx: &Transaction, scope: &Scope, signal: SignalId) -> Result<Option<QueryResult>, DbError> {
    let told = told(scope, ("s.id", "s.kind"), "s.pupil_id");
    let text = format!(
        "select s.pupil_id, s.kind, s.school_year, s.state, s.half_days, s.version from signal s
         where s.id = ? and {}",
        told.text
    );
    let mut values: Vec<Value> = vec![signal.into()];
    values.extend(told.values);
    row(tx, &text, values).await
}

async fn taken(tx: &Transaction, new: NewStep, party: Uuid) -> Result<Option<Stepped>, DbError> {
    let values: Vec<Value> = vec![new.signal.into(), new.track.into(), party.into()];
    let text = "select principal_id, at from signal_track where signal_id = ? and track = ? and party = ?";
    let Some(first) = row(tx, text, values).await? else {
        return Ok(None);
    };
    Ok(Some(Stepped::Already {
        by: first.try_get_by_index(0)?,
        at: first.try_get_by_index(1)?,
    }))
}
