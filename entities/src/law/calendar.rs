//! The Flemish school calendar, computed from its rules (BVR 17 April 1991, BVR 31 August 2001).

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::Deserialize;

use super::sourced::{Certainty, Row, row};
use crate::time::{HalfDay, Part, SchoolYear};

/// Where a free period of the school year begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Begins {
    /// The Monday of the week of 1 November; on 2 November when the 1st is a Sunday.
    Autumn,
    /// The Monday of the week of 25 December; the Monday after when that is a Saturday or Sunday.
    Christmas,
    /// The seventh Monday before Easter.
    Carnival,
    /// The first Monday of April; the Monday after Easter when Easter falls in March; the second
    /// Monday before Easter when it falls after 15 April.
    Spring,
    /// A fixed date: in the year that begins from September on, else in the next.
    Date {
        /// 1 to 12.
        month: u32,
        /// 1 to 31.
        day: u32,
    },
    /// So many days after Easter.
    AfterEaster(u64),
}

/// A period in which no school has lessons.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Free {
    name: String,
    begins: Begins,
    days: u64,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(Free, |free| format!("free period `{}`", free.name));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) free: Vec<Free>,
}

/// One bit for each half-day of a school year: 366 days at most.
const WORDS: usize = 12;

/// A set of half-days of one school year. The key of the tally: no map, no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct HalfDays([u64; WORDS]);

impl HalfDays {
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.0.get(slot.word()).is_some_and(|word| word & slot.bit() != 0)
    }

    pub(crate) fn insert(&mut self, slot: Slot) {
        if let Some(word) = self.0.get_mut(slot.word()) {
            *word |= slot.bit();
        }
    }

    fn remove(&mut self, slot: Slot) {
        if let Some(word) = self.0.get_mut(slot.word()) {
            *word &= !slot.bit();
        }
    }

    pub(crate) fn len(&self) -> u16 {
        let bits: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        u16::try_from(bits).unwrap_or(u16::MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn zip(&self, other: &Self, of: fn(u64, u64) -> u64) -> Self {
        let mut result = Self::default();
        for (to, (a, b)) in result.0.iter_mut().zip(self.0.iter().zip(&other.0)) {
            *to = of(*a, *b);
        }
        result
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Its half-days in the order of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().zip((0_u16..).step_by(64)).flat_map(|(word, base)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let lowest = u16::try_from(rest.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                rest &= rest - 1;
                Some(Slot(base + lowest))
            })
        })
    }
}

impl std::fmt::Debug for HalfDays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(|slot| slot.0)).finish()
    }
}

/// A half-day as its number within the school year: twice the day, plus one in the afternoon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u16);

impl Slot {
    fn of(first_day: NaiveDate, at: HalfDay) -> Option<Self> {
        let day = u16::try_from(at.day.signed_duration_since(first_day).num_days()).ok()?;
        let part = match at.part {
            Part::Am => 0,
            Part::Pm => 1,
        };
        let slot = day.checked_mul(2)?.checked_add(part)?;
        (day < 366).then_some(Self(slot))
    }

    fn word(self) -> usize {
        usize::from(self.0 / 64)
    }

    const fn bit(self) -> u64 {
        1 << (self.0 % 64)
    }
}

/// The half-days with lessons of one school year.
///
/// ```
/// use hub_entities::law::Laws;
/// use hub_entities::time::{HalfDay, Part, SchoolYear};
///
/// let calendar = Laws::embedded()?.calendar(SchoolYear(2026));
/// let on = |day: &str, part| HalfDay::new(day.parse().unwrap(), part);
/// assert!(calendar.is_lesson(on("2026-09-01", Part::Pm)));
/// assert!(!calendar.is_lesson(on("2026-09-02", Part::Pm)), "a Wednesday afternoon");
/// assert!(!calendar.is_lesson(on("2026-11-11", Part::Am)), "Armistice Day");
/// # Ok::<(), hub_entities::law::LawError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    year: SchoolYear,
    first_day: NaiveDate,
    lessons: HalfDays,
}

impl Calendar {
    pub(super) fn flemish(free: &[Free], year: SchoolYear) -> Self {
        let first_day = year.first_day();
        let mut calendar = Self {
            year,
            first_day,
            lessons: HalfDays::default(),
        };
        for day in first_day.iter_days().take_while(|day| year.contains(*day)).take(366) {
            if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
                continue;
            }
            calendar.set(HalfDay::new(day, Part::Am));
            if day.weekday() != Weekday::Wed {
                calendar.set(HalfDay::new(day, Part::Pm));
            }
        }
        let rows = free.iter().filter(|free| free.provenance().holds_in(year));
        let off = rows.filter_map(|free| Some((first_free_day(free.begins, year)?, free.days)));
        for (begins, days) in off {
            calendar = calendar.without_days(
                begins
                    .iter_days()
                    .take(usize::try_from(days).unwrap_or_default().min(366)),
            );
        }
        calendar
    }

    /// The same calendar with days off of the school's own (facultatieve vrije dagen, studiedagen).
    #[must_use]
    pub fn without_days(self, days: impl IntoIterator<Item = NaiveDate>) -> Self {
        self.without(
            days.into_iter()
                .flat_map(|day| [HalfDay::new(day, Part::Am), HalfDay::new(day, Part::Pm)]),
        )
    }

    /// The same calendar with half-days off of the school's own (half study days).
    #[must_use]
    pub fn without(mut self, half_days: impl IntoIterator<Item = HalfDay>) -> Self {
        for at in half_days {
            if let Some(slot) = Slot::of(self.first_day, at) {
                self.lessons.remove(slot);
            }
        }
        self
    }

    fn set(&mut self, at: HalfDay) {
        if let Some(slot) = Slot::of(self.first_day, at) {
            self.lessons.insert(slot);
        }
    }

    /// The school year.
    pub const fn year(&self) -> SchoolYear {
        self.year
    }

    /// Whether there are lessons on this half-day. Never outside the school year.
    pub fn is_lesson(&self, at: HalfDay) -> bool {
        self.lesson(at).is_some()
    }

    /// The number of half-days with lessons.
    pub fn half_days(&self) -> u16 {
        self.lessons.len()
    }

    /// The half-days with lessons, in the order of time.
    pub fn iter(&self) -> impl Iterator<Item = HalfDay> {
        self.lessons.iter().map(|slot| self.at(slot))
    }

    /// The number of this half-day in the year, if it has lessons.
    pub(crate) fn lesson(&self, at: HalfDay) -> Option<Slot> {
        Slot::of(self.first_day, at).filter(|slot| self.lessons.has(*slot))
    }

    /// The half-day with this number.
    pub(crate) fn at(&self, slot: Slot) -> HalfDay {
        let day = self.first_day.checked_add_days(Days::new(u64::from(slot.0 / 2)));
        let part = if slot.0.is_multiple_of(2) { Part::Am } else { Part::Pm };
        HalfDay::new(day.unwrap_or(self.first_day), part)
    }
}

/// Easter Sunday of a calendar year (Gregorian, the anonymous algorithm of Meeus and Butcher).
pub(super) fn easter(year: i32) -> Option<NaiveDate> {
    let golden = year % 19;
    let (century, rest) = (year / 100, year % 100);
    let lunar = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - lunar + 15) % 30;
    let sunday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let late = (golden + 11 * epact + 22 * sunday) / 451;
    let march = epact + sunday - 7 * late + 114;
    let (month, day) = (u32::try_from(march / 31).ok()?, u32::try_from(march % 31 + 1).ok()?);
    NaiveDate::from_ymd_opt(year, month, day)
}

/// The Monday of the week (Monday to Sunday) of a day.
fn monday_of(day: NaiveDate) -> Option<NaiveDate> {
    day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())))
}

/// The first Monday on or after a day.
fn monday_from(day: NaiveDate) -> Option<NaiveDate> {
    monday_of(day.checked_add_days(Days::new(6))?)
}

fn first_free_day(begins: Begins, year: SchoolYear) -> Option<NaiveDate> {
    let autumn = i32::from(year.0);
    let spring = autumn.checked_add(1)?;
    match begins {
        Begins::Autumn => {
            let all_saints = NaiveDate::from_ymd_opt(autumn, 11, 1)?;
            if all_saints.weekday() == Weekday::Sun {
                monday_from(all_saints)
            } else {
                monday_of(all_saints)
            }
        }
        Begins::Christmas => {
            let christmas = NaiveDate::from_ymd_opt(autumn, 12, 25)?;
            if matches!(christmas.weekday(), Weekday::Sat | Weekday::Sun) {
                monday_from(christmas)
            } else {
                monday_of(christmas)
            }
        }
        // Easter is a Sunday: the Monday before it is six days earlier, the seventh six weeks more.
        Begins::Carnival => easter(spring)?.checked_sub_days(Days::new(6 + 6 * 7)),
        Begins::Spring => {
            let easter = easter(spring)?;
            let april = |day| NaiveDate::from_ymd_opt(spring, 4, day);
            if easter < april(1)? {
                easter.succ_opt()
            } else if easter > april(15)? {
                easter.checked_sub_days(Days::new(6 + 7))
            } else {
                monday_from(april(1)?)
            }
        }
        Begins::Date { month, day } => NaiveDate::from_ymd_opt(if month >= 9 { autumn } else { spring }, month, day),
        Begins::AfterEaster(days) => easter(spring)?.checked_add_days(Days::new(days)),
    }
}

#[cfg(test)]
mod tests;
