//! The issuer of the demo: signs tokens for its personas.
//!
//! Only the verb `demo` builds one, and no other module of what is shipped may name it (`tests/it/architecture`). Its
//! address is marked, its tokens say so, and the configuration of `serve` refuses an issuer with that mark, whatever keys are
//! named for it: no `serve` takes a token of a demo. The router of `serve` takes no issuer either; a test asks it for these
//! routes and finds none.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::keys::KeySet;
use super::profile::{Algorithm, Profile, TokenType};
use super::verifier::KeySource;

/// What its tokens say of the sign-in: by eID, as ACM/IDM calls it.
const ACR: &str = "urn:be:vlaanderen:authmech:eid";

/// How long a demo token lives.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// The path of every demo's issuer.
const MARK: &str = "/clb-hub-demo";

/// The address of the issuer of the demo that listens on this port of the loopback interface.
pub fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}{MARK}")
}

/// Whether this is the address of a demo's issuer. Its key lies in a data folder and it gives tokens to anyone on its
/// machine.
pub fn is_of_a_demo(issuer: &str) -> bool {
    issuer.trim_end_matches('/').ends_with(MARK)
}

/// A signing key that cannot be used, or a token that cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the demo's signing key is not an ES256 key in PKCS#8")]
pub struct BadKey;

/// The issuer.
pub struct DemoIssuer {
    issuer: String,
    audience: String,
    kid: String,
    key: EncodingKey,
    jwks: Value,
}

impl std::fmt::Debug for DemoIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoIssuer")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl DemoIssuer {
    /// An issuer at this address, with a key from [`crate::runtime::new_signing_key`].
    pub fn new(issuer: &str, audience: &str, pkcs8: &[u8]) -> Result<Self, BadKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_rejected| BadKey)?;
        // SEC 1 §2.3.3: 4, then the two coordinates of 32 bytes each.
        let point = pair.public_key().as_ref().strip_prefix(&[4]).ok_or(BadKey)?;
        let (x, y) = point.split_at_checked(32).ok_or(BadKey)?;
        let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
        // RFC 7638: the thumbprint names the key.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        let jwks = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256" }] });
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            kid,
            key: EncodingKey::from_ec_der(pkcs8),
            jwks,
        })
    }

    /// An access token (RFC 9068) for the subject, one hour from `now`.
    pub fn mint(&self, subject: &str, now: DateTime<Utc>, id: Uuid) -> Result<String, BadKey> {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "client_id": "clb-hub-demo",
            "jti": id.simple().to_string(),
            "acr": ACR,
            "auth_time": now.timestamp(),
            "iat": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_unsigned| BadKey)
    }

    /// How the hub judges this issuer's tokens, with the key at hand: nothing is fetched.
    pub fn trust(&self) -> Result<(Profile, KeySource), BadKey> {
        let keys = KeySet::parse(self.jwks.to_string().as_bytes()).map_err(|_malformed| BadKey)?;
        let mut profile = Profile::new(&self.issuer, &self.audience);
        profile.types = vec![TokenType::AccessToken];
        profile.assurance = vec![ACR.to_owned()];
        profile.algorithms = vec![Algorithm::Es256];
        Ok((profile, KeySource::Fixed(Arc::new(keys))))
    }

    /// Its address: `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The discovery document and the key set. The well-known part stands between the host of the issuer and its path
    /// (RFC 8414 §3.1).
    pub fn routes(&self) -> Router {
        let address = self.issuer.trim_end_matches('/');
        let after_host = address.split_once("://").map_or("", |(_, rest)| rest);
        let path = after_host
            .split_once('/')
            .map_or_else(String::new, |(_, path)| format!("/{path}"));
        let discovery = json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{address}/jwks"),
            "response_types_supported": [],
            "grant_types_supported": [],
        });
        let jwks = self.jwks.clone();
        Router::new()
            .route(
                &format!("/.well-known/oauth-authorization-server{path}"),
                get(async move || Json(discovery)),
            )
            .route(&format!("{path}/jwks"), get(async move || Json(jwks)))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::auth::{Refused, Verifier};
    use crate::runtime::new_signing_key;

    fn issuer() -> DemoIssuer {
        let key = new_signing_key().expect("randomness");
        DemoIssuer::new("http://127.0.0.1:4000", "clb-hub", &key).expect("a key")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).expect("an instant")
    }

    #[tokio::test]
    async fn its_token_opens_this_hub_for_an_hour_and_no_other_hub() {
        let issuer = issuer();
        let token = issuer.mint("persona:anchor", at(0), Uuid::nil()).expect("a token");
        let verifier = Verifier::new([issuer.trust().expect("a key")]);
        let identity = verifier.verify(&token, at(3_599)).await.expect("a good token");
        assert_eq!(
            (identity.issuer.as_str(), identity.subject.as_str()),
            ("http://127.0.0.1:4000", "persona:anchor")
        );
        assert_eq!(verifier.verify(&token, at(3_630)).await, Err(Refused::Expired));
        let other = Verifier::new([self::issuer().trust().expect("a key")]);
        assert_eq!(other.verify(&token, at(0)).await, Err(Refused::UnknownKey));
    }

    #[tokio::test]
    async fn the_published_keys_are_the_ones_it_signs_with() {
        let key = new_signing_key().expect("randomness");
        for (name, discovery) in [
            (
                "http://127.0.0.1:4000".to_owned(),
                "/.well-known/oauth-authorization-server",
            ),
            (address(4_001), "/.well-known/oauth-authorization-server/clb-hub-demo"),
        ] {
            let issuer = DemoIssuer::new(&name, "clb-hub", &key).expect("a key");
            let get = async |path: &str| {
                let request = Request::get(path).body(Body::empty()).expect("a request");
                let answer = issuer.routes().oneshot(request).await.expect("an answer");
                axum::body::to_bytes(answer.into_body(), 10_000).await.expect("a body")
            };
            let discovery: Value = serde_json::from_slice(&get(discovery).await).expect("JSON");
            assert_eq!(discovery["issuer"], name.as_str());
            // Where it says that its keys are, they are.
            let (host, path) = discovery["jwks_uri"]
                .as_str()
                .expect("an address")
                .split_at("http://127.0.0.1:4000".len());
            assert!(name.starts_with(host), "{discovery}");
            let keys = KeySet::parse(&get(path).await).expect("a key set");
            let verifier = Verifier::new([(Profile::new(&name, "clb-hub"), KeySource::Fixed(Arc::new(keys)))]);
            let token = issuer.mint("someone", at(0), Uuid::nil()).expect("a token");
            assert!(verifier.verify(&token, at(0)).await.is_ok());
        }
    }

    #[test]
    fn a_demo_is_known_by_its_address() {
        for marked in [
            address(4_000),
            format!("{}/", address(1)),
            "https://id.example/clb-hub-demo".to_owned(),
        ] {
            assert!(is_of_a_demo(&marked), "{marked}");
        }
        for other in [
            "http://127.0.0.1:4000",
            "https://clb-hub-demo.example",
            "https://id.example/clb-hub-demo/tenant",
        ] {
            assert!(!is_of_a_demo(other), "{other}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        assert_eq!(DemoIssuer::new("http://x", "y", b"no key").err(), Some(BadKey));
    }
}
