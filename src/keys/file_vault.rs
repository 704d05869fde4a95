//! The key-encryption key in files: a folder that only the hub reads, one file per version.
//!
//! `kek-1`, `kek-2`, …, 32 bytes each, 0400. The newest wraps; the older ones unwrap until nothing
//! depends on them. The folder belongs on another disk, and in another backup, than the database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::data_key::{DataKey, KeyId};
use super::framed::framed;
use super::shredded::ShredList;
use super::vault::{KeyVault, Owner, VaultError, Wrapped};
use crate::runtime::{key_file, random, read_secret};

const HEAD: &[u8; 5] = b"CHK\x01\x01";
const CONTEXT: &[u8] = b"clb-hub data key";
const NONCE: usize = 24;

/// The versions in a folder. One that another process makes is found when it is needed.
pub struct FileVault {
    folder: PathBuf,
    versions: RwLock<Versions>,
}

type Versions = BTreeMap<i32, Zeroizing<[u8; 32]>>;

impl std::fmt::Debug for FileVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let newest = self.known().keys().next_back().copied();
        f.debug_struct("FileVault")
            .field("newest", &newest)
            .finish_non_exhaustive()
    }
}

fn path_of(folder: &Path, version: i32) -> PathBuf {
    folder.join(format!("kek-{version}"))
}

/// The versions whose files are in the folder.
fn versions(folder: &Path) -> Result<Vec<i32>, VaultError> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("kek-"));
        // A draft of a file being made has an ending, and is no version.
        found.extend(
            number
                .and_then(|number| number.parse::<i32>().ok())
                .filter(|version| *version > 0),
        );
    }
    found.sort_unstable();
    Ok(found)
}

impl FileVault {
    /// Reads every version in the folder.
    ///
    /// # Errors
    /// The folder cannot be read or holds no version, or a file can be read by others or is no key.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        let vault = Self {
            folder: folder.to_owned(),
            versions: RwLock::default(),
        };
        vault.newest()?;
        Ok(vault)
    }

    fn known(&self) -> RwLockReadGuard<'_, Versions> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version in the folder, after reading those not known yet: a rotation elsewhere may have made one.
    fn newest(&self) -> Result<i32, VaultError> {
        let there = versions(&self.folder)?;
        let unknown: Vec<i32> = {
            let known = self.known();
            there.iter().copied().filter(|one| !known.contains_key(one)).collect()
        };
        for version in unknown {
            let bytes = Zeroizing::new(read_secret(&path_of(&self.folder, version))?);
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_length| VaultError::NoKey)?;
            let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
            versions.insert(version, Zeroizing::new(key));
        }
        there.last().copied().ok_or(VaultError::NoSuchVersion(1))
    }

    /// Makes the first version, unless one is there. Two processes agree on one key.
    pub fn make_first(folder: &Path) -> Result<(), VaultError> {
        fs::create_dir_all(folder)?;
        if versions(folder)?.is_empty() {
            make(folder, 1)?;
        }
        Ok(())
    }

    /// Makes the next version: what is wrapped from now on is wrapped with it.
    pub fn make_next(folder: &Path) -> Result<i32, VaultError> {
        let newest = versions(folder)?.last().copied().unwrap_or_default();
        let next = newest.saturating_add(1);
        make(folder, next)?;
        Ok(next)
    }

    fn cipher(&self, version: i32) -> Result<XChaCha20Poly1305, VaultError> {
        if !self.known().contains_key(&version) {
            self.newest()?;
        }
        let known = self.known();
        let key: &[u8; 32] = known.get(&version).ok_or(VaultError::NoSuchVersion(version))?;
        Ok(XChaCha20Poly1305::new(key.into()))
    }

    fn wrap_with(&self, version: i32, nonce: [u8; NONCE], key: &DataKey, owner: &Owner) -> Result<Wrapped, VaultError> {
        let payload = Payload {
            msg: key.bytes(),
            aad: &associated(owner, version),
        };
        let sealed = self.cipher(version)?.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_too_long| VaultError::NoKey)?;
        Ok(Wrapped {
            version,
            bytes: [HEAD.as_slice(), &nonce, &sealed].concat(),
        })
    }

    #[cfg(test)]
    pub(super) fn of_key(version: i32, key: [u8; 32]) -> Self {
        Self {
            folder: PathBuf::new(),
            versions: RwLock::new(BTreeMap::from([(version, Zeroizing::new(key))])),
        }
    }

    #[cfg(test)]
    pub(super) fn wrap_under(&self, nonce: [u8; NONCE], key: &DataKey, owner: &Owner) -> Result<Wrapped, VaultError> {
        let newest = self.known().keys().next_back().copied().unwrap_or_default();
        self.wrap_with(newest, nonce, key, owner)
    }
}

fn make(folder: &Path, version: i32) -> Result<(), VaultError> {
    key_file(&path_of(folder, version), || Ok(random::<32>()?.to_vec()))?;
    Ok(())
}

fn associated(owner: &Owner, version: i32) -> Vec<u8> {
    framed(&[
        CONTEXT,
        HEAD,
        owner.clb.0.as_bytes(),
        owner.dossier.0.as_bytes(),
        owner.key.0.as_bytes(),
        &version.to_be_bytes(),
    ])
}

#[async_trait]
impl KeyVault for FileVault {
    async fn version(&self) -> Result<i32, VaultError> {
        self.newest()
    }

    async fn wrap(&self, key: &DataKey, owner: &Owner) -> Result<Wrapped, VaultError> {
        self.wrap_with(self.newest()?, random()?, key, owner)
    }

    async fn unwrap(&self, wrapped: &Wrapped, owner: &Owner) -> Result<DataKey, VaultError> {
        let cipher = self.cipher(wrapped.version)?;
        let rest = wrapped
            .bytes
            .strip_prefix(HEAD.as_slice())
            .ok_or(VaultError::Tampered)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::Tampered)?;
        let payload = Payload {
            msg: sealed,
            aad: &associated(owner, wrapped.version),
        };
        let opened = cipher.decrypt(&XNonce::from(*nonce), payload);
        let opened = Zeroizing::new(opened.map_err(|_unauthentic| VaultError::Tampered)?);
        let bytes: [u8; 32] = opened.as_slice().try_into().map_err(|_length| VaultError::Tampered)?;
        Ok(DataKey::of_bytes(owner.key, Zeroizing::new(bytes)))
    }

    async fn destroyed(&self, key: KeyId) -> Result<bool, VaultError> {
        Ok(ShredList::open(&self.folder)?.has(key))
    }
}
