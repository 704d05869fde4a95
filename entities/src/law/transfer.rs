//! When a dossier goes to the CLB of the pupil's new school (overdracht), and what goes whatever is objected to.
//!
//! Domain facts §4.2. The term, the days that count in it and the obligatory parts are rows of `transfer.toml`; a row that is
//! unknown switches its rule off: without a term nothing is announced, and what is not known to be obligatory stays after an
//! objection.

use chrono::{Datelike, Days, NaiveDate};
use serde::Deserialize;

use super::calendar::easter;
use super::sourced::{Certainty, Row, row};
use crate::dossier::trajectory::Obligation;
use crate::dossier::transfer::ObligatoryPart;
use crate::time::SchoolYear;

/// A day of each calendar year.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct DayOfYear {
    month: u32,
    day: u32,
}

impl DayOfYear {
    fn in_year(self, year: i32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, self.month, self.day)
    }
}

/// On which day of a calendar year a holiday falls.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum On {
    Date(DayOfYear),
    AfterEaster(u64),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermRow {
    working_days: u8,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(TermRow, |row| format!("term of {} working days", row.working_days));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeekRow {
    days: u32,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(WeekRow, |row| format!("week of {} days", row.days));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HolidayRow {
    name: String,
    on: On,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(HolidayRow, |row| format!("holiday `{}`", row.name));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NextYearRow {
    enrolled_from: DayOfYear,
    goes_after: DayOfYear,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(NextYearRow, |_row| "enrolment for the next school year".to_owned());

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartRow {
    part: ObligatoryPart,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(PartRow, |row| format!("obligatory part `{}`", row.part));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) term: Vec<TermRow>,
    pub(super) week: Vec<WeekRow>,
    pub(super) holiday: Vec<HolidayRow>,
    pub(super) next_year: Vec<NextYearRow>,
    pub(super) obligatory: Vec<PartRow>,
}

/// The law of transfer.
#[derive(Debug, Clone, Default)]
pub struct TransferLaw {
    pub(super) terms: Vec<TermRow>,
    pub(super) weeks: Vec<WeekRow>,
    pub(super) holidays: Vec<HolidayRow>,
    pub(super) next_years: Vec<NextYearRow>,
    pub(super) parts: Vec<PartRow>,
}

/// The days of one transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The last day on which an objection is in time.
    pub objection_until: NaiveDate,
    /// The day on which the dossier goes.
    pub goes_on: NaiveDate,
}

/// No term is longer than this many calendar days, whatever the data say.
const LONGEST: usize = 366;

fn in_force<R: Row>(rows: &[R], day: NaiveDate) -> Option<&R> {
    let year = SchoolYear::of(day);
    rows.iter().find(|row| row.provenance().holds_in(year))
}

impl TransferLaw {
    /// The days of a transfer after an enrolment on that day, which was announced on that one; none where no term is known.
    ///
    /// The term is counted from the later of the two.
    ///
    /// ```
    /// use hub_entities::law::Laws;
    /// let laws = Laws::embedded()?;
    /// let day = |text: &str| text.parse().unwrap();
    /// let term = laws.transfer().term(day("2026-09-01"), day("2026-09-01")).unwrap();
    /// assert_eq!(term.objection_until, day("2026-09-15"));
    /// assert_eq!(term.goes_on, day("2026-09-16"));
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn term(&self, enrolled_on: NaiveDate, announced_on: NaiveDate) -> Option<Term> {
        let begins = enrolled_on.max(announced_on);
        let days = usize::from(in_force(&self.terms, begins)?.working_days);
        let after = begins.succ_opt()?.iter_days().take(LONGEST);
        // A term of no days is none.
        let last = days.checked_sub(1)?;
        let objection_until = after.filter(|day| self.is_working_day(*day)).nth(last)?;
        let mut goes_on = objection_until.succ_opt()?;
        if let Some(row) = in_force(&self.next_years, enrolled_on) {
            let turns = row.goes_after.in_year(enrolled_on.year())?;
            let from = row.enrolled_from.in_year(enrolled_on.year())?;
            if from <= enrolled_on && enrolled_on < turns {
                goes_on = goes_on.max(turns.succ_opt()?);
            }
        }
        Some(Term {
            objection_until,
            goes_on,
        })
    }

    /// Whether there is work on this day: a day of the week on which there is, and no legal holiday. Without a known week no
    /// day is one, so that no term ends.
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        let week = in_force(&self.weeks, day).map_or(0, |row| row.days);
        let in_week = day.weekday().num_days_from_monday() < week;
        let year = SchoolYear::of(day);
        let mut holidays = self.holidays.iter().filter(|row| row.provenance().holds_in(year));
        let is_holiday = holidays.any(|row| {
            let falls = match row.on {
                On::Date(date) => date.in_year(day.year()),
                On::AfterEaster(days) => easter(day.year()).and_then(|easter| easter.checked_add_days(Days::new(days))),
            };
            falls == Some(day)
        });
        in_week && !is_holiday
    }

    /// Whether guidance of this kind goes whatever is objected to: it is of a part that is known to be obligatory on that day,
    /// and what obliged was not taken back.
    pub fn goes_anyway(&self, obligation: Option<Obligation>, lapsed: bool, day: NaiveDate) -> bool {
        let year = SchoolYear::of(day);
        let part = obligation.filter(|_| !lapsed).and_then(ObligatoryPart::of);
        let mut known = self.parts.iter().filter(|row| row.provenance().holds_in(year));
        part.is_some_and(|part| known.any(|row| row.part == part))
    }
}

#[cfg(test)]
mod tests;
