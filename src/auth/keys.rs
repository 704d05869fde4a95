//! The public keys of an issuer, and whether one fits a token.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use sha2::{Digest as _, Sha256};

use super::{Algorithm, Refused};

/// How many proven tokens are remembered.
const REMEMBERED: usize = 10_000;

/// A key set (RFC 7517 §5). Keys that cannot be read are left out, as the standard asks.
///
/// It remembers which tokens it has proven: an access token comes with every request for up to an hour, and its
/// signature is as good the second time. Nothing else of a token is remembered, and a new key set starts without any, so
/// a key that was dropped proves nothing more.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Jwk>,
    proven: Arc<Mutex<HashSet<[u8; 32]>>>,
}

/// A text that is not a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set")]
pub struct NotAKeySet;

impl KeySet {
    /// Reads `{"keys": […]}`.
    pub fn parse(json: &[u8]) -> Result<Self, NotAKeySet> {
        #[derive(serde::Deserialize)]
        struct Loose {
            keys: Vec<serde_json::Value>,
        }
        let set: Loose = serde_json::from_slice(json).map_err(|_malformed| NotAKeySet)?;
        let keys = set.keys.into_iter();
        Ok(Self {
            keys: keys.filter_map(|key| serde_json::from_value(key).ok()).collect(),
            proven: Arc::default(),
        })
    }

    /// Whether a key has this id.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid))
    }

    /// Checks the signature with a key of this id that fits the algorithm.
    pub(super) fn verify(
        &self,
        kid: &str,
        algorithm: Algorithm,
        message: &str,
        signature: &str,
    ) -> Result<(), Refused> {
        let mut named = self
            .keys
            .iter()
            .filter(|key| key.common.key_id.as_deref() == Some(kid))
            .peekable();
        if named.peek().is_none() {
            return Err(Refused::UnknownKey);
        }
        let mut fit = named.filter(|key| fits(key, algorithm)).peekable();
        if fit.peek().is_none() {
            return Err(Refused::UnfitKey);
        }
        let token = token(message, signature);
        if self.proven().contains(&token) {
            return Ok(());
        }
        let proven = fit.any(|key| {
            DecodingKey::from_jwk(key).is_ok_and(|key| {
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm.to_jwt()).unwrap_or(false)
            })
        });
        if !proven {
            return Err(Refused::Signature);
        }
        let mut known = self.proven();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token);
        Ok(())
    }

    fn proven(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<JwkSet> for KeySet {
    fn from(set: JwkSet) -> Self {
        Self {
            keys: set.keys,
            proven: Arc::default(),
        }
    }
}

/// The whole token, its signature included, as one hash.
fn token(message: &str, signature: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [message, ".", signature] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The kind, curve, use, declared algorithm and size of the key.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let usable = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let declared = match &key.common.key_algorithm {
        None => true,
        Some(declared) => declared.to_string() == algorithm.name(),
    };
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(rsa), Algorithm::Rs256 | Algorithm::Ps256) => {
            // 2048 bits at least (RFC 7518 §3.3).
            BASE64_URL_SAFE_NO_PAD
                .decode(&rsa.n)
                .is_ok_and(|modulus| modulus.len() >= 256)
        }
        (AlgorithmParameters::EllipticCurve(ec), Algorithm::Es256) => ec.curve == EllipticCurve::P256,
        (AlgorithmParameters::OctetKeyPair(pair), Algorithm::EdDsa) => pair.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    usable && declared && kind
}
