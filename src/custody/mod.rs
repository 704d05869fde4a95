//! What an operator does for the secrecy store without seeing any of it: look after its keys and its log.

pub mod log;

use std::path::Path;

use hub_entities::id::ClbId;
use hub_entities::policy::Scope;

use crate::keys::file_vault::FileVault;
use crate::keys::shredded::ShredList;
use crate::keys::{KeyVault as _, VaultError};
use crate::register::operator;
use crate::store::secret::key;
use crate::store::{Db, DbError, SecretDb, setup};

/// How many keys are wrapped anew in one transaction: some milliseconds.
const AT_ONCE: u32 = 500;

/// The custody of the secrecy store, as the hub's own operator on this machine.
#[derive(Debug)]
pub struct Custody {
    db: Db,
    apart: SecretDb,
    scope: Scope,
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The version that wraps from now on.
    pub version: i32,
    /// How many keys were wrapped anew.
    pub keys: usize,
    /// Whether it went on with one that was cut off.
    pub resumed: bool,
}

impl Custody {
    /// Takes it up.
    pub async fn open(db: &Db, apart: &SecretDb, now: chrono::DateTime<chrono::Utc>) -> Result<Self, DbError> {
        let scope = operator(db, now).await?;
        Ok(Self {
            db: db.clone(),
            apart: apart.clone(),
            scope,
        })
    }

    /// Every CLB that is registered by now.
    async fn clbs(&self) -> Result<Vec<ClbId>, DbError> {
        setup::clbs(&self.db, &self.scope).await
    }

    /// How many keys are in the database although they were destroyed. With one of them nothing may be served: what it
    /// sealed was erased, and a backup has brought it back (R29).
    pub async fn restored(&self, folder: &Path) -> Result<i64, DbError> {
        let destroyed = ShredList::open(folder).map_err(VaultError::from)?;
        key::listed(&self.apart, &self.scope, &self.clbs().await?, &destroyed).await
    }

    /// Makes a new version of the key-encryption key and wraps every data key with it, while others read. Cut off at
    /// any moment, it goes on where it stopped when it is called again, and makes no further version (R30).
    pub async fn rotate(&self, folder: &Path) -> Result<Rotated, DbError> {
        let vault = FileVault::open(folder)?;
        let (newest, clbs) = (vault.version().await?, self.clbs().await?);
        let resumed = key::behind(&self.apart, &self.scope, &clbs, newest).await? > 0;
        let version = if resumed { newest } else { FileVault::make_next(folder)? };
        let mut keys = 0_usize;
        loop {
            let some = key::rewrap_some(&self.apart, &self.scope, &clbs, &vault, (version, AT_ONCE)).await?;
            keys = keys.saturating_add(some);
            if some == 0 {
                break;
            }
        }
        Ok(Rotated { version, keys, resumed })
    }
}
