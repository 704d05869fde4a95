//! Compulsory education (leerplicht): from which day to which day, and where half-days count.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::code::Level;
use super::sourced::{Certainty, Row, row};
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
}

/// What the law leaves open, with what the hub does until someone who knows decides otherwise.
///
/// The defaults lean to the side where no signal is lost for those who are certainly of compulsory
/// age, and raise none for those who certainly are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether the thresholds hold for five-year-olds in preschool. Off: the text of the circular was
    /// not read, and local practice differs.
    pub five_year_olds_in_preschool: bool,
    /// Whether they hold after compulsory education has ended. Off: the obligation follows leerplicht.
    pub after_compulsory_age: bool,
    /// Whether they hold when the birth date, or the law for it, is not known. On: a signal too many can be withdrawn, a
    /// lost one cannot be found.
    pub unknown_birth_date: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            five_year_olds_in_preschool: false,
            after_compulsory_age: false,
            unknown_birth_date: true,
        }
    }
}

/// The versions of the law on compulsory education.
#[derive(Debug, Clone)]
pub struct Compulsory(Vec<Version>);

impl Compulsory {
    pub(super) const fn of(versions: Vec<Version>) -> Self {
        Self(versions)
    }

    fn version(&self, year: SchoolYear) -> Option<&Version> {
        self.0.iter().find(|version| version.provenance().holds_in(year))
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

    /// The days of a school year on which this pupil's problematic half-days count, if any do.
    ///
    /// `born` is what is known of the birth date; `level` of where the pupil goes to school. An
    /// unknown level is never a reason not to count.
    pub fn counting(
        &self,
        year: SchoolYear,
        born: Option<NaiveDate>,
        level: Option<Level>,
        settings: Settings,
    ) -> Option<Period> {
        let whole_year = Period {
            begins: year.first_day(),
            ends: year.last_day().succ_opt(),
        };
        let Some(born) = born else {
            return settings.unknown_birth_date.then_some(whole_year);
        };
        // A law that is unknown for this birth date is no reason to lose a signal either.
        let Some(compulsory) = self.period(born) else {
            return settings.unknown_birth_date.then_some(whole_year);
        };
        let turns_five = born.year().checked_add(5) == Some(i32::from(year.0));
        if turns_five && level.is_some_and(Level::is_preschool) && !settings.five_year_olds_in_preschool {
            return None;
        }
        let begins = whole_year.begins.max(compulsory.begins);
        let ends = if settings.after_compulsory_age {
            whole_year.ends
        } else {
            whole_year.ends.min(compulsory.ends)
        };
        ends.is_none_or(|ends| begins < ends).then_some(Period { begins, ends })
    }
}

#[cfg(test)]
mod tests;
