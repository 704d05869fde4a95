//! What follows from absences: which half-days change, what the tally becomes, which signals are
//! raised or withdrawn. Pure: the store locks the pupils, asks here, and writes what it is told.
//!
//! Evaluation is a function of the present half-days, never of the order of messages, so a replay or
//! a reorder cannot change the end state (R06).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::absence::letters::Reading;
use crate::absence::mark::Mark;
use crate::absence::minimise::minimise;
use crate::absence::tally::{
    CarriedIn, Effect, HalfDayMark, Rules, SignalKind, Tally, TallyInput, Threshold, due, tally,
};
use crate::category::Categories;
use crate::id::{PupilId, RecordId, SignalId};
use crate::law::Laws;
use crate::law::calendar::Calendar;
use crate::law::compulsory::{Counting, Place, Settings};
use crate::signal::{EventKind, SignalState, signal_id, truancy_key};
use crate::time::{HalfDay, Period, SchoolYear, brussels_day};

/// The laws and this hub's answers to their open questions, at hand for every evaluation.
#[derive(Debug)]
pub struct LawBook {
    laws: Laws,
    settings: Settings,
    years: BTreeMap<SchoolYear, YearBook>,
}

/// What holds in one school year.
#[derive(Debug, Clone)]
pub struct YearBook {
    /// The lesson days.
    pub calendar: Calendar,
    /// What raises a signal.
    pub thresholds: Vec<Threshold>,
    /// Whether an agreement may ask for early warnings.
    pub early_warnings: bool,
}

impl LawBook {
    /// Opens the book.
    pub fn new(laws: Laws, settings: Settings) -> Self {
        // The years that have partitions of their own; any other is computed when asked.
        let years = (2018..=2035)
            .map(SchoolYear)
            .map(|year| (year, Self::compute(&laws, year)))
            .collect();
        Self { laws, settings, years }
    }

    fn compute(laws: &Laws, year: SchoolYear) -> YearBook {
        YearBook {
            calendar: laws.calendar(year),
            thresholds: laws.thresholds(year),
            early_warnings: laws.allows_early_warnings(year),
        }
    }

    /// What holds in a school year.
    pub fn year(&self, year: SchoolYear) -> Cow<'_, YearBook> {
        self.years
            .get(&year)
            .map_or_else(|| Cow::Owned(Self::compute(&self.laws, year)), Cow::Borrowed)
    }

    /// The days of a school year on which half-days of a pupil born then count, who sits in these classes.
    pub fn counting<'a>(&self, year: SchoolYear, birth: Option<NaiveDate>, places: &'a [Place]) -> Counting<'a> {
        self.laws.compulsory().counting(year, birth, places, self.settings)
    }

    /// A place in a class whose source gives this grade.
    pub fn place(&self, year: SchoolYear, during: Period, grade: Option<&str>) -> Place {
        Place {
            during,
            level: grade.and_then(|grade| self.laws.level(grade, year)),
        }
    }

    /// The laws.
    pub const fn laws(&self) -> &Laws {
        &self.laws
    }
}

/// A half-day as it is registered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The school record.
    pub record: RecordId,
    /// Which half-day.
    pub at: HalfDay,
    /// What is registered.
    pub mark: Mark,
    /// How often it was corrected, from 1.
    pub revision: i32,
}

/// A half-day as a source says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The school record.
    pub record: RecordId,
    /// Which half-day.
    pub at: HalfDay,
    /// What the source's letter means.
    pub reading: Reading,
}

/// One half-day that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The school record.
    pub record: RecordId,
    /// Which half-day.
    pub at: HalfDay,
    /// What stood there, and in which revision.
    pub before: Option<(Mark, i32)>,
    /// What stands there now; `None` when the half-day is present again and nothing is kept.
    pub after: Option<Mark>,
}

/// What a source's half-days change. The last word on a half-day wins; a word that says what is
/// known already changes nothing.
///
/// `known` and the result are sorted by (half-day, record); `known` is brought up to date.
pub fn merge(known: &mut Vec<Known>, said: &[Said], agreed: Categories) -> Vec<Change> {
    let mut last: BTreeMap<(HalfDay, RecordId), Reading> = BTreeMap::new();
    for one in said {
        last.insert((one.at, one.record), one.reading);
    }
    let mut changes = Vec::new();
    let mut added = Vec::new();
    let mut gone = BTreeSet::new();
    for ((at, record), reading) in last {
        let found = known.binary_search_by(|one| (one.at, one.record).cmp(&(at, record)));
        let before = found
            .ok()
            .and_then(|index| known.get(index))
            .map(|one| (one.mark, one.revision));
        let after = minimise(reading, agreed, before.map(|(mark, _)| mark));
        if after == before.map(|(mark, _)| mark) {
            continue;
        }
        changes.push(Change {
            record,
            at,
            before,
            after,
        });
        match (found.ok().and_then(|index| known.get_mut(index)), after) {
            (Some(one), Some(mark)) => {
                one.mark = mark;
                one.revision = one.revision.saturating_add(1);
            }
            (Some(one), None) => {
                gone.insert((one.at, one.record));
            }
            (None, Some(mark)) => added.push(Known {
                record,
                at,
                mark,
                revision: 1,
            }),
            (None, None) => {}
        }
    }
    if !gone.is_empty() {
        known.retain(|one| !gone.contains(&(one.at, one.record)));
    }
    if !added.is_empty() {
        known.extend(added);
        known.sort_unstable_by_key(|one| (one.at, one.record));
    }
    changes
}

/// A signal as the database has it: the latest generation of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Its id.
    pub id: SignalId,
    /// Its key.
    pub key: String,
    /// Which generation.
    pub generation: i32,
    /// Whether it stands.
    pub state: SignalState,
    /// Half-days, as last told.
    pub half_days: i32,
    /// When the threshold was reached.
    pub reached_on: Option<NaiveDate>,
    /// Of an early warning: the number of half-days that was agreed on when it was raised.
    pub warned_at: Option<i16>,
    /// Its version.
    pub version: i32,
}

/// What happens to one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The signal after it.
    pub signal: Latest,
    /// Which rule.
    pub kind: &'static str,
    /// What is told.
    pub event: EventKind,
    /// Whether it came of data much older than now.
    pub backfill: bool,
}

/// The stored outcome of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// B half-days that count, carried-in included.
    pub half_days: i32,
    /// Of these, carried in.
    pub carried: i32,
    /// Not yet explained.
    pub pending: i32,
    /// When the fifth was reached.
    pub reached_5: Option<NaiveDate>,
    /// When the thirtieth was reached.
    pub reached_30: Option<NaiveDate>,
}

/// What follows for one pupil in one school year.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The new totals.
    pub totals: Totals,
    /// Half-days on which two schools contradict each other.
    pub conflicts: Vec<HalfDay>,
    /// What happens to signals.
    pub steps: Vec<Step>,
}

/// What is known of one pupil in one school year.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The canonical pupil.
    pub pupil: PupilId,
    /// The school year.
    pub year: SchoolYear,
    /// Its half-days, of all records.
    pub half_days: &'a [HalfDayMark],
    /// Numbers carried in.
    pub carried: &'a [CarriedIn],
    /// The lesson days and thresholds.
    pub book: &'a YearBook,
    /// The days on which this pupil's half-days count.
    pub counts: Counting<'a>,
    /// The latest generation of each key of this pupil and year.
    pub latest: &'a [Latest],
    /// The lowest number of half-days at which an agreement of one of its schools wants an early warning today.
    pub early_warning: Option<u16>,
}

impl Facts<'_> {
    /// What the half-days add up to: that of which signals follow, and the evidence for whoever may read it.
    pub fn tally(&self) -> Tally {
        self.count(&self.thresholds())
    }

    fn count(&self, thresholds: &[Threshold]) -> Tally {
        tally(&TallyInput {
            marks: self.half_days,
            calendar: &self.book.calendar,
            carried_in: self.carried,
            rules: self.rules(thresholds),
        })
    }

    const fn rules<'a>(&'a self, thresholds: &'a [Threshold]) -> Rules<'a> {
        Rules {
            thresholds,
            counts: self.counts,
        }
    }

    /// The thresholds of the law, and the one of the agreement if there is one.
    fn thresholds(&self) -> Cow<'_, [Threshold]> {
        match self.early() {
            Some(early) => {
                let mut thresholds = self.book.thresholds.clone();
                thresholds.push(early);
                Cow::Owned(thresholds)
            }
            None => Cow::Borrowed(&self.book.thresholds),
        }
    }

    /// A warning that stands is judged by the number at which it was raised: only a correction withdraws it, never an
    /// agreement on another number or on none.
    fn early(&self) -> Option<Threshold> {
        let key = truancy_key(SignalKind::TruancyEarly.name(), self.pupil, self.year);
        let standing = self
            .latest
            .iter()
            .find(|signal| signal.key == key && signal.state == SignalState::Raised);
        let half_days = match standing {
            Some(standing) => standing.warned_at.and_then(|number| u16::try_from(number).ok()),
            None => self.early_warning.filter(|_| self.book.early_warnings),
        };
        half_days.and_then(Threshold::early)
    }
}

/// Evaluates one pupil in one school year.
///
/// A signal is raised for the running school year only: the count restarts on 1 September, and the
/// import of past years raises nothing (R46). One that stands is withdrawn in any year.
pub fn evaluate(facts: Facts<'_>, now: DateTime<Utc>) -> Outcome {
    let today = brussels_day(now);
    let thresholds = facts.thresholds();
    let counted = facts.count(&thresholds);
    let due = due(&counted, &facts.rules(&thresholds));
    let reached = |number: u16| reached_on(&counted, number);
    let mut outcome = Outcome {
        totals: Totals {
            half_days: i32::from(counted.count),
            carried: i32::from(counted.carried),
            pending: i32::from(counted.pending),
            reached_5: reached(5),
            reached_30: reached(30),
        },
        conflicts: counted.conflicts.clone(),
        steps: Vec::new(),
    };

    for one in &due {
        let kind = one.kind.name();
        let key = truancy_key(kind, facts.pupil, facts.year);
        let latest = facts.latest.iter().find(|signal| signal.key == key);
        let half_days = i32::from(one.count);
        let reached_on = Some(one.reached_on);
        let step = match latest {
            Some(standing) if standing.state == SignalState::Raised => {
                if standing.half_days == half_days && standing.reached_on == reached_on {
                    continue;
                }
                let version = standing.version.saturating_add(1);
                let signal = Latest {
                    half_days,
                    reached_on,
                    version,
                    ..standing.clone()
                };
                Step {
                    signal,
                    kind,
                    event: EventKind::Changed,
                    backfill: false,
                }
            }
            _ if SchoolYear::of(today) != facts.year => continue,
            earlier => {
                let generation = earlier.map_or(1, |withdrawn| withdrawn.generation.saturating_add(1));
                let id = signal_id(&key, generation);
                let state = SignalState::Raised;
                let signal = Latest {
                    id,
                    key,
                    generation,
                    state,
                    half_days,
                    reached_on,
                    warned_at: (one.effect == Effect::Early).then(|| i16::try_from(one.threshold).unwrap_or(i16::MAX)),
                    version: 1,
                };
                Step {
                    signal,
                    kind,
                    event: EventKind::Raised,
                    backfill: is_backfill(one.reached_on, today),
                }
            }
        };
        outcome.steps.push(step);
    }
    for standing in facts.latest.iter().filter(|signal| signal.state == SignalState::Raised) {
        let still = due
            .iter()
            .find(|one| truancy_key(one.kind.name(), facts.pupil, facts.year) == standing.key);
        if still.is_none() {
            // Whatever the rules of today call it, a standing signal that is not due is withdrawn.
            let kind = standing
                .key
                .split('/')
                .next()
                .and_then(|name| name.parse::<SignalKind>().ok());
            let Some(kind) = kind else { continue };
            let signal = Latest {
                state: SignalState::Withdrawn,
                version: standing.version.saturating_add(1),
                ..standing.clone()
            };
            outcome.steps.push(Step {
                signal,
                kind: kind.name(),
                event: EventKind::Withdrawn,
                backfill: false,
            });
        }
    }
    outcome
}

fn reached_on(counted: &Tally, number: u16) -> Option<NaiveDate> {
    counted
        .reached
        .iter()
        .find(|reached| reached.threshold.half_days == number)
        .map(|reached| reached.on)
}

/// Registration may lag a week by rule and more in practice; what is older came of a backfill.
const BACKFILL_AFTER: Days = Days::new(28);

fn is_backfill(reached_on: NaiveDate, today: NaiveDate) -> bool {
    reached_on
        .checked_add_days(BACKFILL_AFTER)
        .is_some_and(|border| border < today)
}
