//! How one connection is to be read, files and wire: what an operator registers with it.

use serde::{Deserialize, Serialize};

use crate::absences::AbsenceFormat;
use crate::live::Live;
use crate::oneroster::Settings;

/// The settings of one connection. Each has a default, so that most connections need none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// Its OneRoster packages.
    pub roster: Settings,
    /// Its files of half-day absences.
    pub absences: AbsenceFormat,
    /// The system that is pulled, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}
