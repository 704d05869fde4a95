//! The tally: from the half-days of one pupil to the signals that are due. Nothing else counts.
//!
//! Pure and without order: the same half-days in any order, in any batches, any number of times,
//! give the same tally. Each half-day of the year is one bit, so a pupil costs no map and no sort.

use chrono::NaiveDate;

use super::mark::{Mark, Weight};
use crate::id::RecordId;
use crate::law::calendar::{Calendar, HalfDays, Slot};
use crate::law::compulsory::Counting;
use crate::time::HalfDay;

pub use crate::law::threshold::{Effect, SignalKind, Threshold};

/// What one record says of one half-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HalfDayMark {
    /// Whose record says it.
    pub record: RecordId,
    /// Of which half-day.
    pub at: HalfDay,
    /// What it says.
    pub mark: Mark,
    /// Whether the pupil was enrolled there on that day. What another school says of it is no contradiction.
    pub enrolled: bool,
}

/// The problematic half-days that a receiving school was told of: a number without dates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CarriedIn {
    /// The record of the receiving school.
    pub record: RecordId,
    /// How many half-days.
    pub half_days: u16,
    /// The first day of the enrolment at the receiving school.
    pub from_begin: NaiveDate,
    /// The pupil's records at the former school, if it is known here: several where it has given the pupil another key.
    pub former: Vec<RecordId>,
}

/// What the law says for this pupil in this school year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules<'a> {
    /// What raises a signal. In any order.
    pub thresholds: &'a [Threshold],
    /// The days on which half-days count. From [`crate::law::compulsory::Compulsory::counting`].
    pub counts: Counting<'a>,
}

/// Everything a tally depends on, for one canonical pupil in one school year.
#[derive(Debug, Clone, Copy)]
pub struct TallyInput<'a> {
    /// The current half-days of all records of the pupil, in any order.
    pub marks: &'a [HalfDayMark],
    /// The half-days with lessons; it also says which school year is counted.
    pub calendar: &'a Calendar,
    /// The numbers carried in during that school year, in any order.
    pub carried_in: &'a [CarriedIn],
    /// The rules for this pupil.
    pub rules: Rules<'a>,
}

/// A threshold that the count has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reached {
    /// Which one.
    pub threshold: Threshold,
    /// The day of the half-day that reached it; of the enrolment, when a carried-in number did.
    pub on: NaiveDate,
}

/// What the half-days of one pupil add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Problematic half-days: the dated ones and [`Tally::carried`].
    pub count: u16,
    /// The part of the count that is a carried-in number without dates.
    pub carried: u16,
    /// Half-days that may turn out to be problematic: not resolved yet, an unknown letter, or a conflict.
    pub pending: u16,
    /// Half-days that one record calls B and another calls something else, while the pupil is enrolled at both schools. In
    /// the order of time.
    pub conflicts: Vec<HalfDay>,
    /// Half-days that say B or are pending where there are no lessons. Not counted. In the order of time.
    pub off_calendar: Vec<HalfDay>,
    /// The thresholds reached, from the lowest up.
    pub reached: Vec<Reached>,
    /// Who says B of the counted half-days, in the order of time.
    dated: Vec<(HalfDay, RecordId)>,
}

/// What one reader may know of the half-days behind a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The reader's own half-days, in the order of time.
    pub own_dated: Vec<HalfDay>,
    /// How many more there are at other schools, dated or carried in.
    pub elsewhere: u16,
}

/// A signal that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The kind of signal.
    pub kind: SignalKind,
    /// The number of half-days it is due from.
    pub threshold: u16,
    /// What follows from it.
    pub effect: Effect,
    /// The day on which that number was reached.
    pub reached_on: NaiveDate,
    /// The count now.
    pub count: u16,
}

impl Tally {
    /// The evidence for a reader whose own records these are: own half-days by date, others as a number.
    pub fn evidence(&self, own: &[RecordId]) -> Evidence {
        let mut own_dated: Vec<HalfDay> = self
            .dated
            .iter()
            .filter(|(_, record)| own.contains(record))
            .map(|(at, _)| *at)
            .collect();
        own_dated.dedup();
        let shown = u16::try_from(own_dated.len()).unwrap_or(u16::MAX);
        Evidence {
            own_dated,
            elsewhere: self.count.saturating_sub(shown),
        }
    }
}

/// Counts the problematic half-days of one pupil in one school year.
///
/// * A half-day (date and part) counts once, whatever number of records say B of it.
/// * A half-day that one record calls B and another something else is a conflict: pending, not counted. Only schools at
///   which the pupil is enrolled on that day contradict each other.
/// * What a record says of a day on which the pupil is not enrolled there is heard where no other speaks of it; where
///   several such disagree it is pending.
/// * Half-days without lessons, or outside the days on which they count, do not count.
/// * A carried-in number counts from the begin of the enrolment it came with, less the half-days
///   that the former school (or, when it is not known, any other record) dated B before that begin.
///   Of several carried-in numbers the largest remainder counts: they tell of the same half-days.
/// * A begin before the school year counts as its first day, one after it not at all.
///
/// ```
/// use hub_entities::absence::code::Code;
/// use hub_entities::absence::mark::Mark;
/// use hub_entities::absence::tally::{HalfDayMark, Rules, TallyInput, tally};
/// use hub_entities::id::RecordId;
/// use hub_entities::law::Laws;
/// use hub_entities::time::{HalfDay, Part, SchoolYear};
///
/// let laws = Laws::embedded()?;
/// let year = SchoolYear(2026);
/// let calendar = laws.calendar(year);
/// let thresholds = laws.thresholds(year);
/// let marks: Vec<_> = calendar.iter().take(5).map(|at| HalfDayMark {
///     record: RecordId(uuid::Uuid::nil()),
///     at,
///     mark: Mark::Code(Code::B),
///     enrolled: true,
/// }).collect();
/// let born = "2012-05-04".parse().ok();
/// let counts = laws.compulsory().counting(year, born, &[], Default::default());
/// let result = tally(&TallyInput {
///     marks: &marks,
///     calendar: &calendar,
///     carried_in: &[],
///     rules: Rules { thresholds: &thresholds, counts },
/// });
/// // Tuesday 1 and Thursday 3 September have two half-days, Wednesday has one.
/// assert_eq!(result.count, 5);
/// assert_eq!(result.reached[0].on.to_string(), "2026-09-03");
/// # Ok::<(), hub_entities::law::LawError>(())
/// ```
pub fn tally(input: &TallyInput<'_>) -> Tally {
    let TallyInput {
        marks,
        calendar,
        carried_in,
        rules,
    } = *input;
    let counts_on = |day| rules.counts.on(day);

    let mut schools = Voices::default();
    let mut others = Voices::default();
    let mut off_calendar = Vec::new();
    for said in marks {
        let weight = said.mark.weight();
        let Some(slot) = calendar.lesson(said.at) else {
            if weight != Weight::Nothing {
                off_calendar.push(said.at);
            }
            continue;
        };
        if !counts_on(said.at.day) {
            continue;
        }
        let voices = if said.enrolled { &mut schools } else { &mut others };
        voices.hear(slot, weight);
    }
    off_calendar.sort_unstable();
    off_calendar.dedup();

    let conflicts = schools.disagree();
    // Where no school speaks that the pupil is enrolled at, the others are heard: none of them more than the next.
    let spoken = schools.all();
    let unsettled = others.disagree();
    let counted = schools
        .problematic
        .without(&conflicts)
        .or(&others.problematic.without(&unsettled).without(&spoken));
    let pending = schools.pending.or(&others.pending.or(&unsettled).without(&spoken));
    let carried: Vec<Carried> = carried_in
        .iter()
        .filter_map(|number| effective(number, input))
        .filter(|number| counts_on(number.from))
        .collect();
    let carried_total = carried.iter().map(|number| number.half_days).max().unwrap_or(0);

    Tally {
        count: counted.len().saturating_add(carried_total),
        carried: carried_total,
        pending: pending.or(&conflicts).len(),
        conflicts: conflicts.iter().map(|slot| calendar.at(slot)).collect(),
        off_calendar,
        reached: reached(&counted, &carried, input),
        dated: who_says_b(&counted, input),
    }
}

/// What is said of the half-days of a year by records that weigh alike.
#[derive(Default)]
struct Voices {
    problematic: HalfDays,
    pending: HalfDays,
    otherwise: HalfDays,
}

impl Voices {
    fn hear(&mut self, slot: Slot, weight: Weight) {
        match weight {
            Weight::Counts => self.problematic.insert(slot),
            Weight::Pending => self.pending.insert(slot),
            Weight::Nothing => self.otherwise.insert(slot),
        }
    }

    fn all(&self) -> HalfDays {
        self.problematic.or(&self.pending).or(&self.otherwise)
    }

    fn disagree(&self) -> HalfDays {
        self.problematic.and(&self.pending.or(&self.otherwise))
    }
}

/// What is left of a carried-in number, and from which day it counts.
#[derive(Debug, Clone, Copy)]
struct Carried {
    from: NaiveDate,
    half_days: u16,
}

fn effective(number: &CarriedIn, input: &TallyInput<'_>) -> Option<Carried> {
    let year = input.calendar.year();
    if number.from_begin > year.last_day() {
        return None;
    }
    let mut seen = HalfDays::default();
    for said in input.marks {
        let of_former_school = if number.former.is_empty() {
            said.record != number.record
        } else {
            number.former.contains(&said.record)
        };
        let before = of_former_school && said.at.day < number.from_begin;
        if before
            && said.mark.weight() == Weight::Counts
            && let Some(slot) = input.calendar.lesson(said.at)
        {
            seen.insert(slot);
        }
    }
    Some(Carried {
        from: number.from_begin.max(year.first_day()),
        half_days: number.half_days.saturating_sub(seen.len()),
    })
}

/// The first day on which the running count is at each threshold.
fn reached(counted: &HalfDays, carried: &[Carried], input: &TallyInput<'_>) -> Vec<Reached> {
    let total = counted
        .len()
        .saturating_add(carried.iter().map(|number| number.half_days).max().unwrap_or(0));
    let mut thresholds: Vec<Threshold> = input
        .rules
        .thresholds
        .iter()
        .copied()
        .filter(|threshold| (1..=total).contains(&threshold.half_days))
        .collect();
    if thresholds.is_empty() {
        return Vec::new();
    }
    thresholds.sort_unstable();
    thresholds.dedup();

    let dated: Vec<NaiveDate> = counted.iter().map(|slot| input.calendar.at(slot).day).collect();
    let mut days: Vec<NaiveDate> = dated
        .iter()
        .copied()
        .chain(carried.iter().map(|number| number.from))
        .collect();
    days.sort_unstable();
    let count_on = |day: NaiveDate| {
        let so_far = dated.partition_point(|other| *other <= day);
        let carried_so_far = carried
            .iter()
            .filter(|number| number.from <= day)
            .map(|number| number.half_days)
            .max()
            .unwrap_or(0);
        u16::try_from(so_far).unwrap_or(u16::MAX).saturating_add(carried_so_far)
    };
    thresholds
        .into_iter()
        .filter_map(|threshold| {
            let on = days.iter().copied().find(|day| count_on(*day) >= threshold.half_days)?;
            Some(Reached { threshold, on })
        })
        .collect()
}

fn who_says_b(counted: &HalfDays, input: &TallyInput<'_>) -> Vec<(HalfDay, RecordId)> {
    if counted.is_empty() {
        return Vec::new();
    }
    let mut dated: Vec<_> = input
        .marks
        .iter()
        .filter(|said| said.mark.weight() == Weight::Counts)
        .filter(|said| input.calendar.lesson(said.at).is_some_and(|slot| counted.has(slot)))
        .map(|said| (said.at, said.record))
        .collect();
    dated.sort_unstable();
    dated.dedup();
    dated
}

/// The signals that are due by a tally, from the lowest threshold up.
pub fn due(tally: &Tally, rules: &Rules<'_>) -> Vec<Due> {
    tally
        .reached
        .iter()
        .filter(|reached| rules.thresholds.contains(&reached.threshold))
        .filter(|reached| reached.threshold.effect != Effect::Statistic)
        .map(|reached| Due {
            kind: reached.threshold.kind,
            threshold: reached.threshold.half_days,
            effect: reached.threshold.effect,
            reached_on: reached.on,
            count: tally.count,
        })
        .collect()
}

#[cfg(test)]
mod tests;
