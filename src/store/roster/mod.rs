//! Merging a roster: classes, pupils, memberships, and last of all the endings.

mod changed;
mod classes;
mod endings;
mod fresh;
mod memberships;
mod pupils;
mod records;
mod reported;
mod standing;
mod waiting;
mod whole;

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::KeyKind;
use hub_entities::time::SchoolYear;
use sea_orm::{ConnectionTrait, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ledger::lock_pupils_of;
use super::run::Progress;
use super::sql::{list_from, rows};
use super::{Db, DbError};
use crate::store::transaction::Transaction;
pub use classes::merge_classes;
pub(super) use classes::write_classes;
pub use endings::{Ending, end_missing, end_missing_memberships, ending};
pub(super) use endings::{count_ending, write_endings, write_membership_endings};
pub use memberships::merge_memberships;
pub(super) use memberships::{dangling, write_memberships};
pub use pupils::merge_pupils;
pub(super) use pupils::write_pupils;
use reported::write_names;
pub use reported::{
    ReportSaid, end_missing_report_places, forget_reports, may_be_needed, merge_report_classes, merge_report_places,
    schools_with_reports,
};
pub(super) use reported::{write_report_classes, write_report_endings, write_report_places};
pub use standing::{Standing, standing};
pub use waiting::work_off_places;
pub(super) use whole::lock_roster;

/// What a source says of a pupil, already filtered by the agreement: a category that was not agreed
/// is not in here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PupilSaid {
    /// The source says this pupil has left.
    pub gone: bool,
    /// The school's own number for the pupil.
    pub identifier: Option<String>,
    /// Registration number (stamnummer).
    pub stamnummer: Option<String>,
    /// identity.
    pub given_name: Option<String>,
    /// identity.
    pub family_name: Option<String>,
    /// identity.
    pub sex: Option<String>,
    /// identity, folded for sorting.
    pub sort_name: Option<String>,
    /// birth.
    pub birth_date: Option<NaiveDate>,
    /// address.
    pub street: Option<String>,
    /// address.
    pub postal_code: Option<String>,
    /// address.
    pub city: Option<String>,
    /// contact.
    pub contacts: Option<serde_json::Value>,
    /// language.
    pub language: Option<String>,
    /// nationalNumber: the blind index.
    pub national_index: Option<Vec<u8>>,
    /// enrolment: the first day at the school, as the source says it.
    pub begins_on: Option<NaiveDate>,
    /// enrolment: the first day no longer there.
    pub ends_on: Option<NaiveDate>,
    /// enrolment: the first day at the school as it is presumed, where the source says none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presumed: Option<Presumed>,
    /// What no agreement lists and a report must carry all the same: kept apart.
    #[serde(skip_serializing_if = "ReportSaid::is_empty")]
    pub report: ReportSaid,
    /// What this row does not speak of: it stays as it was.
    pub unsaid: Unsaid,
    /// The source does not say that this is a pupil: it holds only for one that is known.
    pub only_if_known: bool,
}

/// A first day at the school that follows from what else is said: the first day in a class, or of the school year.
///
/// Whoever is new or comes back takes it. The day that is known of any other it moves only where it follows from all places
/// in classes, and then to no later day than that of a place that is known: a source need not tell for ever of a place that
/// is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presumed {
    /// The day.
    pub on: NaiveDate,
    /// Whether it is the first of all places in classes, and not of those that changed or of the school year.
    pub of_all: bool,
}

/// The parts that a row of a delta may leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unsaid {
    /// Names, numbers, contacts.
    pub person: bool,
    /// Date of birth and sex.
    pub birth: bool,
    /// The school, its begin and end.
    pub schools: bool,
}

impl PupilSaid {
    /// Whether it says nothing of whom nobody knows: nobody leaves who is not there.
    const fn needs_no_record(&self) -> bool {
        self.gone || self.only_if_known
    }

    /// SHA-256 of what a record holds of it: the same row again changes nothing (R41), and neither does one of a delta,
    /// completed, that says the same in fewer words. How the pupil is enrolled is compared with what stands.
    fn content_hash(&self) -> Result<Vec<u8>, DbError> {
        let Self {
            gone: _,
            identifier,
            stamnummer,
            given_name,
            family_name,
            sex,
            sort_name,
            birth_date,
            street,
            postal_code,
            city,
            contacts,
            language,
            national_index,
            begins_on: _,
            ends_on: _,
            presumed: _,
            report,
            unsaid: _,
            only_if_known: _,
        } = self;
        let person = (
            identifier,
            stamnummer,
            given_name,
            family_name,
            sex,
            sort_name,
            birth_date,
        );
        let others = (street, postal_code, city, contacts, language, national_index, report);
        let bytes = serde_json::to_vec(&(person, others)).map_err(|_never| DbError::Unreadable {
            column: "staged_row.body",
        })?;
        Ok(Sha256::digest(bytes).to_vec())
    }
}

/// What a source says of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSaid {
    /// Its label.
    pub name: String,
    /// Grade as the source gives it.
    pub grade: Option<String>,
    /// The school year it exists in.
    pub school_year: SchoolYear,
}

/// What a source says of a place in a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipSaid {
    /// The source says it has ended.
    pub gone: bool,
    /// The class, by its key in the source.
    pub class_key: String,
    /// The pupil, by its key in the source.
    pub pupil_key: String,
    /// The first day.
    pub begins_on: Option<NaiveDate>,
    /// The first day no longer a member.
    pub ends_on: Option<NaiveDate>,
}

impl MembershipSaid {
    /// From which day on whatever the same key named before is over: where it is gone, or another place begins.
    fn over_from(&self, today: NaiveDate) -> NaiveDate {
        if self.gone {
            self.ends_on.map_or(today, |ends| ends.min(today))
        } else {
            self.begins_on.unwrap_or(today)
        }
    }
}

fn school_of(scope: &Scope) -> Result<SchoolId, DbError> {
    match scope.reach() {
        Reach::Source { school, .. } => Ok(*school),
        _ => Err(DbError::OutOfScope),
    }
}

/// The pupils of these records, under their locks.
async fn locked(db: &Db, tx: &Transaction, school: SchoolId, records: &[RecordId]) -> Result<Vec<PupilId>, DbError> {
    let pupils = lock_pupils_of(db, tx, school, records).await?;
    let pupils: BTreeSet<PupilId> = pupils.into_values().collect();
    Ok(pupils.into_iter().collect())
}

/// What rows changed, in their order.
#[derive(Debug, Default)]
struct Noted {
    progress: Progress,
    changed: Vec<bool>,
}

impl Noted {
    fn add(&mut self, changed: bool) {
        let counter = if changed {
            &mut self.progress.changed
        } else {
            &mut self.progress.unchanged
        };
        *counter = counter.saturating_add(1);
        self.changed.push(changed);
    }
}

/// What a record holds of what is said: `identifier, stamnummer, given_name, family_name, sex, sort_name, birth_date, street,
/// postal_code, city, contacts, language, national_index`.
fn columns(pupil: &PupilSaid) -> Vec<Value> {
    vec![
        pupil.identifier.clone().into(),
        pupil.stamnummer.clone().into(),
        pupil.given_name.clone().into(),
        pupil.family_name.clone().into(),
        pupil.sex.clone().into(),
        pupil.sort_name.clone().into(),
        pupil.birth_date.into(),
        pupil.street.clone().into(),
        pupil.postal_code.clone().into(),
        pupil.city.clone().into(),
        pupil.contacts.clone().into(),
        pupil.language.clone().into(),
        pupil.national_index.clone().into(),
    ]
}

/// The records of the scope's school by the key that its rows use. A key that two pupils share names neither.
pub async fn keys(db: &Db, scope: &Scope, by: KeyKind) -> Result<HashMap<String, (RecordId, PupilId)>, DbError> {
    keys_among(db.reader(), scope, by, None).await
}

/// The same of these keys alone, where some are given.
pub(super) async fn keys_among<C: ConnectionTrait>(
    db: &C,
    scope: &Scope,
    by: KeyKind,
    among: Option<Vec<String>>,
) -> Result<HashMap<String, (RecordId, PupilId)>, DbError> {
    let school = school_of(scope)?;
    let column = by.name();
    let mut text = format!("select {column}, id, pupil_id from record where school_id = ? and {column} is not null");
    let mut values: Vec<Value> = vec![school.into()];
    if let Some(among) = among {
        text = format!("{text} and {column} in ?");
        values.push(list_from(among));
    }
    let mut known: HashMap<String, (RecordId, PupilId)> = HashMap::new();
    let mut shared: Vec<String> = Vec::new();
    for row in rows(db, &text, values).await? {
        let found = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        if known.insert(row.try_get_by_index(0)?, found).is_some() {
            shared.push(row.try_get_by_index(0)?);
        }
    }
    for key in shared {
        known.remove(&key);
    }
    Ok(known)
}
