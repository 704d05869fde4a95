//! Schools and CLBs: public.

use hub_entities::id::{ClbId, SchoolId};
use hub_entities::party::{clb, school};
use hub_entities::policy::Scope;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::store::{Db, DbError};

/// These schools.
pub async fn by_id(db: &Db, _scope: &Scope, ids: &[SchoolId]) -> Result<Vec<school::Model>, DbError> {
    Ok(school::Entity::find()
        .filter(school::Column::Id.is_in(ids.iter().copied()))
        .all(db.reader())
        .await?)
}

/// These CLBs.
pub async fn clbs_by_id(db: &Db, _scope: &Scope, ids: &[ClbId]) -> Result<Vec<clb::Model>, DbError> {
    Ok(clb::Entity::find()
        .filter(clb::Column::Id.is_in(ids.iter().copied()))
        .all(db.reader())
        .await?)
}

/// A page of all schools, by institution number; one more than asked for tells of a next.
pub async fn page(db: &Db, _scope: &Scope, after: Option<&str>, first: u32) -> Result<Vec<school::Model>, DbError> {
    let mut query = school::Entity::find().order_by_asc(school::Column::InstitutionNumber);
    if let Some(after) = after {
        query = query.filter(school::Column::InstitutionNumber.gt(after));
    }
    Ok(query.limit(u64::from(first).saturating_add(1)).all(db.reader()).await?)
}

/// How many schools there are.
pub async fn count(db: &Db, _scope: &Scope) -> Result<u64, DbError> {
    Ok(school::Entity::find().count(db.reader()).await?)
}
