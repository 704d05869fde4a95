//! The endings: what a complete read did not hold is gone, unless that would be too many (R08).

use std::collections::BTreeSet;

use hub_entities::id::{MembershipId, RecordId, RunId};
use hub_entities::policy::Scope;
use sea_orm::{ConnectionTrait, Value};

use super::changed::end_enrolments;
use super::waiting::waits_left;
use super::{locked, school_of};
use crate::store::competence::derive_again;
use crate::store::ledger::{Work, reevaluate_placed};
use crate::store::run::{Progress, advance};
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// How many a complete read would end, and of how many: enrolments of pupils, or their places in classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ending {
    /// There now.
    pub enrolled: i64,
    /// Of these, not in what was read.
    pub missing: i64,
}

impl Ending {
    /// Whether a person must look first (design §5, R08): more than a tenth would go, of however few. An empty file would end
    /// everyone.
    pub const fn must_be_held(self) -> bool {
        self.missing.saturating_mul(10) > self.enrolled
    }
}

/// Whom a read did not hold is put aside as `left`. A last day that is known but has not come does not hide a pupil.
const MISSING: &str = "from staged_row s join record r on r.school_id = ? and r.source_key = s.source_key
     join enrolment e on e.record_id = r.id and e.school_id = r.school_id and (e.ends_on is null or e.ends_on > ?)
     where s.run_id = ? and s.kind = 'left'";

/// What ending the missing would do.
pub async fn ending(db: &Db, scope: &Scope, run: RunId) -> Result<Ending, DbError> {
    count_ending(db.reader(), scope, run).await
}

/// The same, with what a transaction has put aside.
pub(in crate::store) async fn count_ending<C: ConnectionTrait>(
    db: &C,
    scope: &Scope,
    run: RunId,
) -> Result<Ending, DbError> {
    let school = school_of(scope)?;
    let count = async |text: &str, values: Vec<Value>| -> Result<i64, DbError> {
        let counted = row(db, text, values).await?;
        Ok(counted
            .map(|row| row.try_get_by_index(0))
            .transpose()?
            .unwrap_or_default())
    };
    let enrolled = count(
        "select count(*) from enrolment where school_id = ? and (ends_on is null or ends_on > ?)",
        vec![school.into(), scope.day().into()],
    )
    .await?;
    let values = vec![school.into(), scope.day().into(), run.into()];
    let missing = count(&format!("select count(*) {MISSING}"), values).await?;
    Ok(Ending { enrolled, missing })
}

/// Ends the pupils that a complete read did not hold: last of all, some hundreds at a time.
pub async fn end_missing(db: &Db, work: Work<'_>, most: u32) -> Result<i64, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let progress = write_endings(db, &tx, &work, most).await?;
    advance(&tx, work.run, Some("ending/".to_owned()), progress).await?;
    tx.commit().await?;
    Ok(progress.ended)
}

/// The same within a transaction that holds the lease of the source already.
pub(in crate::store) async fn write_endings(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    most: u32,
) -> Result<Progress, DbError> {
    let school = school_of(work.scope)?;
    let text = format!("select e.record_id {MISSING} order by e.pupil_id limit ?");
    let values: Vec<Value> = vec![school.into(), work.scope.day().into(), work.run.into(), most.into()];
    let found = rows(tx, &text, values).await?;
    let records: Result<Vec<RecordId>, _> = found.iter().map(|row| row.try_get_by_index(0)).collect();
    let records = records?;
    if records.is_empty() {
        return Ok(Progress::default());
    }
    let pupils = locked(db, tx, school, &records).await?;
    let today = work.scope.day();
    end_enrolments(tx, work, records.iter().map(|record| (*record, today)).collect()).await?;
    derive_again(tx, work.ids, &pupils, work.now).await?;
    let mut progress = Progress {
        ended: i64::try_from(records.len()).unwrap_or_default(),
        ..Progress::default()
    };
    reevaluate_placed(tx, &work.judge(), &pupils, &mut progress).await?;
    Ok(progress)
}

/// Ends the places in classes that a complete read did not hold, those put aside as `left_place`: so many at a time; how
/// many.
pub async fn end_missing_memberships(db: &Db, work: Work<'_>, most: u32) -> Result<usize, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (progress, ended) = write_membership_endings(db, &tx, &work, most).await?;
    advance(&tx, work.run, Some("ending/".to_owned()), progress).await?;
    tx.commit().await?;
    Ok(ended)
}

/// The same within a transaction that holds the lease of the source already: which signals followed, and how many ended.
pub(in crate::store) async fn write_membership_endings(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    most: u32,
) -> Result<(Progress, usize), DbError> {
    let school = school_of(work.scope)?;
    let text = "select id, record_id from membership
         where class_id in (select c.id from class_group c where c.school_id = ?) and (ends_on is null or ends_on > ?)
         and source_key in (select s.source_key from staged_row s where s.run_id = ? and s.kind = 'left_place')
         order by record_id limit ?";
    let today = Value::from(work.scope.day());
    let values: Vec<Value> = vec![school.into(), today.clone(), work.run.into(), most.into()];
    let mut places: Vec<MembershipId> = Vec::new();
    let mut records: BTreeSet<RecordId> = BTreeSet::new();
    for row in rows(tx, text, values).await? {
        places.push(row.try_get_by_index(0)?);
        records.insert(row.try_get_by_index(1)?);
    }
    let mut progress = Progress::default();
    if places.is_empty() {
        waits_left(tx, work).await?;
        return Ok((progress, 0));
    }
    let records: Vec<RecordId> = records.into_iter().collect();
    let pupils = locked(db, tx, school, &records).await?;
    let text = "update membership set ends_on = ? where id in ?";
    execute(tx, text, vec![today, list(&places)]).await?;
    reevaluate_placed(tx, &work.judge(), &pupils, &mut progress).await?;
    Ok((progress, places.len()))
}
