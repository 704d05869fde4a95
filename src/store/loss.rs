//! Loss is data: gaps, and rows that wait for a person in quarantine.

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::id::{Ids, QuarantineId, RunId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{KeyKind, RunKind, quarantine};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};

use super::intake::settle_quarantined;
use super::lease::Lease;
use super::ledger::Work;
use super::sql::{bulk, execute, list, row, rows};
use super::transaction::Transaction;
use super::{Db, DbError};

/// A kind of loss and in how many rows it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The rule that could not be met.
    pub rule: &'static str,
    /// What it was about; never a person.
    pub detail: String,
    /// In how many rows.
    pub rows: i64,
}

/// Writes gaps down: the same gap again is counted, not repeated.
pub async fn note_gaps(db: &Db, work: Work<'_>, gaps: Vec<Gap>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    write_gaps(&tx, &work, gaps).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn write_gaps(tx: &Transaction, work: &Work<'_>, gaps: Vec<Gap>) -> Result<(), DbError> {
    // A run that resumes and meets it again does not count twice.
    let once = "case when gap.run_id = excluded.run_id then excluded.occurrences
                     else gap.occurrences + excluded.occurrences end";
    put_gaps(tx, work, gaps, once).await
}

/// The same of a part of a run, which comes once: what the parts before it met is added to.
pub(super) async fn add_gaps(tx: &Transaction, work: &Work<'_>, gaps: Vec<Gap>) -> Result<(), DbError> {
    put_gaps(tx, work, gaps, "gap.occurrences + excluded.occurrences").await
}

async fn put_gaps(tx: &Transaction, work: &Work<'_>, gaps: Vec<Gap>, become_of_both: &str) -> Result<(), DbError> {
    let Reach::Source { source, .. } = work.scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let tuples: Vec<Vec<Value>> = gaps
        .into_iter()
        .map(|gap| {
            vec![
                work.ids.next(work.now).into(),
                (*source).into(),
                gap.rule.into(),
                gap.detail.into(),
                gap.rows.into(),
                work.run.into(),
                work.now.into(),
                work.now.into(),
            ]
        })
        .collect();
    let tail = format!("{OF_A_GAP} occurrences = {become_of_both}{LAST_MET}");
    bulk(tx, GAP, 8, tuples.into_iter(), &tail).await
}

const GAP: &str = "insert into gap (id, source_id, rule, detail, occurrences, run_id, first_seen_at, last_seen_at)";
const OF_A_GAP: &str = "on conflict (source_id, rule, detail) do update set";
const LAST_MET: &str = ", run_id = excluded.run_id, last_seen_at = excluded.last_seen_at";

/// Rows of one source key that found no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// The key.
    pub source_key: String,
    /// What kind of number it is.
    pub key_kind: KeyKind,
    /// How many rows.
    pub rows: i32,
    /// The rows, as they are worked off.
    pub body: Vec<u8>,
}

/// Puts rows in quarantine. Rows of a key that waits already join it: the latest word is read last.
pub async fn put_in_quarantine(
    db: &Db,
    work: Work<'_>,
    kind: RunKind,
    unmatched: Vec<Unmatched>,
) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    write_unmatched(&tx, &work, kind, unmatched).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn write_unmatched(
    tx: &Transaction,
    work: &Work<'_>,
    kind: RunKind,
    unmatched: Vec<Unmatched>,
) -> Result<(), DbError> {
    // The same run again, or the same content again, does not pile up.
    let joined = "rows = case when quarantine.body = excluded.body then quarantine.rows
                                else quarantine.rows + excluded.rows end,
                    body = case when quarantine.body = excluded.body then quarantine.body
                                else quarantine.body || excluded.body end";
    put(tx, work, kind, unmatched, joined).await
}

/// Puts rows in quarantine in place of those that wait under the same key: all of what waits is in them.
pub async fn replace_in_quarantine(
    db: &Db,
    work: Work<'_>,
    kind: RunKind,
    unmatched: Vec<Unmatched>,
) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    replace_unmatched(&tx, &work, kind, unmatched).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn replace_unmatched(
    tx: &Transaction,
    work: &Work<'_>,
    kind: RunKind,
    unmatched: Vec<Unmatched>,
) -> Result<(), DbError> {
    let replaced = "rows = excluded.rows, body = excluded.body";
    put(tx, work, kind, unmatched, replaced).await
}

async fn put(
    tx: &Transaction,
    work: &Work<'_>,
    kind: RunKind,
    unmatched: Vec<Unmatched>,
    become_of_both: &str,
) -> Result<(), DbError> {
    let Reach::Source { source, school, .. } = work.scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let tuples: Vec<Vec<Value>> = unmatched
        .into_iter()
        .map(|one| {
            vec![
                QuarantineId(work.ids.next(work.now)).into(),
                (*source).into(),
                (*school).into(),
                kind.into(),
                one.source_key.into(),
                one.key_kind.into(),
                one.rows.into(),
                one.body.into(),
                work.run.into(),
                work.now.into(),
            ]
        })
        .collect();
    let head =
        "insert into quarantine (id, source_id, school_id, kind, source_key, key_kind, rows, body, run_id, since)";
    let tail = format!(
        "on conflict (source_id, kind, key_kind, source_key) where resolved_at is null do update
         set {become_of_both}, run_id = excluded.run_id"
    );
    bulk(tx, head, 10, tuples.into_iter(), &tail).await
}

/// What waits in quarantine for the scope's source.
pub async fn waiting(db: &Db, scope: &Scope, kind: RunKind) -> Result<Vec<quarantine::Model>, DbError> {
    let Reach::Source { source, .. } = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    Ok(quarantine::Entity::find()
        .filter(quarantine::Column::SourceId.eq(*source))
        .filter(quarantine::Column::Kind.eq(kind))
        .filter(quarantine::Column::ResolvedAt.is_null())
        .all(db.reader())
        .await?)
}

/// What waits in quarantine for long, whichever sources brought it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Old {
    /// How many sources brought it.
    pub sources: i64,
    /// How many rows it is.
    pub rows: i64,
    /// Since when the oldest of it waits; `None` where there is none.
    pub since: Option<DateTime<Utc>>,
}

const IS_OLD: &str = "since < ? and resolved_at is null";

/// What waits in quarantine since before this instant.
pub async fn waiting_since(db: &Db, scope: &Scope, before: DateTime<Utc>) -> Result<Old, DbError> {
    let Reach::Operations = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let text = format!(
        "select count(distinct source_id), cast(coalesce(sum(rows), 0) as bigint), min(since) from quarantine
         where {IS_OLD}"
    );
    match row(db.reader(), &text, vec![before.into()]).await? {
        Some(row) => Ok(Old {
            sources: row.try_get_by_index(0)?,
            rows: row.try_get_by_index(1)?,
            since: row.try_get_by_index(2)?,
        }),
        None => Ok(Old::default()),
    }
}

/// Tells of what waits in quarantine since before this instant: a gap of its source with the run that brought the oldest
/// of it. Where that is told already it is told anew once a day, and when it is another number of rows.
pub async fn tell_of_waiting(
    db: &Db,
    scope: &Scope,
    ids: &dyn Ids,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let Reach::Operations = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let (rule, detail) = ("quarantine.waiting", "longer than a week");
    let text = format!(
        "select w.source_id, w.waiting, (
             select q.run_id from quarantine q where q.source_id = w.source_id and q.resolved_at is null
             order by q.since, q.id limit 1)
         from (select source_id, cast(sum(rows) as bigint) as waiting from quarantine where {IS_OLD}
               group by source_id) w
         left join gap g on g.source_id = w.source_id and g.rule = ? and g.detail = ?
         where g.id is null or g.occurrences <> w.waiting or g.last_seen_at < ?"
    );
    let told_anew = now - TimeDelta::days(1);
    let values: Vec<Value> = vec![before.into(), rule.into(), detail.into(), told_anew.into()];
    let found = rows(db.reader(), &text, values).await?;
    if found.is_empty() {
        return Ok(());
    }
    let mut tuples: Vec<Vec<Value>> = Vec::new();
    for row in found {
        let (source, waiting): (SourceId, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let run: RunId = row.try_get_by_index(2)?;
        tuples.push(vec![
            ids.next(now).into(),
            source.into(),
            rule.into(),
            detail.into(),
            waiting.into(),
            run.into(),
            now.into(),
            now.into(),
        ]);
    }
    let tx = db.begin().await?;
    // Two replicas that look at once say the same.
    let tail = format!("{OF_A_GAP} occurrences = excluded.occurrences{LAST_MET}");
    bulk(&tx, GAP, 8, tuples.into_iter(), &tail).await?;
    tx.commit().await?;
    Ok(())
}

/// Marks rows as worked off. Called once they are staged in a run of their own.
pub async fn resolve(db: &Db, lease: &Lease, ids: &[QuarantineId], now: DateTime<Utc>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    for some in ids.chunks(1_000) {
        settle_quarantined(&tx, some).await?;
        // What was worked off is in the ledger now: the copy goes, the line stays.
        let values: Vec<Value> = vec![now.into(), Vec::<u8>::new().into(), list(some)];
        let text = "update quarantine set resolved_at = ?, body = ? where id in ?";
        execute(&tx, text, values).await?;
    }
    tx.commit().await?;
    Ok(())
}
