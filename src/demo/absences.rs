//! Absences of a school year, as often as the published figures say (`domain.md` §5.5).
//!
//! A whole year is planned for every pupil and shown up to today, so the same pupil has the same
//! absences yesterday and tomorrow, and 1 September begins empty.

use hub_entities::time::HalfDay;

use super::dice::Dice;
use super::population::{Origin, Population, Pupil};
use super::schools::Level;
use super::{ABSENCE, CARRIED};

/// One half-day that a school registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Which of the pupil's stays registered it.
    pub stay: usize,
    /// When.
    pub at: HalfDay,
    /// The letter in the school's own package (`school-apis.md` §0.2); `-` is not yet explained.
    pub letter: &'static str,
}

/// The number of half-days B that a former school passed on (`domain.md` §0, row 2: without dates).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The stay at which the number arrived.
    pub stay: usize,
    /// How many half-days B.
    pub half_days: u16,
}

/// Half-days before today of which the reason may not be known yet: a week, which is how late a
/// school may register (`domain.md` §1.3).
const OPEN_HALF_DAYS: usize = 9;

/// The half-days of one pupil that the schools know today, in order of time.
pub fn of(population: &Population, pupil: &Pupil) -> Vec<Absence> {
    let plan = plan(population, pupil);
    let known = population.lessons.partition_point(|half| half.day <= population.today);
    let mut open = Dice::of(population.seed, ABSENCE ^ (1 << 32), pupil.index);
    let mut absences = Vec::new();
    for (position, (at, letter)) in population.lessons.iter().zip(plan).enumerate().take(known) {
        let Some(letter) = letter else { continue };
        let unexplained = open.chance(400) && position + OPEN_HALF_DAYS >= known;
        let Some(stay) = pupil.stays.iter().position(|stay| stay.holds(at.day)) else {
            continue;
        };
        let closed = pupil
            .stays
            .get(stay)
            .and_then(|stay| population.schools.get(stay.school))
            .is_some_and(|school| school.days_off.contains(&at.day));
        if !closed {
            absences.push(Absence {
                stay,
                at: *at,
                letter: if unexplained && matches!(letter, "B" | "Z" | "D") {
                    "-"
                } else {
                    letter
                },
            });
        }
    }
    absences
}

/// The numbers that former schools passed on. Mostly what the former school registered itself; one
/// in four had more to pass on, from a school before it.
pub fn carried(population: &Population, pupil: &Pupil) -> Vec<Carried> {
    let mut dice = Dice::of(population.seed, CARRIED, pupil.index);
    let mut numbers = Vec::new();
    for (position, stay) in pupil.stays.iter().enumerate() {
        let half_days = match stay.from {
            None => continue,
            Some(Origin::Elsewhere) => dice.below(9),
            Some(Origin::Population) => {
                let registered = of(population, pupil)
                    .into_iter()
                    .filter(|absence| absence.stay < position && absence.letter == "B")
                    .count();
                registered + if dice.chance(250) { dice.between(1, 3) } else { 0 }
            }
        };
        if half_days > 0 {
            numbers.push(Carried {
                stay: position,
                half_days: u16::try_from(half_days).unwrap_or(u16::MAX),
            });
        }
    }
    numbers
}

/// Who a pupil is to the rules of absence (`domain.md` §2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Kleuter that is not of compulsory age: A is the only letter.
    Young,
    /// Five-year-old in kleuter: P when acceptable, else B.
    Five,
    Lager,
    Secundair,
}

fn group(population: &Population, pupil: &Pupil) -> Group {
    let level = pupil
        .stays
        .first()
        .and_then(|stay| population.schools.get(stay.school))
        .map(|school| school.level);
    match (level, i32::from(population.year.0) - pupil.birth_year) {
        (Some(Level::Basis), ..=4) => Group::Young,
        (Some(Level::Basis), 5) => Group::Five,
        (Some(Level::Basis), _) => Group::Lager,
        _ => Group::Secundair,
    }
}

/// The letters of other absences, as often as they stand here.
const fn letters(group: Group) -> &'static [&'static str] {
    match group {
        Group::Young => &["A"],
        Group::Five => &["P"],
        Group::Lager => &[
            "Z", "Z", "Z", "Z", "Z", "D", "D", "D", "D", "R", "R", "P", "P", "L", "R", "U",
        ],
        Group::Secundair => &[
            "Z", "Z", "Z", "Z", "D", "D", "D", "D", "D", "R", "R", "P", "P", "L", "C", "M",
        ],
    }
}

/// The half-days B of a whole year. Shares of at least 30: 0.7 % in basis, 3.2 % in secundair; of
/// at least 5: 7 % (`domain.md` §5.5). A little above each, for what falls on local days off.
fn problematic(group: Group, dice: &mut Dice) -> usize {
    let (heavy, middle, light) = match group {
        Group::Young => return 0,
        Group::Five => (0, 10, 40),
        Group::Lager => (7, 63, 80),
        Group::Secundair => (32, 38, 100),
    };
    let lot = dice.below(1000);
    if lot < heavy {
        31 + dice.waiting(18, 120)
    } else if lot < heavy + middle {
        5 + dice.below(24)
    } else if lot < heavy + middle + light {
        dice.between(1, 4)
    } else {
        0
    }
}

fn plan(population: &Population, pupil: &Pupil) -> Vec<Option<&'static str>> {
    let mut dice = Dice::of(population.seed, ABSENCE, pupil.index);
    let group = group(population, pupil);
    let mut year = vec![None; population.lessons.len()];
    // Some four illnesses and the like of one to six half-days: 4 % of the year, the middle of the
    // 3 to 6 % that `domain.md` §5.5 reckons with.
    for _ in 0..dice.between(1, 7) {
        let from = dice.below(year.len());
        let length = dice.between(1, 6);
        // Q is a letter whose meaning is not certain: the hub must ask, not guess.
        let letter = if group == Group::Lager && dice.chance(2) {
            "Q"
        } else {
            dice.pick(letters(group), "Z")
        };
        for half in year.iter_mut().skip(from).take(length) {
            *half = Some(letter);
        }
    }
    let mut wanted = problematic(group, &mut dice).min(year.len() / 2);
    while wanted > 0 {
        let at = dice.below(year.len());
        if let Some(half) = year.get_mut(at).filter(|half| **half != Some("B")) {
            *half = Some("B");
            wanted -= 1;
        }
    }
    year
}
