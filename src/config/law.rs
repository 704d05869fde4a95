//! `[law]`

use serde::Deserialize;

use super::{Section, Setting};

/// What the law leaves open (domain.md §2.2), decided by the operator with the CLBs. What is not set is as
/// `entities/data/compulsory.toml` says, with its source and certainty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Law {
    /// Whether unjustified absences of a five-year-old in kleuter raise the obligatory signal.
    pub five_year_olds: Option<bool>,
    /// Whether they do where no class of a five-year-old has a grade that is known; else it is taken to be in kleuter.
    pub unknown_grade: Option<bool>,
    /// Whether they do for a pupil of 18 or older, for whom leerplicht has ended.
    pub adults: Option<bool>,
    /// Whether they do for a pupil without a known birth date.
    pub unknown_birth_date: Option<bool>,
}

impl Section for Law {
    const NAME: &'static str = "law";
    const DOC: &'static str =
        "What the law leaves open, decided with the CLBs. What is not set is as entities/data/compulsory.toml says.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "five_year_olds",
            takes: "true or false",
            value: "false",
            default: false,
            doc: "Whether absences (B) of five-year-olds in kleuter raise the obligatory signal. (They do in lager.)",
        },
        Setting {
            key: "unknown_grade",
            takes: "true or false",
            value: "false",
            default: false,
            doc: "Whether those of five-year-olds do of whom no class has a known grade; if not, they are taken to be in kleuter.",
        },
        Setting {
            key: "adults",
            takes: "true or false",
            value: "false",
            default: false,
            doc: "Whether absences (B) of pupils of 18 and older do.",
        },
        Setting {
            key: "unknown_birth_date",
            takes: "true or false",
            value: "true",
            default: false,
            doc: "Whether those of pupils do whose birth date is not known.",
        },
    ];
}
