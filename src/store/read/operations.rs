//! Sources and runs: of all schools for operators, of one for who may let its runs go on. Nothing of any
//! pupil is in these columns.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::id::{RunId, SchoolId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{connection, run};
use sea_orm::sea_query::{Condition, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Value};

use crate::store::run::Join;
use crate::store::sql::{list, rows};
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

/// How well a source's rows find their pupils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// How many of those whom it named were known, and when that was: by the last pull, or the last run that names any.
    pub last: Option<(Join, DateTime<Utc>)>,
    /// Under how many keys something waits for its pupil.
    pub waiting: i64,
}

/// How well the rows of these sources find their pupils, as far as the scope reaches.
pub async fn joined(db: &Db, scope: &Scope, sources: &[SourceId]) -> Result<HashMap<SourceId, Joined>, DbError> {
    let (everywhere, school) = match scope.reach() {
        Reach::Operations => (true, None),
        Reach::School(own) => (false, Some(*own)),
        _ => return Err(DbError::OutOfScope),
    };
    let text = "select s.id, p.named, p.found, p.pulled_at, r.named, r.found, r.started_at,
             (select count(*) from quarantine q where q.source_id = s.id and q.resolved_at is null)
         from source s
         left join pull p on p.source_id = s.id and p.kind = 'absences'
         left join sync_run r on r.id = (select l.id from sync_run l where l.source_id = s.id and l.named is not null
                                         order by l.started_at desc, l.id desc limit 1)
         where s.id in ? and (? or s.school_id = ?)";
    let values: Vec<Value> = vec![list(sources), everywhere.into(), school.into()];
    let mut found = HashMap::new();
    for row in rows(db.reader(), text, values).await? {
        let mut measured = Vec::new();
        for (named, rate, at) in [(1, 2, 3), (4, 5, 6)] {
            let at: Option<DateTime<Utc>> = row.try_get_by_index(at)?;
            let (named, rate) = (row.try_get_by_index(named)?, row.try_get_by_index(rate)?);
            if let (Some(named), Some(found), Some(at)) = (named, rate, at) {
                measured.push((Join { named, found }, at));
            }
        }
        let joined = Joined {
            last: measured.into_iter().max_by_key(|(_, at)| *at),
            waiting: row.try_get_by_index(7)?,
        };
        found.insert(row.try_get_by_index(0)?, joined);
    }
    Ok(found)
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
