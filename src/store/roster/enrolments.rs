//! Enrolments of a record at its school.

use chrono::NaiveDate;
use hub_entities::id::{EnrolmentId, PupilId, RecordId, SchoolId};
use sea_orm::{DatabaseTransaction, Value};

use super::PupilSaid;
use crate::store::DbError;
use crate::store::ledger::Work;
use crate::store::sql::{execute, row};

/// Sees to it that the record has the enrolment that the source says.
pub(super) async fn enrol(
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    school: SchoolId,
    record: RecordId,
    pupil: PupilId,
    said: &PupilSaid,
) -> Result<(), DbError> {
    let latest = row(
        tx,
        "select id, begins_on, ends_on from enrolment where record_id = ? order by begins_on desc limit 1",
        vec![record.into()],
    )
    .await?;
    let today = work.scope.day();
    let begins = match latest {
        Some(latest) => {
            let (id, begins): (EnrolmentId, NaiveDate) = (latest.try_get_by_index(0)?, latest.try_get_by_index(1)?);
            let ends: Option<NaiveDate> = latest.try_get_by_index(2)?;
            let same = said.begins_on.is_none_or(|said| said == begins);
            let open = ends.is_none_or(|ends| said.begins_on.is_none_or(|said| said < ends) && said.ends_on.is_some());
            if open || (same && said.ends_on == ends) {
                // The same enrolment: its days may have been corrected.
                let values: Vec<Value> = vec![
                    said.begins_on.unwrap_or(begins).into(),
                    said.ends_on.into(),
                    work.run.into(),
                    id.into(),
                ];
                execute(
                    tx,
                    "update enrolment set begins_on = ?, ends_on = ?, run_id = ? where id = ?",
                    values,
                )
                .await?;
                return Ok(());
            }
            // Enrolled again after having left.
            said.begins_on
                .filter(|said| *said > begins)
                .unwrap_or(today.max(begins))
        }
        None => said.begins_on.unwrap_or(today),
    };
    let values: Vec<Value> = vec![
        work.ids.next(work.now).into(),
        record.into(),
        pupil.into(),
        school.into(),
        begins.into(),
        said.ends_on.into(),
        work.run.into(),
    ];
    execute(
        tx,
        "insert into enrolment (id, record_id, pupil_id, school_id, begins_on, ends_on, run_id)
         values (?, ?, ?, ?, ?, ?, ?)
         on conflict (record_id, begins_on) do update set ends_on = excluded.ends_on, run_id = excluded.run_id",
        values,
    )
    .await?;
    Ok(())
}

/// Ends what is open of a record: from this day it is no longer enrolled.
pub(super) async fn end_enrolments(
    tx: &DatabaseTransaction,
    work: &Work<'_>,
    record: RecordId,
    on: Option<NaiveDate>,
) -> Result<u64, DbError> {
    let on = on.unwrap_or_else(|| work.scope.day());
    let values: Vec<Value> = vec![on.into(), work.run.into(), record.into(), on.into()];
    let ended = execute(
        tx,
        "update enrolment set ends_on = ?, run_id = ? where record_id = ? and (ends_on is null or ends_on > ?)",
        values,
    )
    .await?;
    execute(
        tx,
        "update membership set ends_on = ? where record_id = ? and (ends_on is null or ends_on > ?)",
        vec![on.into(), record.into(), on.into()],
    )
    .await?;
    Ok(ended)
}
