//! What happens at the schools after the hub has read them: new absences, corrections and deletions.
//!
//! Every step is a pure function of the population and its number. Most of a step is ordinary
//! (an illness, a late explanation); two changes are made to pupils next to the threshold, so that
//! a signal is raised in one step and withdrawn in the next.

use hub_entities::time::HalfDay;

use super::dice::{Dice, wide};
use super::files::DELETED;
use super::population::{Population, Pupil};
use super::{FEED, absences};

/// A half-day that a school registers anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The position of the school that sends it.
    pub school: usize,
    /// The pupil's key at that school.
    pub pupil_key: String,
    /// When.
    pub at: HalfDay,
    /// A letter of the `school` table, or [`DELETED`].
    pub code: &'static str,
}

/// A pupil one half-day B under or on the threshold of five.
#[derive(Debug)]
struct OnTheEdge {
    school: usize,
    pupil_key: String,
    /// The half-day that tips it: without an absence for who has four, one of the five B otherwise.
    at: HalfDay,
    has_five: bool,
}

/// The changes of a population, step by step.
#[derive(Debug)]
pub struct Feed<'a> {
    population: &'a Population,
    edge: Vec<OnTheEdge>,
    /// Lesson half-days up to today.
    known: usize,
    /// The first of them that anything still happens to.
    from: usize,
}

/// Ordinary changes in a step, beside the two at the threshold.
const ORDINARY: usize = 6;

/// What happens to a half-day without absence, two rows a lap, for a pupil with four B: every
/// first row raises or prepares, every second one takes back.
const FROM_FOUR: [[&str; 2]; 4] = [["B", "Z"], ["B", DELETED], ["-", "B"], ["P", DELETED]];
/// The same for one of five B.
const FROM_FIVE: [[&str; 2]; 4] = [["Z", "B"], ["-", "B"], [DELETED, "B"], ["R", "B"]];

impl<'a> Feed<'a> {
    /// The feed of a population, whatever half-days of the year it may change. Looks once at every pupil.
    pub fn new(population: &'a Population) -> Self {
        Self::of_last(population, usize::MAX)
    }

    /// The same, over so many half-days back: a source whose changes cannot be asked for is read again only so far.
    pub fn of_last(population: &'a Population, half_days: usize) -> Self {
        let known = population.lessons.partition_point(|half| half.day <= population.today);
        let from = known.saturating_sub(half_days);
        let since = population.lessons.get(from).copied();
        let edge = (0..population.len())
            .filter_map(|index| on_the_edge(population, &population.pupil(index), known))
            .filter(|pupil| since.is_some_and(|since| pupil.at >= since))
            .collect();
        Self {
            population,
            edge,
            known,
            from,
        }
    }

    /// The changes of one step, from 0; the same whenever asked.
    pub fn step(&self, step: u64) -> Vec<Change> {
        let mut changes: Vec<_> = self.at_the_threshold(step).into_iter().collect();
        let mut dice = Dice::of(self.population.seed ^ step.rotate_left(32), FEED, 0);
        changes.extend((0..ORDINARY).filter_map(|_| self.ordinary(&mut dice)));
        changes
    }

    /// Two pupils in turn, two steps each; their half-day goes through four laps and begins anew.
    fn at_the_threshold(&self, step: u64) -> Vec<Change> {
        let count = wide(self.edge.len()).max(1);
        let (turn, second) = (step / 2, step % 2 == 1);
        [2 * turn, 2 * turn + 1]
            .into_iter()
            .filter_map(|nth| {
                let pupil = self.edge.get(usize::try_from(nth % count).ok()?)?;
                let laps = if pupil.has_five { &FROM_FIVE } else { &FROM_FOUR };
                let [first_row, second_row] = laps.get(usize::try_from(nth / count % 4).ok()?)?;
                Some(Change {
                    school: pupil.school,
                    pupil_key: pupil.pupil_key.clone(),
                    at: pupil.at,
                    code: if second { second_row } else { first_row },
                })
            })
            .collect()
    }

    /// A new absence of the last days, or an explanation, correction or deletion of an older one.
    fn ordinary(&self, dice: &mut Dice) -> Option<Change> {
        let pupil = self.population.pupil(dice.below(self.population.len()));
        if i32::from(self.population.year.0) - pupil.birth_year < 6 {
            return None; // kleuters have letters of their own
        }
        let lot = dice.below(100);
        let since = self.population.lessons.get(self.from).copied();
        let mut older = absences::of(self.population, &pupil);
        older.retain(|absence| since.is_some_and(|since| absence.at >= since));
        let old = older.get(dice.below(older.len()));
        let (stay, at, code) = match old {
            Some(old) if lot < 50 => {
                let code = match old.letter {
                    "-" => dice.pick(&["Z", "D", "B", "P"], "Z"),
                    "B" => dice.pick(&["Z", "R", "P"], "Z"),
                    "Z" if lot < 5 => "B",
                    _ if lot < 20 => DELETED,
                    _ => dice.pick(&["Z", "D", "R"], "Z"),
                };
                (old.stay, old.at, code)
            }
            _ => {
                let recent = self
                    .known
                    .checked_sub(1 + dice.below(9))
                    .filter(|at| *at >= self.from)?;
                let at = *self.population.lessons.get(recent)?;
                let stay = pupil.stays.iter().position(|stay| stay.holds(at.day))?;
                (stay, at, dice.pick(&["Z", "Z", "D", "D", "-", "-", "R", "P", "B"], "Z"))
            }
        };
        let stay = pupil.stays.get(stay)?;
        Some(Change {
            school: stay.school,
            pupil_key: stay.source_key.clone(),
            at,
            code,
        })
    }
}

/// Whether the pupil stands at four or five B, at one school, without a carried-in number.
fn on_the_edge(population: &Population, pupil: &Pupil, known: usize) -> Option<OnTheEdge> {
    let [stay] = pupil.stays.as_slice() else { return None };
    if stay.from.is_some() {
        return None;
    }
    let absences = absences::of(population, pupil);
    let problematic = absences.iter().filter(|absence| absence.letter == "B").count();
    let at = match problematic {
        4 => {
            let closed = &population.schools.get(stay.school)?.days_off;
            *population
                .lessons
                .get(..known)?
                .iter()
                .rev()
                .find(|half| !closed.contains(&half.day) && absences.iter().all(|absence| absence.at != **half))?
        }
        5 => absences.iter().rfind(|absence| absence.letter == "B")?.at,
        _ => return None,
    };
    Some(OnTheEdge {
        school: stay.school,
        pupil_key: stay.source_key.clone(),
        at,
        has_five: problematic == 5,
    })
}
