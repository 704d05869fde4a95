//! What stands of a school's half-days: to put aside only what a read changes.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use hub_entities::absence::mark::Mark;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::Value;

use super::state::{half_day, mark};
use crate::store::sql::{list, list_from, rows};
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
    // First who, then of these: in one statement PostgreSQL reads the half-days of every school where a table has grown since
    // it was last looked at.
    let text = "select id, pupil_id from record where school_id = ?";
    let mut pupils: HashMap<RecordId, PupilId> = HashMap::new();
    for row in rows(db.reader(), text, vec![(*school).into()]).await? {
        pupils.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    let of: BTreeSet<PupilId> = pupils.values().copied().collect();
    let of: Vec<PupilId> = of.into_iter().collect();
    let values: Vec<Value> = vec![
        list(&of),
        list_from(years),
        (*days.start()).into(),
        (*days.end()).into(),
    ];
    let text = "select record_id, day, part, mark from absence
         where pupil_id in ? and school_year in ? and day >= ? and day <= ?";
    let mut standing = HashMap::new();
    for row in rows(db.reader(), text, values).await? {
        let record = row.try_get_by_index(0)?;
        // What another school says of the same pupil is not asked for.
        if pupils.contains_key(&record) {
            let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
            standing.insert((record, at), mark(row.try_get_by_index(3)?)?);
        }
    }
    Ok(standing)
}
