//! What the letters of a source mean: one table per tenant of the source, never one for all.
//!
//! School packages keep finer and older letters than the official ones, schools add their own, and
//! the same letter means "late" in one tenant and "justified by law" in the next. So a letter is
//! read by the table of its tenant, and one that is not in the table is a gap, never a guess.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::code::Code;
use crate::law::sourced::{Certainty, Row, row};
use crate::time::SchoolYear;

/// What a letter says of a half-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// The pupil was there, or where the school had sent them.
    Present,
    /// There was no school for this pupil.
    NoSchool,
    /// Absent, with this official code.
    Absent(Code),
    /// The school does not know yet (code onbekend).
    Unresolved,
    /// The table does not say. A gap.
    Unknown,
}

/// A text that is not a meaning of a letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a meaning; write an official code (A B H M P R Z N X), present, no-school, unresolved or unknown")]
pub struct ReadingError;

impl FromStr for Reading {
    type Err = ReadingError;

    fn from_str(text: &str) -> Result<Self, ReadingError> {
        match text {
            "present" => Ok(Self::Present),
            "no-school" => Ok(Self::NoSchool),
            "unresolved" => Ok(Self::Unresolved),
            "unknown" => Ok(Self::Unknown),
            letter => letter.parse().map(Self::Absent).map_err(|_not_a_code| ReadingError),
        }
    }
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One letter of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterRow {
    letter: String,
    means: Reading,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(LetterRow, |row| format!("letter `{}`", row.letter));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableFile {
    pub(crate) name: String,
    pub(crate) sub_codes: bool,
    pub(crate) row: Vec<LetterRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) table: Vec<TableFile>,
}

/// The letters of one tenant of a source.
///
/// ```
/// use hub_entities::absence::code::Code;
/// use hub_entities::absence::letters::Reading;
/// use hub_entities::law::Laws;
/// use hub_entities::time::SchoolYear;
///
/// let laws = Laws::embedded()?;
/// let school = laws.letters("school").unwrap();
/// assert_eq!(school.read("D", SchoolYear(2026)), Reading::Absent(Code::Z));
/// assert_eq!(school.read("B01", SchoolYear(2026)), Reading::Absent(Code::B));
/// assert_eq!(school.read("Q", SchoolYear(2026)), Reading::Unknown);
///
/// // A French-speaking tenant writes R for "late".
/// let ours = school.clone().with("R", Reading::Present);
/// assert_eq!(ours.read("R", SchoolYear(2026)), Reading::Present);
/// # Ok::<(), hub_entities::law::LawError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterTable {
    name: String,
    sub_codes: bool,
    rows: Vec<LetterRow>,
    overrides: Vec<(String, Reading)>,
}

impl LetterTable {
    pub(crate) fn of(name: String, sub_codes: bool, rows: Vec<LetterRow>) -> Result<Self, String> {
        for (at, row) in rows.iter().enumerate() {
            let twice = rows
                .iter()
                .take(at)
                .any(|other| other.letter == row.letter && other.provenance().overlaps(&row.provenance()));
            if twice {
                return Err(format!(
                    "table `{name}` says twice what letter `{}` means in one year",
                    row.letter
                ));
            }
        }
        Ok(Self {
            name,
            sub_codes,
            rows,
            overrides: Vec::new(),
        })
    }

    /// Its name in the data file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same table where a letter means something else for this tenant, in every year.
    ///
    /// The letter is compared as it is written: an override may name a whole sub-code (`B07`), and
    /// may mean [`Reading::Unknown`] to take a letter out.
    #[must_use]
    pub fn with(mut self, letter: &str, means: Reading) -> Self {
        self.overrides.retain(|(other, _)| other != letter);
        self.overrides.push((letter.to_owned(), means));
        self
    }

    /// What a letter says in a school year. Blanks around it are ignored, upper and lower case are not.
    pub fn read(&self, letter: &str, year: SchoolYear) -> Reading {
        let letter = letter.trim();
        self.exact(letter, year)
            .or_else(|| self.exact(self.main_letter(letter)?, year))
            .unwrap_or(Reading::Unknown)
    }

    fn exact(&self, letter: &str, year: SchoolYear) -> Option<Reading> {
        let of_tenant = self.overrides.iter().find(|(other, _)| other == letter);
        of_tenant.map(|(_, means)| *means).or_else(|| {
            self.rows
                .iter()
                .find(|row| row.letter == letter && row.provenance().holds_in(year))
                .map(|row| row.means)
        })
    }

    /// The letter of a sub-code: one capital with two digits of the school's own.
    fn main_letter<'a>(&self, letter: &'a str) -> Option<&'a str> {
        let (main, digits) = letter.split_at_checked(1).filter(|_| self.sub_codes)?;
        let is_sub_code = main.bytes().all(|byte| byte.is_ascii_uppercase())
            && digits.len() == 2
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_sub_code.then_some(main)
    }
}

#[cfg(test)]
mod tests;
