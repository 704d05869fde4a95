//! Which worker is posted at which school (anchor, doctor, nurse): it allows intake there, and opens nothing.

use chrono::NaiveDate;
use hub_entities::dossier::{Mode, Post};
use hub_entities::id::{ClbId, Ids, PostId, PrincipalId, SchoolId};
use hub_entities::operation::{Discipline, Role};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::Period;
use sea_orm::Value;

use super::setup::Registration;
use super::sql::{execute, row};
use super::{Db, DbError};

/// What came of a step on a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// The worker has it.
    Done(PostId),
    /// The worker's discipline does not have this post.
    Discipline,
    /// No such worker of this CLB, or no school with an agreement in force.
    Unknown,
}

/// The discipline of a worker of this CLB; `None` if there is no such worker in force.
pub async fn worker(db: &Db, clb: ClbId, worker: PrincipalId, day: NaiveDate) -> Result<Option<Discipline>, DbError> {
    let text = "select discipline, begins_at, ends_at from principal where id = ? and clb_id = ? and role = ?";
    let values: Vec<Value> = vec![worker.into(), clb.into(), Role::ClbWorker.into()];
    let Some(found) = row(db.reader(), text, values).await? else {
        return Ok(None);
    };
    let ends: Option<chrono::DateTime<chrono::Utc>> = found.try_get_by_index(2)?;
    let gone = ends.is_some_and(|ends| hub_entities::time::brussels_day(ends) < day);
    let discipline: Option<Discipline> = found.try_get_by_index(0)?;
    Ok(discipline.filter(|_| !gone))
}

/// Gives a worker of the scope's CLB a post for one period, instead of those of the same kind at that school that have
/// not ended yet; a period that ends as it begins takes it away. Posts of before stay.
pub async fn assign(
    db: &Db,
    scope: &Scope,
    ids: &dyn Ids,
    (who, school, post): (PrincipalId, SchoolId, Post),
    period: Period,
) -> Result<Posted, DbError> {
    let (Reach::Clb { clb, agreed }, Some(by)) = (scope.reach(), scope.viewer()) else {
        return Err(DbError::OutOfScope);
    };
    if !agreed.iter().any(|(one, _)| *one == school) {
        return Ok(Posted::Unknown);
    }
    let Some(discipline) = worker(db, *clb, who, scope.day()).await? else {
        return Ok(Posted::Unknown);
    };
    let fits = match post {
        Post::Anchor => true,
        Post::Doctor => discipline == Discipline::Doctor,
        Post::Nurse => discipline == Discipline::Nurse,
    };
    if !fits {
        return Ok(Posted::Discipline);
    }
    let tx = db.begin().await?;
    let text = "update post set ends_on = ? where clb_id = ? and principal_id = ? and school_id = ? and post = ?
         and (ends_on is null or ends_on > ?)";
    let values: Vec<Value> = vec![
        period.begins.into(),
        (*clb).into(),
        who.into(),
        school.into(),
        post.into(),
        period.begins.into(),
    ];
    execute(&tx, text, values).await?;
    let id = PostId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        (*clb).into(),
        who.into(),
        school.into(),
        post.into(),
        period.begins.into(),
        period.ends.into(),
        by.into(),
    ];
    execute(
        &tx,
        "insert into post (id, clb_id, principal_id, school_id, post, begins_on, ends_on, assigned_by)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok(Posted::Done(id))
}

impl Registration {
    /// Where a CLB keeps its dossiers.
    pub async fn find_dossiers(&self, clb: ClbId) -> Result<Option<Mode>, DbError> {
        let found = row(
            self.tx(),
            "select mode from clb_dossiers where clb_id = ?",
            vec![clb.into()],
        )
        .await?;
        Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Says where a CLB keeps its dossiers.
    pub async fn put_dossiers(&self, clb: ClbId, mode: Mode) -> Result<(), DbError> {
        let text = "insert into clb_dossiers (clb_id, mode) values (?, ?) on conflict (clb_id) do update set mode = excluded.mode";
        execute(self.tx(), text, vec![clb.into(), mode.into()]).await?;
        Ok(())
    }
}
