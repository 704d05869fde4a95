//! Vendors' software registered for the reader's school, and what it acts by.

use std::collections::HashMap;

use hub_entities::client_grant;
use hub_entities::id::PrincipalId;
use hub_entities::operation::Role;
use hub_entities::policy::{Reach, Scope};
use hub_entities::principal::{Column, Entity, Model};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::store::{Db, DbError};

fn own(scope: &Scope) -> Result<Condition, DbError> {
    match scope.reach() {
        Reach::School(school) => Ok(Condition::all()
            .add(Column::Role.eq(Role::SchoolClient))
            .add(Column::SchoolId.eq(*school))),
        _ => Err(DbError::OutOfScope),
    }
}

/// A page of them by id; one more than asked for tells of a next.
pub async fn page(db: &Db, scope: &Scope, after: Option<PrincipalId>, first: u32) -> Result<Vec<Model>, DbError> {
    let mut query = Entity::find().filter(own(scope)?).order_by_asc(Column::Id);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// How many there are.
pub async fn count(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    Ok(Entity::find().filter(own(scope)?).count(db.reader()).await?)
}

/// The grants that the reader's school issued to these, latest begin first.
pub async fn grants(
    db: &Db,
    scope: &Scope,
    of: &[PrincipalId],
) -> Result<HashMap<PrincipalId, Vec<client_grant::Model>>, DbError> {
    let Reach::School(school) = scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let found = client_grant::Entity::find()
        .filter(client_grant::Column::SchoolId.eq(*school))
        .filter(client_grant::Column::ClientId.is_in(of.iter().copied()))
        .order_by_desc(client_grant::Column::BeginsAt)
        .order_by_desc(client_grant::Column::Id)
        .all(db.reader())
        .await?;
    let mut by_client: HashMap<PrincipalId, Vec<client_grant::Model>> = HashMap::new();
    for grant in found {
        by_client.entry(grant.client_id).or_default().push(grant);
    }
    Ok(by_client)
}
