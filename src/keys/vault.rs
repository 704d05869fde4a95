//! Who wraps data keys: a key-encryption key outside the database. A file today; Vault Transit or a
//! key service has the same verbs.

use async_trait::async_trait;
use hub_entities::id::{ClbId, PupilId};

use super::data_key::{DataKey, KeyId};
use crate::runtime::NoRandomness;

/// A data key as it lies in the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which version of the key-encryption key wrapped it.
    pub version: i32,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// Whose data key it is: what wrapping binds it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The controller.
    pub clb: ClbId,
    /// Whose dossier.
    pub dossier: PupilId,
    /// The data key.
    pub key: KeyId,
}

/// Why a data key could not be wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The version that wrapped it is not there any more, or not yet.
    #[error("version {0} of the key-encryption key is not there")]
    NoSuchVersion(i32),
    /// It was altered, or is another dossier's.
    #[error("a wrapped key was altered, or is of another dossier")]
    Tampered,
    /// Its owner was erased: the key is on the shred list.
    #[error("the key of an erased dossier was asked for")]
    Shredded,
    /// A key file.
    #[error("a key file: {0}")]
    File(#[from] std::io::Error),
    /// A key file that is no key.
    #[error("a key file does not hold 32 bytes")]
    NoKey,
    /// Nothing can be wrapped.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The key-encryption key.
#[async_trait]
pub trait KeyVault: Send + Sync {
    /// The version that wraps from now on.
    async fn version(&self) -> Result<i32, VaultError>;

    /// Wraps a data key with the newest version.
    async fn wrap(&self, key: &DataKey, owner: &Owner) -> Result<Wrapped, VaultError>;

    /// Unwraps a data key, whichever version wrapped it.
    async fn unwrap(&self, wrapped: &Wrapped, owner: &Owner) -> Result<DataKey, VaultError>;

    /// Whether this data key is on the list of destroyed ones.
    async fn destroyed(&self, key: KeyId) -> Result<bool, VaultError>;

    /// Wraps it with the newest version instead of an older one; no field is touched.
    async fn rewrap(&self, wrapped: &Wrapped, owner: &Owner) -> Result<Wrapped, VaultError> {
        let key = self.unwrap(wrapped, owner).await?;
        self.wrap(&key, owner).await
    }
}
