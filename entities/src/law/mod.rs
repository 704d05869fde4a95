//! The numbers of the law, as data: each valid for some school years, each with its source.
//!
//! They are uncertain in places and change from year to year, so none of them is a constant of the
//! code. A row that lacks its source or its certainty is *unknown*: its rule is off, and
//! [`Laws::unknown`] names it. A file that cannot be read is an error of the start, never a panic.

pub mod calendar;
pub mod code;
pub mod compulsory;
pub mod consent;
mod grade;
pub mod retention;
pub mod sourced;
pub mod threshold;
pub mod transfer;

use serde::de::DeserializeOwned;

use crate::absence::letters::{self, LetterTable};
use crate::time::SchoolYear;
use calendar::{Calendar, Free};
use code::{Level, OfficialCode};
use compulsory::Compulsory;
use consent::ConsentLaw;
use grade::GradeRow;
use retention::RetentionLaw;
use sourced::Row;
use threshold::{Threshold, ThresholdRow};
use transfer::TransferLaw;

/// The texts of the data files.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Official absence codes.
    pub codes: &'a str,
    /// What follows from how many problematic half-days.
    pub thresholds: &'a str,
    /// What the letters of the sources mean.
    pub letters: &'a str,
    /// The free days of the school year.
    pub calendar: &'a str,
    /// Compulsory education.
    pub compulsory: &'a str,
    /// The level of each grade.
    pub grades: &'a str,
    /// Consent, and the rights that follow from age.
    pub consent: &'a str,
    /// How long something is kept.
    pub retention: &'a str,
    /// Transfer of a dossier to another CLB.
    pub transfer: &'a str,
}

impl Texts<'static> {
    /// The files this build was made with.
    pub const EMBEDDED: Self = Self {
        codes: include_str!("../../data/codes.toml"),
        thresholds: include_str!("../../data/thresholds.toml"),
        letters: include_str!("../../data/letters.toml"),
        calendar: include_str!("../../data/calendar.toml"),
        compulsory: include_str!("../../data/compulsory.toml"),
        grades: include_str!("../../data/grades.toml"),
        consent: include_str!("../../data/consent.toml"),
        retention: include_str!("../../data/retention.toml"),
        transfer: include_str!("../../data/transfer.toml"),
    };
}

/// A data file that says nothing the hub can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("data/{file}: {problem}")]
pub struct LawError {
    /// The file, without its folder.
    pub file: &'static str,
    /// What is wrong with it. The files hold no personal data, so the text may be quoted.
    pub problem: String,
}

/// Everything the law says in numbers, for every school year that is known.
#[derive(Debug, Clone)]
pub struct Laws {
    codes: Vec<OfficialCode>,
    thresholds: Vec<ThresholdRow>,
    tables: Vec<LetterTable>,
    free: Vec<Free>,
    compulsory: Compulsory,
    grades: Vec<GradeRow>,
    consent: ConsentLaw,
    retention: RetentionLaw,
    transfer: TransferLaw,
    unknown: Vec<String>,
}

impl Laws {
    /// The laws this build was made with.
    ///
    /// Parse them once, at the start, and share the value.
    ///
    /// # Errors
    /// When a data file is broken; a test keeps that from being released.
    pub fn embedded() -> Result<Self, LawError> {
        Self::parse(Texts::EMBEDDED)
    }

    /// The laws in these texts.
    ///
    /// # Errors
    /// A text that is not TOML of the expected form, or that contradicts itself.
    pub fn parse(texts: Texts<'_>) -> Result<Self, LawError> {
        let mut unknown = Vec::new();
        let codes = rows::<code::File, _>("codes.toml", texts.codes, |file| file.code, &mut unknown)?;
        let thresholds =
            rows::<threshold::File, _>("thresholds.toml", texts.thresholds, |file| file.threshold, &mut unknown)?;
        let free = rows::<calendar::File, _>("calendar.toml", texts.calendar, |file| file.free, &mut unknown)?;
        let compulsory = read::<compulsory::File>("compulsory.toml", texts.compulsory)?;
        let compulsory = Compulsory::of(
            known("compulsory.toml", compulsory.version, &mut unknown)?,
            known("compulsory.toml", compulsory.open, &mut unknown)?,
        );
        let grades = rows::<grade::File, _>("grades.toml", texts.grades, |file| file.grade, &mut unknown)?;
        if let Some(problem) = grade::contradiction(&grades) {
            return Err(LawError {
                file: "grades.toml",
                problem,
            });
        }
        let consent = read::<consent::File>("consent.toml", texts.consent)?;
        let consent = ConsentLaw::of(
            known("consent.toml", consent.age, &mut unknown)?,
            known("consent.toml", consent.obligation, &mut unknown)?,
            known("consent.toml", consent.form, &mut unknown)?,
            known("consent.toml", consent.term, &mut unknown)?,
        );
        let retention = read::<retention::File>("retention.toml", texts.retention)?;
        let retention = RetentionLaw::of(
            known("retention.toml", retention.after_contact, &mut unknown)?,
            known("retention.toml", retention.birthday, &mut unknown)?,
            known("retention.toml", retention.term, &mut unknown)?,
        );
        let transfer = read::<transfer::File>("transfer.toml", texts.transfer)?;
        let transfer = TransferLaw {
            terms: known("transfer.toml", transfer.term, &mut unknown)?,
            weeks: known("transfer.toml", transfer.week, &mut unknown)?,
            holidays: known("transfer.toml", transfer.holiday, &mut unknown)?,
            next_years: known("transfer.toml", transfer.next_year, &mut unknown)?,
            parts: known("transfer.toml", transfer.obligatory, &mut unknown)?,
        };
        let mut tables: Vec<LetterTable> = Vec::new();
        for table in read::<letters::File>("letters.toml", texts.letters)?.table {
            let broken = |problem| LawError {
                file: "letters.toml",
                problem,
            };
            if tables.iter().any(|other| other.name() == table.name) {
                return Err(broken(format!("table `{}` occurs twice", table.name)));
            }
            let rows = known("letters.toml", table.row, &mut unknown)?;
            tables.push(LetterTable::of(table.name, table.sub_codes, rows).map_err(broken)?);
        }
        Ok(Self {
            codes,
            thresholds,
            tables,
            free,
            compulsory,
            grades,
            consent,
            retention,
            transfer,
            unknown,
        })
    }

    /// The official codes of a school year.
    pub fn codes(&self, year: SchoolYear) -> impl Iterator<Item = &OfficialCode> {
        self.codes.iter().filter(move |code| code.holds_in(year))
    }

    /// What raises a signal in a school year, from the lowest number up.
    ///
    /// Early warnings are not among them: [`Threshold::early`] is one, when an agreement asks for it.
    pub fn thresholds(&self, year: SchoolYear) -> Vec<Threshold> {
        threshold::in_force(&self.thresholds, year)
    }

    /// Whether an agreement may ask for early warnings in a school year.
    pub fn allows_early_warnings(&self, year: SchoolYear) -> bool {
        threshold::early_in_force(&self.thresholds, year)
    }

    /// The built-in letter table of this name: `discimus`, `school` or `before2019`.
    pub fn letters(&self, name: &str) -> Option<&LetterTable> {
        self.tables.iter().find(|table| table.name() == name)
    }

    /// The names of the built-in letter tables.
    pub fn letter_tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(LetterTable::name)
    }

    /// The Flemish calendar of a school year, before the local days off of a school.
    pub fn calendar(&self, year: SchoolYear) -> Calendar {
        Calendar::flemish(&self.free, year)
    }

    /// When education is compulsory (leerplicht).
    pub const fn compulsory(&self) -> &Compulsory {
        &self.compulsory
    }

    /// The level of a class by the grade (leerjaar) that its source gives; `None` when that is no grade that is known.
    ///
    /// ```
    /// use hub_entities::law::Laws;
    /// use hub_entities::law::code::Level;
    /// use hub_entities::time::SchoolYear;
    /// let laws = Laws::embedded()?;
    /// assert_eq!(laws.level("KG", SchoolYear(2026)), Some(Level::Preschool));
    /// assert_eq!(laws.level("1", SchoolYear(2026)), None);
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn level(&self, grade: &str, year: SchoolYear) -> Option<Level> {
        grade::level(&self.grades, grade, year)
    }

    /// Who consents, to what, in which form (toestemming).
    pub const fn consent(&self) -> &ConsentLaw {
        &self.consent
    }

    /// How long something is kept (bewaartermijn).
    pub const fn retention(&self) -> &RetentionLaw {
        &self.retention
    }

    /// When a dossier goes to another CLB (overdracht).
    pub const fn transfer(&self) -> &TransferLaw {
        &self.transfer
    }

    /// The rows that lack a source or a certainty, by file and name. Their rules are off.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

fn read<F: DeserializeOwned>(file: &'static str, text: &str) -> Result<F, LawError> {
    toml::from_str(text).map_err(|error| LawError {
        file,
        problem: error.to_string(),
    })
}

fn rows<F: DeserializeOwned, R: Row>(
    file: &'static str,
    text: &str,
    of: fn(F) -> Vec<R>,
    unknown: &mut Vec<String>,
) -> Result<Vec<R>, LawError> {
    known(file, of(read::<F>(file, text)?), unknown)
}

/// The rows that may be used; the others are noted.
fn known<R: Row>(file: &'static str, rows: Vec<R>, unknown: &mut Vec<String>) -> Result<Vec<R>, LawError> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        row.check().map_err(|problem| LawError { file, problem })?;
        if row.provenance().is_known() {
            kept.push(row);
        } else {
            unknown.push(format!("{file}: {}", row.label()));
        }
    }
    Ok(kept)
}

/// The embedded laws, parsed once for all tests.
#[cfg(test)]
pub(crate) fn of_tests() -> &'static Laws {
    static LAWS: std::sync::LazyLock<Laws> =
        std::sync::LazyLock::new(|| Laws::embedded().expect("the data files can be read"));
    &LAWS
}

#[cfg(test)]
mod tests;
