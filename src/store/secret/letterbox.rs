//! The letterbox (brievenbus): who serves a school can put something into it for a CLB, and take nothing out.
//!
//! A request of a school goes through the main store, and must not lie there in the open. It is sealed with a key of its
//! own, which a key outside the database wraps; whoever holds the letterbox holds no connection to the secrecy store and
//! cannot unwrap. Only whoever applies intents opens it, and seals it again with the key of the dossier.

use std::sync::Arc;

use hub_entities::id::{ClbId, Ids, IntentId, PupilId};

use super::Secrets;
use super::opening::text_in;
use crate::keys::vault::{KeyVault, Owner, Wrapped};
use crate::keys::{self, DataKey, KeyId, Place, VaultError};
use crate::store::DbError;

/// Where what is asked of CLBs is put in.
#[derive(Clone)]
pub struct Letterbox {
    vault: Arc<dyn KeyVault>,
}

impl std::fmt::Debug for Letterbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letterbox")
    }
}

/// What was put in, as it lies in the main store until it is applied.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key that it was sealed with.
    pub key: KeyId,
    /// That key, wrapped.
    pub wrapped: Wrapped,
    /// The envelope.
    pub envelope: Vec<u8>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// To whom, about whom, by which intent: what a sealed text is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The CLB.
    pub clb: ClbId,
    /// About whom; nobody where the school asks for itself.
    pub pupil: PupilId,
    /// By which intent.
    pub intent: IntentId,
}

impl Address {
    const fn place(&self) -> Place {
        Place {
            clb: self.clb,
            dossier: self.pupil,
            table: "intent",
            column: "sealed",
            row: self.intent.0,
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

impl Letterbox {
    /// Seals a text for its CLB.
    pub async fn seal(&self, ids: &dyn Ids, to: Address, text: &str) -> Result<Sealed, DbError> {
        let key = DataKey::generate(KeyId(ids.blind())).map_err(VaultError::from)?;
        Ok(Sealed {
            key: key.id(),
            wrapped: self.vault.wrap(&key, &to.owner(key.id())).await?,
            envelope: keys::seal_afresh(&key, &to.place(), text.as_bytes())?,
        })
    }
}

impl Secrets {
    /// What whoever serves a school may have of it.
    pub fn letterbox(&self) -> Letterbox {
        Letterbox {
            vault: Arc::clone(&self.vault),
        }
    }

    /// Takes out of the letterbox what was put in.
    pub(super) async fn take_out(&self, at: Address, sealed: &Sealed) -> Result<String, DbError> {
        let key = self.vault.unwrap(&sealed.wrapped, &at.owner(sealed.key)).await?;
        text_in(&key, &at.place(), &sealed.envelope)
    }
}
