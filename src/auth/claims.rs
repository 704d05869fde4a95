//! The claims of a token, checked one by one.
//!
//! `jsonwebtoken` checks some of them by default and skips others (security.md §1.2 measured nine
//! bad tokens accepted); so it is used for signatures only and every claim is judged here.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Profile, Refused, TokenType};

/// The claims that matter, not yet judged; a claim named twice does not parse.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: Option<Value>,
    sub: Option<Value>,
    aud: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    nonce: Option<Value>,
    at_hash: Option<Value>,
    c_hash: Option<Value>,
    cnf: Option<Value>,
    #[serde(flatten)]
    others: Others,
}

/// The rest, of which only the configured scope claim is read. Doubled names are refused.
#[derive(Debug)]
struct Others(serde_json::Map<String, Value>);

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> serde::de::Visitor<'de> for Once {
            type Value = Others;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("claims, each once")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Others, A::Error> {
                let mut others = serde_json::Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if others.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("claim named twice"));
                    }
                }
                Ok(Others(others))
            }
        }
        from.deserialize_map(Once)
    }
}

impl Claims {
    pub(super) fn parse(json: &[u8]) -> Result<Self, Refused> {
        serde_json::from_slice(json).map_err(|_malformed| Refused::Payload)
    }

    /// `iss`, unproven: it chooses the profile whose keys must then prove it.
    pub(super) fn issuer(&self) -> Result<&str, Refused> {
        self.iss.as_ref().and_then(Value::as_str).ok_or(Refused::Issuer)
    }

    /// Judges every claim but `iss`, and returns the subject and the instant from which the token is refused.
    pub(super) fn check(
        &self,
        profile: &Profile,
        typ: TokenType,
        now: DateTime<Utc>,
    ) -> Result<(&str, DateTime<Utc>), Refused> {
        self.audience(profile)?;
        let expires_at = self.times(profile, now)?;
        let id_token = self.nonce.is_some() || self.at_hash.is_some() || self.c_hash.is_some();
        if typ == TokenType::Jwt && id_token {
            return Err(Refused::IdToken);
        }
        if self.cnf.is_some() {
            return Err(Refused::Bound);
        }
        self.scope(profile)?;
        let subject = self.sub.as_ref().and_then(Value::as_str).ok_or(Refused::Subject)?;
        if subject.is_empty() || subject.len() > 255 || subject.chars().any(char::is_control) {
            return Err(Refused::Subject);
        }
        Ok((subject, expires_at))
    }

    /// Until when the sign-in behind it is strong and late enough for what is under secrecy (R24, RFC 9470): `acr` is one of
    /// the profile's, and `auth_time` lies within the last twelve hours. Whoever says neither did not.
    pub(super) fn assured_until(&self, profile: &Profile, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let acr = self.others.0.get("acr").and_then(Value::as_str);
        let strong = acr.is_some_and(|acr| profile.assurance.iter().any(|one| one == acr));
        let signed_in = instant(self.others.0.get("auth_time"))?;
        let age = now.timestamp().saturating_sub(signed_in);
        let fresh = (-seconds(profile.skew)..seconds(Profile::FRESH)).contains(&age);
        let until = signed_in.saturating_add(seconds(Profile::FRESH));
        DateTime::from_timestamp(until, 0).filter(|_| strong && fresh)
    }

    /// Whether it is so now.
    pub(super) fn is_assured(&self, profile: &Profile, now: DateTime<Utc>) -> bool {
        self.assured_until(profile, now).is_some()
    }

    /// A member that a token has no claim for, or that only some issuers send.
    pub(super) fn other(&self, name: &str) -> Option<&Value> {
        self.others.0.get(name)
    }

    /// What an answer of introspection need not say (RFC 7662 §2.2) and a token must: when it was issued, of which is known
    /// that it was by now; and its subject, who is the client where nobody signed in.
    pub(super) fn complete(&mut self, client: Option<String>, now: DateTime<Utc>) {
        self.iat.get_or_insert_with(|| now.timestamp().into());
        self.sub = self.sub.take().or_else(|| client.map(Value::from));
    }

    /// Whether a subject is named.
    pub(super) const fn names_subject(&self) -> bool {
        self.sub.is_some()
    }

    /// Whether `iss` is this issuer; of one that is not named the caller must know otherwise.
    pub(super) fn is_of(&self, issuer: &str) -> bool {
        self.iss.as_ref().is_none_or(|iss| iss.as_str() == Some(issuer))
    }

    fn audience(&self, profile: &Profile) -> Result<(), Refused> {
        let ours = match &self.aud {
            Some(Value::String(one)) => *one == profile.audience,
            Some(Value::Array(many)) if !many.is_empty() && many.iter().all(Value::is_string) => {
                many.iter().any(|one| one.as_str() == Some(&profile.audience))
            }
            _ => return Err(Refused::AudienceMalformed),
        };
        if ours { Ok(()) } else { Err(Refused::Audience) }
    }

    fn times(&self, profile: &Profile, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refused> {
        let skew = seconds(profile.skew);
        let now = now.timestamp();
        let exp = instant(self.exp.as_ref()).ok_or(Refused::ExpiryMalformed)?;
        let iat = instant(self.iat.as_ref()).ok_or(Refused::IssuedMalformed)?;
        let expires = exp.saturating_add(skew);
        if now >= expires {
            return Err(Refused::Expired);
        }
        if iat > now.saturating_add(skew) {
            return Err(Refused::IssuedAhead);
        }
        if self.nbf.is_some() {
            let nbf = instant(self.nbf.as_ref()).ok_or(Refused::NotBeforeMalformed)?;
            if nbf > now.saturating_add(skew) {
                return Err(Refused::NotYet);
            }
        }
        if exp.saturating_sub(iat) > seconds(profile.lifetime) {
            return Err(Refused::Lifetime);
        }
        DateTime::from_timestamp(expires, 0).ok_or(Refused::ExpiryMalformed)
    }

    fn scope(&self, profile: &Profile) -> Result<(), Refused> {
        let granted = match self.others.0.get(&profile.scope_claim) {
            None => "",
            Some(Value::String(scopes)) => scopes,
            Some(_) => return Err(Refused::ScopeMalformed),
        };
        match &profile.scope {
            Some(required) if !granted.split(' ').any(|one| one == required) => Err(Refused::Scope),
            _ => Ok(()),
        }
    }
}

/// A `NumericDate` in whole seconds (RFC 7519 §2). A fraction is allowed there but no issuer of
/// ours sends one, and refusing it keeps the arithmetic exact.
fn instant(claim: Option<&Value>) -> Option<i64> {
    claim.and_then(Value::as_i64)
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
