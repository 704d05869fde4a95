//! Leases: who may do a job that only one may do at a time, fenced by an epoch on database time.

use std::time::Duration;

use sea_orm::Value;

use super::sql::{execute, row};
use super::transaction::Transaction;
use super::{Db, DbError};

/// A lease that was taken. It must be checked inside the transaction that commits under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: String,
    epoch: i64,
    seconds: i64,
}

impl Lease {
    /// Takes the lease of a job for so long, if no other holder has it.
    pub async fn acquire(db: &Db, name: &str, holder: &str, time: Duration) -> Result<Option<Self>, DbError> {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).max(1);
        let (now, later) = (db.dialect().now(), db.dialect().now_plus_seconds());
        let text = format!(
            "insert into lease (name, holder, epoch, expires_at) values (?, ?, 1, {later})
             on conflict (name) do update
             set holder = excluded.holder, epoch = lease.epoch + 1, expires_at = excluded.expires_at
             where lease.expires_at <= {now} or lease.holder = excluded.holder
             returning epoch"
        );
        let values: Vec<Value> = vec![name.into(), holder.into(), seconds.into()];
        let Some(taken) = row(db.reader(), &text, values).await? else {
            return Ok(None);
        };
        let epoch = taken.try_get_by_index(0)?;
        Ok(Some(Self {
            name: name.to_owned(),
            holder: holder.to_owned(),
            epoch,
            seconds,
        }))
    }

    /// Takes the lease of a job for the length of a transaction: whoever wants it waits until that is committed, and finds
    /// it free then. `None` while another holds it.
    pub(super) async fn within(db: &Db, tx: &Transaction, name: &str, holder: &str) -> Result<Option<Self>, DbError> {
        let now = db.dialect().now();
        let text = format!(
            "insert into lease (name, holder, epoch, expires_at) values (?, ?, 1, {now})
             on conflict (name) do update
             set holder = excluded.holder, epoch = lease.epoch + 1, expires_at = excluded.expires_at
             where lease.expires_at <= {now}
             returning epoch"
        );
        let taken = row(tx, &text, vec![name.into(), holder.into()]).await?;
        let lease = |taken: sea_orm::QueryResult| {
            Ok(Self {
                name: name.to_owned(),
                holder: holder.to_owned(),
                epoch: taken.try_get_by_index(0)?,
                seconds: 0,
            })
        };
        taken.map(lease).transpose()
    }

    /// Refuses the transaction when another has taken over, and lengthens the lease when not.
    pub(super) async fn fence(&self, db: &Db, tx: &Transaction) -> Result<(), DbError> {
        let (now, later) = (db.dialect().now(), db.dialect().now_plus_seconds());
        let text = format!(
            "update lease set expires_at = {later} where name = ? and holder = ? and epoch = ? and expires_at > {now}"
        );
        let values: Vec<Value> = vec![
            self.seconds.into(),
            self.name.clone().into(),
            self.holder.clone().into(),
            self.epoch.into(),
        ];
        match execute(tx, &text, values).await? {
            1 => Ok(()),
            _ => Err(DbError::LeaseLost {
                name: self.name.clone(),
            }),
        }
    }

    /// Lengthens the lease while nothing is written: a school may take minutes to answer.
    pub async fn keep(&self, db: &Db) -> Result<(), DbError> {
        let tx = db.begin().await?;
        self.fence(db, &tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives the lease back.
    pub async fn release(self, db: &Db) -> Result<(), DbError> {
        let text = format!(
            "update lease set expires_at = {} where name = ? and holder = ? and epoch = ?",
            db.dialect().now()
        );
        execute(
            db.reader(),
            &text,
            vec![self.name.into(), self.holder.into(), self.epoch.into()],
        )
        .await?;
        Ok(())
    }
}
