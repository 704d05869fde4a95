//! What an operator does for the secrecy store without seeing any of it: look after its keys and its log, and bring over
//! what the main store decided, what was released to schools, and dossiers to the CLBs that have their pupils now.

pub mod audit_event;
mod copies;
pub mod intents;
pub mod log;
pub mod period;
pub mod replay;
pub mod retention;
pub mod transfers;

use std::path::Path;

use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId, Ids, PrincipalId, PupilId};
use hub_entities::operation::{Purpose, Role};
use hub_entities::policy::Scope;
use uuid::Uuid;

use crate::keys::file_vault::FileVault;
use crate::keys::shredded::ShredList;
use crate::keys::{KeyVault as _, VaultError};
use crate::register::operator;
use crate::store::secret::keeping::{self, Locked};
use crate::store::secret::line::Line;
use crate::store::secret::wrapped::Stores;
use crate::store::secret::{key, transfer};
use crate::store::{Db, DbError, SecretDb, released, setup};

/// How many keys are wrapped anew in one transaction: some milliseconds.
const AT_ONCE: u32 = 500;

/// The custody of the secrecy store, as the hub's own operator on this machine.
#[derive(Debug)]
pub struct Custody {
    db: Db,
    apart: SecretDb,
    scope: Scope,
    now: DateTime<Utc>,
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
    pub async fn open(db: &Db, apart: &SecretDb, now: DateTime<Utc>) -> Result<Self, DbError> {
        let scope = operator(db, now).await?;
        Ok(Self {
            db: db.clone(),
            apart: apart.clone(),
            scope,
            now: DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now),
        })
    }

    /// Every CLB that is registered by now.
    async fn clbs(&self) -> Result<Vec<ClbId>, DbError> {
        setup::clbs(&self.db, &self.scope).await
    }

    /// How many keys are in the databases although they were destroyed. With one of them nothing may be served: what it
    /// sealed was erased, and a backup has brought it back (R29).
    pub async fn restored(&self, folder: &Path) -> Result<i64, DbError> {
        let destroyed = ShredList::open(folder).map_err(VaultError::from)?;
        let here = key::listed(&self.apart, &self.scope, &self.clbs().await?, &destroyed).await?;
        let copies = released::listed(&self.db, &self.scope, &destroyed).await?;
        Ok(here.saturating_add(copies))
    }

    /// How many transfers are announced, how many of these wait for a CLB that keeps its dossiers here, and how many for one of
    /// several.
    pub async fn transfers(&self) -> Result<[i64; 4], DbError> {
        transfer::count(&self.apart, &self.scope, &self.clbs().await?).await
    }

    /// A line about what is done on this machine: whoever works on it is no principal.
    fn line(&self, id: DecisionId, clb: ClbId, pupil: PupilId, action: &str, purpose: Purpose) -> Line {
        Line {
            id,
            clb,
            at: self.now,
            by: PrincipalId(Uuid::nil()),
            role: Role::Operator,
            purpose: Some(purpose),
            assured: false,
            pupil,
            action: action.to_owned(),
            granted: Vec::new(),
            withheld: Vec::new(),
            facts: String::new(),
            request: Uuid::nil(),
        }
    }

    /// Erases a pupil's dossier at a CLB by destroying its key, and those of the copies that schools were given of it: first
    /// on the list beside the keys, durably, so that no backup brings them back unseen, then in the databases, with
    /// everything they sealed. Says whether there was anything. Cut off in between, it is done when it is called again (R29).
    ///
    /// # Errors
    /// [`DbError::Held`] while a legal hold stands: then nothing is changed. A key that was destroyed before is no dossier any
    /// more, whatever a backup brought back with it.
    pub async fn shred(&self, folder: &Path, clb: ClbId, pupil: PupilId, ids: &dyn Ids) -> Result<bool, DbError> {
        let mut destroyed = ShredList::open(folder).map_err(VaultError::from)?;
        let Some(locked) = keeping::lock(&self.apart, &self.scope, clb, pupil).await? else {
            return self.destroy_copies((clb, pupil), &mut destroyed).await;
        };
        if !destroyed.has(locked.key()) && locked.is_held().await? {
            locked.leave().await?;
            return Err(DbError::Held);
        }
        let line = self.line(DecisionId(ids.blind()), clb, pupil, "erase", Purpose::RightsOfThePerson);
        self.destroy(locked, (clb, pupil), &mut destroyed, &line).await?;
        Ok(true)
    }

    /// Destroys a dossier under lock: its key and those of copies on the list, the copies, and its rows with its line.
    async fn destroy(
        &self,
        locked: Locked,
        of: (ClbId, PupilId),
        destroyed: &mut ShredList,
        line: &Line,
    ) -> Result<(), DbError> {
        destroyed.add(locked.key()).map_err(VaultError::from)?;
        self.destroy_copies(of, destroyed).await?;
        locked.forget(line).await
    }

    /// The copies at schools go at once, before any intent has its turn; says whether there were any.
    async fn destroy_copies(&self, of: (ClbId, PupilId), destroyed: &mut ShredList) -> Result<bool, DbError> {
        let copies = released::keys(&self.db, &self.scope, of.0, of.1).await?;
        for key in &copies {
            destroyed.add(*key).map_err(VaultError::from)?;
        }
        released::purge(&self.db, &self.scope, of, self.now).await?;
        Ok(!copies.is_empty())
    }

    /// Makes a new version of the key-encryption key and wraps every data key with it, while others read. Cut off at
    /// any moment, it goes on where it stopped when it is called again, and makes no further version (R30).
    pub async fn rotate(&self, folder: &Path) -> Result<Rotated, DbError> {
        let vault = FileVault::open(folder)?;
        let (newest, clbs) = (vault.version().await?, self.clbs().await?);
        let stores = Stores {
            db: &self.db,
            apart: &self.apart,
            clbs: &clbs,
        };
        let resumed = stores.behind(&self.scope, newest).await? > 0;
        let version = if resumed { newest } else { FileVault::make_next(folder)? };
        let mut keys = 0_usize;
        loop {
            let some = stores.wrap_some(&self.scope, &vault, version, AT_ONCE).await?;
            if some == 0 {
                break;
            }
            keys = keys.saturating_add(some);
        }
        Ok(Rotated { version, keys, resumed })
    }
}
