//! Compulsory education (leerplicht): from which day to which day, and where half-days count.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::code::Level;
use super::sourced::{Certainty, Row as _, row};
use crate::time::{Period, SchoolYear};

/// One version of the law.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    start_age: u8,
    end_age: u8,
    end_month: u32,
    end_day: u32,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(Version, |version| format!(
    "compulsory education from age {}",
    version.start_age
));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Vec<Version>,
    pub(super) open: Vec<OpenPoint>,
}

/// What the law leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Point {
    FiveYearOldsInPreschool,
    UnknownGrade,
    AfterCompulsoryAge,
    UnknownBirthDate,
}

/// One row of the data file: whether half-days count there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenPoint {
    point: Point,
    counts: bool,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(OpenPoint, |row| format!("open point {:?}", row.point));

/// What an operator decides where the law leaves something open; what is not decided is as the data file says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether the thresholds hold for five-year-olds in preschool (kleuter).
    pub five_year_olds_in_preschool: Option<bool>,
    /// Whether they hold for a five-year-old of whom no class has a grade that is known: where not, it is taken to be
    /// in preschool.
    pub unknown_grade: Option<bool>,
    /// Whether they hold after compulsory education has ended.
    pub after_compulsory_age: Option<bool>,
    /// Whether they hold when the birth date, or the law for it, is not known.
    pub unknown_birth_date: Option<bool>,
}

/// A place of a pupil in a class (klas) of a school year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The days on which the pupil has it, and is enrolled at that school.
    pub during: Period,
    /// The level of the class, where its grade is known.
    pub level: Option<Level>,
}

/// The days of a school year on which a pupil's problematic half-days count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counting<'a> {
    within: Option<Period>,
    in_primary: Option<InPrimary<'a>>,
}

/// Of these days only those on which a five-year-old sits in primary (lager).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InPrimary<'a> {
    places: &'a [Place],
    unknown_counts: bool,
}

impl Counting<'_> {
    /// All days of a period.
    pub const fn within(period: Period) -> Self {
        Self {
            within: Some(period),
            in_primary: None,
        }
    }

    /// No day.
    pub const fn never() -> Self {
        Self {
            within: None,
            in_primary: None,
        }
    }

    /// Whether a half-day of this day counts.
    pub fn on(&self, day: NaiveDate) -> bool {
        self.within.is_some_and(|period| period.contains(day))
            && self.in_primary.is_none_or(|in_primary| in_primary.on(day))
    }
}

impl InPrimary<'_> {
    fn on(&self, day: NaiveDate) -> bool {
        let places = self.places.iter().filter(|place| place.during.contains(day));
        let mut levels = places.filter_map(|place| place.level).peekable();
        if levels.peek().is_none() {
            return self.unknown_counts;
        }
        levels.any(|level| !level.is_preschool())
    }
}

/// Whether someone born then turns five in the calendar year in which this school year begins: compulsory education is
/// another in preschool than in primary for them alone (domain facts §2.2).
pub fn turns_five(born: NaiveDate, year: SchoolYear) -> bool {
    born.year().checked_add(5) == Some(i32::from(year.0))
}

/// The versions of the law on compulsory education, and what it leaves open.
#[derive(Debug, Clone)]
pub struct Compulsory {
    versions: Vec<Version>,
    open: Vec<OpenPoint>,
}

impl Compulsory {
    pub(super) const fn of(versions: Vec<Version>, open: Vec<OpenPoint>) -> Self {
        Self { versions, open }
    }

    fn version(&self, year: SchoolYear) -> Option<&Version> {
        self.versions.iter().find(|version| version.provenance().holds_in(year))
    }

    /// Whether half-days count at an open point: as decided, or else as the data file says.
    fn counts_at(&self, point: Point, year: SchoolYear, decided: Option<bool>) -> bool {
        decided.unwrap_or_else(|| {
            let mut rows = self.open.iter().filter(|row| row.provenance().holds_in(year));
            rows.any(|row| row.point == point && row.counts)
        })
    }

    /// The period in which education is compulsory for someone born on this day.
    ///
    /// `None` when no known version of the law covers it. A diploma ends it sooner; the hub does not
    /// learn of diplomas.
    ///
    /// ```
    /// use hub_entities::law::Laws;
    /// let laws = Laws::embedded()?;
    /// let period = laws.compulsory().period("2010-07-01".parse().unwrap()).unwrap();
    /// assert_eq!(period.begins.to_string(), "2016-09-01");
    /// assert_eq!(period.ends.unwrap().to_string(), "2028-07-01");
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn period(&self, born: NaiveDate) -> Option<Period> {
        // The law that lowers the age catches those who were too young the year before: the first
        // 1 September on which the law of that very year applies.
        let begins = (0..=u8::MAX).find_map(|age| {
            let year = born.year().checked_add(i32::from(age))?;
            let school_year = SchoolYear(i16::try_from(year).ok()?);
            let starts = self.version(school_year)?.start_age;
            (age >= starts).then(|| school_year.first_day())
        })?;
        let ends = (0..=u8::MAX).find_map(|age| {
            let year = born.year().checked_add(i32::from(age))?;
            // The law of the school year in which that birthday's spring falls.
            let version = self.version(SchoolYear(i16::try_from(year.checked_sub(1)?).ok()?))?;
            if age < version.end_age {
                return None;
            }
            // Who is born on 29 February turns a year older on 1 March of a common year.
            let birthday = born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))?;
            let latest = NaiveDate::from_ymd_opt(year, version.end_month, version.end_day)?;
            Some(birthday.min(latest))
        })?;
        Some(Period {
            begins,
            ends: Some(ends),
        })
    }

    /// The days of a school year on which this pupil's problematic half-days count.
    ///
    /// `born` is what is known of the birth date, `places` are the classes of that school year in which the pupil sits.
    pub fn counting<'a>(
        &self,
        year: SchoolYear,
        born: Option<NaiveDate>,
        places: &'a [Place],
        settings: Settings,
    ) -> Counting<'a> {
        let whole_year = Period {
            begins: year.first_day(),
            ends: year.last_day().succ_opt(),
        };
        // A law that is unknown for a birth date is no better known than the birth date itself.
        let Some(compulsory) = born.and_then(|born| self.period(born)) else {
            return if self.counts_at(Point::UnknownBirthDate, year, settings.unknown_birth_date) {
                Counting::within(whole_year)
            } else {
                Counting::never()
            };
        };
        let begins = whole_year.begins.max(compulsory.begins);
        let ends = if self.counts_at(Point::AfterCompulsoryAge, year, settings.after_compulsory_age) {
            whole_year.ends
        } else {
            whole_year.ends.min(compulsory.ends)
        };
        if ends.is_some_and(|ends| ends <= begins) {
            return Counting::never();
        }
        let five = born.is_some_and(|born| turns_five(born, year))
            && !self.counts_at(
                Point::FiveYearOldsInPreschool,
                year,
                settings.five_year_olds_in_preschool,
            );
        Counting {
            in_primary: five.then(|| InPrimary {
                places,
                unknown_counts: self.counts_at(Point::UnknownGrade, year, settings.unknown_grade),
            }),
            ..Counting::within(Period { begins, ends })
        }
    }
}

#[cfg(test)]
mod tests;
