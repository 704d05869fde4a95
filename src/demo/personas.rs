//! Who signs in to the demo.

use hub_entities::operation::{Discipline, Role};

use super::population::Population;

/// Someone who signs in to the demo.
#[derive(Debug, Clone, Copy)]
pub struct Persona {
    /// The subject of the tokens.
    pub name: &'static str,
    /// The one acting role.
    pub role: Role,
    /// For whom.
    pub acts_for: ActsFor,
}

/// For whom a persona acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActsFor {
    /// The school at this place.
    School(usize),
    /// The CLB at this place.
    Clb(usize),
    /// The CLB at this place, as a worker of this discipline.
    Team(usize, Discipline),
    /// A pupil: being it, or its parent.
    Pupil(Guided),
    /// Nobody.
    Nobody,
}

/// A pupil who is guided: of this age, at the school at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guided {
    /// In years, on the day that the demo shows when it is begun for the first time.
    pub age: u32,
    /// Of the first CLB. Its systems know a pupil by the key that the population has.
    pub school: usize,
}

/// Whose parents decide.
pub const OF_11: Guided = Guided { age: 11, school: 0 };

/// Who decides.
pub const OF_15: Guided = Guided { age: 15, school: 3 };

const fn persona(name: &'static str, role: Role, acts_for: ActsFor) -> Persona {
    Persona { name, role, acts_for }
}

/// All of them.
pub const PERSONAS: [Persona; 17] = [
    persona("school-client", Role::SchoolClient, ActsFor::School(0)),
    persona("other-school-client", Role::SchoolClient, ActsFor::School(6)),
    persona("care-team", Role::SchoolCareTeam, ActsFor::School(0)),
    persona("data-manager", Role::SchoolDataManager, ActsFor::School(0)),
    persona(
        "clb-worker",
        Role::ClbWorker,
        ActsFor::Team(0, Discipline::SocialWorker),
    ),
    persona(
        "psychologist",
        Role::ClbWorker,
        ActsFor::Team(0, Discipline::Psychologist),
    ),
    persona("doctor", Role::ClbWorker, ActsFor::Team(0, Discipline::Doctor)),
    persona("nurse", Role::ClbWorker, ActsFor::Team(0, Discipline::Nurse)),
    persona("clb-director", Role::ClbDirector, ActsFor::Clb(0)),
    persona("administration", Role::ClbAdministration, ActsFor::Clb(0)),
    persona(
        "other-clb-worker",
        Role::ClbWorker,
        ActsFor::Team(1, Discipline::SocialWorker),
    ),
    persona("chat-worker", Role::ClbChatWorker, ActsFor::Clb(0)),
    persona("pupil-11", Role::Pupil, ActsFor::Pupil(OF_11)),
    persona("pupil-15", Role::Pupil, ActsFor::Pupil(OF_15)),
    persona("parent", Role::Parent, ActsFor::Pupil(OF_11)),
    persona("dpo", Role::DataProtectionOfficer, ActsFor::Clb(0)),
    persona("operator", Role::Operator, ActsFor::Nobody),
];

impl Guided {
    /// The key by which this school's systems know such a pupil: of those who are there all year, the one who stays of this
    /// age for longest.
    pub fn key(self, population: &Population) -> Option<String> {
        let of_age = population.pupils_of(self.school).filter_map(|(pupil, _)| {
            let [stay] = pupil.stays.as_slice() else { return None };
            let all_year = stay.from.is_none() && stay.last_day.is_none();
            let born = pupil.birth_date.filter(|_| all_year)?;
            let is_of_age = population.today.years_since(born) == Some(self.age);
            is_of_age.then(|| (born, stay.source_key.clone()))
        });
        of_age.max().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hub_entities::law::Laws;
    use hub_entities::time::SchoolYear;

    use super::*;
    use crate::demo::parties::Way;
    use crate::demo::schools::Shape;
    use crate::demo::today::days_behind;

    #[test]
    fn each_has_a_name_of_its_own_and_guided_pupils_are_of_the_first_clb() {
        let names: BTreeSet<&str> = PERSONAS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), PERSONAS.len());
        let calendar = Laws::embedded().unwrap().calendar(SchoolYear(2026));
        let population = Population::new(Shape::demo(), 20_260_901, "2026-11-27".parse().unwrap(), &calendar);
        for guided in [OF_11, OF_15] {
            assert_eq!(population.schools[guided.school].clb, 0);
            // In Smartschool alone a pupil has another key.
            assert_ne!(Way::of(guided.school), Way::Smartschool);
        }
    }

    // Whatever day the demo shows, somebody is eleven and somebody fifteen.
    #[test]
    fn there_is_one_on_every_day() {
        let laws = Laws::embedded().unwrap();
        let begins: chrono::NaiveDate = "2026-11-27".parse().unwrap();
        for real in begins.iter_days().take(400).step_by(7) {
            let today = real - chrono::TimeDelta::days(days_behind(real));
            let calendar = laws.calendar(SchoolYear::of(today));
            let population = Population::new(Shape::demo(), 20_260_901, today, &calendar);
            for guided in [OF_11, OF_15] {
                let key = guided.key(&population).unwrap_or_else(|| panic!("nobody on {today}"));
                let (pupil, stay) = population
                    .pupils_of(guided.school)
                    .find(|(pupil, stay)| pupil.stays[*stay].source_key == key)
                    .unwrap();
                assert!(pupil.stays[stay].holds(today));
                let born = pupil.birth_date.unwrap();
                let birthday = |years: u32| born.checked_add_months(chrono::Months::new(12 * years)).unwrap();
                assert!(
                    (birthday(guided.age)..birthday(guided.age + 1)).contains(&today),
                    "{today}"
                );
            }
        }
    }
}
