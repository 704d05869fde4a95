//! Sources, runs and gaps: of all schools for operators, of one for who may let its runs go on. Nothing of any
//! pupil is in these columns.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::id::{GapId, RunId, SchoolId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{connection, gap, run};
use sea_orm::sea_query::{Condition, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::store::{Db, DbError};

/// The sources that the scope reaches: all of them, or those of one school.
fn reached(scope: &Scope) -> Result<Condition, DbError> {
    match scope.reach() {
        Reach::Operations => Ok(Condition::all()),
        Reach::School(own) => Ok(Condition::all().add(connection::Column::SchoolId.eq(*own))),
        _ => Err(DbError::OutOfScope),
    }
}

/// That a row is of such a source, by this column.
fn of_reached<T: ColumnTrait>(scope: &Scope, source: T) -> Result<SimpleExpr, DbError> {
    let sources = connection::Entity::find()
        .select_only()
        .column(connection::Column::Id)
        .filter(reached(scope)?);
    Ok(source.in_subquery(sources.into_query()))
}

/// Rows that follow in a list with the latest first and, of those at the same time, the lowest id.
fn earlier<T: ColumnTrait, I: Into<sea_orm::Value>>(time: T, id: T, after: (DateTime<Utc>, I)) -> Condition {
    let (at, last) = after;
    Condition::any()
        .add(time.lt(at))
        .add(Condition::all().add(time.eq(at)).add(id.gt(last)))
}

/// A page of sources by id; one more than asked for tells of a next.
pub async fn sources(
    db: &Db,
    scope: &Scope,
    after: Option<SourceId>,
    first: u32,
) -> Result<Vec<connection::Model>, DbError> {
    let mut query = connection::Entity::find()
        .filter(reached(scope)?)
        .order_by_asc(connection::Column::Id);
    if let Some(after) = after {
        query = query.filter(connection::Column::Id.gt(after));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// The schools that these sources speak for, as far as the scope reaches.
pub async fn schools_of(db: &Db, scope: &Scope, sources: &[SourceId]) -> Result<HashMap<SourceId, SchoolId>, DbError> {
    let found = connection::Entity::find()
        .filter(connection::Column::Id.is_in(sources.iter().copied()))
        .filter(reached(scope)?)
        .all(db.reader())
        .await?;
    Ok(found.into_iter().map(|row| (row.id, row.school_id)).collect())
}

/// One source, if the scope reaches it.
pub async fn source(db: &Db, scope: &Scope, id: SourceId) -> Result<Option<connection::Model>, DbError> {
    let query = connection::Entity::find_by_id(id).filter(reached(scope)?);
    Ok(query.one(db.reader()).await?)
}

/// One run, if the scope reaches its source.
pub async fn run(db: &Db, scope: &Scope, id: RunId) -> Result<Option<run::Model>, DbError> {
    let query = run::Entity::find_by_id(id).filter(of_reached(scope, run::Column::SourceId)?);
    Ok(query.one(db.reader()).await?)
}

/// One gap, if the scope reaches its source.
pub async fn gap(db: &Db, scope: &Scope, id: GapId) -> Result<Option<gap::Model>, DbError> {
    let query = gap::Entity::find_by_id(id).filter(of_reached(scope, gap::Column::SourceId)?);
    Ok(query.one(db.reader()).await?)
}

/// A page of runs, latest first; one more than asked for tells of a next.
pub async fn runs(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, RunId)>,
    first: u32,
) -> Result<Vec<run::Model>, DbError> {
    let mut query = run::Entity::find()
        .filter(of_reached(scope, run::Column::SourceId)?)
        .order_by_desc(run::Column::StartedAt)
        .order_by_asc(run::Column::Id);
    if let Some(after) = after {
        query = query.filter(earlier(run::Column::StartedAt, run::Column::Id, after));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// A page of gaps, latest met first; one more than asked for tells of a next.
pub async fn gaps(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, GapId)>,
    first: u32,
) -> Result<Vec<gap::Model>, DbError> {
    let mut query = gap::Entity::find()
        .filter(of_reached(scope, gap::Column::SourceId)?)
        .order_by_desc(gap::Column::LastSeenAt)
        .order_by_asc(gap::Column::Id);
    if let Some(after) = after {
        query = query.filter(earlier(gap::Column::LastSeenAt, gap::Column::Id, after));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// How many sources there are.
pub async fn count_sources(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    let query = connection::Entity::find().filter(reached(scope)?);
    Ok(query.count(db.reader()).await?)
}

/// How many runs there are.
pub async fn count_runs(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    let query = run::Entity::find().filter(of_reached(scope, run::Column::SourceId)?);
    Ok(query.count(db.reader()).await?)
}

/// How many gaps there are.
pub async fn count_gaps(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    let query = gap::Entity::find().filter(of_reached(scope, gap::Column::SourceId)?);
    Ok(query.count(db.reader()).await?)
}
