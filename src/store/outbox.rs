//! The sequencer: committed events get a gapless position, and only then can anyone read them.
//!
//! A reader that went by an id given before the commit would skip what commits late; measured, it
//! lost a third (R07). Positions are given here, after the commit, by one holder of the lease.

use sea_orm::Value;
use uuid::Uuid;

use super::lease::Lease;
use super::sql::{execute, row, rows};
use super::{Db, DbError};

/// The name of the sequencer's lease.
pub const SEQUENCER: &str = "sequencer";

/// The most events given a position in one transaction.
const BATCH: i64 = 5_000;

/// Gives positions to events that have none; says to how many. `epoch` names the positions of a
/// database that has none yet.
pub async fn sequence(db: &Db, lease: &Lease, epoch: Uuid) -> Result<u64, DbError> {
    let mut given = 0_u64;
    loop {
        let tx = db.begin().await?;
        lease.fence(db, &tx).await?;
        execute(
            &tx,
            "insert into sequence (name, epoch, position) values ('outbox', ?, 0) on conflict (name) do nothing",
            vec![epoch.into()],
        )
        .await?;
        let waiting = rows(
            &tx,
            "select id from outbox where position is null order by occurred_at, id limit ?",
            vec![BATCH.into()],
        )
        .await?;
        if waiting.is_empty() {
            tx.commit().await?;
            return Ok(given);
        }
        let count = i64::try_from(waiting.len()).unwrap_or(BATCH);
        let last = row(
            &tx,
            "update sequence set position = position + ? where name = 'outbox' returning position",
            vec![count.into()],
        )
        .await?
        .ok_or(DbError::Unreadable {
            column: "sequence.position",
        })?;
        let last: i64 = last.try_get_by_index(0)?;
        let mut position = last.saturating_sub(count);
        for event in waiting {
            position = position.saturating_add(1);
            let id: Uuid = event.try_get_by_index(0)?;
            let values: Vec<Value> = vec![position.into(), id.into()];
            execute(&tx, "update outbox set position = ? where id = ?", values).await?;
        }
        tx.commit().await?;
        given = given.saturating_add(u64::try_from(count).unwrap_or_default());
    }
}
