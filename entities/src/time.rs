//! Days, half-days and school years. Nothing else in the workspace knows "now".
//!
//! A school day is a date in Europe/Brussels, never an instant: 31 August 23:30 in Brussels is
//! still the old school year, whatever the host's time zone says.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// Where "now" comes from. An argument everywhere, so that tests are exact.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The date in Europe/Brussels at this instant.
///
/// ```
/// use hub_entities::time::brussels_day;
/// let late = "2026-08-31T22:30:00Z".parse().unwrap();
/// assert_eq!(brussels_day(late).to_string(), "2026-09-01");
/// ```
pub fn brussels_day(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&chrono_tz::Europe::Brussels).date_naive()
}

/// The instant at which this date begins in Europe/Brussels. Its clocks never change at midnight.
///
/// ```
/// use hub_entities::time::brussels_midnight;
/// let begins = brussels_midnight("2026-09-01".parse().unwrap());
/// assert_eq!(begins.to_rfc3339(), "2026-08-31T22:00:00+00:00");
/// ```
pub fn brussels_midnight(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let local = midnight.and_local_timezone(chrono_tz::Europe::Brussels).earliest();
    local.map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
}

/// The part of a school day that is registered as one (dagdeel): morning or afternoon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Part {
    /// Morning (voormiddag).
    Am,
    /// Afternoon (namiddag).
    Pm,
}

impl Part {
    /// As stored: 0 in the morning, 1 in the afternoon.
    pub const fn to_i16(self) -> i16 {
        match self {
            Self::Am => 0,
            Self::Pm => 1,
        }
    }

    /// From the stored number.
    pub const fn from_i16(stored: i16) -> Option<Self> {
        match stored {
            0 => Some(Self::Am),
            1 => Some(Self::Pm),
            _ => None,
        }
    }
}

/// A half school day (halve lesdag), the unit in which absence is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HalfDay {
    /// The date in Europe/Brussels.
    pub day: NaiveDate,
    /// Morning or afternoon.
    pub part: Part,
}

impl HalfDay {
    /// A half-day.
    pub const fn new(day: NaiveDate, part: Part) -> Self {
        Self { day, part }
    }
}

/// A school year (schooljaar): 1 September to 31 August, named by the year in which it begins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sea_orm::DeriveValueType,
)]
#[serde(transparent)]
pub struct SchoolYear(pub i16);

/// A text that is not a school year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a school year of the form `2026-2027`")]
pub struct SchoolYearError;

impl SchoolYear {
    /// The school year a date falls in. It turns on 1 September.
    ///
    /// ```
    /// use hub_entities::time::SchoolYear;
    /// let day = |text: &str| text.parse().unwrap();
    /// assert_eq!(SchoolYear::of(day("2026-08-31")), SchoolYear(2025));
    /// assert_eq!(SchoolYear::of(day("2026-09-01")), SchoolYear(2026));
    /// ```
    pub fn of(day: NaiveDate) -> Self {
        let begins = if day.month() >= 9 {
            day.year()
        } else {
            day.year().saturating_sub(1)
        };
        Self(i16::try_from(begins).unwrap_or(if begins < 0 { i16::MIN } else { i16::MAX }))
    }

    /// 1 September.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(i32::from(self.0), 9, 1).unwrap_or(NaiveDate::MIN)
    }

    /// 31 August of the next calendar year.
    pub fn last_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(i32::from(self.0).saturating_add(1), 8, 31).unwrap_or(NaiveDate::MAX)
    }

    /// Whether the date falls in this school year.
    pub fn contains(self, day: NaiveDate) -> bool {
        Self::of(day) == self
    }
}

impl fmt::Display for SchoolYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, i32::from(self.0).saturating_add(1))
    }
}

impl FromStr for SchoolYear {
    type Err = SchoolYearError;

    fn from_str(text: &str) -> Result<Self, SchoolYearError> {
        let year = |digits: &str| -> Result<i16, SchoolYearError> {
            if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(SchoolYearError);
            }
            digits.parse().map_err(|_too_large| SchoolYearError)
        };
        let (from, to) = text.split_once('-').ok_or(SchoolYearError)?;
        let (from, to) = (year(from)?, year(to)?);
        if from.checked_add(1) == Some(to) {
            Ok(Self(from))
        } else {
            Err(SchoolYearError)
        }
    }
}

/// A period of days; `ends` is the first day that no longer belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The first day.
    pub begins: NaiveDate,
    /// The first day after it, if it has an end.
    pub ends: Option<NaiveDate>,
}

impl Period {
    /// Whether the day lies in the period.
    pub fn contains(self, day: NaiveDate) -> bool {
        self.begins <= day && self.ends.is_none_or(|ends| day < ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_year_has_one_spelling() {
        assert_eq!("2026-2027".parse(), Ok(SchoolYear(2026)));
        assert_eq!(SchoolYear(2026).to_string(), "2026-2027");
        for wrong in ["2026", "2026-2028", "2026-27", "2026-2026", "-2026-2027", "+026-0027"] {
            assert!(
                wrong.parse::<SchoolYear>().is_err(),
                "`{wrong}` was taken for a school year"
            );
        }
    }

    #[test]
    fn a_period_ends_before_its_end() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let period = Period {
            begins: day("2026-09-01"),
            ends: Some(day("2026-10-01")),
        };
        assert!(period.contains(day("2026-09-01")) && period.contains(day("2026-09-30")));
        assert!(!period.contains(day("2026-10-01")) && !period.contains(day("2026-08-31")));
    }

    #[test]
    fn the_day_turns_in_brussels() {
        let at = |text: &str| brussels_day(text.parse().expect("an instant")).to_string();
        assert_eq!(at("2026-08-31T21:59:59Z"), "2026-08-31");
        assert_eq!(at("2026-08-31T22:00:00Z"), "2026-09-01");
        assert_eq!(at("2026-12-31T22:59:59Z"), "2026-12-31");
        assert_eq!(at("2026-12-31T23:00:00Z"), "2027-01-01");
    }
}
