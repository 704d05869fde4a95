//! A live source: which system is pulled, with which settings, and the secret by its name alone.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::contract::{Connector, Stream};
use crate::fault::Fault;
use crate::http::Http;
use crate::oneroster::rest::{self, OneRoster};
use crate::smartschool::{self, Smartschool};

/// What an operator registers of a source that is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// The system, and how it is to be read.
    pub system: System,
    /// The name of its secret. The secret itself stands in the environment or in a file, never in the database.
    pub secret: SecretName,
    /// What is pulled, where that is not everything that the system brings: a school may have its roster from one
    /// system and its absences from another.
    #[serde(default)]
    pub pulls: Option<Vec<Stream>>,
}

/// The name of a secret: letters, digits, `-` and `_`, 64 at most. It is a file's name too, and leads nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

/// A text that is no name of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a secret: letters, digits, - and _, 64 at most")]
pub struct NotAName;

impl TryFrom<String> for SecretName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if (1..=64).contains(&text.len()) && text.chars().all(fits) {
            Ok(Self(text))
        } else {
            Err(NotAName)
        }
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0
    }
}

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A system, with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum System {
    /// The web services of a Smartschool tenant. Its secret is the access code.
    Smartschool(Box<smartschool::Settings>),
    /// OneRoster over REST. Its secret is that of the client.
    #[serde(rename = "oneroster")]
    OneRoster(Box<rest::Settings>),
}

impl Live {
    /// Whether this is pulled from it.
    pub fn brings(&self, stream: Stream) -> bool {
        match &self.pulls {
            Some(some) => some.contains(&stream),
            None => self.system.streams().contains(&stream),
        }
    }
}

impl System {
    /// What it can bring.
    pub const fn streams(&self) -> &'static [Stream] {
        match self {
            Self::Smartschool(_) => &[Stream::Roster, Stream::Absences],
            Self::OneRoster(_) => &[Stream::Roster],
        }
    }

    fn connect(&self, secret: SecretString, http: Http) -> Result<Arc<dyn Connector>, Fault> {
        Ok(match self {
            Self::Smartschool(settings) => Arc::new(Smartschool::new((**settings).clone(), secret, http)?),
            Self::OneRoster(settings) => Arc::new(OneRoster::new((**settings).clone(), secret, http)?),
        })
    }
}

/// Finds a secret by its name.
pub type Secrets = Arc<dyn Fn(&SecretName) -> Option<SecretString> + Send + Sync>;

/// Makes connectors: the one client they all go out by, and where their secrets are.
#[derive(Clone)]
pub struct Systems {
    http: Http,
    secrets: Secrets,
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Systems").finish_non_exhaustive()
    }
}

impl Systems {
    /// By this client, with these secrets.
    pub const fn new(http: Http, secrets: Secrets) -> Self {
        Self { http, secrets }
    }

    /// The connector of a live source. Nobody is called yet.
    ///
    /// # Errors
    /// Its secret is not there, or its settings are wrong.
    pub fn connect(&self, live: &Live) -> Result<Arc<dyn Connector>, Fault> {
        let secret = (self.secrets)(&live.secret);
        let secret = secret.ok_or(Fault::Config(
            "its secret is not there, or others than its owner can read it",
        ))?;
        live.system.connect(secret, self.http.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Hurried, Limits, Reach};

    fn read(json: &str) -> Result<Live, serde_json::Error> {
        serde_json::from_str(json)
    }

    const SMARTSCHOOL: &str = r#"{"smartschool":{"url":"https://school.example/Webservices/V3"}}"#;

    #[test]
    fn a_live_source_names_its_secret_and_holds_none() {
        let live = read(&format!(r#"{{"system":{SMARTSCHOOL},"secret":"school"}}"#)).expect("a live source");
        assert!(live.brings(Stream::Roster) && live.brings(Stream::Absences));
        let only = read(&format!(
            r#"{{"system":{SMARTSCHOOL},"secret":"school","pulls":["absences"]}}"#
        ));
        let only = only.expect("a live source");
        assert!(!only.brings(Stream::Roster) && only.brings(Stream::Absences));
        assert!(
            read(&format!(r#"{{"system":{SMARTSCHOOL}}}"#)).is_err(),
            "without a secret"
        );
        assert!(read(&format!(r#"{{"system":{SMARTSCHOOL},"secret":"s","code":"x"}}"#)).is_err());
        assert!(read(r#"{"system":{"other":{}},"secret":"s"}"#).is_err());
        for name in ["", ".", "../school", "a/b", "a b"] {
            assert!(
                read(&format!(r#"{{"system":{SMARTSCHOOL},"secret":"{name}"}}"#)).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn oneroster_brings_rosters_alone() {
        let live = read(
            r#"{"system":{"oneroster":{"url":"https://school.example/ims/oneroster/v1p1",
                "token":{"token_url":"https://school.example/token","client_id":"hub"}}},"secret":"school"}"#,
        );
        let live = live.expect("a live source");
        assert!(live.brings(Stream::Roster) && !live.brings(Stream::Absences));
    }

    #[test]
    fn a_connector_is_made_only_with_its_secret() {
        let live = read(&format!(r#"{{"system":{SMARTSCHOOL},"secret":"school"}}"#)).expect("a live source");
        let http = Http::new(Reach::default(), Limits::default(), Arc::new(Hurried::default())).expect("a client");
        let with = |known: &'static str| {
            let secrets: Secrets = Arc::new(move |name| (name.as_str() == known).then(|| SecretString::from("code")));
            Systems::new(http.clone(), secrets)
        };
        assert!(with("school").connect(&live).is_ok());
        let fault = with("other").connect(&live).expect_err("no secret");
        assert!(matches!(fault, Fault::Config(_)), "{fault}");
    }
}
