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

/// The most events given a position in one transaction: what is committed meanwhile waits that long.
const BATCH: i64 = 1_000;

/// How far positions have been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The epoch of the positions: a restore begins another.
    pub epoch: Uuid,
    /// The last one given.
    pub position: i64,
}

/// How far positions have been given; `None` before the first.
pub async fn head(db: &Db) -> Result<Option<Head>, DbError> {
    let text = "select epoch, position from sequence where name = 'outbox'";
    let found = row(db.reader(), text, Vec::new()).await?;
    found
        .map(|row| {
            Ok(Head {
                epoch: row.try_get_by_index(0)?,
                position: row.try_get_by_index(1)?,
            })
        })
        .transpose()
}

/// Whether a committed event has no position yet. Asks for no lock.
pub async fn waiting(db: &Db) -> Result<bool, DbError> {
    let text = "select id from outbox where position is null limit 1";
    Ok(row(db.reader(), text, Vec::new()).await?.is_some())
}

/// Gives positions to events that have none; says to how many. `epoch` names the positions of a
/// database that has none yet. Whoever listens is woken with each commit (as by [`super::wake::wake`]).
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
        // The oldest of the waiting, each behind the last position given by its place among them.
        let placed = execute(
            &tx,
            "update outbox set position = placed.position from (
                 select w.id, (select position from sequence where name = 'outbox')
                              + row_number() over (order by w.occurred_at, w.id) as position
                 from (select id, occurred_at from outbox where position is null order by occurred_at, id limit ?) w
             ) placed where outbox.id = placed.id",
            vec![BATCH.into()],
        )
        .await?;
        if placed == 0 {
            tx.commit().await?;
            return Ok(given);
        }
        let count = i64::try_from(placed).unwrap_or(BATCH);
        let values: Vec<Value> = vec![count.into()];
        execute(
            &tx,
            "update sequence set position = position + ? where name = 'outbox'",
            values,
        )
        .await?;
        // Heard when this is committed, and not at all if it is not.
        if let Some(wake) = db.dialect().wake() {
            rows(&tx, wake, Vec::new()).await?;
        }
        tx.commit().await?;
        given = given.saturating_add(placed);
    }
}
