//! `[database]`

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Section, Setting};

/// Where the rows are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// The database.
    pub url: DatabaseUrl,
    /// A file with the password of PostgreSQL, so that the address holds none.
    pub password_file: Option<PathBuf>,
    /// The role that owns the tables, for `migrate` alone.
    pub owner_url: Option<DatabaseUrl>,
    /// A file with the password of that role.
    pub owner_password_file: Option<PathBuf>,
    /// Connections kept at most.
    pub connections: u16,
}

/// `sqlite://path` or `postgres://…`. May hold a password, so it is printed by nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(pub SecretString);

impl TryFrom<String> for DatabaseUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        let known = ["sqlite://", "postgres://"]
            .iter()
            .any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
        if known { Ok(Self(url.into())) } else { Err(URL) }
    }
}

impl Database {
    /// The address with the password of the file in it, for the pool alone.
    pub fn address(&self) -> std::io::Result<String> {
        self.url.with_password(self.password_file.as_deref())
    }

    /// The same for the role that owns the tables, where that is another.
    pub fn owner_address(&self) -> std::io::Result<Option<String>> {
        let owner = self.owner_url.as_ref();
        owner
            .map(|url| url.with_password(self.owner_password_file.as_deref()))
            .transpose()
    }
}

impl DatabaseUrl {
    /// The address with the password of this file in it, for the pool alone.
    pub fn with_password(&self, file: Option<&Path>) -> std::io::Result<String> {
        let url = self.0.expose_secret();
        let (Some(path), Some(rest)) = (file, url.strip_prefix("postgres://")) else {
            return Ok(url.to_owned());
        };
        let password = crate::runtime::read_secret(path)?;
        let password = String::from_utf8(password).map_err(std::io::Error::other)?;
        let escaped: Vec<String> = password.trim_end().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let escaped = escaped.concat();
        Ok(match rest.split_once('@') {
            Some((user, host)) => format!("postgres://{user}:{escaped}@{host}"),
            None => url.to_owned(),
        })
    }
}

pub(super) const URL: &str = "sqlite://path or postgres://user@host/database";

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl("sqlite://clb-hub.sqlite".to_owned().into()),
            password_file: None,
            owner_url: None,
            owner_password_file: None,
            connections: 16,
        }
    }
}

impl Section for Database {
    const NAME: &'static str = "database";
    const DOC: &'static str = "Where the rows are. SQLite for one small CLB, PostgreSQL 15 or later for everyone else.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "url",
            takes: URL,
            value: "\"sqlite://clb-hub.sqlite\"",
            default: true,
            doc: "The database: sqlite://path or postgres://user@host/database.",
        },
        Setting {
            key: "password_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-database\"",
            default: false,
            doc: "A file with the password of PostgreSQL, readable by its owner only.",
        },
        Setting {
            key: "owner_url",
            takes: URL,
            value: "\"postgres://clb_hub_owner@host/clb_hub\"",
            default: false,
            doc: "The role that owns the tables, for `migrate` alone; it lets the role of `url` in. Without it, `url` owns them.",
        },
        Setting {
            key: "owner_password_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-owner\"",
            default: false,
            doc: "A file with the password of that role.",
        },
        Setting {
            key: "connections",
            takes: "a number from 1 to 512",
            value: "16",
            default: true,
            doc: "Connections kept at most. Two for each processor of the database are enough for it to have no rest.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(1..=512).contains(&self.connections) {
            return Err(("connections", "a number from 1 to 512"));
        }
        Ok(())
    }
}
