//! The agreement filter: what was not agreed goes no further than this file (design §3).

use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::policy::{Reach, Scope};

/// Whether an agreement in force lets the hub keep anything of absences.
pub(super) fn keeps_absences(scope: &Scope) -> bool {
    match scope.reach() {
        Reach::Source { agreed, .. } => agreed.has(Category::Truancy) || agreed.has(Category::Attendance),
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
    fn a_dropped_category_is_told() {
        let mut dropped = Categories::NONE;
        let agreed = Categories::NONE.with(Category::Identity);
        assert_eq!(keep(Some("x"), Category::Identity, agreed, &mut dropped), Some("x"));
        assert_eq!(keep(Some("x"), Category::Address, agreed, &mut dropped), None);
        assert_eq!(keep(None::<&str>, Category::Contact, agreed, &mut dropped), None);
        assert_eq!(dropped, Categories::NONE.with(Category::Address));
    }
}
