//! Places in classes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use hub_entities::id::{ClassId, MembershipId, PupilId, RecordId, SchoolId};
use hub_entities::source::KeyKind;
use sea_orm::Value;

use super::waiting::{wait, waits_no_longer};
use super::{MembershipSaid, Noted, keys_among, school_of};
use crate::store::ledger::{Work, lock_pupils_of, reevaluate_placed};
use crate::store::run::{Progress, advance};
use crate::store::sql::{bulk, list_from, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// A place in a class: one of a record in each.
type Place = (ClassId, RecordId);

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
    tx: &Transaction,
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

    let known = known_places(tx, school, records.values().map(|(record, _)| *record)).await?;
    let place_of = |one: &MembershipSaid| {
        let (record, _) = records.get(&one.pupil_key)?;
        Some((*classes.get(&one.class_key)?, *record))
    };
    let there = said.iter().filter(|(_, one)| !one.gone);
    let there: BTreeSet<Place> = there.filter_map(|(_, one)| place_of(one)).collect();

    let today = work.scope.day();
    let mut noted = Noted::default();
    let mut changed = Vec::with_capacity(said.len());
    let mut written = Written::default();
    for (key, one) in said {
        let Some(place) = place_of(one) else {
            changed.push(None);
            continue;
        };
        let (class, record) = place;
        let over_from = one.over_from(today);
        let of_record = known.get(&record).map(Vec::as_slice).unwrap_or_default();
        let before = of_record.iter().find(|known| known.class == class);
        // A row that takes a place away may leave out since when it was taken.
        let begins = one
            .begins_on
            .or(before.filter(|_| one.gone).and_then(|known| known.begins));
        let ends = if one.gone { Some(over_from) } else { one.ends_on };
        let settled = match before {
            // A place that has ended stays as it ended.
            Some(known) if one.gone && known.ends.is_some_and(|ended| ended <= today) => true,
            Some(known) => (known.begins, known.ends) == (begins, ends),
            None => one.gone,
        };
        // What the key named before: over, unless another row says that it is there.
        let mut moves = false;
        for old in of_record.iter().filter(|old| old.class != class && old.key == *key) {
            let lasts = old.ends.is_none_or(|ends| ends > over_from);
            if lasts && !there.contains(&(old.class, record)) {
                moves = true;
                written.end(old, record, over_from);
            }
        }
        noted.add(moves || !settled);
        changed.push(Some(moves || !settled));
        if moves || !settled {
            written.placed.insert(record);
        }
        if !settled || before.is_some_and(|known| !one.gone && known.key != *key) {
            written.taken.insert(place, (key.clone(), begins, ends));
        }
    }
    let placed = written.write(db, tx, work, school).await?;
    reevaluate_placed(tx, &work.judge(), &placed, &mut noted.progress).await?;
    // What waited under one of these keys has had a later word.
    let settled = said.iter().zip(&changed);
    let settled = settled.filter(|((_, one), changed)| one.gone || changed.is_some());
    waits_no_longer(tx, work, settled.map(|((key, _), _)| key.clone())).await?;
    Ok((noted.progress, changed))
}

/// A place in a class as it stands.
struct Known {
    class: ClassId,
    key: String,
    begins: Option<NaiveDate>,
    ends: Option<NaiveDate>,
}

/// The places of these records.
async fn known_places(
    tx: &Transaction,
    school: SchoolId,
    records: impl Iterator<Item = RecordId>,
) -> Result<BTreeMap<RecordId, Vec<Known>>, DbError> {
    let text = "select record_id, class_id, source_key, begins_on, ends_on from membership
         where school_id = ? and record_id in ?";
    let mut known: BTreeMap<RecordId, Vec<Known>> = BTreeMap::new();
    for row in rows(tx, text, vec![school.into(), list_from(records)]).await? {
        known.entry(row.try_get_by_index(0)?).or_default().push(Known {
            class: row.try_get_by_index(1)?,
            key: row.try_get_by_index(2)?,
            begins: row.try_get_by_index(3)?,
            ends: row.try_get_by_index(4)?,
        });
    }
    Ok(known)
}

/// What is written of places.
#[derive(Default)]
struct Written {
    /// Taken as said: under which key, from when until when.
    taken: BTreeMap<Place, (String, Option<NaiveDate>, Option<NaiveDate>)>,
    ended: Vec<Vec<Value>>,
    /// Places that never were.
    withdrawn: Vec<Vec<Value>>,
    /// Whose places are others now.
    placed: BTreeSet<RecordId>,
}

impl Written {
    /// The place is over from this day on; if it was to begin no sooner, it never was.
    fn end(&mut self, place: &Known, record: RecordId, from: NaiveDate) {
        if place.begins.is_some_and(|begins| begins >= from) {
            self.withdrawn.push(vec![place.class.into(), record.into()]);
        } else {
            self.ended.push(vec![place.class.into(), record.into(), from.into()]);
        }
    }

    /// Writes it under the locks of the pupils; says whose places are others now.
    async fn write(
        self,
        db: &Db,
        tx: &Transaction,
        work: &Work<'_>,
        school: SchoolId,
    ) -> Result<Vec<PupilId>, DbError> {
        let records: BTreeSet<RecordId> = self.taken.keys().map(|(_, record)| *record).collect();
        let records: Vec<RecordId> = records.union(&self.placed).copied().collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let pupil_of = lock_pupils_of(db, tx, school, &records).await?;
        let row = |((class, record), (key, begins, ends)): (Place, (String, Option<NaiveDate>, Option<NaiveDate>))| {
            Some(vec![
                MembershipId(work.ids.next(work.now)).into(),
                class.into(),
                record.into(),
                (*pupil_of.get(&record)?).into(),
                school.into(),
                key.into(),
                begins.into(),
                ends.into(),
            ])
        };
        let taken: Vec<Vec<Value>> = self.taken.into_iter().filter_map(row).collect();
        let head =
            "insert into membership (id, class_id, record_id, pupil_id, school_id, source_key, begins_on, ends_on)";
        let tail = "on conflict (class_id, record_id) do update set pupil_id = excluded.pupil_id,
                    source_key = excluded.source_key, begins_on = excluded.begins_on, ends_on = excluded.ends_on";
        bulk(tx, head, 8, taken.into_iter(), tail).await?;
        let head = "with said (class_id, record_id, ends_on) as (";
        let tail = ") update membership set ends_on = said.ends_on from said
                    where membership.class_id = said.class_id and membership.record_id = said.record_id";
        bulk(tx, head, 3, self.ended.into_iter(), tail).await?;
        let head = "with said (class_id, record_id) as (";
        let tail = ") delete from membership where (class_id, record_id) in (select class_id, record_id from said)";
        bulk(tx, head, 2, self.withdrawn.into_iter(), tail).await?;
        let placed: BTreeSet<PupilId> = self
            .placed
            .iter()
            .filter_map(|record| pupil_of.get(record).copied())
            .collect();
        Ok(placed.into_iter().collect())
    }
}
