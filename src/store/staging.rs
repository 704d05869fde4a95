//! What a run has put aside: outside every transaction that changes pupils, so that a faulty or
//! partial read leaves nothing behind (design §5).

use hub_entities::id::{PupilId, RecordId, RunId};
use sea_orm::Value;

use super::lease::Lease;
use super::sql::{bulk, rows};
use super::{Db, DbError};

/// Rows of a roster, put aside. Putting the same aside twice changes nothing.
pub async fn put_rows(
    db: &Db,
    lease: &Lease,
    run: RunId,
    kind: &'static str,
    staged: Vec<(String, serde_json::Value)>,
) -> Result<(), DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let tuples: Vec<Vec<Value>> = staged
        .into_iter()
        .map(|(key, body)| vec![run.into(), kind.into(), key.into(), body.into()])
        .collect();
    let head = "insert into staged_row (run_id, kind, source_key, body)";
    let tail = "on conflict (run_id, kind, source_key) do update set body = excluded.body";
    bulk(&tx, head, 4, tuples.into_iter(), tail).await?;
    tx.commit().await?;
    Ok(())
}

/// The next rows of a roster after this key.
pub async fn next_rows(
    db: &Db,
    run: RunId,
    kind: &'static str,
    after: &str,
    most: u32,
) -> Result<Vec<(String, serde_json::Value)>, DbError> {
    let values: Vec<Value> = vec![run.into(), kind.into(), after.into(), most.into()];
    let found = rows(
        db.reader(),
        "select source_key, body from staged_row where run_id = ? and kind = ? and source_key > ?
         order by source_key limit ?",
        values,
    )
    .await?;
    found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

/// Half-days of one record, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The canonical pupil, for the order of merging.
    pub pupil: PupilId,
    /// The record.
    pub record: RecordId,
    /// Six bytes a half-day, in the order they were read.
    pub bytes: Vec<u8>,
}

/// Half-days, put aside.
pub async fn put_packs(db: &Db, lease: &Lease, run: RunId, sequence: i32, packs: Vec<Pack>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let tuples: Vec<Vec<Value>> = packs
        .into_iter()
        .map(|pack| {
            vec![
                run.into(),
                pack.pupil.into(),
                pack.record.into(),
                sequence.into(),
                pack.bytes.into(),
            ]
        })
        .collect();
    let head = "insert into staged_half_days (run_id, pupil_id, record_id, sequence, pack)";
    bulk(&tx, head, 5, tuples.into_iter(), "").await?;
    tx.commit().await?;
    Ok(())
}

/// The half-days of the next pupils after this one: whole pupils, and no more than about so many half-days.
pub async fn next_packs(
    db: &Db,
    run: RunId,
    after: Option<PupilId>,
    most_half_days: usize,
) -> Result<Vec<Pack>, DbError> {
    let after = after.unwrap_or(PupilId(uuid::Uuid::nil()));
    let values: Vec<Value> = vec![run.into(), after.into()];
    let sizes = rows(
        db.reader(),
        "select pupil_id, sum(length(pack)) from staged_half_days where run_id = ? and pupil_id > ?
         group by pupil_id order by pupil_id limit 1000",
        values,
    )
    .await?;
    let mut bytes = 0_usize;
    let mut last = None;
    for size in sizes {
        let of_pupil: i64 = size.try_get_by_index(1)?;
        bytes = bytes.saturating_add(usize::try_from(of_pupil).unwrap_or(usize::MAX));
        last = Some(size.try_get_by_index::<PupilId>(0)?);
        if bytes >= most_half_days.saturating_mul(6) {
            break;
        }
    }
    let Some(last) = last else { return Ok(Vec::new()) };
    let values: Vec<Value> = vec![run.into(), after.into(), last.into()];
    let found = rows(
        db.reader(),
        "select pupil_id, record_id, pack from staged_half_days
         where run_id = ? and pupil_id > ? and pupil_id <= ? order by pupil_id, record_id, sequence",
        values,
    )
    .await?;
    let pack = |row: &sea_orm::QueryResult| {
        Ok(Pack {
            pupil: row.try_get_by_index(0)?,
            record: row.try_get_by_index(1)?,
            bytes: row.try_get_by_index(2)?,
        })
    };
    found.iter().map(pack).collect()
}
