//! Runs: where a pull, push or import stands, so that a killed one resumes where it was.

use chrono::{DateTime, Utc};
use hub_entities::delivery::{Outcome, Why};
use hub_entities::id::{PrincipalId, RunId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{RunKind, RunState, run};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Value};

use super::intake::settle_held;
use super::lease::Lease;
use super::sql::{execute, row};
use super::transaction::Transaction;
use super::{Db, DbError};

/// What a run brings, before it begins.
#[derive(Debug, Clone)]
pub struct Coming {
    /// The id it gets if it is new.
    pub id: RunId,
    /// The connection.
    pub source: SourceId,
    /// What it brings.
    pub kind: RunKind,
    /// SHA-256 of what is read.
    pub content_hash: Vec<u8>,
    /// Whether what is missing from it is gone.
    pub complete: bool,
    /// When it begins.
    pub now: DateTime<Utc>,
}

/// The run to work on: one under way with the same content resumes; one that was cut off while
/// staging other content gives way, and so does one that is held, of which nothing was merged: a school must be
/// able to put right what it sent; a merging one of other content stands in the way.
#[derive(Debug, Clone)]
pub enum Begun {
    /// Begin at the beginning.
    Fresh(run::Model),
    /// Go on where it was.
    Resumed(run::Model),
    /// Another run of this source and kind must come to its end first.
    InTheWay(run::Model),
}

fn source_of(scope: &Scope) -> Option<SourceId> {
    match scope.reach() {
        Reach::Source { source, .. } => Some(*source),
        _ => None,
    }
}

/// What is told of records whose snapshot gave way to another.
const SUPERSEDED: (Outcome, Option<Why>) = (Outcome::Refused, Some(Why::Superseded));

/// Begins or resumes a run of the scope's source.
pub async fn begin(db: &Db, scope: &Scope, lease: &Lease, coming: Coming) -> Result<Begun, DbError> {
    if source_of(scope) != Some(coming.source) {
        return Err(DbError::OutOfScope);
    }
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let begun = begin_within(&tx, coming).await?;
    tx.commit().await?;
    Ok(begun)
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn begin_within(tx: &Transaction, coming: Coming) -> Result<Begun, DbError> {
    let under_way = run::Entity::find()
        .filter(run::Column::SourceId.eq(coming.source))
        .filter(run::Column::Kind.eq(coming.kind))
        .filter(run::Column::State.is_in([RunState::Staging, RunState::Held, RunState::Merging]))
        .one(tx)
        .await?;
    Ok(match under_way {
        Some(same) if same.content_hash == coming.content_hash => Begun::Resumed(same),
        Some(cut_off) if cut_off.state == RunState::Staging => {
            discard_staged(tx, cut_off.id).await?;
            settle_held(tx, cut_off.id, SUPERSEDED).await?;
            execute(tx, "delete from sync_run where id = ?", vec![cut_off.id.into()]).await?;
            Begun::Fresh(insert(tx, coming).await?)
        }
        Some(held) if held.state == RunState::Held => {
            discard_staged(tx, held.id).await?;
            settle_held(tx, held.id, SUPERSEDED).await?;
            execute(
                tx,
                "update sync_run set state = ?, finished_at = ? where id = ?",
                vec![RunState::Refused.into(), coming.now.into(), held.id.into()],
            )
            .await?;
            Begun::Fresh(insert(tx, coming).await?)
        }
        Some(other) => Begun::InTheWay(other),
        None => Begun::Fresh(insert(tx, coming).await?),
    })
}

async fn insert(tx: &Transaction, coming: Coming) -> Result<run::Model, DbError> {
    let model = run::Model {
        id: coming.id,
        source_id: coming.source,
        kind: coming.kind,
        state: RunState::Staging,
        content_hash: coming.content_hash,
        complete: coming.complete,
        cursor: None,
        staged: 0,
        changed: 0,
        unchanged: 0,
        quarantined: 0,
        named: None,
        found: None,
        ended: 0,
        raised: 0,
        withdrawn: 0,
        dropped: serde_json::json!([]),
        report: serde_json::json!([]),
        started_at: coming.now,
        finished_at: None,
        approved_by: None,
        approved_at: None,
    };
    Ok(model.into_active_model().insert(tx).await?)
}

/// How many of the pupils that a source names are in the school's roster by the same key, whichever source brings that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Join {
    /// Pupils that were named.
    pub named: i64,
    /// Of those, the ones that the roster knows.
    pub found: i64,
}

/// What one transaction adds to a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that changed something.
    pub changed: i64,
    /// Rows that were known already.
    pub unchanged: i64,
    /// Rows put in quarantine.
    pub quarantined: i64,
    /// Rows ended because they were missing.
    pub ended: i64,
    /// Signals raised.
    pub raised: i64,
    /// Signals withdrawn.
    pub withdrawn: i64,
}

/// Writes down how far the run has come, in the transaction that did the work.
pub(super) async fn advance(tx: &Transaction, run: RunId, cursor: Option<String>, by: Progress) -> Result<(), DbError> {
    let values: Vec<Value> = vec![
        cursor.into(),
        by.changed.into(),
        by.unchanged.into(),
        by.quarantined.into(),
        by.ended.into(),
        by.raised.into(),
        by.withdrawn.into(),
        run.into(),
    ];
    execute(
        tx,
        "update sync_run set cursor = ?, changed = changed + ?, unchanged = unchanged + ?,
         quarantined = quarantined + ?, ended = ended + ?, raised = raised + ?, withdrawn = withdrawn + ?
         where id = ?",
        values,
    )
    .await?;
    Ok(())
}

/// Moves the run to its next state, with what is known by then.
pub async fn set_state(db: &Db, lease: &Lease, next: run::Model) -> Result<run::Model, DbError> {
    staged(db, lease, next, 0).await
}

/// As [`set_state`], once the run is put aside: so many of its rows were known already, and were not.
pub async fn staged(db: &Db, lease: &Lease, next: run::Model, known: i64) -> Result<run::Model, DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let after = write_state(&tx, next, known).await?;
    tx.commit().await?;
    Ok(after)
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn write_state(tx: &Transaction, next: run::Model, known: i64) -> Result<run::Model, DbError> {
    let values: Vec<Value> = vec![
        next.state.into(),
        next.staged.into(),
        next.quarantined.into(),
        next.named.into(),
        next.found.into(),
        next.dropped.clone().into(),
        next.report.clone().into(),
        next.finished_at.into(),
        known.into(),
        next.id.into(),
    ];
    execute(
        tx,
        "update sync_run set state = ?, staged = ?, quarantined = ?, named = ?, found = ?, dropped = ?, report = ?,
         finished_at = ?, unchanged = unchanged + ? where id = ?",
        values,
    )
    .await?;
    if next.state == RunState::Done {
        settle_held(tx, next.id, (Outcome::Accepted, None)).await?;
    }
    if matches!(next.state, RunState::Done | RunState::Refused) {
        discard_staged(tx, next.id).await?;
    }
    let after = run::Entity::find_by_id(next.id).one(tx).await?;
    after.ok_or(DbError::Unreadable { column: "sync_run.id" })
}

/// Lets a held run go on: said by a person, who is written down. `None` when no such run is held in the scope.
pub async fn approve(
    db: &Db,
    scope: &Scope,
    run: RunId,
    by: Option<PrincipalId>,
    now: DateTime<Utc>,
) -> Result<Option<run::Model>, DbError> {
    let (school, everywhere) = match scope.reach() {
        Reach::School(school) => (Some(*school), false),
        Reach::Operations => (None, true),
        _ => return Ok(None),
    };
    let values: Vec<Value> = vec![by.into(), now.into(), run.into(), everywhere.into(), school.into()];
    let approved = execute(
        db.reader(),
        "update sync_run set state = 'merging', approved_by = ?, approved_at = ?
         where id = ? and state = 'held'
         and (? or source_id in (select id from source where school_id = ?))",
        values,
    )
    .await?;
    if approved == 0 {
        return Ok(None);
    }
    Ok(run::Entity::find_by_id(run).one(db.reader()).await?)
}

/// Whether software brought this run in by itself: what it says is at hand, and waits for no file to come again.
pub async fn is_pushed(db: &Db, scope: &Scope, run: RunId) -> Result<bool, DbError> {
    let (source, school, everywhere) = match scope.reach() {
        Reach::Source { source, .. } => (Some(*source), None, false),
        Reach::School(school) => (None, Some(*school), false),
        Reach::Operations => (None, None, true),
        _ => return Err(DbError::OutOfScope),
    };
    let text = "select 1 from push_call c join source s on s.id = c.source_id
         where c.run_id = ? and (? or s.id = ? or s.school_id = ?)";
    let values: Vec<Value> = vec![run.into(), everywhere.into(), source.into(), school.into()];
    Ok(row(db.reader(), text, values).await?.is_some())
}

/// The run under way or the latest of this source and kind.
pub async fn latest(db: &Db, scope: &Scope, kind: RunKind) -> Result<Option<run::Model>, DbError> {
    let Some(source) = source_of(scope) else {
        return Err(DbError::OutOfScope);
    };
    Ok(run::Entity::find()
        .filter(run::Column::SourceId.eq(source))
        .filter(run::Column::Kind.eq(kind))
        .order_by_desc(run::Column::StartedAt)
        .order_by_desc(run::Column::Id)
        .one(db.reader())
        .await?)
}

/// Drops what a run had put aside: it stages as a whole or not at all.
pub async fn discard(db: &Db, lease: &Lease, run: RunId) -> Result<(), DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    discard_staged(&tx, run).await?;
    tx.commit().await?;
    Ok(())
}

async fn discard_staged(tx: &Transaction, run: RunId) -> Result<(), DbError> {
    execute(tx, "delete from staged_row where run_id = ?", vec![run.into()]).await?;
    execute(tx, "delete from staged_half_days where run_id = ?", vec![run.into()]).await?;
    Ok(())
}
