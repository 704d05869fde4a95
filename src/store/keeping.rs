//! What the main store says of how long something is kept: of pupils whose dossiers a CLB keeps, and of its own access log.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::id::{ClbId, PupilId};
use hub_entities::law::retention::Stays;
use hub_entities::policy::{Reach, Scope};
use sea_orm::Value;

use super::sql::{execute, list, row, rows};
use super::{Db, DbError};

/// What is known of a pupil here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basic {
    /// The birth date, where no two schools disagree.
    pub born: Option<NaiveDate>,
    /// What keeps the dossier.
    pub standing: Vec<Stays>,
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// What is known of these pupils, for their dossiers at this CLB. Of who was tied to another since, what is said of that one
/// counts: a dossier stays under the pupil that it was begun of.
pub async fn of_pupils(
    db: &Db,
    scope: &Scope,
    clb: ClbId,
    pupils: &[PupilId],
    day: NaiveDate,
) -> Result<HashMap<PupilId, Basic>, DbError> {
    may(scope)?;
    let mut all: HashMap<PupilId, Basic> = HashMap::new();
    if pupils.is_empty() {
        return Ok(all);
    }
    let [competent, intent, release] = [Stays::Competent, Stays::WaitingIntent, Stays::ReleaseInForce];
    // A competence that is to begin keeps it too.
    let text = format!(
        "select k.id, '{competent}', cast(null as date) from pupil k join competence c on c.pupil_id = coalesce(k.merged_into, k.id)
           where k.id in ? and c.clb_id = ? and (c.ends_on is null or c.ends_on > ?)
         union select i.pupil_id, '{intent}', null from intent i where i.pupil_id in ? and i.clb_id = ? and i.applied_at is null
         union select r.pupil_id, '{release}', null from released r where r.pupil_id in ? and r.clb_id = ? and r.gone_at is null
         union select k.id, 'born', min(r.birth_date) from pupil k join record r on r.pupil_id = coalesce(k.merged_into, k.id)
           where k.id in ? and r.birth_date is not null group by k.id having min(r.birth_date) = max(r.birth_date)"
    );
    let values: Vec<Value> = vec![
        list(pupils),
        clb.into(),
        day.into(),
        list(pupils),
        clb.into(),
        list(pupils),
        clb.into(),
        list(pupils),
    ];
    for row in rows(db.reader(), &text, values).await? {
        let of = all.entry(row.try_get_by_index(0)?).or_default();
        let what: String = row.try_get_by_index(1)?;
        match what.parse() {
            Ok(stays) => of.standing.push(stays),
            Err(_) => of.born = row.try_get_by_index(2)?,
        }
    }
    Ok(all)
}

/// How many lines of the access log of basic data were written before this instant.
pub async fn lines_before(db: &Db, scope: &Scope, at: DateTime<Utc>) -> Result<i64, DbError> {
    may(scope)?;
    let counted = row(
        db.reader(),
        "select count(*) from access_line where at < ?",
        vec![at.into()],
    )
    .await?;
    let counted: Option<i64> = counted.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(counted.unwrap_or_default())
}

/// Deletes the oldest of them, at most so many; how many.
pub async fn delete_lines_before(db: &Db, scope: &Scope, at: DateTime<Utc>, most: u32) -> Result<u64, DbError> {
    may(scope)?;
    let tx = db.begin().await?;
    let text = "delete from access_line where id in (select id from access_line where at < ? order by at limit ?)";
    let gone = execute(&tx, text, vec![at.into(), i64::from(most).into()]).await?;
    tx.commit().await?;
    Ok(gone)
}
