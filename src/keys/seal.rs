//! Sealing a field: the ciphertext opens in its own place, and nowhere else (R17).
//!
//! The envelope is `CHS`, format version, cipher, id of the data key, nonce, ciphertext with tag. All
//! of its head, and the place (CLB, dossier, table, column, row), go into the tag as associated data.
//! The plaintext is padded to steps of 64 bytes: its length must not tell a short "none" from a story.

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead as _, Payload};
use hub_entities::id::{ClbId, PupilId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::data_key::{DataKey, KeyId};
use super::framed::framed;
use crate::runtime::random;

const MAGIC: &[u8; 3] = b"CHS";
const VERSION: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const CONTEXT: &[u8] = b"clb-hub sealed field";
const HEAD: usize = 21;
const NONCE: usize = 24;
/// Lengths are told in steps of this.
const STEP: usize = 64;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The controller.
    pub clb: ClbId,
    /// Whose dossier.
    pub dossier: PupilId,
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row.
    pub row: Uuid,
}

/// Why a sealed value was not opened. It says nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not an envelope of this version.
    #[error("not a sealed value that this version knows")]
    Malformed,
    /// Sealed with another data key.
    #[error("sealed with another key")]
    OtherKey,
    /// Nothing can be sealed.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// Altered, or moved here from another place.
    #[error("a sealed value was altered, or moved from another place")]
    Tampered,
}

impl Place {
    fn associated(&self, head: &[u8]) -> Vec<u8> {
        framed(&[
            CONTEXT,
            head,
            self.clb.0.as_bytes(),
            self.dossier.0.as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
        ])
    }
}

/// Seals a value for its place. The nonce is fresh random bytes, used once.
pub fn seal(key: &DataKey, place: &Place, value: &[u8], nonce: [u8; NONCE]) -> Result<Vec<u8>, SealError> {
    let head = head(key.id());
    let padded = pad(value)?;
    let payload = Payload {
        msg: &padded,
        aad: &place.associated(&head),
    };
    let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload);
    let sealed = sealed.map_err(|_too_long| SealError::Malformed)?;
    Ok([head.as_slice(), &nonce, &sealed].concat())
}

/// As [`seal`], with a nonce drawn for it.
pub fn seal_afresh(key: &DataKey, place: &Place, value: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce = random().map_err(|_unavailable| SealError::NoRandomness)?;
    seal(key, place, value, nonce)
}

/// Opens the value that stands in this place.
pub fn open(key: &DataKey, place: &Place, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if sealed_with(envelope)? != key.id() {
        return Err(SealError::OtherKey);
    }
    let (head, rest) = envelope.split_at_checked(HEAD).ok_or(SealError::Malformed)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Malformed)?;
    let payload = Payload {
        msg: sealed,
        aad: &place.associated(head),
    };
    let padded = key.cipher().decrypt(&XNonce::from(*nonce), payload);
    let padded = Zeroizing::new(padded.map_err(|_unauthentic| SealError::Tampered)?);
    unpad(&padded)
}

/// With which data key a value was sealed.
pub fn sealed_with(envelope: &[u8]) -> Result<KeyId, SealError> {
    let rest = envelope.strip_prefix(MAGIC.as_slice());
    let rest = rest.and_then(|rest| rest.strip_prefix([VERSION, XCHACHA20_POLY1305].as_slice()));
    let id = rest
        .and_then(|rest| rest.first_chunk::<16>())
        .ok_or(SealError::Malformed)?;
    Ok(KeyId(Uuid::from_bytes(*id)))
}

fn head(id: KeyId) -> Vec<u8> {
    [MAGIC.as_slice(), &[VERSION, XCHACHA20_POLY1305], id.0.as_bytes()].concat()
}

fn pad(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let length = u32::try_from(value.len()).map_err(|_too_long| SealError::Malformed)?;
    let whole = value.len().saturating_add(4).next_multiple_of(STEP);
    // Of the final size at once: growing would leave copies behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(value);
    padded.resize(whole, 0);
    Ok(padded)
}

fn unpad(padded: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (length, rest) = padded.split_first_chunk::<4>().ok_or(SealError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_too_long| SealError::Malformed)?;
    let value = rest.get(..length).ok_or(SealError::Malformed)?;
    Ok(Zeroizing::new(value.to_vec()))
}
