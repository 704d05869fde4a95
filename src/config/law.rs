//! `[law]`

use serde::Deserialize;

use super::{Section, Setting};

/// What the law leaves open (domain.md §2.2 and §4.3), decided by the operator with the CLBs. What is not set is as
/// `entities/data/compulsory.toml` and `retention.toml` say, with source and certainty.
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
    /// The birthday before which no dossier of ordinary education is erased; 0 for none.
    pub dossier_until_age: Option<u8>,
    /// For how many years the access log of basic data is kept.
    pub access_log_years: Option<u8>,
}

impl Section for Law {
    const NAME: &'static str = "law";
    const DOC: &'static str = "What the law leaves open, decided with the CLBs. What is not set is as compulsory.toml and retention.toml of entities/data say.";
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
        Setting {
            key: "dossier_until_age",
            takes: "an age from 0 to 120",
            value: "25",
            default: false,
            doc: "Before which birthday no dossier of ordinary education is erased, 0 for none; while nobody knows in which a pupil was, the 30th counts too.",
        },
        Setting {
            key: "access_log_years",
            takes: "a number of years from 1 to 100",
            value: "10",
            default: false,
            doc: "For how many years the access log of basic data is kept. That of dossiers stays whole.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.dossier_until_age.is_some_and(|age| age > 120) {
            return Err(("dossier_until_age", "an age from 0 to 120"));
        }
        if self.access_log_years.is_some_and(|years| years == 0 || years > 100) {
            return Err(("access_log_years", "a number of years from 1 to 100"));
        }
        Ok(())
    }
}
