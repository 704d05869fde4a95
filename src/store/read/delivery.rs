//! What came of what the reader's own connection brought.

use hub_entities::delivery::record::{Column, Entity, Model};
use hub_entities::delivery::{Outcome, RecordKind};
use hub_entities::policy::{Reach, Scope};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::store::{Db, DbError};

/// Which records; all of them where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// With one of these keys.
    pub keys: Option<Vec<String>>,
    /// Of which this came.
    pub outcome: Option<Outcome>,
}

fn condition(scope: &Scope, filter: &Filter) -> Result<Condition, DbError> {
    let Reach::Source { source, .. } = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let keys = filter.keys.as_ref();
    Ok(Condition::all()
        .add(Column::SourceId.eq(*source))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(keys.map(|keys| Column::RecordKey.is_in(keys.iter().cloned())))
        .add_option(filter.outcome.map(|outcome| Column::Outcome.eq(outcome))))
}

/// A page by kind and key; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    filter: &Filter,
    after: Option<(RecordKind, String)>,
    first: u32,
) -> Result<Vec<Model>, DbError> {
    let mut query = Entity::find()
        .filter(condition(scope, filter)?)
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::RecordKey);
    if let Some((kind, key)) = after {
        let further = Condition::all()
            .add(Column::Kind.eq(kind))
            .add(Column::RecordKey.gt(key));
        query = query.filter(Condition::any().add(Column::Kind.gt(kind)).add(further));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// How many there are.
pub async fn count(db: &Db, scope: &Scope, filter: &Filter) -> Result<u64, DbError> {
    Ok(Entity::find()
        .filter(condition(scope, filter)?)
        .count(db.reader())
        .await?)
}
