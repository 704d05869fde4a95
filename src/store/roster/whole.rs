//! A roster that is merged in one transaction locks all of its pupils at once, in the order of their ids: whoever locks them
//! part by part may wait for one who waits for it.

use std::collections::BTreeSet;

use hub_entities::id::PupilId;
use sea_orm::Value;

use super::pupils::touched_by;
use super::{ClassSaid, MembershipSaid, PupilSaid, school_of};
use crate::store::ledger::Work;
use crate::store::sql::{list_from, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// In the classes of these keys, and whom or whose place a read did not hold.
const OTHERS: &str = "select r.pupil_id from class_group c join membership m on m.class_id = c.id
        join record r on r.id = m.record_id where c.school_id = ? and c.source_key in ?
    union select r.pupil_id from staged_row s join record r on r.school_id = ? and r.source_key = s.source_key
        where s.run_id = ? and s.kind = 'left'
    union select r.pupil_id from class_group c join membership m on m.class_id = c.id join record r on r.id = m.record_id
        where c.school_id = ? and m.source_key in (
            select s.source_key from staged_row s where s.run_id = ? and s.kind = 'left_place')";

/// Locks every pupil that merging these, and ending what the run put aside, may touch.
///
/// A record may be tied to another pupil between reading and locking, so they are read again after the lock.
pub(in crate::store) async fn lock_roster(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    classes: &[(String, ClassSaid)],
    pupils: &[(String, PupilSaid)],
    places: &[(String, MembershipSaid)],
) -> Result<(), DbError> {
    let school = school_of(work.scope)?;
    if pupils.iter().any(|(_, pupil)| pupil.national_index.is_some()) {
        db.dialect().lock_indexes(tx).await?;
    }
    let keys = pupils.iter().map(|(key, _)| key.as_str());
    let keys: BTreeSet<&str> = keys
        .chain(places.iter().map(|(_, one)| one.pupil_key.as_str()))
        .collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let mut held: BTreeSet<PupilId> = BTreeSet::new();
    loop {
        let mut found = touched_by(tx, school, pupils, &keys).await?;
        let values: Vec<Value> = vec![
            school.into(),
            list_from(classes.iter().map(|(key, _)| key.clone())),
            school.into(),
            work.run.into(),
            school.into(),
            work.run.into(),
        ];
        for row in rows(tx, OTHERS, values).await? {
            found.insert(row.try_get_by_index(0)?);
        }
        if found.is_subset(&held) {
            return Ok(());
        }
        let sorted: Vec<PupilId> = found.iter().copied().collect();
        db.dialect().lock_pupils(tx, &sorted).await?;
        held = found;
    }
}
