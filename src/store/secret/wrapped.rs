//! Wherever a wrapped data key lies: a rotation of the key that wraps them counts and wraps anew in all of these tables (R30).

use hub_entities::id::ClbId;
use hub_entities::policy::{Reach, Scope};
use sea_orm::Value;
use uuid::Uuid;

use super::{NOBODY, SecretDb};
use crate::keys::KeyId;
use crate::keys::vault::{KeyVault, Owner, Wrapped};
use crate::store::sql::{bulk, list, row, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// A table in which each row may hold a wrapped key.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    id: &'static str,
    /// The column that names the key.
    key: &'static str,
}

/// In the secrecy store: the keys of dossiers, and of copies on their way to the main store. These come before those in
/// the main store: none gets there unseen.
const APART: [Table; 2] = [
    Table {
        name: "dossier_key",
        id: "id",
        key: "id",
    },
    Table {
        name: "release_intent",
        id: "release_id",
        key: "text_key",
    },
];

/// In the main store: of copies that schools read, and of what waits, sealed, on its way to the secrecy store.
const MAIN: [Table; 2] = [
    Table {
        name: "released",
        id: "id",
        key: "text_key",
    },
    Table {
        name: "intent",
        id: "id",
        key: "text_key",
    },
];

/// The tables, those of the secrecy store under its name.
pub fn tables() -> Vec<String> {
    let apart = APART.iter().map(|table| format!("secrecy.{}", table.name));
    let main = MAIN.iter().map(|table| table.name.to_owned());
    apart.chain(main).collect()
}

/// The two stores, and the CLBs whose keys these are.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    /// The main store.
    pub db: &'a Db,
    /// The secrecy store.
    pub apart: &'a SecretDb,
    /// All CLBs that have anything in it.
    pub clbs: &'a [ClbId],
}

impl Stores<'_> {
    /// How many keys are wrapped by an older version than this one.
    ///
    /// # Errors
    /// The scope is not an operator's, or a store failed.
    pub async fn behind(&self, scope: &Scope, version: i32) -> Result<i64, DbError> {
        may(scope)?;
        let mut all = 0_i64;
        let tx = self.apart.reading(self.clbs).await?;
        for table in &APART {
            all = all.saturating_add(table.behind(&tx, Some(self.clbs), version).await?);
        }
        tx.commit().await?;
        let tx = self.db.begin().await?;
        for table in &MAIN {
            all = all.saturating_add(table.behind(&tx, None, version).await?);
        }
        tx.commit().await?;
        Ok(all)
    }

    /// Wraps some keys anew that an older version than this one wrapped; nothing that they sealed is touched. Says how many:
    /// none when there are no more.
    ///
    /// One short transaction, so that who reads meanwhile waits for nothing, and a cut leaves whole keys.
    ///
    /// # Errors
    /// The scope is not an operator's, a store failed, or a key could not be unwrapped.
    pub async fn wrap_some(
        &self,
        scope: &Scope,
        vault: &dyn KeyVault,
        version: i32,
        most: u32,
    ) -> Result<usize, DbError> {
        may(scope)?;
        for table in &APART {
            let (tx, lock) = (
                self.apart.within(self.clbs).await?,
                self.apart.dialect.for_no_key_update(),
            );
            let old = table.older(&tx, lock, Some(self.clbs), (version, most)).await?;
            if !old.is_empty() {
                return table.anew(tx, vault, old).await;
            }
        }
        for table in &MAIN {
            let (tx, lock) = (self.db.begin().await?, self.db.dialect().for_no_key_update());
            let old = table.older(&tx, lock, None, (version, most)).await?;
            if !old.is_empty() {
                return table.anew(tx, vault, old).await;
            }
        }
        Ok(0)
    }
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// The rows that an older version than this one wrapped; the secrecy store is asked by CLB.
fn condition(clbs: Option<&[ClbId]>, version: i32) -> (&'static str, Vec<Value>) {
    match clbs {
        Some(clbs) => (
            "clb_id in ? and wrapped is not null and kek_version < ?",
            vec![list(clbs), version.into()],
        ),
        None => ("wrapped is not null and kek_version < ?", vec![version.into()]),
    }
}

impl Table {
    async fn behind(&self, tx: &Transaction, clbs: Option<&[ClbId]>, version: i32) -> Result<i64, DbError> {
        let (older, values) = condition(clbs, version);
        let text = format!("select count(*) from {} where {older}", self.name);
        let found = row(tx, &text, values).await?;
        let count = found.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(count.unwrap_or_default())
    }

    async fn older(
        &self,
        tx: &Transaction,
        lock: &str,
        clbs: Option<&[ClbId]>,
        (version, most): (i32, u32),
    ) -> Result<Vec<(Uuid, Owner, Wrapped)>, DbError> {
        let (older, mut values) = condition(clbs, version);
        values.push(i64::from(most).into());
        let Self { name, id, key } = self;
        let text = format!(
            "select {id}, clb_id, pupil_id, {key}, kek_version, wrapped from {name} where {older} order by {id} limit ? {lock}"
        );
        let found = rows(tx, &text, values).await?;
        let old = found.iter().map(|row| {
            let owner = Owner {
                clb: row.try_get_by_index(1)?,
                dossier: row.try_get_by_index::<Option<_>>(2)?.unwrap_or(NOBODY),
                key: KeyId(row.try_get_by_index(3)?),
            };
            let wrapped = Wrapped {
                version: row.try_get_by_index(4)?,
                bytes: row.try_get_by_index(5)?,
            };
            Ok((row.try_get_by_index(0)?, owner, wrapped))
        });
        old.collect()
    }

    async fn anew(
        &self,
        tx: Transaction,
        vault: &dyn KeyVault,
        old: Vec<(Uuid, Owner, Wrapped)>,
    ) -> Result<usize, DbError> {
        let mut anew: Vec<Vec<Value>> = Vec::with_capacity(old.len());
        for (id, owner, wrapped) in &old {
            let new = vault.rewrap(wrapped, owner).await?;
            anew.push(vec![(*id).into(), new.version.into(), new.bytes.into()]);
        }
        let tail = format!(
            ") update {name} set kek_version = said.kek_version, wrapped = said.wrapped from said
             where {name}.{id} = said.row_id and {name}.wrapped is not null",
            name = self.name,
            id = self.id
        );
        bulk(
            &tx,
            "with said (row_id, kek_version, wrapped) as (",
            3,
            anew.into_iter(),
            &tail,
        )
        .await?;
        tx.commit().await?;
        Ok(old.len())
    }
}
