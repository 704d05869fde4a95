//! Places in classes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use hub_entities::id::{ClassId, MembershipId, PupilId, RecordId};
use hub_entities::source::KeyKind;
use sea_orm::{DatabaseTransaction, Value};

use super::waiting::{wait, waits_no_longer};
use super::{MembershipSaid, Noted, keys_among, school_of};
use crate::store::ledger::{Work, lock_pupils_of, reevaluate_placed};
use crate::store::run::{Progress, advance};
use crate::store::sql::{bulk, list_from, rows};
use crate::store::{Db, DbError};

/// From when until when, where the source gives it.
type Period = (Option<NaiveDate>, Option<NaiveDate>);

/// Places as they are written: under which key, from when until when.
type Written = BTreeMap<(ClassId, RecordId), (String, Option<NaiveDate>, Option<NaiveDate>)>;

/// Merges places in classes of the scope's school. One whose class or pupil is unknown waits in quarantine.
pub async fn merge_memberships(
    db: &Db,
    work: Work<'_>,
    said: &[(String, MembershipSaid)],
    cursor: Option<String>,
) -> Result<Progress, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (mut progress, changed) = write_memberships(db, &tx, &work, said).await?;
    let unknown = said.iter().zip(changed).filter(|(_, changed)| changed.is_none());
    let (gone, there): (Vec<_>, Vec<_>) = unknown.map(|(said, _)| said).partition(|(_, one)| one.gone);
    // What never was and has ended changes nothing.
    let ended = i64::try_from(gone.len()).unwrap_or(i64::MAX);
    progress.unchanged = progress.unchanged.saturating_add(ended);
    progress.quarantined = wait(&tx, &work, there.into_iter()).await?;
    advance(&tx, work.run, cursor, progress).await?;
    tx.commit().await?;
    Ok(progress)
}

/// How many of these name a class or a pupil that is not known.
pub(in crate::store) fn dangling(said: &[(String, MembershipSaid)], changed: &[Option<bool>]) -> i64 {
    let lost = said
        .iter()
        .zip(changed)
        .filter(|((_, one), changed)| changed.is_none() && !one.gone);
    i64::try_from(lost.count()).unwrap_or(i64::MAX)
}

/// The same within a transaction that holds the lease of the source already; says of each whether it changed something,
/// and `None` of one whose class or pupil is not known: what is done with it is the caller's.
pub(in crate::store) async fn write_memberships(
    db: &Db,
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    said: &[(String, MembershipSaid)],
) -> Result<(Progress, Vec<Option<bool>>), DbError> {
    let school = school_of(work.scope)?;
    let class_keys: BTreeSet<&str> = said.iter().map(|(_, one)| one.class_key.as_str()).collect();
    let text = "select source_key, id from class_group where school_id = ? and source_key in ? order by school_year";
    let values = vec![school.into(), list_from(class_keys.into_iter().map(str::to_owned))];
    let mut classes: BTreeMap<String, ClassId> = BTreeMap::new();
    for row in rows(tx, text, values).await? {
        // Two years may use one key: the latest is meant.
        classes.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    let pupil_keys: BTreeSet<&str> = said.iter().map(|(_, one)| one.pupil_key.as_str()).collect();
    let pupil_keys = pupil_keys.into_iter().map(str::to_owned).collect();
    let records = keys_among(tx, work.scope, KeyKind::SourceKey, Some(pupil_keys)).await?;

    let text = "select class_id, record_id, begins_on, ends_on from membership where school_id = ? and record_id in ?";
    let values = vec![school.into(), list_from(records.values().map(|(record, _)| *record))];
    let mut known: BTreeMap<(ClassId, RecordId), Period> = BTreeMap::new();
    for row in rows(tx, text, values).await? {
        let place = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        known.insert(place, (row.try_get_by_index(2)?, row.try_get_by_index(3)?));
    }

    let today = work.scope.day();
    let mut noted = Noted::default();
    let mut changed = Vec::with_capacity(said.len());
    let mut written: Written = BTreeMap::new();
    for (key, one) in said {
        let (Some(class), Some((record, _))) = (classes.get(&one.class_key), records.get(&one.pupil_key)) else {
            changed.push(None);
            continue;
        };
        let place = (*class, *record);
        let ends = if one.gone {
            Some(one.ends_on.map_or(today, |ends| ends.min(today)))
        } else {
            one.ends_on
        };
        let before = known.get(&place);
        let settled = match before {
            // A place that has ended stays as it ended.
            Some((_, Some(ended))) if one.gone && *ended <= today => true,
            Some(days) => *days == (one.begins_on, ends),
            None => one.gone,
        };
        noted.add(!settled);
        changed.push(Some(!settled));
        if !settled {
            written.insert(place, (key.clone(), one.begins_on, ends));
        }
    }
    let placed = write_places(db, tx, work, written).await?;
    reevaluate_placed(tx, &work.judge(), &placed, &mut noted.progress).await?;
    // What waited under one of these keys has had a later word.
    let settled = said.iter().zip(&changed);
    let settled = settled.filter(|((_, one), changed)| one.gone || changed.is_some());
    waits_no_longer(tx, work, settled.map(|((key, _), _)| key.clone())).await?;
    Ok((noted.progress, changed))
}

/// Writes places under the locks of their pupils; says whose they are.
async fn write_places(
    db: &Db,
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    written: Written,
) -> Result<Vec<PupilId>, DbError> {
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let school = school_of(work.scope)?;
    let records: BTreeSet<RecordId> = written.keys().map(|(_, record)| *record).collect();
    let records: Vec<RecordId> = records.into_iter().collect();
    let pupil_of = lock_pupils_of(db, tx, school, &records).await?;
    let rows = written
        .into_iter()
        .filter_map(|((class, record), (key, begins, ends))| {
            let row: [Value; 8] = [
                MembershipId(work.ids.next(work.now)).into(),
                class.into(),
                record.into(),
                (*pupil_of.get(&record)?).into(),
                school.into(),
                key.into(),
                begins.into(),
                ends.into(),
            ];
            Some(row.into())
        });
    let rows: Vec<Vec<Value>> = rows.collect();
    let head = "insert into membership (id, class_id, record_id, pupil_id, school_id, source_key, begins_on, ends_on)";
    let tail = "on conflict (class_id, record_id) do update set pupil_id = excluded.pupil_id,
                source_key = excluded.source_key, begins_on = excluded.begins_on, ends_on = excluded.ends_on";
    bulk(tx, head, 8, rows.into_iter(), tail).await?;
    let pupils: BTreeSet<PupilId> = pupil_of.into_values().collect();
    Ok(pupils.into_iter().collect())
}
