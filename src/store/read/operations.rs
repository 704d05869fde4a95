//! Sources, runs and gaps: for operators. Nothing of any pupil is in these columns.

use hub_entities::id::{SchoolId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{connection, gap, run};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::store::{Db, DbError};

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// A page of sources by id; one more than asked for tells of a next. `skip` counts rows already told.
pub async fn sources(db: &Db, scope: &Scope, skip: u64, first: u32) -> Result<Vec<connection::Model>, DbError> {
    may(scope)?;
    let query = connection::Entity::find().order_by_asc(connection::Column::Id);
    Ok(query
        .offset(skip)
        .limit(u64::from(first).saturating_add(1))
        .all(db.reader())
        .await?)
}

/// A page of runs, latest first; one more than asked for tells of a next.
pub async fn runs(db: &Db, scope: &Scope, skip: u64, first: u32) -> Result<Vec<run::Model>, DbError> {
    may(scope)?;
    let query = run::Entity::find()
        .order_by_desc(run::Column::StartedAt)
        .order_by_desc(run::Column::Id);
    Ok(query
        .offset(skip)
        .limit(u64::from(first).saturating_add(1))
        .all(db.reader())
        .await?)
}

/// A page of gaps, latest met first; one more than asked for tells of a next.
pub async fn gaps(db: &Db, scope: &Scope, skip: u64, first: u32) -> Result<Vec<gap::Model>, DbError> {
    may(scope)?;
    let query = gap::Entity::find()
        .order_by_desc(gap::Column::LastSeenAt)
        .order_by_desc(gap::Column::Id);
    Ok(query
        .offset(skip)
        .limit(u64::from(first).saturating_add(1))
        .all(db.reader())
        .await?)
}

/// How many sources, runs and gaps there are.
pub async fn counts(db: &Db, scope: &Scope) -> Result<(u64, u64, u64), DbError> {
    may(scope)?;
    Ok((
        connection::Entity::find().count(db.reader()).await?,
        run::Entity::find().count(db.reader()).await?,
        gap::Entity::find().count(db.reader()).await?,
    ))
}

/// The schools that these sources speak for, of sources within the scope.
pub async fn schools_of(db: &Db, scope: &Scope, ids: &[SourceId]) -> Result<Vec<(SourceId, SchoolId)>, DbError> {
    let own = match scope.reach() {
        Reach::Operations => connection::Column::Id.is_not_null(),
        Reach::School(school) => connection::Column::SchoolId.eq(*school),
        _ => return Err(DbError::OutOfScope),
    };
    let found = connection::Entity::find()
        .filter(connection::Column::Id.is_in(ids.iter().copied()))
        .filter(own)
        .all(db.reader())
        .await?;
    Ok(found.into_iter().map(|source| (source.id, source.school_id)).collect())
}
