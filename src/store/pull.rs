//! How far a live source was read.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::id::{SchoolId, SourceId};
use hub_entities::party::school;
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{RunKind, connection, pull};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};

use super::lease::Lease;
use super::sql::{execute, row};
use super::{Db, DbError};

fn source_of(scope: &Scope) -> Result<SourceId, DbError> {
    match scope.reach() {
        Reach::Source { source, .. } => Ok(*source),
        _ => Err(DbError::OutOfScope),
    }
}

/// A read that came to its end, all of it merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// Where the connector stands, in its own words.
    pub state: serde_json::Value,
    /// When it was read.
    pub at: DateTime<Utc>,
    /// Records that were read.
    pub records: i64,
    /// Pupils that these name.
    pub named: i64,
    /// Of those, the ones that the roster knows.
    pub found: i64,
}

/// Where the connector of the scope's source stands; `None` when it was never read to the end.
pub async fn stands(db: &Db, scope: &Scope, kind: RunKind) -> Result<Option<serde_json::Value>, DbError> {
    let text = "select state from pull where source_id = ? and kind = ?";
    let found = row(db.reader(), text, vec![source_of(scope)?.into(), kind.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The last pull of each stream of the scope's source.
pub async fn of_source(db: &Db, scope: &Scope) -> Result<Vec<pull::Model>, DbError> {
    let found = pull::Entity::find().filter(pull::Column::SourceId.eq(source_of(scope)?));
    Ok(found.all(db.reader()).await?)
}

/// Writes down how far the scope's source was read: the watermark, last of all.
pub async fn pulled(db: &Db, lease: &Lease, scope: &Scope, kind: RunKind, pulled: Pulled) -> Result<(), DbError> {
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let values: Vec<Value> = vec![
        source_of(scope)?.into(),
        kind.into(),
        pulled.state.into(),
        pulled.at.into(),
        pulled.records.into(),
        pulled.named.into(),
        pulled.found.into(),
    ];
    execute(
        &tx,
        "insert into pull (source_id, kind, state, pulled_at, records, named, found) values (?, ?, ?, ?, ?, ?, ?)
         on conflict (source_id, kind) do update set state = excluded.state, pulled_at = excluded.pulled_at,
         records = excluded.records, named = excluded.named, found = excluded.found",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Every source with the institution number of its school, by school and name.
pub async fn sources(db: &Db, scope: &Scope) -> Result<Vec<(connection::Model, String)>, DbError> {
    if !matches!(scope.reach(), Reach::Operations) {
        return Err(DbError::OutOfScope);
    }
    let numbers: HashMap<SchoolId, String> = school::Entity::find()
        .all(db.reader())
        .await?
        .into_iter()
        .map(|school| (school.id, school.institution_number))
        .collect();
    let found = connection::Entity::find().all(db.reader()).await?;
    let number = |source: connection::Model| Some((numbers.get(&source.school_id)?.clone(), source));
    let mut sources: Vec<(String, connection::Model)> = found.into_iter().filter_map(number).collect();
    sources.sort_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
    Ok(sources.into_iter().map(|(number, source)| (source, number)).collect())
}
