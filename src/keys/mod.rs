//! Keys and sealed fields: what is under secrecy lies in the database as a ciphertext that fits one
//! place only, and the keys of it lie outside.
//!
//! A data key per dossier seals its fields ([`seal()`]); a key-encryption key outside the database wraps
//! the data key ([`vault`]); destroying a data key erases what it sealed, wherever copies of it are
//! ([`shredded`]). The cipher is XChaCha20-Poly1305: its nonce is long enough to be drawn at random.

pub mod data_key;
pub mod file_vault;
mod framed;
pub mod heads;
pub mod seal;
pub mod shredded;
pub mod vault;

pub use data_key::{DataKey, KeyId};
pub use framed::framed;
pub use seal::{Place, SealError, open, seal, seal_afresh};
pub use vault::{KeyVault, VaultError, Wrapped};

#[cfg(test)]
mod tests;
