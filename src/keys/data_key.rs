//! The key of one dossier, in memory.

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::runtime::{NoRandomness, random};

/// Which data key sealed a value: UUIDv4, as everything under secrecy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Uuid);

/// A key of 256 bits. It is overwritten when dropped, and nothing prints it: there is no `Debug`, no
/// `Clone` and no `Serialize` here (R68).
pub struct DataKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl DataKey {
    /// A new key under this id.
    pub fn generate(id: KeyId) -> Result<Self, NoRandomness> {
        Ok(Self {
            id,
            bytes: Zeroizing::new(random()?),
        })
    }

    pub(super) const fn of_bytes(id: KeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    /// Its id.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes().into())
    }
}
