//! Numbers of half-days carried in from former schools, as the receiving school gives them.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use hub_entities::id::{CarriedInId, PupilId, RecordId};
use hub_entities::policy::Reach;
use hub_entities::time::SchoolYear;
use sea_orm::Value;

use super::ledger::{Work, reevaluate};
use super::run::{Progress, advance};
use super::sql::{execute, list_from, rows};
use super::{Db, DbError};

/// One number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedSaid {
    /// The record at the receiving school.
    pub record: RecordId,
    /// The first day there.
    pub begins_on: NaiveDate,
    /// How many half-days.
    pub half_days: i16,
    /// Institution number of the former school, where it is given.
    pub former_institution: Option<String>,
}

/// Merges numbers and evaluates their pupils, in one transaction. The number of a record and school year
/// replaces the one before; the same again changes nothing.
pub async fn merge_carried(db: &Db, work: Work<'_>, said: &[CarriedSaid]) -> Result<Progress, DbError> {
    let school = match work.scope.reach() {
        Reach::Source { school, .. } => *school,
        _ => return Err(DbError::OutOfScope),
    };
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let text = "select id, pupil_id from record where school_id = ? and id in ?";
    let values = vec![school.into(), list_from(said.iter().map(|one| one.record))];
    let mut pupil_of: std::collections::BTreeMap<RecordId, PupilId> = std::collections::BTreeMap::new();
    for row in rows(&tx, text, values).await? {
        pupil_of.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    let pupils: BTreeSet<PupilId> = pupil_of.values().copied().collect();
    let pupils: Vec<PupilId> = pupils.into_iter().collect();
    db.dialect().lock_pupils(&tx, &pupils).await?;
    let mut progress = Progress::default();
    let mut touched = BTreeSet::new();
    for one in said {
        let Some(pupil) = pupil_of.get(&one.record) else {
            continue;
        };
        let values: Vec<Value> = vec![
            CarriedInId(work.ids.next(work.now)).into(),
            one.record.into(),
            (*pupil).into(),
            SchoolYear::of(one.begins_on).into(),
            one.half_days.into(),
            one.begins_on.into(),
            one.former_institution.clone().into(),
            work.run.into(),
        ];
        let changed = execute(
            &tx,
            "insert into carried_in (id, record_id, pupil_id, school_year, half_days, begins_on,
             former_institution, run_id) values (?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (record_id, school_year) do update set half_days = excluded.half_days,
             begins_on = excluded.begins_on, former_institution = excluded.former_institution,
             run_id = excluded.run_id
             where carried_in.half_days <> excluded.half_days or carried_in.begins_on <> excluded.begins_on
             or coalesce(carried_in.former_institution, '') <> coalesce(excluded.former_institution, '')",
            values,
        )
        .await?;
        if changed > 0 {
            touched.insert(*pupil);
            progress.changed = progress.changed.saturating_add(1);
        } else {
            progress.unchanged = progress.unchanged.saturating_add(1);
        }
    }
    let touched: Vec<PupilId> = touched.into_iter().collect();
    if !touched.is_empty() {
        reevaluate(&tx, &work.judge(), &touched, &mut progress).await?;
    }
    advance(&tx, work.run, None, progress).await?;
    tx.commit().await?;
    Ok(progress)
}
