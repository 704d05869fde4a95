//! Classes.

use std::collections::BTreeMap;

use hub_entities::id::{ClassId, RecordId};
use hub_entities::time::SchoolYear;
use sea_orm::Value;

use super::{ClassSaid, Noted, locked, school_of};
use crate::store::ledger::{Work, reevaluate_placed};
use crate::store::run::{Progress, advance};
use crate::store::sql::{bulk, list, list_from, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// Merges classes of the scope's school.
pub async fn merge_classes(
    db: &Db,
    work: Work<'_>,
    said: &[(String, ClassSaid)],
    cursor: Option<String>,
) -> Result<Progress, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (progress, _) = write_classes(db, &tx, &work, said).await?;
    advance(&tx, work.run, cursor, progress).await?;
    tx.commit().await?;
    Ok(progress)
}

/// The same within a transaction that holds the lease of the source already; says of each whether it changed something.
pub(in crate::store) async fn write_classes(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    said: &[(String, ClassSaid)],
) -> Result<(Progress, Vec<bool>), DbError> {
    let school = school_of(work.scope)?;
    let keys = list_from(said.iter().map(|(key, _)| key.clone()));
    let text = "select school_year, source_key, name, grade, id from class_group
                where school_id = ? and source_key in ?";
    let mut known: BTreeMap<(SchoolYear, String), (String, Option<String>)> = BTreeMap::new();
    let mut ids: BTreeMap<(SchoolYear, String), ClassId> = BTreeMap::new();
    for row in rows(tx, text, vec![school.into(), keys]).await? {
        let class = (SchoolYear(row.try_get_by_index(0)?), row.try_get_by_index(1)?);
        known.insert(class.clone(), (row.try_get_by_index(2)?, row.try_get_by_index(3)?));
        ids.insert(class, row.try_get_by_index(4)?);
    }
    let mut regraded: Vec<ClassId> = Vec::new();
    let mut noted = Noted::default();
    let mut written: BTreeMap<(SchoolYear, String), Vec<Value>> = BTreeMap::new();
    for (key, class) in said {
        let place = (class.school_year, key.clone());
        let now = (class.name.clone(), class.grade.clone());
        let before = known.get(&place);
        let changed = before != Some(&now);
        if before.is_some_and(|(_, grade)| *grade != now.1) {
            regraded.extend(ids.get(&place));
        }
        noted.add(changed);
        if changed {
            let row: [Value; 6] = [
                ClassId(work.ids.next(work.now)).into(),
                school.into(),
                class.school_year.into(),
                key.clone().into(),
                class.name.clone().into(),
                class.grade.clone().into(),
            ];
            written.insert(place.clone(), row.into());
            known.insert(place, now);
        }
    }
    let head = "insert into class_group (id, school_id, school_year, source_key, name, grade)";
    let tail = "on conflict (school_id, school_year, source_key)
                do update set name = excluded.name, grade = excluded.grade";
    bulk(tx, head, 6, written.into_values().collect::<Vec<_>>().into_iter(), tail).await?;
    if !regraded.is_empty() {
        let text = "select distinct record_id from membership where class_id in ?";
        let found = rows(tx, text, vec![list(&regraded)]).await?;
        let records: Result<Vec<RecordId>, _> = found.iter().map(|row| row.try_get_by_index(0)).collect();
        let pupils = locked(db, tx, school, &records?).await?;
        reevaluate_placed(tx, &work.judge(), &pupils, &mut noted.progress).await?;
    }
    Ok((noted.progress, noted.changed))
}
