//! What a run has put aside: outside every transaction that changes pupils, so that a faulty or
//! partial read leaves nothing behind (design §5).

use hub_entities::id::{PupilId, RecordId, RunId};
use sea_orm::Value;
use serde::de::DeserializeOwned;

use super::lease::Lease;
use super::sql::{bulk, rows};
use super::transaction::Transaction;
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
    write_rows(&tx, run, kind, staged).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(super) async fn write_rows(
    tx: &Transaction,
    run: RunId,
    kind: &'static str,
    staged: Vec<(String, serde_json::Value)>,
) -> Result<(), DbError> {
    let tuples: Vec<Vec<Value>> = staged
        .into_iter()
        .map(|(key, body)| vec![run.into(), kind.into(), key.into(), body.into()])
        .collect();
    let head = "insert into staged_row (run_id, kind, source_key, body)";
    let tail = "on conflict (run_id, kind, source_key) do update set body = excluded.body";
    bulk(tx, head, 4, tuples.into_iter(), tail).await
}

/// All rows of a kind that a run has put aside, by key.
pub(super) async fn all_rows<T: DeserializeOwned>(
    tx: &Transaction,
    run: RunId,
    kind: &'static str,
) -> Result<Vec<(String, T)>, DbError> {
    let text = "select source_key, body from staged_row where run_id = ? and kind = ? order by source_key";
    let found = rows(tx, text, vec![run.into(), kind.into()]).await?;
    let row = |row: &sea_orm::QueryResult| {
        let body: serde_json::Value = row.try_get_by_index(1)?;
        let said = serde_json::from_value(body).map_err(|_unreadable| DbError::Unreadable {
            column: "staged_row.body",
        })?;
        Ok((row.try_get_by_index(0)?, said))
    };
    found.iter().map(row).collect()
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
    let mut most_packs = 512;
    loop {
        let values: Vec<Value> = vec![run.into(), after.into(), most_packs.into()];
        let found = rows(
            db.reader(),
            "select pupil_id, record_id, pack from staged_half_days where run_id = ? and pupil_id > ?
             order by pupil_id, record_id, sequence limit ?",
            values,
        )
        .await?;
        let pack = |row: &sea_orm::QueryResult| {
            Ok::<_, DbError>(Pack {
                pupil: row.try_get_by_index(0)?,
                record: row.try_get_by_index(1)?,
                bytes: row.try_get_by_index(2)?,
            })
        };
        let packs: Vec<Pack> = found.iter().map(pack).collect::<Result<_, _>>()?;
        let all = i64::try_from(packs.len()).unwrap_or(i64::MAX) < most_packs;
        if let Some(whole) = whole_pupils(packs, all, most_half_days.saturating_mul(6)) {
            return Ok(whole);
        }
        most_packs = most_packs.saturating_mul(2);
    }
}

/// The packs of whole pupils up to about so many bytes. Unless these are `all` packs, the last pupil may have more of
/// them; `None` when it is the only one.
fn whole_pupils(mut packs: Vec<Pack>, all: bool, most_bytes: usize) -> Option<Vec<Pack>> {
    let last = packs.last().map(|pack| pack.pupil);
    let mut bytes = 0_usize;
    for (place, pack) in packs.iter().enumerate() {
        let begins = place == 0
            || packs
                .get(place.wrapping_sub(1))
                .is_some_and(|before| before.pupil != pack.pupil);
        if begins && (bytes >= most_bytes || (!all && Some(pack.pupil) == last)) {
            packs.truncate(place);
            return (place > 0).then_some(packs);
        }
        bytes = bytes.saturating_add(pack.bytes.len());
    }
    Some(packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(of: &[(u128, usize)]) -> Vec<Pack> {
        let pack = |(pupil, bytes): &(u128, usize)| Pack {
            pupil: PupilId(uuid::Uuid::from_u128(*pupil)),
            record: RecordId(uuid::Uuid::nil()),
            bytes: vec![0; *bytes],
        };
        of.iter().map(pack).collect()
    }

    #[test]
    fn only_whole_pupils_are_handed_over() {
        let some = [(1, 6), (1, 6), (2, 6), (3, 6), (3, 6)];
        let whole = |all, most| whole_pupils(packs(&some), all, most).map(|packs| packs.len());
        assert_eq!(whole(true, 1_000), Some(5));
        // Pupil 3 may have more.
        assert_eq!(whole(false, 1_000), Some(3));
        // Pupil 1 reaches the border, and is handed over whole.
        assert_eq!(whole(true, 7), Some(2));
        assert_eq!(whole(true, 13), Some(3));
        assert_eq!(whole_pupils(packs(&some[..2]), false, 1_000), None);
        assert_eq!(
            whole_pupils(packs(&some[..2]), true, 1_000).map(|packs| packs.len()),
            Some(2)
        );
        assert_eq!(whole_pupils(Vec::new(), true, 1_000), Some(Vec::new()));
    }
}
