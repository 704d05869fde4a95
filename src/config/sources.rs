//! `[sources]`, and the secrets of sources.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hub_connectors::http::Network;
use hub_connectors::live::{self, SecretName};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Section, Setting};
use crate::runtime::read_secret;

/// How live sources are reached. Which there are is registered with their schools.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// Where the files with their secrets are.
    pub secrets_folder: Option<PathBuf>,
    /// Networks beside the public ones in which they may be, there over plain HTTP too (R19).
    pub networks: Vec<Network>,
}

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
    ];
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
