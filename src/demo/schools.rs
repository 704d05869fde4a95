//! The CLBs, schools and classes of a synthetic Flanders.

use chrono::NaiveDate;

use super::dice::Dice;
use super::names;

/// What a school teaches; it decides the grades, the ages and the absence letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Kleuter and lager (basisonderwijs): three and six grades.
    Basis,
    /// Secondary (secundair onderwijs): six grades.
    Secundair,
}

impl Level {
    /// The number of grades.
    pub const fn grades(self) -> usize {
        match self {
            Self::Basis => 9,
            Self::Secundair => 6,
        }
    }

    /// The age that most pupils of this grade (from 0) turn in the calendar year in which the
    /// school year begins: first kleuter 3, first lager 6, first secundair 12.
    pub const fn age(self, grade: usize) -> usize {
        match self {
            Self::Basis => 3 + grade,
            Self::Secundair => 12 + grade,
        }
    }

    /// The grade (from 0) as OneRoster writes it: a code of CEDS, where kleuter comes before the first grade and secundair
    /// begins with the seventh.
    pub fn grade_code(self, grade: usize) -> String {
        const KLEUTER: [&str; 3] = ["PR", "PK", "KG"];
        match self {
            Self::Basis => KLEUTER
                .get(grade)
                .map_or_else(|| format!("{:02}", grade.saturating_sub(2)), |code| (*code).to_owned()),
            Self::Secundair => format!("{:02}", grade.saturating_add(7)),
        }
    }

    fn class_title(self, grade: usize, parallel: usize) -> String {
        let letter = char::from_u32(u32::try_from(parallel % 26).unwrap_or_default() + u32::from('A')).unwrap_or('A');
        let round = if parallel < 26 {
            String::new()
        } else {
            (parallel / 26 + 1).to_string()
        };
        match self {
            Self::Basis if grade < 3 => format!("K{}{letter}{round}", grade + 1),
            Self::Basis => format!("L{}{letter}{round}", grade - 2),
            Self::Secundair => format!("{}{letter}{round}", grade + 1),
        }
    }
}

/// A pupil guidance centre (CLB).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clb {
    /// Institution number (instellingsnummer): six digits, in a range no real institution has.
    pub institution_number: String,
    /// Its name.
    pub name: String,
}

/// A class (klas) of the running school year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its key in the school's own system.
    pub source_key: String,
    /// Its name, such as `3B`.
    pub title: String,
    /// The grade, from 0.
    pub grade: usize,
}

/// The version of OneRoster that a school's software writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneRoster {
    /// 1.1: thirteen files, the role stands with the user.
    V11,
    /// 1.2: twenty-one files, roles have a file of their own.
    V12,
}

/// A school of the synthetic Flanders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct School {
    /// Institution number (instellingsnummer): six digits, in a range no real institution has.
    pub institution_number: String,
    /// Its name.
    pub name: String,
    /// Its municipality, invented.
    pub city: String,
    /// The postal code of that municipality.
    pub postal_code: String,
    /// What it teaches.
    pub level: Level,
    /// The position of its CLB in the population.
    pub clb: usize,
    /// The version of its roster package.
    pub one_roster: OneRoster,
    /// Local days off (facultatieve verlofdagen, pedagogische studiedagen; `domain.md` §6.3).
    pub days_off: Vec<NaiveDate>,
    /// Its classes.
    pub classes: Vec<Class>,
    /// The first pupil that begins the school year here.
    pub first_pupil: usize,
    /// How many pupils begin the school year here.
    pub pupils: usize,
}

/// What a population consists of, before any dice are thrown.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many CLBs; the schools are dealt to them in equal runs.
    pub clbs: usize,
    /// The schools in order.
    pub schools: Vec<SchoolPlan>,
    /// The institution number of the first school; the CLBs follow 9,000 higher.
    pub first_institution: usize,
    /// How many of 1,000 pupils change school during the year.
    pub movers_per_mille: usize,
    /// How many of 1,000 pupils come from a school outside the population during the year.
    pub arrivals_per_mille: usize,
    /// Whether schools have local days off.
    pub local_days_off: bool,
}

/// One school of a [`Shape`].
#[derive(Debug, Clone, Copy)]
pub struct SchoolPlan {
    /// What it teaches.
    pub level: Level,
    /// How many pupils.
    pub pupils: usize,
    /// How many classes; the pupils are dealt to them evenly.
    pub classes: usize,
}

impl Shape {
    /// The demo: 2 CLBs, 12 schools, 4,000 pupils in the proportion of `domain.md` §5.4
    /// (kleuter and lager 59 %, secundair 41 %).
    pub fn demo() -> Self {
        use Level::{Basis, Secundair};
        let plans = [
            (Basis, 300),
            (Secundair, 300),
            (Basis, 380),
            (Secundair, 340),
            (Basis, 320),
            (Basis, 360),
            (Secundair, 324),
            (Basis, 340),
            (Secundair, 316),
            (Basis, 330),
            (Secundair, 340),
            (Basis, 350),
        ];
        Self {
            clbs: 2,
            schools: plans
                .into_iter()
                .map(|(level, pupils)| SchoolPlan {
                    level,
                    pupils,
                    classes: level.grades() * 2,
                })
                .collect(),
            first_institution: 990_001,
            movers_per_mille: 15,
            arrivals_per_mille: 8,
            local_days_off: true,
        }
    }

    pub(super) fn clbs(&self) -> Vec<Clb> {
        (0..self.clbs)
            .map(|clb| Clb {
                institution_number: format!("{:06}", self.first_institution + 9000 + clb),
                name: format!("CLB {}", city(clb)),
            })
            .collect()
    }

    /// The schools. Their days off are drawn among the days with lessons.
    pub(super) fn build(&self, seed: u64, lesson_days: &[NaiveDate]) -> Vec<School> {
        let per_clb = self.schools.len().div_ceil(self.clbs.max(1)).max(1);
        let mut first_pupil = 0;
        let mut schools = Vec::with_capacity(self.schools.len());
        for (position, plan) in self.schools.iter().enumerate() {
            let mut dice = Dice::of(seed, super::SCHOOL, position);
            let institution_number = format!("{:06}", self.first_institution + position);
            let kind = match plan.level {
                Level::Basis => "Basisschool",
                Level::Secundair => "Secundaire school",
            };
            let classes = (0..plan.classes.max(1))
                .map(|class| {
                    let grade = class % plan.level.grades();
                    Class {
                        source_key: format!("K{institution_number}{class:03}"),
                        title: plan.level.class_title(grade, class / plan.level.grades()),
                        grade,
                    }
                })
                .collect();
            schools.push(School {
                name: format!("{kind} De {} {}", flower(position), position + 1),
                city: city(position).to_owned(),
                postal_code: names::postal_code(position % names::CITIES.len()),
                level: plan.level,
                clb: position / per_clb,
                one_roster: if position % 2 == 0 {
                    OneRoster::V12
                } else {
                    OneRoster::V11
                },
                days_off: days_off(&mut dice, plan.level, self.local_days_off, lesson_days),
                classes,
                first_pupil,
                pupils: plan.pupils,
                institution_number,
            });
            first_pupil += plan.pupils;
        }
        schools
    }
}

/// Secondary schools have 2 optional days off, others 2 and one or two study days (`domain.md` §6.3).
fn days_off(dice: &mut Dice, level: Level, wanted: bool, lesson_days: &[NaiveDate]) -> Vec<NaiveDate> {
    let count = match level {
        _ if !wanted => 0,
        Level::Secundair => 2,
        Level::Basis => 3 + dice.below(2),
    };
    let mut days: Vec<_> = (0..count)
        .filter_map(|_| lesson_days.get(dice.below(lesson_days.len())).copied())
        .collect();
    days.sort_unstable();
    days.dedup();
    days
}

fn city(position: usize) -> &'static str {
    names::CITIES
        .get(position % names::CITIES.len())
        .copied()
        .unwrap_or("Lindervoorde")
}

fn flower(position: usize) -> &'static str {
    const FLOWERS: [&str; 7] = [
        "Klaproos",
        "Zonnebloem",
        "Boterbloem",
        "Korenbloem",
        "Dotterbloem",
        "Sleutelbloem",
        "Akelei",
    ];
    FLOWERS.get(position % FLOWERS.len()).copied().unwrap_or("Klaproos")
}
