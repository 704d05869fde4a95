//! How the files of one connection are to be read: what an operator registers with it.

use serde::{Deserialize, Serialize};

use crate::absences::AbsenceFormat;
use crate::oneroster::Settings;

/// The settings of one connection. Each has a default, so that most connections need none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// Its OneRoster packages.
    pub roster: Settings,
    /// Its files of half-day absences.
    pub absences: AbsenceFormat,
}
