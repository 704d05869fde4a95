//! The pupils: who they are, where they live and which schools they go to.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};
use hub_entities::law::calendar::Calendar;
use hub_entities::time::{HalfDay, SchoolYear};

use super::dice::Dice;
use super::schools::{Clb, School, Shape};
use super::{HOME, IDENTITY, MOVE, names, number};

/// A synthetic Flanders on one day of one school year.
#[derive(Debug)]
pub struct Population {
    pub(super) seed: u64,
    /// The running school year.
    pub year: SchoolYear,
    /// The day on which the schools were asked: nothing later is known.
    pub today: NaiveDate,
    /// Every half-day with lessons of the year in order, before local days off.
    pub lessons: Vec<HalfDay>,
    /// The CLBs.
    pub clbs: Vec<Clb>,
    /// The schools.
    pub schools: Vec<School>,
    shape: Shape,
    /// By pupil: how many earlier pupils share the date part and the sex of the national number.
    sequences: Vec<u16>,
    /// By school: the pupils that came in during the year.
    arrivals: Vec<Vec<usize>>,
}

/// One pupil (leerling).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pupil {
    /// Position in the population.
    pub index: usize,
    /// Given name (voornaam).
    pub given_name: &'static str,
    /// Family name (naam).
    pub family_name: &'static str,
    /// Sex as OneRoster writes it: `male` or `female`.
    pub sex: &'static str,
    /// The year of birth, always known.
    pub birth_year: i32,
    /// Date of birth; `None` when only the year is known.
    pub birth_date: Option<NaiveDate>,
    /// National or BIS number, eleven digits; `None` for pupils who have neither.
    pub national_number: Option<String>,
    /// Street and number, invented.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// Municipality, invented.
    pub city: String,
    /// Language at home (ISO 639-1).
    pub language: &'static str,
    /// One or two parents.
    pub parents: Vec<Parent>,
    /// The schools of this year, the first one first.
    pub stays: Vec<Stay>,
}

/// A parent as a school lists them (contact).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Given name.
    pub given_name: &'static str,
    /// Family name.
    pub family_name: &'static str,
    /// E-mail address under a domain that cannot exist.
    pub email: String,
    /// Telephone number, invented.
    pub phone: String,
}

/// The time of one pupil at one school in one year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Position of the school.
    pub school: usize,
    /// Position of the class within the school.
    pub class: usize,
    /// The pupil's key in the school's own system.
    pub source_key: String,
    /// Registration number (stamnummer): school year and sequence, unique inside this school only.
    pub stamnummer: String,
    /// The first day.
    pub begins: NaiveDate,
    /// The last day, when the pupil left before today.
    pub last_day: Option<NaiveDate>,
    /// Where the pupil came from during the year.
    pub from: Option<Origin>,
}

/// Where a pupil that arrives during the year comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The school of the stay before.
    Population,
    /// A school that is not part of the population.
    Elsewhere,
}

impl Stay {
    /// Whether the pupil was enrolled on that day.
    pub fn holds(&self, day: NaiveDate) -> bool {
        self.begins <= day && self.last_day.is_none_or(|last| day <= last)
    }
}

/// What is known of a person before numbers are given out.
struct Person {
    school: usize,
    class: usize,
    boy: bool,
    birth_date: NaiveDate,
    papers: Papers,
}

/// What kind of number somebody has (`domain.md` §6.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Papers {
    National,
    /// A national number whose month and day are 00: the birth date is not known.
    WithoutDate,
    /// A BIS number with the sex known: the month is raised by 40.
    Bis,
    Neither,
}

/// Pupils that change school do so in the autumn or the winter, on a lesson day.
const MOVES: std::ops::RangeInclusive<usize> = 25..=120;

impl Population {
    /// The population of this seed on a day of the school year of the calendar.
    pub fn new(shape: Shape, seed: u64, today: NaiveDate, calendar: &Calendar) -> Self {
        let lessons: Vec<_> = calendar.iter().collect();
        let mut days: Vec<_> = lessons.iter().map(|half| half.day).collect();
        days.dedup();
        let schools = shape.build(seed, &days);
        let mut population = Self {
            seed,
            year: calendar.year(),
            today,
            lessons,
            clbs: shape.clbs(),
            arrivals: vec![Vec::new(); schools.len()],
            schools,
            shape,
            sequences: Vec::new(),
        };
        population.hand_out_numbers();
        population.note_arrivals();
        population
    }

    /// How many pupils there are.
    pub fn len(&self) -> usize {
        self.schools.iter().map(|school| school.pupils).sum()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pupils that a school knows today, with the position of their stay there: those that
    /// began the year with it, also when they left since, and those that came in.
    pub fn pupils_of(&self, school: usize) -> impl Iterator<Item = (Pupil, usize)> {
        let own = self
            .schools
            .get(school)
            .map_or(0..0, |school| school.first_pupil..school.first_pupil + school.pupils);
        let arrived = self.arrivals.get(school).map_or(&[][..], Vec::as_slice);
        own.chain(arrived.iter().copied()).filter_map(move |index| {
            let pupil = self.pupil(index);
            let stay = pupil.stays.iter().position(|stay| stay.school == school)?;
            Some((pupil, stay))
        })
    }

    /// One pupil; the same whenever asked.
    pub fn pupil(&self, index: usize) -> Pupil {
        let person = self.person(index);
        let mut dice = Dice::of(self.seed, HOME, index);
        let given_name = dice.pick(if person.boy { &names::BOYS } else { &names::GIRLS }, "Noor");
        let family_name = dice.pick(&names::FAMILIES, "Maes");
        let city = dice.below(names::CITIES.len());
        let known = person.papers != Papers::WithoutDate;
        Pupil {
            index,
            given_name,
            family_name,
            sex: if person.boy { "male" } else { "female" },
            birth_year: person.birth_date.year(),
            birth_date: known.then_some(person.birth_date),
            national_number: self.national_number(&person, index),
            street: format!(
                "{}{} {}",
                dice.pick(&names::STREET_HEADS, "Knikker"),
                dice.pick(&names::STREET_TAILS, "straat"),
                dice.between(1, 180)
            ),
            postal_code: names::postal_code(city),
            city: names::CITIES.get(city).copied().unwrap_or("Klaverdonk").to_owned(),
            language: dice.pick(&names::LANGUAGES, "nl"),
            parents: (0..dice.between(1, 2))
                .map(|parent| Parent {
                    given_name: dice.pick(&names::PARENTS, "An"),
                    family_name: if parent == 0 {
                        family_name
                    } else {
                        dice.pick(&names::FAMILIES, "Maes")
                    },
                    email: format!("ouder{}.{index}@clb-hub.invalid", parent + 1),
                    phone: format!("+32 400 {:06}", dice.below(1_000_000)),
                })
                .collect(),
            stays: self.stays(&person, index),
        }
    }

    fn person(&self, index: usize) -> Person {
        let school_index = self
            .schools
            .partition_point(|school| school.first_pupil + school.pupils <= index);
        let mut dice = Dice::of(self.seed, IDENTITY, index);
        let (class, age) = self.schools.get(school_index).map_or((0, 12), |school| {
            let class = (index - school.first_pupil) % school.classes.len().max(1);
            let grade = school.classes.get(class).map_or(0, |class| class.grade);
            (class, school.level.age(grade))
        });
        // One in thirty repeated a year.
        let age = i32::try_from(age).unwrap_or(12) + i32::from(dice.chance(33));
        let first = NaiveDate::from_ymd_opt(i32::from(self.year.0) - age, 1, 1).unwrap_or_default();
        let day = u64::try_from(dice.below(365)).unwrap_or_default();
        let birth_date = first.checked_add_days(chrono::Days::new(day)).unwrap_or(first);
        let boy = dice.chance(512);
        let papers = match dice.below(1000) {
            0..10 => Papers::WithoutDate,
            10..25 => Papers::Bis,
            25..45 => Papers::Neither,
            _ => Papers::National,
        };
        Person {
            school: school_index,
            class,
            boy,
            birth_date,
            papers,
        }
    }

    /// Counts, in the order of the pupils, who shares the date part: sequence numbers never repeat.
    fn hand_out_numbers(&mut self) {
        let mut taken: HashMap<(i32, String, bool), u16> = HashMap::new();
        self.sequences = (0..self.len())
            .map(|index| {
                let person = self.person(index);
                let Some(six) = six_digits(&person) else { return 0 };
                let next = taken.entry((person.birth_date.year(), six, person.boy)).or_default();
                *next += 1;
                *next - 1
            })
            .collect();
    }

    fn national_number(&self, person: &Person, index: usize) -> Option<String> {
        let six = six_digits(person)?;
        let earlier = self.sequences.get(index).copied().unwrap_or_default();
        // Odd for men from 001 to 997, even for women from 002 to 998.
        let sequence = 2 * earlier + if person.boy { 1 } else { 2 };
        (sequence <= 998).then(|| number::compose(person.birth_date.year() >= 2000, &six, sequence))
    }

    fn note_arrivals(&mut self) {
        for index in 0..self.len() {
            let person = self.person(index);
            for stay in self.stays(&person, index).into_iter().skip(1) {
                if let Some(arrived) = self.arrivals.get_mut(stay.school) {
                    arrived.push(index);
                }
            }
        }
    }

    /// The schools of the year as far as they are known today.
    fn stays(&self, person: &Person, index: usize) -> Vec<Stay> {
        let mut dice = Dice::of(self.seed, MOVE, index);
        let lot = dice.below(1000);
        let on = self
            .lessons
            .get(dice.between(*MOVES.start() * 2, *MOVES.end() * 2))
            .map(|half| half.day);
        let happened = on.filter(|on| *on <= self.today);
        let mut first = self.stay(person.school, person.class, index, self.year.first_day());
        let moves = lot < self.shape.movers_per_mille;
        let arrives = !moves && lot < self.shape.movers_per_mille + self.shape.arrivals_per_mille;
        match happened {
            Some(on) if moves => {
                let Some(other) = self.other_school(person.school, &mut dice) else {
                    return vec![first];
                };
                first.last_day = on.pred_opt();
                let mut second = self.stay(other, person.class, index, on);
                second.from = Some(Origin::Population);
                vec![first, second]
            }
            Some(on) if arrives => {
                first.begins = on;
                first.from = Some(Origin::Elsewhere);
                vec![first]
            }
            // Who comes from elsewhere after today is not known yet.
            None if arrives => Vec::new(),
            _ => vec![first],
        }
    }

    fn stay(&self, school: usize, class: usize, index: usize, begins: NaiveDate) -> Stay {
        let (institution, classes) = self.schools.get(school).map_or(("", 1), |school| {
            (school.institution_number.as_str(), school.classes.len())
        });
        Stay {
            school,
            class: class % classes.max(1),
            source_key: format!("L{institution}{index:06}"),
            stamnummer: format!("{:02}{:05}", self.year.0.rem_euclid(100), index % 100_000),
            begins,
            last_day: None,
            from: None,
        }
    }

    /// Another school of the same level.
    fn other_school(&self, than: usize, dice: &mut Dice) -> Option<usize> {
        let level = self.schools.get(than)?.level;
        let others: Vec<_> = self
            .schools
            .iter()
            .enumerate()
            .filter(|(position, school)| *position != than && school.level == level)
            .map(|(position, _)| position)
            .collect();
        others.get(dice.below(others.len())).copied()
    }
}

/// The date part of the number, if there is one.
fn six_digits(person: &Person) -> Option<String> {
    let date = person.birth_date;
    let year = date.year().rem_euclid(100);
    match person.papers {
        Papers::National => Some(format!("{year:02}{:02}{:02}", date.month(), date.day())),
        Papers::Bis => Some(format!("{year:02}{:02}{:02}", date.month() + 40, date.day())),
        Papers::WithoutDate => Some(format!("{year:02}0000")),
        Papers::Neither => None,
    }
}
