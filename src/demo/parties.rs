//! What the demo registers, by the same path as an operator: its parties, their sources and what they agreed.

use hub_connectors::absences::{AbsenceFormat, ColumnMap, DeleteMarker, PupilKey};
use hub_connectors::connection::Connection;
use hub_entities::category::Categories;
use hub_entities::operation::Role;
use hub_entities::time::SchoolYear;

use super::files::{DELETED, Manifest, SchoolFiles};
use crate::register::{Agreement, Clb, File, Principal, School, Source, Who};

/// The name of each school's source.
pub const SOURCE: &str = "files";

/// How the demo's schools write their absences.
pub fn absence_format() -> AbsenceFormat {
    AbsenceFormat::Csv(Box::new(ColumnMap {
        key: PupilKey::SourcedId,
        delete: Some(DeleteMarker {
            column: "code".to_owned(),
            value: DELETED.to_owned(),
        }),
        ..ColumnMap::default()
    }))
}

/// The CLBs and schools of a manifest, a source for each school, and an agreement on what `agreed` says for the school at
/// a place, signed by a data manager and a director of each.
pub fn parties(manifest: &Manifest, issuer: &str, agreed: fn(usize) -> Categories) -> File {
    let who = |role: Role, number: &str| Who {
        issuer: issuer.to_owned(),
        subject: format!("{role}-{number}"),
    };
    let signer = |role: Role, number: &str, (school, clb): (Option<&str>, Option<&str>)| Principal {
        line: 0,
        who: who(role, number),
        role,
        school: school.map(str::to_owned),
        clb: clb.map(str::to_owned),
        discipline: None,
        begins_on: None,
        ends_on: None,
    };
    let mut file = File::default();
    for clb in &manifest.clbs {
        let number = &clb.institution_number;
        file.clbs.push(Clb {
            line: 0,
            institution_number: number.clone(),
            name: clb.name.clone(),
            dossiers: None,
        });
        file.principals
            .push(signer(Role::ClbDirector, number, (None, Some(number))));
    }
    for (place, school) in manifest.schools.iter().enumerate() {
        let SchoolFiles {
            institution_number: number,
            clb,
            ..
        } = school;
        file.schools.push(School {
            line: 0,
            institution_number: number.clone(),
            name: school.name.clone(),
            city: school.city.clone(),
            days_off: school.days_off.clone(),
        });
        file.sources.push(Source {
            line: 0,
            school: number.clone(),
            name: SOURCE.to_owned(),
            letters: "school".to_owned(),
            overrides: Vec::new(),
            files: Connection {
                absences: absence_format(),
                ..Connection::default()
            },
        });
        file.principals
            .push(signer(Role::SchoolDataManager, number, (Some(number), None)));
        file.agreements.push(Agreement {
            line: 0,
            school: number.clone(),
            clb: clb.clone(),
            categories: agreed(place),
            ground: Some("synthetic pupils of the demo".to_owned()),
            begins_on: SchoolYear::of(manifest.today).first_day(),
            school_first_days: 0,
            early_warning: None,
            signed_for_school: who(Role::SchoolDataManager, number),
            signed_for_clb: who(Role::ClbDirector, clb),
        });
    }
    file
}
