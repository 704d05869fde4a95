//! `[law]`

use serde::Deserialize;

use super::{Section, Setting};

/// What the sources leave open (domain.md §2.2), decided by the operator with the CLBs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Law {
    /// Whether unjustified absences of a five-year-old in kleuter raise the obligatory signal.
    pub five_year_olds: bool,
    /// Whether they do for a pupil of 18 or older, for whom leerplicht has ended.
    pub adults: bool,
}

impl Section for Law {
    const NAME: &'static str = "law";
    const DOC: &'static str = "What the law leaves open, decided with the CLBs.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "five_year_olds",
            takes: "true or false",
            value: "false",
            default: true,
            doc: "Whether absences (B) of five-year-olds in kleuter raise the obligatory signal.",
        },
        Setting {
            key: "adults",
            takes: "true or false",
            value: "false",
            default: true,
            doc: "Whether absences (B) of pupils of 18 and older do.",
        },
    ];
}
