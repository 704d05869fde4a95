//! `[keys]`

use std::path::PathBuf;

use serde::Deserialize;

use super::{Section, Setting};

/// Where the keys are: paths, never the keys themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The key of the blind index of the national number.
    pub blind_index_file: Option<PathBuf>,
    /// The key that binds cursors to their viewer and query.
    pub cursor_file: Option<PathBuf>,
}

impl Section for Keys {
    const NAME: &'static str = "keys";
    const DOC: &'static str = "Where the keys are: files of 32 bytes, readable by their owner only (0400).";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "blind_index_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-blind-index\"",
            default: false,
            doc: "The key of the blind index (rijksregisternummer). Losing it loses the links across schools, and pupils whose key is one.",
        },
        Setting {
            key: "cursor_file",
            takes: "a path",
            value: "\"/run/secrets/clb-hub-cursor\"",
            default: false,
            doc: "The key that binds cursors to their viewer and query. The same on every replica.",
        },
    ];
}
