//! Merging a roster: classes, pupils, memberships, and last of all the endings.

mod endings;
mod enrolments;
mod fresh;
mod memberships;
mod reported;
mod standing;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::pupil::record;
use hub_entities::source::KeyKind;
use hub_entities::time::SchoolYear;
use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::competence::derive_again;
use super::ledger::{Work, reevaluate};
use super::merge::merge;
use super::run::{Progress, advance};
use super::sql::{execute, list_from, row, rows};
use super::{Db, DbError};
pub use endings::{Ending, Place, end_missing, end_missing_memberships, ending, open_places};
pub(super) use endings::{count_ending, write_endings, write_membership_endings};
use enrolments::{end_enrolments, enrol};
use fresh::Fresh;
pub use memberships::merge_memberships;
pub(super) use memberships::{dangling, write_memberships};
pub use reported::{
    ReportSaid, end_missing_report_places, forget_reports, may_be_needed, merge_report_classes, merge_report_places,
    schools_with_reports,
};
use reported::{name_of, write_names};
pub(super) use reported::{write_report_classes, write_report_endings, write_report_places};
pub use standing::{Standing, standing};
pub use waiting::work_off_places;

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
    /// enrolment: the first day at the school.
    pub begins_on: Option<NaiveDate>,
    /// enrolment: the first day no longer there.
    pub ends_on: Option<NaiveDate>,
    /// What no agreement lists and a report must carry all the same: kept apart.
    #[serde(skip_serializing_if = "ReportSaid::is_empty")]
    pub report: ReportSaid,
    /// What this row does not speak of: it stays as it was.
    pub unsaid: Unsaid,
    /// The source does not say that this is a pupil: it holds only for one that is known.
    pub only_if_known: bool,
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
    /// SHA-256 of all it says: the same row again changes nothing (R41).
    fn content_hash(&self) -> Result<Vec<u8>, DbError> {
        let bytes = serde_json::to_vec(self).map_err(|_never| DbError::Unreadable {
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

fn school_of(scope: &Scope) -> Result<SchoolId, DbError> {
    match scope.reach() {
        Reach::Source { school, .. } => Ok(*school),
        _ => Err(DbError::OutOfScope),
    }
}

/// Merges classes of the scope's school.
pub async fn merge_classes(
    db: &Db,
    work: Work<'_>,
    said: &[(String, ClassSaid)],
    cursor: Option<String>,
) -> Result<Progress, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (progress, _) = write_classes(&tx, &work, said).await?;
    advance(&tx, work.run, cursor, progress).await?;
    tx.commit().await?;
    Ok(progress)
}

/// The same within a transaction that holds the lease of the source already; says of each whether it changed something.
pub(super) async fn write_classes(
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    said: &[(String, ClassSaid)],
) -> Result<(Progress, Vec<bool>), DbError> {
    let school = school_of(work.scope)?;
    let mut noted = Noted::default();
    for (key, class) in said {
        let values: Vec<Value> = vec![
            work.ids.next(work.now).into(),
            school.into(),
            class.school_year.into(),
            key.clone().into(),
            class.name.clone().into(),
            class.grade.clone().into(),
        ];
        let changed = execute(
            tx,
            "insert into class_group (id, school_id, school_year, source_key, name, grade) values (?, ?, ?, ?, ?, ?)
             on conflict (school_id, school_year, source_key)
             do update set name = excluded.name, grade = excluded.grade
             where class_group.name <> excluded.name
             or coalesce(class_group.grade, '') <> coalesce(excluded.grade, '')",
            values,
        )
        .await?;
        noted.add(changed > 0);
    }
    Ok((noted.progress, noted.changed))
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

/// Merges pupils of the scope's school: their records, enrolments, ties to CLBs, and what follows.
pub async fn merge_pupils(
    db: &Db,
    work: Work<'_>,
    said: &[(String, PupilSaid)],
    cursor: Option<String>,
) -> Result<Progress, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (progress, _) = write_pupils(db, &tx, &work, said).await?;
    advance(&tx, work.run, cursor, progress).await?;
    tx.commit().await?;
    Ok(progress)
}

/// The same within a transaction that holds the lease of the source already; says of each whether it changed something.
pub(super) async fn write_pupils(
    db: &Db,
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    said: &[(String, PupilSaid)],
) -> Result<(Progress, Vec<bool>), DbError> {
    let school = school_of(work.scope)?;
    let mut noted = Noted::default();
    let keys: Vec<&str> = said.iter().map(|(key, _)| key.as_str()).collect();
    lock_for(db, tx, school, said, &keys).await?;
    let known = records_of(tx, school, &keys).await?;

    let mut touched: BTreeSet<PupilId> = BTreeSet::new();
    let mut born_again: BTreeSet<PupilId> = BTreeSet::new();
    let mut same_person: Vec<(PupilId, PupilId)> = Vec::new();
    let mut fresh = Fresh::default();
    let mut reported = Vec::new();
    for (key, pupil) in said {
        let before = known.get(key.as_str());
        let completed = match before {
            Some(record) if pupil.unsaid != Unsaid::default() => Some(complete(tx, record.id, pupil).await?),
            _ => None,
        };
        let pupil = completed.as_ref().unwrap_or(pupil);
        let hash = pupil.content_hash()?;
        if pupil.gone {
            let ended = match before {
                Some(record) => end_enrolments(tx, work, record.id, pupil.ends_on).await?,
                None => 0,
            };
            noted.add(ended > 0);
            touched.extend(before.filter(|_| ended > 0).map(|record| record.pupil_id));
            continue;
        }
        if pupil.only_if_known && before.is_none() {
            noted.add(false);
            continue;
        }
        let enrolled = |ends_on| pupil.unsaid.schools || ends_on == pupil.ends_on;
        if before.is_some_and(|record| record.content_hash == hash && enrolled(record.ends_on)) {
            noted.add(false);
            continue;
        }
        noted.add(true);
        let index = pupil.national_index.as_deref();
        let other = match other_pupil(tx, index, before.map(|record| record.id)).await? {
            Some(other) => Some(other),
            None => fresh.of_index(index),
        };
        if let Some(record) = before {
            if record.birth_date != pupil.birth_date {
                born_again.insert(record.pupil_id);
            }
            same_person.extend(
                other
                    .filter(|other| *other != record.pupil_id)
                    .map(|into| (record.pupil_id, into)),
            );
            update_record(tx, work, record.id, pupil, hash).await?;
            reported.push((record.id, pupil.report.clone()));
            if !pupil.unsaid.schools {
                enrol(tx, work, school, record.id, record.pupil_id, pupil).await?;
            }
            touched.insert(record.pupil_id);
        } else {
            // What is known of this person already may count on other days from now on.
            born_again.extend(other.filter(|_| pupil.birth_date.is_some()));
            touched.insert(fresh.add(work, school, other, (key, pupil), hash));
        }
    }
    fresh.write(tx).await?;
    write_names(tx, reported).await?;

    let touched: Vec<PupilId> = touched.into_iter().collect();
    derive_again(tx, work.ids, &touched, work.now).await?;
    let born_again: Vec<PupilId> = born_again.into_iter().collect();
    if !born_again.is_empty() {
        reevaluate(tx, &work.judge(), &born_again, &mut noted.progress).await?;
    }
    // A pupil that was merged a moment ago stands for the one it became.
    let mut became: BTreeMap<PupilId, PupilId> = BTreeMap::new();
    for (from, into) in same_person {
        let (from, into) = (end_of(&became, from), end_of(&became, into));
        if from != into {
            merge(tx, &work.judge(), from, into, &mut noted.progress).await?;
            became.insert(from, into);
        }
    }
    Ok((noted.progress, noted.changed))
}

/// Where a pupil that may have been merged, and merged on, is now.
fn end_of(became: &BTreeMap<PupilId, PupilId>, pupil: PupilId) -> PupilId {
    let mut now = pupil;
    while let Some(next) = became.get(&now) {
        now = *next;
    }
    now
}

/// Locks every pupil that these rows may touch.
///
/// A record may be tied to another pupil between reading and locking, so they are read again after the
/// lock. A blind index that is new has no row to lock yet: two schools that bring the same one at once
/// would make two pupils of one person, so rows with an index are merged by one transaction at a time.
async fn lock_for(
    db: &Db,
    tx: &DatabaseTransaction,
    school: SchoolId,
    said: &[(String, PupilSaid)],
    keys: &[&str],
) -> Result<(), DbError> {
    if said.iter().any(|(_, pupil)| pupil.national_index.is_some()) {
        db.dialect().lock_indexes(tx).await?;
    }
    let mut before = touched_by(tx, school, said, keys).await?;
    loop {
        let pupils: Vec<PupilId> = before.iter().copied().collect();
        if !pupils.is_empty() {
            db.dialect().lock_pupils(tx, &pupils).await?;
        }
        let after = touched_by(tx, school, said, keys).await?;
        if after.is_subset(&before) {
            return Ok(());
        }
        before = after;
    }
}

/// The pupils of these records, and of records elsewhere with the same blind index.
async fn touched_by(
    tx: &DatabaseTransaction,
    school: SchoolId,
    said: &[(String, PupilSaid)],
    keys: &[&str],
) -> Result<BTreeSet<PupilId>, DbError> {
    let text = "select pupil_id from record where school_id = ? and source_key in ?";
    let values = vec![school.into(), list_from(keys.iter().map(|key| (*key).to_owned()))];
    let mut pupils: BTreeSet<PupilId> = BTreeSet::new();
    for row in rows(tx, text, values).await? {
        pupils.insert(row.try_get_by_index(0)?);
    }
    let indexes = list_from(said.iter().filter_map(|(_, pupil)| pupil.national_index.clone()));
    let text = "select pupil_id from record where national_index in ?";
    for row in rows(tx, text, vec![indexes]).await? {
        pupils.insert(row.try_get_by_index(0)?);
    }
    Ok(pupils)
}

/// A record as far as merging needs it.
#[derive(Debug)]
struct KnownRecord {
    id: RecordId,
    pupil_id: PupilId,
    content_hash: Vec<u8>,
    birth_date: Option<NaiveDate>,
    /// Where its latest enrolment ends.
    ends_on: Option<NaiveDate>,
}

async fn records_of(
    tx: &DatabaseTransaction,
    school: SchoolId,
    keys: &[&str],
) -> Result<BTreeMap<String, KnownRecord>, DbError> {
    let text = "select r.source_key, r.id, r.pupil_id, r.content_hash, r.birth_date,
         (select e.ends_on from enrolment e where e.record_id = r.id order by e.begins_on desc limit 1)
         from record r where r.school_id = ? and r.source_key in ?";
    let values = vec![school.into(), list_from(keys.iter().map(|key| (*key).to_owned()))];
    let mut known = BTreeMap::new();
    for row in rows(tx, text, values).await? {
        let record = KnownRecord {
            id: row.try_get_by_index(1)?,
            pupil_id: row.try_get_by_index(2)?,
            content_hash: row.try_get_by_index(3)?,
            birth_date: row.try_get_by_index(4)?,
            ends_on: row.try_get_by_index(5)?,
        };
        known.insert(row.try_get_by_index(0)?, record);
    }
    Ok(known)
}

/// The row with what it does not speak of as it stands.
async fn complete(tx: &DatabaseTransaction, record: RecordId, said: &PupilSaid) -> Result<PupilSaid, DbError> {
    let stands = record::Entity::find_by_id(record).one(tx).await?;
    let stands = stands.ok_or(DbError::Unreadable { column: "record.id" })?;
    let mut whole = said.clone();
    let for_report = name_of(tx, record).await?;
    if said.unsaid.person {
        whole.report.given_name = for_report.given_name;
        whole.report.family_name = for_report.family_name;
        whole.identifier = stands.identifier;
        whole.stamnummer = stands.stamnummer;
        whole.given_name = stands.given_name;
        whole.family_name = stands.family_name;
        whole.sort_name = stands.sort_name;
        whole.street = stands.street;
        whole.postal_code = stands.postal_code;
        whole.city = stands.city;
        whole.contacts = stands.contacts;
        whole.language = stands.language;
        whole.national_index = stands.national_index;
    }
    if said.unsaid.birth {
        whole.report.birth_date = for_report.birth_date;
        whole.birth_date = stands.birth_date;
        whole.sex = stands.sex;
    }
    Ok(whole)
}

/// The pupil of another record with the same blind index, if there is one.
async fn other_pupil(
    tx: &DatabaseTransaction,
    index: Option<&[u8]>,
    but: Option<RecordId>,
) -> Result<Option<PupilId>, DbError> {
    let Some(index) = index else { return Ok(None) };
    let but = but.unwrap_or(RecordId(uuid::Uuid::nil()));
    let values: Vec<Value> = vec![index.to_vec().into(), but.into()];
    let found = row(
        tx,
        "select pupil_id from record where national_index = ? and id <> ? order by pupil_id limit 1",
        values,
    )
    .await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

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

async fn update_record(
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    record: RecordId,
    said: &PupilSaid,
    hash: Vec<u8>,
) -> Result<(), DbError> {
    let mut values = columns(said);
    values.extend::<[Value; 4]>([hash.into(), work.run.into(), work.now.into(), record.into()]);
    execute(
        tx,
        "update record set identifier = ?, stamnummer = ?, given_name = ?, family_name = ?, sex = ?, sort_name = ?,
         birth_date = ?, street = ?, postal_code = ?, city = ?, contacts = ?, language = ?, national_index = ?,
         content_hash = ?, run_id = ?, changed_at = ?, revision = revision + 1
         where id = ?",
        values,
    )
    .await?;
    Ok(())
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
