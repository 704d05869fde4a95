//! The agreement filter: what was not agreed goes no further than this file (design §3).

use hub_connectors::roster::PupilRow;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::policy::{Reach, Scope};

use crate::store::roster::{ReportSaid, may_be_needed};

/// Whether an agreement in force lets the hub keep anything of absences.
pub(super) fn keeps_absences(scope: &Scope) -> bool {
    match scope.reach() {
        Reach::Source { agreed, .. } => may_be_needed(*agreed),
        _ => false,
    }
}

/// Whether an agreement in force lets the hub keep anything of places in classes.
pub(super) fn keeps_places(scope: &Scope) -> bool {
    match scope.reach() {
        Reach::Source { agreed, .. } => agreed.has(Category::Enrolment),
        _ => false,
    }
}

/// What a reading may become on its way to the staging tables.
///
/// Without `attendance` a code other than B is health or private data: it goes on only as "not B",
/// which is what a correction needs. `None` when nothing of absences was agreed.
pub(super) fn reading(said: Reading, agreed: Categories) -> Option<Reading> {
    if agreed.has(Category::Attendance) {
        return Some(said);
    }
    if !agreed.has(Category::Truancy) {
        return None;
    }
    Some(match said {
        Reading::Absent(code) if !code.is_problematic() => Reading::Present,
        other => other,
    })
}

/// A value, if its category was agreed; notes the category as dropped when there was one.
pub(super) fn keep<T>(value: Option<T>, category: Category, agreed: Categories, dropped: &mut Categories) -> Option<T> {
    if value.is_some() && !agreed.has(category) {
        *dropped = dropped.with(category);
        return None;
    }
    value
}

/// The legal minimum of an obligatory report, as far as no agreement lists it: name and date of birth, and only where
/// half-days of absence are kept, so that such a report can come to be due (design §3).
pub(super) fn minimum(row: &PupilRow, agreed: Categories) -> ReportSaid {
    if !may_be_needed(agreed) {
        return ReportSaid::default();
    }
    let name = |text: &str| (!text.is_empty() && !agreed.has(Category::Identity)).then(|| text.to_owned());
    ReportSaid {
        given_name: name(&row.given_name),
        family_name: name(&row.family_name),
        birth_date: row.birth_date.filter(|_| !agreed.has(Category::Birth)),
    }
}

/// Whether the class is of that minimum: where enrolments are agreed, it is where everyone may read it who has it.
pub(super) fn places_for_report(agreed: Categories) -> bool {
    may_be_needed(agreed) && !agreed.has(Category::Enrolment)
}

#[cfg(test)]
mod tests {
    use hub_entities::absence::code::Code;

    use super::*;

    #[test]
    fn sickness_is_not_staged_unless_attendance_was_agreed() {
        let truancy = Categories::default_agreement();
        assert_eq!(reading(Reading::Absent(Code::Z), truancy), Some(Reading::Present));
        assert_eq!(
            reading(Reading::Absent(Code::B), truancy),
            Some(Reading::Absent(Code::B))
        );
        assert_eq!(reading(Reading::Unresolved, truancy), Some(Reading::Unresolved));
        assert_eq!(
            reading(Reading::Absent(Code::Z), truancy.with(Category::Attendance)),
            Some(Reading::Absent(Code::Z))
        );
        assert_eq!(
            reading(Reading::Absent(Code::B), Categories::NONE.with(Category::Identity)),
            None
        );
    }

    #[test]
    fn the_minimum_is_what_a_report_must_carry_and_no_agreement_lists() {
        let row = PupilRow {
            given_name: "An".to_owned(),
            family_name: "Maes".to_owned(),
            birth_date: Some("2012-05-01".parse().unwrap()),
            city: Some("Gent".to_owned()),
            ..PupilRow::default()
        };
        let truancy = Categories::NONE.with(Category::Truancy);
        let all = ReportSaid {
            given_name: Some("An".to_owned()),
            family_name: Some("Maes".to_owned()),
            birth_date: Some("2012-05-01".parse().unwrap()),
        };
        assert_eq!(minimum(&row, truancy), all);
        assert_eq!(minimum(&row, Categories::NONE.with(Category::Attendance)), all);
        let born = ReportSaid {
            birth_date: all.birth_date,
            ..ReportSaid::default()
        };
        assert_eq!(minimum(&row, truancy.with(Category::Identity)), born);
        // All of it is agreed, or nothing of absences is.
        let nothing = ReportSaid::default();
        assert_eq!(minimum(&row, Categories::default_agreement()), nothing);
        assert_eq!(minimum(&row, Categories::NONE.with(Category::Address)), nothing);
        assert!(places_for_report(truancy) && !places_for_report(truancy.with(Category::Enrolment)));
        assert!(!places_for_report(Categories::NONE.with(Category::Address)));
    }

    #[test]
    fn a_dropped_category_is_told() {
        let mut dropped = Categories::NONE;
        let agreed = Categories::NONE.with(Category::Identity);
        assert_eq!(keep(Some("x"), Category::Identity, agreed, &mut dropped), Some("x"));
        assert_eq!(keep(Some("x"), Category::Address, agreed, &mut dropped), None);
        assert_eq!(keep(None::<&str>, Category::Contact, agreed, &mut dropped), None);
        assert_eq!(dropped, Categories::NONE.with(Category::Address));
    }
}
