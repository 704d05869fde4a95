//! Pupils: their records, enrolments, ties to CLBs, and what follows. What a chunk of them needs is read together, then
//! decided pupil by pupil without a statement, and written together.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::id::{PupilId, SchoolId};

use super::changed::Changed;
use super::fresh::Fresh;
use super::records::{Indexes, completed, records_of};
use super::{Noted, PupilSaid, school_of};
use crate::store::competence::derive_again;
use crate::store::ledger::{Work, reevaluate, reevaluate_placed};
use crate::store::merge::merge;
use crate::store::run::{Progress, advance};
use crate::store::sql::{list_from, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

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
pub(in crate::store) async fn write_pupils(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    said: &[(String, PupilSaid)],
) -> Result<(Progress, Vec<bool>), DbError> {
    let school = school_of(work.scope)?;
    let mut noted = Noted::default();
    let keys: Vec<&str> = said.iter().map(|(key, _)| key.as_str()).collect();
    lock_for(db, tx, school, said, &keys).await?;
    let known = records_of(tx, school, &keys).await?;
    let completed = completed(tx, said, &known).await?;
    let whole = |key: &str, said| completed.get(key).unwrap_or(said);
    let indexes = said
        .iter()
        .filter_map(|(key, pupil)| whole(key, pupil).national_index.clone());
    let mut indexes = Indexes::of(tx, indexes).await?;

    let today = work.scope.day();
    let mut touched: BTreeSet<PupilId> = BTreeSet::new();
    let mut born_again: BTreeSet<PupilId> = BTreeSet::new();
    let mut placed: BTreeSet<PupilId> = BTreeSet::new();
    let mut same_person: Vec<(PupilId, PupilId)> = Vec::new();
    let mut fresh = Fresh::default();
    let mut rewritten = Changed::default();
    for (key, pupil) in said {
        let before = known.get(key.as_str());
        let pupil = whole(key, pupil);
        let is_known = match before {
            Some(record) => record.knows(pupil, today)?,
            None => pupil.needs_no_record(),
        };
        noted.add(!is_known);
        if pupil.gone {
            if let Some(record) = before {
                rewritten.end(record.id, pupil.ends_on.unwrap_or(today));
                let left = (!is_known).then_some(record.pupil_id);
                placed.extend(left);
                touched.extend(left);
            }
            continue;
        }
        if is_known {
            continue;
        }
        let hash = pupil.content_hash()?;
        let index = pupil.national_index.as_deref();
        let other = match indexes.other(index, before.map(|record| record.id)) {
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
            rewritten.say(work, record.id, pupil, hash);
            indexes.give(record.id, record.pupil_id, pupil.national_index.clone());
            if !pupil.unsaid.schools {
                rewritten.enrol(work, school, record, pupil);
                placed.insert(record.pupil_id);
            }
            touched.insert(record.pupil_id);
        } else {
            // What is known of this person already may count on other days from now on.
            born_again.extend(other.filter(|_| pupil.birth_date.is_some()));
            touched.insert(fresh.add(work, school, other, (key, pupil), hash));
        }
    }
    fresh.write(tx).await?;
    rewritten.write(tx, work).await?;

    let touched: Vec<PupilId> = touched.into_iter().collect();
    derive_again(tx, work.ids, &touched, work.now).await?;
    let placed: Vec<PupilId> = placed.difference(&born_again).copied().collect();
    let born_again: Vec<PupilId> = born_again.into_iter().collect();
    if !born_again.is_empty() {
        reevaluate(tx, &work.judge(), &born_again, &mut noted.progress).await?;
    }
    reevaluate_placed(tx, &work.judge(), &placed, &mut noted.progress).await?;
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
    tx: &Transaction,
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
pub(super) async fn touched_by(
    tx: &Transaction,
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
