//! The showcase (vitrine): who serves a school can look at the copies that were released to it, and reach nothing behind
//! them.
//!
//! A copy lies in the main store, and must not lie there in the open. It is sealed with a key of its own, which a key outside
//! the database wraps; whoever holds the showcase holds no connection to the secrecy store. What the copy says of its school
//! and its end is sealed with it: a row that was made another school's, or prolonged, opens nothing.

use std::sync::Arc;

use chrono::NaiveDate;
use hub_entities::id::{ClbId, Ids, PupilId, ReleaseId, SchoolId};
use serde::{Deserialize, Serialize};

use super::Secrets;
use super::letterbox::Sealed;
use super::opening::text_in;
use crate::keys::vault::{KeyVault, Owner};
use crate::keys::{self, DataKey, KeyId, Place, VaultError};
use crate::store::DbError;

/// Through which copies are looked at.
#[derive(Clone)]
pub struct Showcase {
    vault: Arc<dyn KeyVault>,
}

impl std::fmt::Debug for Showcase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Showcase")
    }
}

/// Which copy: what it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Of which CLB.
    pub clb: ClbId,
    /// About whom.
    pub pupil: PupilId,
    /// Of which release.
    pub release: ReleaseId,
}

impl Spot {
    const fn place(&self) -> Place {
        Place {
            clb: self.clb,
            dossier: self.pupil,
            table: "released",
            column: "sealed",
            row: self.release.0,
        }
    }

    pub(in crate::store) const fn owner(&self, key: KeyId) -> Owner {
        Owner {
            clb: self.clb,
            dossier: self.pupil,
            key,
        }
    }
}

/// What a copy says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// To which school.
    pub school: SchoolId,
    /// The first day it may read it no longer.
    pub ends_on: NaiveDate,
    /// What it is about, in a line.
    pub title: String,
    /// What the school is to know or to do.
    pub advice: String,
    /// What the school may use it for.
    pub purpose: String,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("Told(…)")
    }
}

const UNREADABLE: DbError = DbError::Unreadable {
    column: "released.sealed",
};

impl Showcase {
    /// What a copy says, if it is the one of this school until this day.
    pub(in crate::store) async fn look(
        &self,
        at: Spot,
        sealed: &Sealed,
        (school, ends_on): (SchoolId, NaiveDate),
    ) -> Result<Told, DbError> {
        let key = self.vault.unwrap(&sealed.wrapped, &at.owner(sealed.key)).await?;
        let text = text_in(&key, &at.place(), &sealed.envelope)?;
        let told: Told = serde_json::from_str(&text).map_err(|_malformed| UNREADABLE)?;
        if told.school == school && told.ends_on == ends_on {
            Ok(told)
        } else {
            Err(UNREADABLE)
        }
    }
}

impl Secrets {
    /// What whoever serves a school may look through.
    pub fn showcase(&self) -> Showcase {
        Showcase {
            vault: Arc::clone(&self.vault),
        }
    }

    /// A copy, sealed for its place in the main store.
    pub(super) async fn copy(&self, ids: &dyn Ids, at: Spot, told: &Told) -> Result<Sealed, DbError> {
        let key = DataKey::generate(KeyId(ids.blind())).map_err(VaultError::from)?;
        let text = serde_json::to_string(told).map_err(|_unwritable| UNREADABLE)?;
        Ok(Sealed {
            key: key.id(),
            wrapped: self.vault.wrap(&key, &at.owner(key.id())).await?,
            envelope: keys::seal_afresh(&key, &at.place(), text.as_bytes())?,
        })
    }
}
