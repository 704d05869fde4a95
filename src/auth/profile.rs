//! What one issuer's tokens look like: the configuration decides, never the token.

use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

/// A signature algorithm that an issuer may be allowed. Symmetric ones and `none` have no name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// The name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) const fn to_jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A `typ` that an issuer's access tokens may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// `at+jwt` (RFC 9068).
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// `JWT`: issuers that do not mark their access tokens (Entra, Keycloak by default).
    #[serde(rename = "JWT")]
    Jwt,
}

impl TokenType {
    /// Reads a `typ`: without regard to case, with or without `application/` (RFC 7515 §4.1.9).
    pub(super) fn parse(typ: &str) -> Option<Self> {
        let lower = typ.to_ascii_lowercase();
        match lower.strip_prefix("application/").unwrap_or(&lower) {
            "at+jwt" => Some(Self::AccessToken),
            "jwt" => Some(Self::Jwt),
            _ => None,
        }
    }
}

/// How the tokens of one issuer are judged (security.md §1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `iss`, exactly.
    pub issuer: String,
    /// Our identifier in `aud`, exactly.
    pub audience: String,
    /// The types accepted.
    pub types: Vec<TokenType>,
    /// The algorithms accepted.
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds the scopes: `scope`, at Entra `scp`.
    pub scope_claim: String,
    /// The scope a token must carry, if any.
    pub scope: Option<String>,
    /// The values of `acr` that stand for a sign-in strong enough for what is under secrecy (R24), the preferred one first.
    pub assurance: Vec<String>,
    /// How far the clocks may differ; at most [`Profile::MAX_SKEW`].
    pub skew: Duration,
    /// How long a token may live from `iat` to `exp`; at most [`Profile::MAX_LIFETIME`].
    pub lifetime: Duration,
}

impl Profile {
    /// The largest difference of clocks that may be configured.
    pub const MAX_SKEW: Duration = Duration::from_secs(30);
    /// The longest life of a token that may be configured.
    pub const MAX_LIFETIME: Duration = Duration::from_hours(1);

    /// How old a sign-in may be that opens what is under secrecy (R24).
    pub const FRESH: Duration = Duration::from_hours(12);

    /// An RFC 9068 issuer with ES256 and RS256.
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            types: vec![TokenType::AccessToken],
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            scope_claim: "scope".to_owned(),
            scope: None,
            assurance: Vec::new(),
            skew: Self::MAX_SKEW,
            lifetime: Self::MAX_LIFETIME,
        }
    }

    /// How to sign in for what is under secrecy, as a challenge (RFC 9470 §3); none where nothing is strong enough.
    pub(super) fn step_up(&self) -> Option<HeaderValue> {
        if self.assurance.is_empty() {
            return None;
        }
        let (means, age) = (self.assurance.join(" "), Self::FRESH.as_secs());
        let challenge = format!(
            "Bearer realm=\"clb-hub\", error=\"insufficient_user_authentication\", error_description=\"what is under \
             secrecy needs a stronger or fresher sign-in\", acr_values=\"{means}\", max_age=\"{age}\""
        );
        HeaderValue::try_from(challenge).ok()
    }
}
