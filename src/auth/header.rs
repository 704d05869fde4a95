//! The header of a token: what it claims about itself before anything is proven.

use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, Profile, Refused, TokenType};

/// The members that matter. `jku`, `x5u`, `x5c` and `jwk` are not read: keys come from the
/// configured key set only.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    alg: Option<Value>,
    typ: Option<Value>,
    kid: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// `"crit": null` is present as well.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Value::deserialize(value).map(|_any| true)
}

/// What remains of a header that the profile accepts.
#[derive(Debug)]
pub(super) struct Accepted<'header> {
    pub(super) algorithm: Algorithm,
    pub(super) typ: TokenType,
    pub(super) kid: &'header str,
}

impl Header {
    /// A header that names a member twice is refused: two readers could disagree about it.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Refused> {
        serde_json::from_slice(json).map_err(|_malformed| Refused::Header)
    }

    pub(super) fn check(&self, profile: &Profile) -> Result<Accepted<'_>, Refused> {
        if self.crit {
            return Err(Refused::Critical);
        }
        let typ = self.typ.as_ref().and_then(Value::as_str).and_then(TokenType::parse);
        let typ = typ.filter(|typ| profile.types.contains(typ)).ok_or(Refused::Type)?;
        let alg = self.alg.as_ref().and_then(Value::as_str).ok_or(Refused::Algorithm)?;
        let mut allowed = profile.algorithms.iter().copied();
        let algorithm = allowed.find(|one| one.name() == alg).ok_or(Refused::Algorithm)?;
        let kid = self.kid.as_ref().and_then(Value::as_str).ok_or(Refused::KeyId)?;
        if kid.is_empty() || kid.len() > 256 {
            return Err(Refused::KeyId);
        }
        Ok(Accepted { algorithm, typ, kid })
    }
}
