//! From the `Authorization` header to (issuer, subject).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::claims::Claims;
use super::header::Header;
use super::introspection::Introspection;
use super::jwks::Jwks;
use super::keys::KeySet;
use super::{Profile, Refused};

/// The largest token in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

/// Who a token proves, and until when: nothing else of it is ever used.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `sub`: unique within the issuer only.
    pub subject: String,
    /// Whether the sign-in behind it is strong and fresh enough for what is under secrecy (R24).
    pub assured: bool,
    /// How one signs in for that, where this sign-in is not (RFC 9470).
    pub step_up: Option<HeaderValue>,
    /// From when on it proves this no longer, the skew of the clocks included. What goes on longer than a request is
    /// cut off then (R40).
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Identity {
    /// The subject is personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Where an issuer's keys are.
#[derive(Debug)]
pub enum KeySource {
    /// In the configuration, or in this process.
    Fixed(Arc<KeySet>),
    /// At the issuer.
    Remote(Jwks),
}

/// Judges tokens by the profile of their issuer.
#[derive(Debug, Default)]
pub struct Verifier {
    issuers: HashMap<String, (Profile, KeySource)>,
    /// An opaque token does not say whose it is, and a token of one issuer is not shown to another: there is one at most.
    opaque: Option<Introspection>,
}

impl Verifier {
    /// One profile per issuer; of two for the same issuer the last counts.
    pub fn new(issuers: impl IntoIterator<Item = (Profile, KeySource)>) -> Self {
        let issuers = issuers.into_iter();
        Self {
            issuers: issuers.map(|one| (one.0.issuer.clone(), one)).collect(),
            opaque: None,
        }
    }

    /// The same, and whoever issues the tokens that are no JWTs.
    #[must_use]
    pub fn with_opaque(self, opaque: Option<Introspection>) -> Self {
        Self { opaque, ..self }
    }

    /// Judges the one `Authorization: Bearer` header (RFC 6750 §2.1).
    pub async fn authenticate(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Identity, Refused> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let value = sent.next().ok_or(Refused::Missing)?;
        if sent.next().is_some() {
            return Err(Refused::NotBearer);
        }
        let text = value.to_str().map_err(|_not_ascii| Refused::NotBearer)?;
        self.authorize(text, now).await
    }

    /// Judges the text of such a header, however it came: `Bearer` and the token.
    pub async fn authorize(&self, text: &str, now: DateTime<Utc>) -> Result<Identity, Refused> {
        let (scheme, token) = text.split_once(' ').ok_or(Refused::NotBearer)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refused::NotBearer);
        }
        self.verify(token, now).await
    }

    /// Judges a token. Nothing in it is believed before its signature, except which issuer's
    /// profile to judge it by.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::TooLarge);
        }
        match self.issuer_of_opaque(token) {
            Some(opaque) => opaque.judge(token, now).await,
            None => self.verify_signed(token, now).await,
        }
    }

    /// The token of such a header, where it may be taken back before its end: an issuer is asked about it, and what
    /// rests on it and stays open must ask again. A JWT is good until it expires.
    pub fn to_be_asked_again(&self, text: &str) -> Option<SecretString> {
        let (_, token) = text.split_once(' ')?;
        self.issuer_of_opaque(token).map(|_| SecretString::from(token))
    }

    /// Judges such a token again, by an answer that is no older than `within`.
    ///
    /// # Errors
    /// It is believed no longer; or nothing is known of it, for longer than a request would bear.
    pub async fn again(&self, token: &SecretString, now: DateTime<Utc>, within: Duration) -> Result<(), Refused> {
        let token = token.expose_secret();
        match self.issuer_of_opaque(token) {
            Some(opaque) => opaque.judge_again(token, now, within).await,
            None => self.verify_signed(token, now).await.map(drop),
        }
    }

    /// Who is asked about a token, where it does not say itself what it proves.
    fn issuer_of_opaque(&self, token: &str) -> Option<&Introspection> {
        self.opaque.as_ref().filter(|_| !has_header(token))
    }

    async fn verify_signed(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, Refused> {
        let (message, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refused::Malformed)?;
        if signature.is_empty() {
            return Err(Refused::Malformed);
        }
        decode(signature)?;
        let header = Header::parse(&decode(header)?)?;
        let claims = Claims::parse(&decode(payload)?)?;
        let issuer = claims.issuer()?;
        let (profile, keys) = self.issuers.get(issuer).ok_or(Refused::UnknownIssuer)?;
        let accepted = header.check(profile)?;
        let keys = match keys {
            KeySource::Fixed(keys) => Arc::clone(keys),
            KeySource::Remote(jwks) => jwks.keys(accepted.kid, now).await?,
        };
        keys.verify(accepted.kid, accepted.algorithm, message, signature)?;
        let (subject, expires_at) = claims.check(profile, accepted.typ, now)?;
        let assured = claims.is_assured(profile, now);
        Ok(Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            assured,
            step_up: (!assured).then(|| profile.step_up()).flatten(),
            expires_at,
        })
    }
}

/// Whether its first part is the header of a JWT, well formed or not: such a token is judged here alone.
fn has_header(token: &str) -> bool {
    let head = token.split_once('.').map(|(head, _)| decode(head));
    head.is_some_and(|head| head.is_ok_and(|head| head.starts_with(b"{")))
}

/// base64url without padding and without stray bits: one token has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_malformed| Refused::Malformed)
}

#[cfg(test)]
mod tests;
