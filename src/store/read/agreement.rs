//! Agreements of the reader's own school or CLB; an operator sees all, without pupils.

use hub_entities::agreement::{Column, Entity, Model};
use hub_entities::id::AgreementId;
use hub_entities::policy::{Reach, Scope};
use sea_orm::sea_query::{Condition, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::store::{Db, DbError};

fn own(scope: &Scope) -> SimpleExpr {
    match scope.reach() {
        Reach::School(school) => Column::SchoolId.eq(*school),
        Reach::Clb { clb, .. } => Column::ClbId.eq(*clb),
        Reach::Operations => Column::Id.is_not_null(),
        Reach::Public | Reach::Report { .. } | Reach::Source { .. } => Column::Id.is_null(),
    }
}

/// One of them.
pub async fn by_id(db: &Db, scope: &Scope, id: AgreementId) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id).filter(own(scope)).one(db.reader()).await?)
}

/// A page, latest begin first; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    after: Option<(chrono::NaiveDate, AgreementId)>,
    first: u32,
) -> Result<Vec<Model>, DbError> {
    let mut query = Entity::find()
        .filter(own(scope))
        .order_by_desc(Column::BeginsOn)
        .order_by_asc(Column::Id);
    if let Some((begins_on, id)) = after {
        query = query.filter(
            Condition::any().add(Column::BeginsOn.lt(begins_on)).add(
                Condition::all()
                    .add(Column::BeginsOn.eq(begins_on))
                    .add(Column::Id.gt(id)),
            ),
        );
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// How many there are.
pub async fn count(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    Ok(Entity::find().filter(own(scope)).count(db.reader()).await?)
}
