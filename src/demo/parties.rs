//! What the demo registers, by the same path as an operator: its parties, their sources and what they agreed.

use hub_entities::category::Categories;
use hub_entities::operation::Role;

use super::population::Population;
use crate::register::{Agreement, Clb, File, Principal, School, Source, Who};

/// How what a school knows comes to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Its roster from a OneRoster system, its half-days from Smartschool, joined by the number in the school's register
    /// (stamnummer).
    Pair,
    /// Both from Smartschool.
    Smartschool,
    /// Its software brings both in by itself.
    Software,
}

impl Way {
    /// That of the school at a place of the demo: of six schools one has software that pushes, one has Smartschool alone,
    /// and four have both systems.
    pub const fn of(place: usize) -> Self {
        match place % 6 {
            0 => Self::Software,
            1 => Self::Smartschool,
            _ => Self::Pair,
        }
    }
}

/// Who signs for a school or a CLB.
pub fn signer(role: Role, institution_number: &str) -> String {
    format!("{role}-{institution_number}")
}

/// The CLBs and schools of a population with these sources, and an agreement on what `agreed` says for the school at a
/// place, signed by a data manager and a director of each.
pub fn parties(
    population: &Population,
    sources: Vec<Source>,
    issuer: &str,
    agreed: impl Fn(usize) -> Categories,
) -> File {
    let who = |role: Role, number: &str| Who {
        issuer: issuer.to_owned(),
        subject: signer(role, number),
    };
    let signs = |role: Role, number: &str, (school, clb): (Option<&str>, Option<&str>)| Principal {
        line: 0,
        who: who(role, number),
        role,
        school: school.map(str::to_owned),
        clb: clb.map(str::to_owned),
        discipline: None,
        begins_on: None,
        ends_on: None,
    };
    let mut file = File {
        sources,
        ..File::default()
    };
    for clb in &population.clbs {
        let number = &clb.institution_number;
        file.clbs.push(Clb {
            line: 0,
            institution_number: number.clone(),
            name: clb.name.clone(),
            dossiers: None,
        });
        file.principals
            .push(signs(Role::ClbDirector, number, (None, Some(number))));
    }
    for (place, school) in population.schools.iter().enumerate() {
        let number = &school.institution_number;
        let Some(clb) = population.clbs.get(school.clb) else {
            continue;
        };
        file.schools.push(School {
            line: 0,
            institution_number: number.clone(),
            name: school.name.clone(),
            city: school.city.clone(),
            days_off: school.days_off.clone(),
        });
        file.principals
            .push(signs(Role::SchoolDataManager, number, (Some(number), None)));
        file.agreements.push(Agreement {
            line: 0,
            school: number.clone(),
            clb: clb.institution_number.clone(),
            categories: agreed(place),
            ground: Some("synthetic pupils of the demo".to_owned()),
            begins_on: population.year.first_day(),
            school_first_days: 0,
            early_warning: None,
            releases_to_software: false,
            signed_for_school: who(Role::SchoolDataManager, number),
            signed_for_clb: who(Role::ClbDirector, &clb.institution_number),
        });
    }
    file
}
