//! Turns: when each stream of a live source is pulled next. Replicas share them, and each turn is one's alone.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use hub_entities::id::SourceId;
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{RunKind, turn};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value};

use super::sql::{bulk, execute, row};
use super::{Db, DbError};

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// Gives a turn to each of these streams that has none, and takes away those of others.
pub async fn keep_turns(db: &Db, scope: &Scope, streams: &[(SourceId, RunKind, DateTime<Utc>)]) -> Result<(), DbError> {
    may(scope)?;
    let known: Vec<(SourceId, RunKind)> = turn::Entity::find()
        .all(db.reader())
        .await?
        .into_iter()
        .map(|turn| (turn.source_id, turn.kind))
        .collect();
    let new = streams
        .iter()
        .filter(|(source, kind, _)| !known.contains(&(*source, *kind)));
    let new: Vec<Vec<Value>> = new
        .map(|(source, kind, due)| vec![(*source).into(), (*kind).into(), (*due).into(), 0_i32.into()])
        .collect();
    let is_kept = |of: &(SourceId, RunKind)| streams.iter().any(|(source, kind, _)| (*source, *kind) == *of);
    let gone: Vec<(SourceId, RunKind)> = known.iter().copied().filter(|of| !is_kept(of)).collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let tx = db.begin().await?;
    let head = "insert into pull_turn (source_id, kind, due_at, failures)";
    bulk(
        &tx,
        head,
        4,
        new.into_iter(),
        "on conflict (source_id, kind) do nothing",
    )
    .await?;
    for (source, kind) in gone {
        let text = "delete from pull_turn where source_id = ? and kind = ?";
        execute(&tx, text, vec![source.into(), kind.into()]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The turns that are due, the longest first, and of those that became so at once the one that has failed less.
pub async fn due(db: &Db, scope: &Scope, now: DateTime<Utc>, most: u64) -> Result<Vec<turn::Model>, DbError> {
    may(scope)?;
    let due = turn::Entity::find()
        .filter(turn::Column::DueAt.lte(now))
        .order_by_asc(turn::Column::DueAt)
        .order_by_asc(turn::Column::Failures)
        .limit(most);
    Ok(due.all(db.reader()).await?)
}

/// The sources of which some stream failed last.
pub async fn failing(db: &Db, scope: &Scope) -> Result<HashSet<SourceId>, DbError> {
    may(scope)?;
    let found = turn::Entity::find().filter(turn::Column::Failures.gt(0));
    let found = found.all(db.reader()).await?;
    Ok(found.into_iter().map(|turn| turn.source_id).collect())
}

/// Takes a turn that is still as it was seen, until it is due again: who takes it dies or is done by then. `false` when
/// another has taken it.
pub async fn take(db: &Db, scope: &Scope, seen: &turn::Model, until: DateTime<Utc>) -> Result<bool, DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        until.into(),
        seen.source_id.into(),
        seen.kind.into(),
        seen.due_at.into(),
    ];
    let text = "update pull_turn set due_at = ? where source_id = ? and kind = ? and due_at = ?";
    Ok(execute(db.reader(), text, values).await? == 1)
}

/// What came of a turn, and when the next one is.
pub async fn settle(db: &Db, scope: &Scope, next: turn::Model) -> Result<(), DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        next.due_at.into(),
        next.failures.into(),
        next.failing_since.into(),
        next.fault.into(),
        next.source_id.into(),
        next.kind.into(),
    ];
    let text = "update pull_turn set due_at = ?, failures = ?, failing_since = ?, fault = ?
         where source_id = ? and kind = ?";
    execute(db.reader(), text, values).await?;
    Ok(())
}

/// No stream of this source has its turn before then.
pub async fn leave_alone(db: &Db, scope: &Scope, source: SourceId, until: DateTime<Utc>) -> Result<(), DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![until.into(), source.into(), until.into()];
    let text = "update pull_turn set due_at = ? where source_id = ? and due_at < ?";
    execute(db.reader(), text, values).await?;
    Ok(())
}

/// The turns of the scope's source.
pub async fn of_source(db: &Db, scope: &Scope) -> Result<Vec<turn::Model>, DbError> {
    let Reach::Source { source, .. } = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let found = turn::Entity::find().filter(turn::Column::SourceId.eq(*source));
    Ok(found.all(db.reader()).await?)
}

/// How it stands with all sources together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Streams of which the last pull failed.
    pub failing: i64,
    /// Since when the oldest row waits in quarantine.
    pub oldest_waiting: Option<DateTime<Utc>>,
}

/// How it stands with all sources together.
pub async fn health(db: &Db, scope: &Scope) -> Result<Health, DbError> {
    may(scope)?;
    let text = "select (select count(*) from pull_turn where failures > 0),
         (select min(since) from quarantine where resolved_at is null)";
    match row(db.reader(), text, Vec::new()).await? {
        Some(row) => Ok(Health {
            failing: row.try_get_by_index(0)?,
            oldest_waiting: row.try_get_by_index(1)?,
        }),
        None => Ok(Health::default()),
    }
}
