//! The legal minimum of an obligatory report, where no agreement lists it: kept apart, and no longer than a report may
//! need it. Only `store::read::report` reads it.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{RecordId, SchoolId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::policy::{Reach, Scope};
use sea_orm::{ConnectionTrait, Value};
use serde::{Deserialize, Serialize};

use super::{ClassSaid, MembershipSaid, school_of};
use crate::store::ledger::Work;
use crate::store::sql::{bulk, execute, list, list_from, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// What a source says of a pupil that only a report may carry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSaid {
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
}

impl ReportSaid {
    /// Whether an agreement lists all that is known of it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a report may come to need anything: half-days of absence are kept, so an obligatory signal can arise.
pub fn may_be_needed(agreed: Categories) -> bool {
    agreed.has(Category::Truancy) || agreed.has(Category::Attendance)
}

/// What is kept of these records for their reports; nothing of most.
pub(super) async fn names_of<C: ConnectionTrait>(
    db: &C,
    records: &[RecordId],
) -> Result<HashMap<RecordId, ReportSaid>, DbError> {
    let text = "select record_id, given_name, family_name, birth_date from report_name where record_id in ?";
    let mut names = HashMap::new();
    for row in rows(db, text, vec![list(records)]).await? {
        let said = ReportSaid {
            given_name: row.try_get_by_index(1)?,
            family_name: row.try_get_by_index(2)?,
            birth_date: row.try_get_by_index(3)?,
        };
        names.insert(row.try_get_by_index(0)?, said);
    }
    Ok(names)
}

/// Writes what is said of these records; of whom nothing is said any more, nothing is left.
pub(super) async fn write_names(tx: &Transaction, said: Vec<(RecordId, ReportSaid)>) -> Result<(), DbError> {
    let (gone, kept): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, said)| said.is_empty());
    if !gone.is_empty() {
        let text = "delete from report_name where record_id in ?";
        execute(tx, text, vec![list_from(gone.into_iter().map(|(record, _)| record))]).await?;
    }
    let tuples: Vec<Vec<Value>> = kept
        .into_iter()
        .map(|(record, said)| {
            vec![
                record.into(),
                said.given_name.into(),
                said.family_name.into(),
                said.birth_date.into(),
            ]
        })
        .collect();
    let head = "insert into report_name (record_id, given_name, family_name, birth_date)";
    let tail = "on conflict (record_id) do update set given_name = excluded.given_name,
                family_name = excluded.family_name, birth_date = excluded.birth_date";
    bulk(tx, head, 4, tuples.into_iter(), tail).await
}

/// Merges classes that only a report may name. The same again changes nothing.
pub async fn merge_report_classes(db: &Db, work: Work<'_>, said: Vec<(String, ClassSaid)>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    write_report_classes(&tx, &work, said).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(in crate::store) async fn write_report_classes(
    tx: &Transaction,
    work: &Work<'_>,
    said: Vec<(String, ClassSaid)>,
) -> Result<(), DbError> {
    let school = school_of(work.scope)?;
    let tuples: Vec<Vec<Value>> = said
        .into_iter()
        .map(|(key, class)| vec![school.into(), key.into(), class.school_year.into(), class.name.into()])
        .collect();
    let head = "insert into report_class (school_id, source_key, school_year, name)";
    let tail = "on conflict (school_id, source_key)
                do update set school_year = excluded.school_year, name = excluded.name";
    bulk(tx, head, 4, tuples.into_iter(), tail).await
}

/// Merges places in classes that only a report may tell of: what is there, and not what was.
pub async fn merge_report_places(db: &Db, work: Work<'_>, said: Vec<(String, MembershipSaid)>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    write_report_places(&tx, &work, said).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(in crate::store) async fn write_report_places(
    tx: &Transaction,
    work: &Work<'_>,
    said: Vec<(String, MembershipSaid)>,
) -> Result<(), DbError> {
    let school = school_of(work.scope)?;
    let (gone, there): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, one)| one.gone);
    if !gone.is_empty() {
        let values = vec![school.into(), list_from(gone.into_iter().map(|(key, _)| key))];
        let text = "delete from report_place where school_id = ? and source_key in ?";
        execute(tx, text, values).await?;
    }
    let tuples: Vec<Vec<Value>> = there
        .into_iter()
        .map(|(key, one)| {
            vec![
                school.into(),
                key.into(),
                one.class_key.into(),
                one.pupil_key.into(),
                one.begins_on.into(),
                one.ends_on.into(),
            ]
        })
        .collect();
    let head = "insert into report_place (school_id, source_key, class_key, pupil_key, begins_on, ends_on)";
    let tail = "on conflict (school_id, source_key) do update set class_key = excluded.class_key,
                pupil_key = excluded.pupil_key, begins_on = excluded.begins_on, ends_on = excluded.ends_on";
    bulk(tx, head, 6, tuples.into_iter(), tail).await
}

/// Forgets the places that a complete read did not hold.
pub async fn end_missing_report_places(db: &Db, work: Work<'_>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    write_report_endings(&tx, &work).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the lease of the source already.
pub(in crate::store) async fn write_report_endings(tx: &Transaction, work: &Work<'_>) -> Result<(), DbError> {
    let school = school_of(work.scope)?;
    let text = "delete from report_place where school_id = ? and not exists (
                  select 1 from staged_row s where s.run_id = ? and s.kind = 'report_place'
                  and s.source_key = report_place.source_key limit 1 offset 0)";
    execute(tx, text, vec![school.into(), work.run.into()]).await?;
    Ok(())
}

/// The schools of which anything is kept for reports alone.
pub async fn schools_with_reports(db: &Db, scope: &Scope) -> Result<HashSet<SchoolId>, DbError> {
    let Reach::Operations = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let text = "select r.school_id from report_name q join record r on r.id = q.record_id
         union select school_id from report_place union select school_id from report_class";
    let found = rows(db.reader(), text, Vec::new()).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Forgets what no report of the scope's school can need any more: of pupils who are not enrolled there today, or of
/// all where absences are not kept; but of nobody about whom an obligatory signal stands. Says of how many records.
pub async fn forget_reports(db: &Db, scope: &Scope) -> Result<usize, DbError> {
    let Reach::Source { school, agreed, .. } = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let obligatory: Vec<String> = obligatory.map(|kind| kind.name().to_owned()).collect();
    let needed = "(exists (select 1 from signal g where g.pupil_id = r.pupil_id and g.state = 'raised' and g.kind in ?)
         or (? and exists (select 1 from enrolment e where e.record_id = r.id and (e.ends_on is null or e.ends_on > ?))))";
    let needs = || -> Vec<Value> {
        vec![
            list_from(obligatory.clone()),
            may_be_needed(*agreed).into(),
            scope.day().into(),
        ]
    };
    let tx = db.begin().await?;
    let text = format!(
        "select q.record_id from report_name q join record r on r.id = q.record_id
         where r.school_id = ? and not {needed}"
    );
    let found = rows(&tx, &text, [vec![(*school).into()], needs()].concat()).await?;
    let gone: Vec<RecordId> = found
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()?;
    for some in gone.chunks(1_000) {
        execute(&tx, "delete from report_name where record_id in ?", vec![list(some)]).await?;
        // Should the pupil come back, the same row of a roster must not pass for known.
        let text = "update record set content_hash = ? where id in ?";
        execute(&tx, text, vec![Vec::<u8>::new().into(), list(some)]).await?;
    }
    // Where enrolment was agreed, places are where everyone may read them who has it.
    let mut values: Vec<Value> = vec![(*school).into(), agreed.has(Category::Enrolment).into()];
    values.extend(needs());
    let text = format!(
        "delete from report_place where school_id = ? and (? or not exists (
           select 1 from record r where r.school_id = report_place.school_id
           and r.source_key = report_place.pupil_key and {needed}))"
    );
    execute(&tx, &text, values).await?;
    // A delta may put someone in a class of which it says no more than its key: all are kept, or none.
    let text = "delete from report_class where school_id = ? and not exists (
                  select 1 from report_place p where p.school_id = report_class.school_id)";
    execute(&tx, text, vec![(*school).into()]).await?;
    tx.commit().await?;
    Ok(gone.len())
}
