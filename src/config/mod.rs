//! The configuration: `clb-hub.toml`, then the environment over it.
//!
//! One file per section. A key that nobody reads is refused, because it is a key somebody believes
//! in; so is an unknown `CLB_HUB__…` variable. This is the only place that reads the environment.

mod database;
mod example;
mod issuers;
mod keys;
mod law;
mod limits;
mod secrets;
mod server;
mod sources;
mod streams;
mod telemetry;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hub_connectors::live::SecretName;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use database::{Database, DatabaseUrl};
pub use example::example;
pub use issuers::Issuer;
pub use keys::Keys;
pub use law::Law;
pub use limits::Limits;
pub use secrets::Secrecy;
pub use server::Server;
pub use sources::{Secrets, Sources};
pub use streams::Streams;
pub use telemetry::Telemetry;

/// Before every variable of ours.
pub const ENV_PREFIX: &str = "CLB_HUB__";

/// `CLB_HUB__SECRETS__NAME`: secrets stand in no file with settings.
const SECRETS: &str = "secrets";

/// Everything an operator can set.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where the hub listens.
    pub server: Server,
    /// Where its rows are.
    pub database: Database,
    /// Where dossiers are.
    pub secrecy: Secrecy,
    /// Whose tokens it takes, by a name of the operator's.
    pub issuers: BTreeMap<String, Issuer>,
    /// What a request may ask.
    pub limits: Limits,
    /// What may stay open.
    pub streams: Streams,
    /// What is logged and exported.
    pub telemetry: Telemetry,
    /// Where the keys are.
    pub keys: Keys,
    /// How live sources are reached.
    pub sources: Sources,
    /// Their secrets.
    pub secrets: Secrets,
    /// Open questions of the law, as settings.
    pub law: Law,
}

/// One setting as the example and the errors tell it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// The key.
    pub(crate) key: &'static str,
    /// What it takes, in words: part of the error where a value does not fit.
    pub(crate) takes: &'static str,
    /// The default in TOML, or an example of one where there is none.
    pub(crate) value: &'static str,
    /// Whether `value` is the default; otherwise the example shows the line switched off.
    pub(crate) default: bool,
    /// What it is for.
    pub(crate) doc: &'static str,
}

/// A section of the file.
pub(crate) trait Section: DeserializeOwned + Default {
    /// Its name in brackets.
    const NAME: &'static str;
    /// What it is for.
    const DOC: &'static str;
    /// Its keys, in the order of the example. One per field.
    const SETTINGS: &'static [Setting];

    /// What one key alone cannot show: the key at fault and why.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        Ok(())
    }
}

/// A configuration that is refused: where, which key, and what it takes; never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read")]
    Unreadable {
        /// The file.
        file: PathBuf,
    },
    /// The file is no TOML.
    #[error("{file}: not TOML at line {line}, column {column}")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A section that does not exist.
    #[error("{origin}: no section [{section}]")]
    UnknownSection {
        /// The file or the variable.
        origin: String,
        /// The section.
        section: String,
    },
    /// A key that does not exist.
    #[error("{origin}: section [{section}] has no key `{key}`")]
    UnknownKey {
        /// The file or the variable.
        origin: String,
        /// The section.
        section: String,
        /// The key.
        key: String,
    },
    /// A value that the key does not take.
    #[error("{origin}: [{section}] {key} takes {takes}")]
    BadValue {
        /// The file or the variable.
        origin: String,
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A variable of ours that names no section and key, or that is not UTF-8.
    #[error("{variable}: not of the form CLB_HUB__SECTION__KEY")]
    UnknownVariable {
        /// The variable.
        variable: String,
    },
}

impl Config {
    /// Reads the file, if there is one to read, and the environment of this process over it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with(ENV_PREFIX).then(|| (name, value.into_string().ok()))
        });
        let text = match file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|_unreadable| ConfigError::Unreadable { file: file.to_owned() })?,
            None => String::new(),
        };
        Self::parse(file.unwrap_or_else(|| Path::new("clb-hub.toml")), &text, variables)
    }

    /// Reads a text and variables: what [`Config::load`] does with the file and the environment.
    /// `None` is a variable that is not UTF-8.
    pub fn parse(
        file: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|error| syntax(file, text, &error))?;
        let mut source = Source::new(file, table)?;
        for (variable, value) in variables {
            source.set(&variable, value.as_deref())?;
        }
        source.read()
    }
}

fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or_default();
    let line = before.lines().count().max(1);
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |rest| rest.chars().count())
        .saturating_add(1);
    ConfigError::Syntax {
        file: file.to_owned(),
        line,
        column,
    }
}

/// Sections by name (`issuers.<name>` for each issuer), with where each key came from.
struct Source {
    file: String,
    sections: BTreeMap<String, Table>,
    origins: BTreeMap<(String, String), String>,
    secrets: BTreeMap<String, SecretString>,
}

impl Source {
    fn new(file: &Path, table: Table) -> Result<Self, ConfigError> {
        let mut source = Self {
            file: file.display().to_string(),
            sections: BTreeMap::new(),
            origins: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let file = source.file.clone();
        let unknown = |section: String| ConfigError::UnknownSection {
            origin: file.clone(),
            section,
        };
        for (section, value) in table {
            let Value::Table(keys) = value else {
                return Err(unknown(section));
            };
            if section == Issuer::NAME {
                for (name, value) in keys {
                    let section = format!("{section}.{name}");
                    let Value::Table(keys) = value else {
                        return Err(unknown(section));
                    };
                    source.sections.insert(section, keys);
                }
            } else {
                source.sections.insert(section, keys);
            }
        }
        Ok(source)
    }

    /// Puts one variable over the file.
    fn set(&mut self, variable: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let unknown = || ConfigError::UnknownVariable {
            variable: variable.to_owned(),
        };
        let path = variable
            .strip_prefix(ENV_PREFIX)
            .ok_or_else(unknown)?
            .to_ascii_lowercase();
        let parts: Vec<&str> = path.split("__").collect();
        if let [SECRETS, name] = parts.as_slice() {
            let secret = value.filter(|value| !value.is_empty() && SecretName::try_from((*name).to_owned()).is_ok());
            self.secrets
                .insert((*name).to_owned(), secret.ok_or_else(unknown)?.into());
            return Ok(());
        }
        let (section, key) = match parts.as_slice() {
            [section, name, key] if *section == Issuer::NAME => (format!("{section}.{name}"), *key),
            [section, key] if *section != Issuer::NAME => ((*section).to_owned(), *key),
            _ => return Err(unknown()),
        };
        let value = value.ok_or_else(unknown)?;
        self.origins
            .insert((section.clone(), key.to_owned()), variable.to_owned());
        self.sections
            .entry(section)
            .or_default()
            .insert(key.to_owned(), scalar(value));
        Ok(())
    }

    fn read(mut self) -> Result<Config, ConfigError> {
        let sources: Sources = self.take(Sources::NAME)?;
        let config = Config {
            secrets: Secrets {
                of_environment: std::mem::take(&mut self.secrets),
                folder: sources.secrets_folder.clone(),
            },
            sources,
            server: self.take(Server::NAME)?,
            database: self.take(Database::NAME)?,
            secrecy: self.take(Secrecy::NAME)?,
            limits: self.take(Limits::NAME)?,
            streams: self.take(Streams::NAME)?,
            telemetry: self.take(Telemetry::NAME)?,
            keys: self.take(Keys::NAME)?,
            law: self.take(Law::NAME)?,
            issuers: self.issuers()?,
        };
        match self.sections.pop_first() {
            Some((section, keys)) => Err(ConfigError::UnknownSection {
                origin: self.origin(&section, keys.keys().next().map_or("", String::as_str)),
                section,
            }),
            None => Ok(config),
        }
    }

    fn issuers(&mut self) -> Result<BTreeMap<String, Issuer>, ConfigError> {
        let names: Vec<String> = self
            .sections
            .keys()
            .filter(|name| name.starts_with("issuers."))
            .cloned()
            .collect();
        let mut issuers = BTreeMap::new();
        let mut asked = false;
        for section in names {
            let issuer: Issuer = self.take(&section)?;
            // A token that says nothing does not say whose it is, and is shown to nobody else.
            if asked && !issuer.introspection_url.is_empty() {
                let takes = "an https address at one issuer at most";
                return Err(self.bad_value(&section, "introspection_url", takes));
            }
            asked |= !issuer.introspection_url.is_empty();
            let name = section.trim_start_matches("issuers.").to_owned();
            issuers.insert(name, issuer);
        }
        Ok(issuers)
    }

    /// Reads one section. serde's own words are not passed on: they repeat the value.
    fn take<S: Section>(&mut self, section: &str) -> Result<S, ConfigError> {
        let table = self.sections.remove(section).unwrap_or_default();
        for (key, value) in &table {
            let Some(setting) = S::SETTINGS.iter().find(|setting| setting.key == key) else {
                return Err(ConfigError::UnknownKey {
                    origin: self.origin(section, key),
                    section: section.to_owned(),
                    key: key.clone(),
                });
            };
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            if alone.try_into::<S>().is_err() {
                return Err(self.bad_value(section, key, setting.takes));
            }
        }
        let keys = table.keys().next().cloned().unwrap_or_default();
        let read: S = table
            .try_into()
            .map_err(|_together| self.bad_value(section, &keys, "other values together"))?;
        read.check()
            .map_err(|(key, takes)| self.bad_value(section, key, takes))?;
        Ok(read)
    }

    fn bad_value(&self, section: &str, key: &str, takes: &'static str) -> ConfigError {
        ConfigError::BadValue {
            origin: self.origin(section, key),
            section: section.to_owned(),
            key: key.to_owned(),
            takes,
        }
    }

    fn origin(&self, section: &str, key: &str) -> String {
        let origin = self.origins.get(&(section.to_owned(), key.to_owned()));
        origin.unwrap_or(&self.file).clone()
    }
}

/// A variable's text as TOML where it is a number, a truth value or a list; else as text.
fn scalar(text: &str) -> Value {
    match format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
    {
        Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
