//! `[secrecy]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::database::URL;
use super::{DatabaseUrl, Section, Setting};

/// Where dossiers are, apart from all else; without an address nothing under secrecy is kept or served.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrecy {
    /// The secrecy store.
    pub url: Option<DatabaseUrl>,
    /// A file with the password of its role.
    pub password_file: Option<PathBuf>,
    /// The role that owns its tables, for `migrate` alone.
    pub owner_url: Option<DatabaseUrl>,
    /// A file with the password of that role.
    pub owner_password_file: Option<PathBuf>,
    /// Connections kept at most.
    pub connections: u16,
    /// The folder of the key-encryption keys and of the list of destroyed keys.
    pub key_folder: Option<PathBuf>,
    /// The second place of the access log: where each log ends, signed.
    pub head_folder: Option<PathBuf>,
    /// For how many minutes a worker reads in an emergency.
    pub emergency_minutes: u16,
}

impl Default for Secrecy {
    fn default() -> Self {
        Self {
            url: None,
            password_file: None,
            owner_url: None,
            owner_password_file: None,
            connections: 8,
            key_folder: None,
            head_folder: None,
            emergency_minutes: 30,
        }
    }
}

impl Secrecy {
    /// The folder of the keys, and the second place of the access log.
    pub fn folders(&self) -> Option<(&Path, &Path)> {
        self.key_folder.as_deref().zip(self.head_folder.as_deref())
    }

    /// The address with the password of the file in it, if a store is named.
    pub fn address(&self) -> std::io::Result<Option<String>> {
        let url = self.url.as_ref();
        url.map(|url| url.with_password(self.password_file.as_deref()))
            .transpose()
    }

    /// The same for the role that owns the tables, where that is another.
    pub fn owner_address(&self) -> std::io::Result<Option<String>> {
        let owner = self.owner_url.as_ref();
        owner
            .map(|url| url.with_password(self.owner_password_file.as_deref()))
            .transpose()
    }
}

impl Section for Secrecy {
    const NAME: &'static str = "secrecy";
    const DOC: &'static str = "Where dossiers are, apart from all else: on PostgreSQL a schema with a role of its own, on SQLite a second file.\n\
                               # Without an address nothing under secrecy is kept or served.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "url",
            takes: URL,
            value: "\"postgres://clb_hub_secrecy@host/clb_hub\"",
            default: false,
            doc: "The secrecy store. Its role owns no table, and the role of [database] url does not reach it.",
        },
        Setting {
            key: "password_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-secrecy\"",
            default: false,
            doc: "A file with the password of PostgreSQL, readable by its owner only.",
        },
        Setting {
            key: "owner_url",
            takes: URL,
            value: "\"postgres://clb_hub_owner@host/clb_hub\"",
            default: false,
            doc: "The role that owns its tables, for `migrate` alone; it lets the role of `url` in.",
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
            value: "8",
            default: true,
            doc: "Connections kept at most. Two for each processor of the database are enough for it to have no rest.",
        },
        Setting {
            key: "key_folder",
            takes: "a path",
            value: "\"/var/lib/clb-hub/keys\"",
            default: false,
            doc: "The folder of the key-encryption keys and of the list of destroyed keys: in no backup of the database.",
        },
        Setting {
            key: "head_folder",
            takes: "a path",
            value: "\"/srv/elsewhere/clb-hub-heads\"",
            default: false,
            doc: "Where the end of each access log is signed: on another machine than the database, or a cut log goes unseen.",
        },
        Setting {
            key: "emergency_minutes",
            takes: "a number from 1 to 60",
            value: "30",
            default: true,
            doc: "For how many minutes a worker reads in an emergency; director and data protection officer find each of them.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(1..=512).contains(&self.connections) {
            return Err(("connections", "a number from 1 to 512"));
        }
        if !(1..=60).contains(&self.emergency_minutes) {
            return Err(("emergency_minutes", "a number from 1 to 60"));
        }
        if self.url.is_some() && self.key_folder.is_none() {
            return Err(("key_folder", "a path, where `url` names a secrecy store"));
        }
        if self.url.is_some() && self.head_folder.is_none() {
            return Err(("head_folder", "a path, where `url` names a secrecy store"));
        }
        Ok(())
    }
}
