//! The official absence codes (aan- en afwezigheidscodes) and the levels they exist at.

use serde::{Deserialize, Serialize};

use super::sourced::{Certainty, Row, row};
use crate::time::SchoolYear;

/// The level and kind of education that decides which codes exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Preschool (kleuteronderwijs).
    Preschool,
    /// Primary (lager onderwijs).
    Primary,
    /// Secondary, all its forms (secundair onderwijs, ook deeltijds en duaal).
    Secondary,
    /// Special preschool (buitengewoon kleuteronderwijs).
    SpecialPreschool,
    /// Special primary (buitengewoon lager onderwijs).
    SpecialPrimary,
    /// Special secondary (buitengewoon secundair onderwijs).
    SpecialSecondary,
}

impl Level {
    /// Whether it is preschool, ordinary or special.
    pub const fn is_preschool(self) -> bool {
        matches!(self, Self::Preschool | Self::SpecialPreschool)
    }
}

/// One official code in the school years it holds for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialCode {
    /// The letter.
    pub letter: String,
    /// What it means, with the Dutch term.
    pub meaning: String,
    /// The levels at which it exists.
    pub levels: Vec<Level>,
    /// Whether it counts towards truancy.
    #[serde(default)]
    pub problematic: bool,
    /// The first school year.
    pub from: Option<SchoolYear>,
    /// The last school year.
    pub until: Option<SchoolYear>,
    /// Where it was read.
    pub source: Option<String>,
    /// How sure it is.
    pub certainty: Option<Certainty>,
}

row!(OfficialCode, |code| format!("code `{}`", code.letter));

impl OfficialCode {
    pub(super) fn holds_in(&self, year: SchoolYear) -> bool {
        self.provenance().holds_in(year)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) code: Vec<OfficialCode>,
}
