//! What stands of a school's half-days: to put aside only what a read changes.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use hub_entities::absence::mark::Mark;
use hub_entities::id::RecordId;
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::Value;

use super::state::{half_day, mark};
use crate::store::sql::{list_from, rows};
use crate::store::{Db, DbError};

/// The half-days that are registered of the scope's school on these days.
pub async fn standing(
    db: &Db,
    scope: &Scope,
    days: &RangeInclusive<NaiveDate>,
) -> Result<HashMap<(RecordId, HalfDay), Mark>, DbError> {
    let Reach::Source { school, .. } = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let years = SchoolYear::of(*days.start()).0..=SchoolYear::of(*days.end()).0;
    let values: Vec<Value> = vec![
        (*school).into(),
        list_from(years),
        (*days.start()).into(),
        (*days.end()).into(),
    ];
    let text = "select a.record_id, a.day, a.part, a.mark
         from record r join absence a on a.pupil_id = r.pupil_id and a.record_id = r.id
         where r.school_id = ? and a.school_year in ? and a.day >= ? and a.day <= ?";
    let mut standing = HashMap::new();
    for row in rows(db.reader(), text, values).await? {
        let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
        standing.insert((row.try_get_by_index(0)?, at), mark(row.try_get_by_index(3)?)?);
    }
    Ok(standing)
}
