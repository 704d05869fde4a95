//! `[sources]`, and the secrets of sources.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hub_connectors::http::Network;
use hub_connectors::live::{self, SecretName};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Section, Setting};
use crate::runtime::read_secret;

/// How live sources are reached. Which there are is registered with their schools.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// Where the files with their secrets are.
    pub secrets_folder: Option<PathBuf>,
    /// Networks beside the public ones in which they may be, there over plain HTTP too (R19).
    pub networks: Vec<Network>,
    /// Minutes between two rosters of a source.
    pub roster_minutes: u16,
    /// Minutes between two looks at its absences.
    pub absences_minutes: u16,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            secrets_folder: None,
            networks: Vec::new(),
            roster_minutes: 60,
            absences_minutes: 5,
        }
    }
}

impl Sources {
    /// How often each stream is pulled.
    pub fn every(&self) -> (Duration, Duration) {
        let minutes = |minutes: u16| Duration::from_mins(minutes.into());
        (minutes(self.roster_minutes), minutes(self.absences_minutes))
    }
}

const MINUTES: &str = "minutes from 1 to 1440";

const NETWORKS: &str = "a list of networks, each an address and the length of its prefix: [\"10.20.0.0/16\"]";

impl Section for Sources {
    const NAME: &'static str = "sources";
    const DOC: &'static str =
        "How the systems of schools are reached that are pulled. Which there are is registered with the schools.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "secrets_folder",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-sources\"",
            default: false,
            doc: "A folder with a file per secret, readable by its owner only, under the name that the source gives it. A variable CLB_HUB__SECRETS__NAME goes before it.",
        },
        Setting {
            key: "networks",
            takes: NETWORKS,
            value: "[]",
            default: true,
            doc: "Networks in the house that sources may stand in; elsewhere they are reached over the public internet and HTTPS alone.",
        },
        Setting {
            key: "roster_minutes",
            takes: MINUTES,
            value: "60",
            default: true,
            doc: "How often `serve` pulls a roster; one that fails is tried again later and later, up to an hour.",
        },
        Setting {
            key: "absences_minutes",
            takes: MINUTES,
            value: "5",
            default: true,
            doc: "How often it pulls absences.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let fits = |minutes: u16| (1..=1_440).contains(&minutes);
        match () {
            () if !fits(self.roster_minutes) => Err(("roster_minutes", MINUTES)),
            () if !fits(self.absences_minutes) => Err(("absences_minutes", MINUTES)),
            () => Ok(()),
        }
    }
}

/// Secrets by name: of the environment first, else of a folder. None of them is printed.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub(super) of_environment: BTreeMap<String, SecretString>,
    pub(super) folder: Option<PathBuf>,
}

impl Secrets {
    /// The secret of this name. A file is read each time, so that a new one counts.
    pub fn find(&self, name: &SecretName) -> Option<SecretString> {
        let name = name.as_str();
        if let Some(found) = self.of_environment.get(&name.to_ascii_lowercase()) {
            return Some(found.clone());
        }
        let bytes = read_secret(&self.folder.as_ref()?.join(name)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let text = text.trim_end_matches(['\r', '\n']);
        (!text.is_empty()).then(|| SecretString::from(text))
    }

    /// For who makes connectors.
    pub fn finder(self) -> live::Secrets {
        Arc::new(move |name| self.find(name))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_is_read_from_its_own_file_and_from_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("secrets");
        fs::create_dir(&inside).expect("a folder");
        let write = |path: &std::path::Path, mode| {
            fs::write(path, "canary\n").expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
        };
        write(&inside.join("school"), 0o400);
        write(&inside.join("open"), 0o444);
        write(&folder.path().join("outside"), 0o400);
        let secrets = Secrets {
            of_environment: BTreeMap::from([("both".to_owned(), SecretString::from("canary"))]),
            folder: Some(inside),
        };
        let found = |name: &str| {
            let name = SecretName::try_from(name.to_owned()).ok()?;
            secrets.find(&name).map(|secret| secret.expose_secret().to_owned())
        };
        for name in ["school", "both", "BOTH"] {
            assert_eq!(found(name).as_deref(), Some("canary"), "{name}");
        }
        for name in ["open", "../outside", "none", "", "."] {
            assert_eq!(found(name), None, "{name}");
        }
        assert!(!format!("{secrets:?}").contains("canary"));
    }
}
