//! The one transaction of a call of software that brings in by itself: what it says, what follows, and its answer are
//! committed together or not at all (design §5).

mod roster;
mod told;
pub use roster::Changed;
pub use told::Record;
pub(super) use told::{settle_held, settle_quarantined};

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::category::Category;
use hub_entities::delivery::{Outcome, Told, call};
use hub_entities::evaluation::{Change, Said};
use hub_entities::id::{PupilId, RecordId, RunId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{KeyKind, RunKind, RunState, connection, run};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Value};

use super::lease::Lease;
use super::ledger::{Work, merge_said};
use super::loss::{Gap, Unmatched, add_gaps, write_unmatched};
use super::roster::keys_among;
use super::run::{Join, Progress};
use super::sql::{list_from, row};
use super::transaction::Transaction;
use super::{Db, DbError};

/// A call, as its sender names it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The sender's name of it.
    pub key: String,
    /// SHA-256 of all it says.
    pub content_hash: Vec<u8>,
    /// What it brings.
    pub kind: RunKind,
    /// Institution number of the school it speaks for.
    pub institution_number: String,
    /// The day of which a roster tells, once that is told whole.
    pub reference: Option<NaiveDate>,
    /// The run it becomes.
    pub run: RunId,
    /// When it came.
    pub now: DateTime<Utc>,
}

/// How a call stands.
#[derive(Debug)]
pub enum Begun {
    /// It is new: this is its transaction.
    Fresh(Box<Intake>),
    /// It was answered before, with this; the run that it is or belongs to, and how far that had come.
    Answered(RunId, RunState, Vec<Told>),
    /// Its name stands for another one, of then.
    NameTaken(DateTime<Utc>),
    /// It speaks for another school than its connection.
    AnotherSchool,
    /// Another process is working on the connection.
    Busy,
}

/// The transaction of one call. Dropped before [`Intake::finish`], it has changed nothing.
pub struct Intake {
    db: Db,
    tx: Transaction,
    lease: Lease,
    connection: connection::Model,
    call: Call,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("run", &self.call.run)
            .finish_non_exhaustive()
    }
}

/// The name of the lease under which anybody works on a source.
pub fn lease_of(source: SourceId) -> String {
    format!("source/{source}")
}

impl Intake {
    /// Begins a call through the scope's connection, under its lease: calls of one connection come one after the other,
    /// and none while a run of it is under way elsewhere.
    pub async fn begin(db: &Db, scope: &Scope, call: Call) -> Result<Begun, DbError> {
        let Reach::Source { source, school, .. } = scope.reach() else {
            return Err(DbError::OutOfScope);
        };
        let tx = db.begin().await?;
        let holder = call.run.to_string();
        let Some(lease) = Lease::within(db, &tx, &lease_of(*source), &holder).await? else {
            return Ok(Begun::Busy);
        };
        let text = "select 1 from school where id = ? and institution_number = ?";
        let values: Vec<Value> = vec![(*school).into(), call.institution_number.clone().into()];
        if row(&tx, text, values).await?.is_none() {
            return Ok(Begun::AnotherSchool);
        }
        let before = call::Entity::find_by_id((*source, call.key.clone()));
        if let Some(before) = before.one(&tx).await? {
            if before.content_hash != call.content_hash {
                return Ok(Begun::NameTaken(before.received_at));
            }
            let told = serde_json::from_value(before.answer).map_err(|_unreadable| DbError::Unreadable {
                column: "push_call.answer",
            })?;
            return Ok(Begun::Answered(before.run_id, before.run_state, told));
        }
        let connection = connection::Entity::find_by_id(*source).one(&tx).await?;
        let connection = connection.ok_or(DbError::Unreadable { column: "source.id" })?;
        Ok(Begun::Fresh(Box::new(Self {
            db: db.clone(),
            tx,
            lease,
            connection,
            call,
        })))
    }

    /// The connection it comes through.
    pub const fn connection(&self) -> &connection::Model {
        &self.connection
    }

    /// The run that it is.
    pub const fn run(&self) -> RunId {
        self.call.run
    }

    /// The lease it holds until it is committed.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The records of these keys. A key that two pupils share names neither.
    pub async fn keys(
        &self,
        scope: &Scope,
        by: KeyKind,
        among: Vec<String>,
    ) -> Result<HashMap<String, (RecordId, PupilId)>, DbError> {
        keys_among(&self.tx, scope, by, Some(among)).await
    }

    /// Whether older words of this connection must come first: half-days of an import that was cut off, or rows that
    /// wait in quarantine for one of these keys.
    pub async fn has_older(&self, by: KeyKind, keys: &[&String]) -> Result<bool, DbError> {
        let text = "select 1 from sync_run where source_id = ? and kind = ? and state = ?
             union all select 1 from quarantine where source_id = ? and kind = ? and resolved_at is null
                              and key_kind = ? and source_key in ?";
        let (source, kind) = (self.connection.id, self.call.kind);
        let values: Vec<Value> = vec![
            source.into(),
            kind.into(),
            RunState::Merging.into(),
            source.into(),
            kind.into(),
            by.into(),
            list_from(keys.iter().map(|key| (*key).clone())),
        ];
        Ok(row(&self.tx, text, values).await?.is_some())
    }

    /// Merges half-days, evaluates their pupils, and says what changed.
    pub async fn merge_half_days(
        &self,
        work: &Work<'_>,
        said: &[Said],
    ) -> Result<(Progress, Vec<(PupilId, Change)>), DbError> {
        merge_said(&self.db, &self.tx, work, said).await
    }

    /// Writes down what could not be taken over, and puts aside what found no pupil.
    pub async fn lose(&self, work: &Work<'_>, gaps: Vec<Gap>, unmatched: Vec<Unmatched>) -> Result<(), DbError> {
        add_gaps(&self.tx, work, gaps).await?;
        write_unmatched(&self.tx, work, self.call.kind, unmatched).await
    }

    /// Writes down the run that a call of half-days is, and commits it with its answer.
    pub async fn finish(
        self,
        scope: &Scope,
        progress: Progress,
        join: Join,
        records: Vec<Record>,
        told: Vec<Told>,
    ) -> Result<Vec<Told>, DbError> {
        let call = &self.call;
        let done = run::Model {
            id: call.run,
            source_id: self.connection.id,
            kind: call.kind,
            state: RunState::Done,
            content_hash: call.content_hash.clone(),
            complete: false,
            cursor: None,
            staged: count(told.len()),
            changed: progress.changed,
            unchanged: progress.unchanged,
            quarantined: count(told.iter().filter(|one| one.outcome == Outcome::Quarantined).count()),
            named: Some(join.named),
            found: Some(join.found),
            ended: progress.ended,
            raised: progress.raised,
            withdrawn: progress.withdrawn,
            dropped: dropped(&told),
            report: serde_json::json!([]),
            started_at: call.now,
            finished_at: Some(call.now),
            approved_by: None,
            approved_at: None,
        };
        done.into_active_model().insert(&self.tx).await?;
        let run = call.run;
        self.answer(scope, (run, RunState::Done), records, told).await
    }

    /// Commits a call that is this run, or a part of it, with its answer.
    pub async fn answer(
        self,
        scope: &Scope,
        (run, state): (RunId, RunState),
        records: Vec<Record>,
        told: Vec<Told>,
    ) -> Result<Vec<Told>, DbError> {
        self.keep(run, records, &told).await?;
        let answered = call::Model {
            source_id: self.connection.id,
            idempotency_key: self.call.key,
            content_hash: self.call.content_hash,
            run_id: run,
            run_state: state,
            client_id: scope.viewer(),
            received_at: self.call.now,
            reference_date: self.call.reference,
            answer: serde_json::json!(told),
        };
        answered.into_active_model().insert(&self.tx).await?;
        self.tx.commit().await?;
        Ok(told)
    }
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// The categories that were dropped, by name.
pub(super) fn dropped(told: &[Told]) -> serde_json::Value {
    let all: BTreeSet<Category> = told.iter().flat_map(|one| one.dropped.iter().copied()).collect();
    serde_json::json!(all)
}
