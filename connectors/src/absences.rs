//! Half-day absence files: CSV by a column map, and the text format of Informat.
//!
//! Rows are borrowed and handed on one by one, so a million of them need no more memory than one.
//! The reader judges form only; what a letter means is the hub's to decide.

use std::io::Read;

use chrono::NaiveDate;
use chrono::format::{Parsed, StrftimeItems};
use hub_entities::time::{HalfDay, Part, brussels_day};
use serde::{Deserialize, Serialize};

use crate::csv::{Reader, clean_name};
use crate::report::{Report, Severity, column, note};

mod informat;

/// What kind of number names the pupil.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum PupilKey {
    /// The `sourcedId` of the roster.
    SourcedId,
    /// The `identifier` of the roster.
    #[default]
    Identifier,
    /// The number in the school's register (stamnummer).
    Stamnummer,
    /// A `userIds` entry of this type.
    UserId(String),
}

/// Where the part of the day stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Parts {
    /// One half-day a row: a column that says which, and a column with the letter.
    Row {
        /// Column with the part of the day.
        part: String,
        /// Column with the letter.
        code: String,
        /// Spellings of the morning, whatever their case. Default `AM VM V 1`.
        #[serde(default = "mornings")]
        am: Vec<String>,
        /// Spellings of the afternoon. Default `PM NM N 2`.
        #[serde(default = "afternoons")]
        pm: Vec<String>,
    },
    /// One day a row: a column with the letter of each half-day. An empty one states nothing.
    Day {
        /// Column with the letter of the morning.
        am_code: String,
        /// Column with the letter of the afternoon.
        pm_code: String,
    },
}

fn mornings() -> Vec<String> {
    ["AM", "VM", "V", "1"].map(str::to_owned).to_vec()
}

fn afternoons() -> Vec<String> {
    ["PM", "NM", "N", "2"].map(str::to_owned).to_vec()
}

/// How a deletion is marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteMarker {
    /// The column.
    pub column: String,
    /// The value that means "take this absence back", whatever its case.
    pub value: String,
}

/// How the columns of an absence CSV are to be read. The default reads `pupil,date,part,code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnMap {
    /// Column with the pupil.
    pub pupil: String,
    /// What that column holds.
    pub key: PupilKey,
    /// Column with the date in Europe/Brussels.
    pub date: String,
    /// Format of the date, in the notation of strftime. With a time and an offset (`%z`, or `%+` for all of ISO 8601) a
    /// row names a moment, and its day is the one that it falls on in Europe/Brussels; without an offset it is the day
    /// that is written.
    pub date_format: String,
    /// Part of the day and letter.
    pub parts: Parts,
    /// The mark of a deletion, if the file has one.
    pub delete: Option<DeleteMarker>,
    /// The delimiter; without it the one that the header has most of `,` `;` tab.
    pub delimiter: Option<char>,
}

impl Default for ColumnMap {
    fn default() -> Self {
        Self {
            pupil: "pupil".into(),
            key: PupilKey::default(),
            date: "date".into(),
            date_format: "%Y-%m-%d".into(),
            parts: Parts::Row {
                part: "part".into(),
                code: "code".into(),
                am: mornings(),
                pm: afternoons(),
            },
            delete: None,
            delimiter: None,
        }
    }
}

/// How an absence file is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsenceFormat {
    /// CSV, by this map.
    Csv(Box<ColumnMap>),
    /// The text import format of Informat (school-apis.md §3.4c).
    InformatText,
}

impl Default for AbsenceFormat {
    fn default() -> Self {
        Self::Csv(Box::default())
    }
}

impl AbsenceFormat {
    /// What the pupil column holds.
    pub const fn key(&self) -> &PupilKey {
        match self {
            Self::Csv(map) => &map.key,
            Self::InformatText => &PupilKey::Stamnummer,
        }
    }
}

/// What one line says of one half-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsenceRow<'a> {
    /// The line in the file, from 1.
    pub line: u64,
    /// The pupil, in the kind of number that the format says; trimmed, never empty.
    pub pupil_key: &'a str,
    /// The half-day.
    pub at: HalfDay,
    /// The letter as written, trimmed; empty when the sender gave none.
    pub letter: &'a str,
    /// Whether this absence is taken back.
    pub deleted: bool,
}

/// A reader of one absence file.
pub struct AbsenceReader<'f, R> {
    input: R,
    file: String,
    format: &'f AbsenceFormat,
}

impl<'f, R: Read> AbsenceReader<'f, R> {
    /// A reader; `file` is what the report calls the file.
    pub fn new(input: R, file: impl Into<String>, format: &'f AbsenceFormat) -> Self {
        Self {
            input,
            file: file.into(),
            format,
        }
    }

    /// Hands every readable row to `each`, in the order of the file; for the same half-day the last one counts.
    ///
    /// A report that is not [`usable`](Report::usable) means that the caller must drop what it got.
    ///
    /// # Errors
    /// Only what `each` answers; faults of the file are in the report.
    pub fn read<E>(&mut self, each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), E>) -> Result<Report, E> {
        let mut report = Report::default();
        match self.format {
            AbsenceFormat::InformatText => informat::read(&mut self.input, &self.file, &mut report, each)?,
            AbsenceFormat::Csv(map) => read_csv(&mut self.input, &self.file, map, &mut report, each)?,
        }
        Ok(report)
    }
}

enum Letter {
    Row { part: usize, code: usize },
    Day { am: usize, pm: usize },
}

fn position(header: &[String], name: &str) -> Option<usize> {
    header
        .iter()
        .position(|column| column == name)
        .or_else(|| header.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

/// Finds the columns of the map, or says which file has no such header.
struct Places {
    pupil: usize,
    date: usize,
    letter: Letter,
    delete: Option<usize>,
    width: usize,
}

fn places(header: &[String], map: &ColumnMap, file: &str, report: &mut Report) -> Option<Places> {
    for (at, name) in header.iter().enumerate() {
        if header.iter().take(at).any(|other| other.eq_ignore_ascii_case(name)) {
            report.error(file, 1, column(at), "schema.duplicate_header");
        }
    }
    let mut find = |name: &str| {
        let found = position(header, name);
        if found.is_none() {
            report.error(file, 1, 0, "schema.missing_header");
        }
        found
    };
    let (pupil, date) = (find(&map.pupil), find(&map.date));
    let letter = match &map.parts {
        Parts::Row { part, code, .. } => find(part)
            .zip(find(code))
            .map(|(part, code)| Letter::Row { part, code }),
        Parts::Day { am_code, pm_code } => find(am_code).zip(find(pm_code)).map(|(am, pm)| Letter::Day { am, pm }),
    };
    let delete = match &map.delete {
        Some(marker) => Some(find(&marker.column)?),
        None => None,
    };
    let places = Places {
        pupil: pupil?,
        date: date?,
        letter: letter?,
        delete,
        width: header.len(),
    };
    report.usable().then_some(places)
}

/// Dates repeat for thousands of rows; the last one is kept instead of parsed again.
struct Dates<'m> {
    format: &'m str,
    text: String,
    day: Option<NaiveDate>,
}

impl Dates<'_> {
    fn parse(&mut self, text: &str) -> Option<NaiveDate> {
        if self.text != text {
            self.text.clear();
            self.text.push_str(text);
            // strftime takes "26" for the year 26; no school year of ours lies there.
            self.day = day(text, self.format).filter(|day| (1900..=2199).contains(&chrono::Datelike::year(day)));
        }
        self.day
    }
}

/// The day of a text. Midnight in Brussels, as a system writes it that keeps its days as moments in UTC, is 22:00 or 23:00
/// of the day before.
fn day(text: &str, format: &str) -> Option<NaiveDate> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    match parsed.to_datetime() {
        Ok(moment) => Some(brussels_day(moment.to_utc())),
        Err(_no_moment) => parsed.to_naive_date().ok(),
    }
}

fn read_csv<E>(
    input: &mut dyn Read,
    file: &str,
    map: &ColumnMap,
    report: &mut Report,
    each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let delimiter = map.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok());
    let mut reader = Reader::new(input, delimiter);
    let header: Vec<String> = match reader.next_record() {
        Ok(Some(record)) => record.iter().map(clean_name).collect(),
        Ok(None) => {
            report.error(file, 0, 0, "schema.missing_header");
            return Ok(());
        }
        Err(trouble) => {
            note(report, file, trouble, Severity::Error);
            return Ok(());
        }
    };
    let Some(places) = places(&header, map, file, report) else {
        return Ok(());
    };
    let mut dates = Dates {
        format: &map.date_format,
        text: String::new(),
        day: None,
    };
    while !report.is_full() {
        for lenient in reader.leniencies() {
            note(report, file, lenient, Severity::Warning);
        }
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(trouble) => {
                note(report, file, trouble, Severity::Error);
                continue;
            }
        };
        let line = record.line;
        if record.len() != places.width {
            report.error(file, line, column(record.len().min(places.width)), "row.width");
            continue;
        }
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let pupil_key = field(places.pupil);
        if pupil_key.is_empty() {
            report.error(file, line, column(places.pupil), "row.blank_required");
            continue;
        }
        let Some(day) = dates.parse(field(places.date)) else {
            report.error(file, line, column(places.date), "row.date");
            continue;
        };
        let deleted = match (places.delete, &map.delete) {
            (Some(at), Some(marker)) => {
                let mark = field(at);
                if !mark.is_empty() && !mark.eq_ignore_ascii_case(&marker.value) {
                    report.warn(file, line, column(at), "row.enum");
                }
                mark.eq_ignore_ascii_case(&marker.value)
            }
            _ => false,
        };
        let mut say = |part, letter| {
            each(AbsenceRow {
                line,
                pupil_key,
                at: HalfDay::new(day, part),
                letter,
                deleted,
            })
        };
        match (&places.letter, &map.parts) {
            (Letter::Row { part, code }, Parts::Row { am, pm, .. }) => {
                let text = field(*part);
                let is = |spellings: &[String]| spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(text));
                if is(am) {
                    say(Part::Am, field(*code))?;
                } else if is(pm) {
                    say(Part::Pm, field(*code))?;
                } else {
                    report.error(file, line, column(*part), "row.enum");
                }
            }
            (Letter::Day { am, pm }, _) => {
                for (part, at) in [(Part::Am, *am), (Part::Pm, *pm)] {
                    let letter = field(at);
                    if !letter.is_empty() || deleted {
                        say(part, letter)?;
                    }
                }
            }
            (Letter::Row { .. }, Parts::Day { .. }) => {}
        }
    }
    for lenient in reader.leniencies() {
        note(report, file, lenient, Severity::Warning);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
