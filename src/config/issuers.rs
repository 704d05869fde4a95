//! `[issuers.<name>]`

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Section, Setting};
use crate::auth::demo_issuer::is_of_a_demo;
use crate::auth::{Algorithm, Profile, TokenType};

/// One issuer whose tokens are taken. A demo's own issuer is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "the field is `iss`, and the key in the file reads as it is said"
)]
pub struct Issuer {
    /// `iss`, exactly.
    pub issuer: String,
    /// Our identifier in `aud`, exactly.
    pub audience: String,
    /// Where its keys are, if its tokens are JWTs.
    pub jwks_url: String,
    /// Where it is asked of a token, if it issues tokens that say nothing themselves.
    pub introspection_url: String,
    /// As whom it is asked.
    pub client_id: String,
    /// A file with the secret of that client.
    pub client_secret_file: Option<PathBuf>,
    /// The types accepted.
    pub types: Vec<TokenType>,
    /// The algorithms accepted.
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds the scopes.
    pub scope_claim: String,
    /// The scope a token must carry, if any.
    pub scope: Option<String>,
    /// The values of `acr` that open what is under secrecy.
    pub assurance: Vec<String>,
    /// How far the clocks may differ, in seconds.
    pub skew_seconds: u16,
    /// How long a token may live, in seconds.
    pub lifetime_seconds: u16,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            jwks_url: String::new(),
            introspection_url: String::new(),
            client_id: String::new(),
            client_secret_file: None,
            types: vec![TokenType::AccessToken],
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            scope_claim: "scope".to_owned(),
            scope: None,
            assurance: Vec::new(),
            skew_seconds: 30,
            lifetime_seconds: 3_600,
        }
    }
}

impl Issuer {
    /// How its tokens are judged.
    pub fn profile(&self) -> Profile {
        Profile {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            types: self.types.clone(),
            algorithms: self.algorithms.clone(),
            scope_claim: self.scope_claim.clone(),
            scope: self.scope.clone(),
            assurance: self.assurance.clone(),
            skew: Duration::from_secs(self.skew_seconds.into()),
            lifetime: Duration::from_secs(self.lifetime_seconds.into()),
        }
    }
}

/// Whether it can stand in a list of them, divided by blanks, in a header.
fn is_acr(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}

/// Keys over plain HTTP could be replaced on the way; on the machine itself there is no way.
fn is_safe(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let after_host = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        || local.iter().any(|host| url.strip_prefix(host).is_some_and(after_host))
}

impl Section for Issuer {
    const NAME: &'static str = "issuers";
    const DOC: &'static str = "Whose access tokens are taken: one section per issuer, under a name of your own.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "issuer",
            takes: "the issuer's address, as its tokens say it",
            value: "\"https://authenticatie.vlaanderen.be/op\"",
            default: false,
            doc: "`iss` of its tokens, exactly.",
        },
        Setting {
            key: "audience",
            takes: "a text",
            value: "\"https://hub.example/graphql\"",
            default: false,
            doc: "How the issuer names this hub in `aud`, exactly.",
        },
        Setting {
            key: "jwks_url",
            takes: "an https address",
            value: "\"https://authenticatie.vlaanderen.be/op/v1/keys\"",
            default: false,
            doc: "Where its public keys are; for an issuer of JWTs.",
        },
        Setting {
            key: "introspection_url",
            takes: "an https address, at one issuer at most",
            value: "\"https://authenticatie.vlaanderen.be/op/v1/introspect\"",
            default: false,
            doc: "Where it is asked of tokens that are no JWTs (RFC 7662), as ACM/IDM wants it. Who has no `sub` is registered as `client:` and its client_id.",
        },
        Setting {
            key: "client_id",
            takes: "a text",
            value: "\"clb-hub\"",
            default: false,
            doc: "As whom the hub asks.",
        },
        Setting {
            key: "client_secret_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-introspection\"",
            default: false,
            doc: "A file with the secret of that client, readable by its owner only.",
        },
        Setting {
            key: "types",
            takes: "a list of at+jwt and JWT",
            value: "[\"at+jwt\"]",
            default: true,
            doc: "The `typ` of its access tokens. With JWT, ID tokens are refused by their claims.",
        },
        Setting {
            key: "algorithms",
            takes: "a list of RS256, PS256, ES256 and EdDSA",
            value: "[\"ES256\", \"RS256\"]",
            default: true,
            doc: "The signature algorithms accepted: RS256, PS256, ES256, EdDSA.",
        },
        Setting {
            key: "scope_claim",
            takes: "a text",
            value: "\"scope\"",
            default: true,
            doc: "The claim that holds the scopes; `scp` at Entra.",
        },
        Setting {
            key: "scope",
            takes: "a text",
            value: "\"clb-hub\"",
            default: false,
            doc: "The scope that a token must carry.",
        },
        Setting {
            key: "assurance",
            takes: "a list of texts",
            value: "[\"urn:be:vlaanderen:authmech:eid\", \"urn:be:vlaanderen:authmech:itsme\"]",
            default: false,
            doc: "The `acr` that open what is under secrecy, the preferred one first, if `auth_time` is of the last 12 hours. Without it nothing opens.",
        },
        Setting {
            key: "skew_seconds",
            takes: "seconds, at most 30",
            value: "30",
            default: true,
            doc: "How far the clocks may differ, at most 30 s.",
        },
        Setting {
            key: "lifetime_seconds",
            takes: "seconds from 1 to 3600",
            value: "3600",
            default: true,
            doc: "How long a token may live, at most an hour.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let needed = |text: &str, key| {
            if text.is_empty() {
                Err((key, "a text, and is needed"))
            } else {
                Ok(())
            }
        };
        needed(&self.issuer, "issuer")?;
        needed(&self.audience, "audience")?;
        let asks = !self.introspection_url.is_empty();
        match () {
            // Its key lies in a folder, and it gives tokens to anyone on its machine.
            () if is_of_a_demo(&self.issuer) => Err(("issuer", "an issuer that is not a demo's")),
            () if self.jwks_url.is_empty() && !asks => Err(("jwks_url", "an https address, or introspection_url does")),
            () if !self.jwks_url.is_empty() && !is_safe(&self.jwks_url) => Err(("jwks_url", "an https address")),
            () if asks && !is_safe(&self.introspection_url) => Err(("introspection_url", "an https address")),
            () if asks && self.client_id.is_empty() => Err(("client_id", "a text, where the issuer is asked")),
            () if asks != self.client_secret_file.is_some() => {
                Err(("client_secret_file", "a path where the issuer is asked, and only there"))
            }
            () if self.types.is_empty() => Err(("types", "at least one type")),
            () if self.algorithms.is_empty() => Err(("algorithms", "at least one algorithm")),
            () if self.scope.as_deref() == Some("") => Err(("scope", "a text")),
            () if !self.assurance.iter().all(|acr| is_acr(acr)) => {
                Err(("assurance", "a list of texts without blanks, quotes and backslashes"))
            }
            () if self.skew_seconds > 30 => Err(("skew_seconds", "seconds, at most 30")),
            () if !(1..=3_600).contains(&self.lifetime_seconds) => Err(("lifetime_seconds", "seconds from 1 to 3600")),
            () => Ok(()),
        }
    }
}
