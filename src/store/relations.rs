//! The one scope-free read: the facts that the policy decides on.

use chrono::{DateTime, Utc};
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::Relations;
use hub_entities::{agreement, principal};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{Db, DbError};

/// The acting principal of a token, as of now: (issuer, subject) bound to one role by a row of ours.
pub async fn find_actor(db: &Db, issuer: &str, subject: &str, now: DateTime<Utc>) -> Result<Option<Actor>, DbError> {
    let row = principal::Entity::find()
        .filter(principal::Column::Issuer.eq(issuer))
        .filter(principal::Column::Subject.eq(subject))
        .one(db.reader())
        .await?;
    Ok(row.and_then(|row| row.actor_at(now)))
}

/// The relations of the actor: its own row, and the agreements its school or CLB is a party to.
pub async fn load(db: &Db, operation: &Operation) -> Result<Relations, DbError> {
    load_from(db.reader(), operation).await
}

/// As [`load`], with what a transaction has written.
pub(super) async fn load_from<C: ConnectionTrait>(db: &C, operation: &Operation) -> Result<Relations, DbError> {
    let (principal, school, clb) = match &operation.actor {
        Actor::Principal { id, school, clb, .. } => (principal::Entity::find_by_id(*id).one(db).await?, *school, *clb),
        Actor::Source { school, .. } => (None, Some(*school), None),
        Actor::Hub => (None, None, None),
    };
    let of_party = match (school, clb) {
        (Some(school), _) => Some(agreement::Column::SchoolId.eq(school)),
        (None, Some(clb)) => Some(agreement::Column::ClbId.eq(clb)),
        (None, None) => None,
    };
    let agreements = match of_party {
        Some(party) => agreement::Entity::find().filter(party).all(db).await?,
        None => Vec::new(),
    };
    Ok(Relations::of_rows(principal, agreements))
}
