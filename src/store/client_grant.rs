//! Issuing and revoking what a vendor's software acts by.

use chrono::{DateTime, Utc};
use hub_entities::client_grant::{Entity, Model, Tasks};
use hub_entities::id::{ClientGrantId, PrincipalId, SchoolId, SourceId};
use hub_entities::operation::Role;
use hub_entities::policy::{Reach, Scope};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Value};

use super::sql::{execute, row};
use super::{Db, DbError};

/// A grant to be issued.
#[derive(Debug, Clone)]
pub struct Coming {
    /// The id it gets.
    pub id: ClientGrantId,
    /// The principal of the software.
    pub client: PrincipalId,
    /// The connection it brings in through.
    pub source: SourceId,
    /// What it may do.
    pub tasks: Tasks,
    /// From when.
    pub begins_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: Option<DateTime<Utc>>,
    /// When it is issued.
    pub now: DateTime<Utc>,
}

/// What came of revoking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It is done; the grant as it is now.
    Done(Model),
    /// It had ended already.
    Over,
    /// No such grant within the scope.
    Unknown,
}

fn school_of(scope: &Scope) -> Result<SchoolId, DbError> {
    match scope.reach() {
        Reach::School(school) => Ok(*school),
        _ => Err(DbError::OutOfScope),
    }
}

/// Issues a grant to software that is registered for the scope's school; `None` when it or the connection is not. What
/// the software had from then on ends with its begin: no two hold at once.
pub async fn issue(db: &Db, scope: &Scope, coming: Coming) -> Result<Option<Model>, DbError> {
    let school = school_of(scope)?;
    let tx = db.begin().await?;
    // The row of the client is held: of two that are issued at once one comes after the other.
    let text = format!(
        "select id from principal where id = ? and role = ? and school_id = ? {}",
        db.dialect().for_update()
    );
    let values: Vec<Value> = vec![coming.client.into(), Role::SchoolClient.into(), school.into()];
    let client = row(&tx, &text, values).await?;
    let text = "select id from source where id = ? and school_id = ?";
    let source = row(&tx, text, vec![coming.source.into(), school.into()]).await?;
    if client.is_none() || source.is_none() {
        return Ok(None);
    }
    let values: Vec<Value> = vec![
        coming.begins_at.into(),
        coming.client.into(),
        school.into(),
        coming.begins_at.into(),
    ];
    execute(
        &tx,
        "update client_grant set ends_at = ? where client_id = ? and school_id = ? and (ends_at is null or ends_at > ?)",
        values,
    )
    .await?;
    let issued = Model {
        id: coming.id,
        school_id: school,
        client_id: coming.client,
        source_id: coming.source,
        tasks: coming.tasks,
        begins_at: coming.begins_at,
        ends_at: coming.ends_at,
        issued_by: scope.viewer(),
        issued_at: coming.now,
        revoked_by: None,
        revoked_at: None,
    };
    let issued = issued.into_active_model().insert(&tx).await?;
    tx.commit().await?;
    Ok(Some(issued))
}

/// Takes a grant of the scope's school back: from this instant on it holds no more.
pub async fn revoke(db: &Db, scope: &Scope, id: ClientGrantId, now: DateTime<Utc>) -> Result<Revoked, DbError> {
    let school = school_of(scope)?;
    let values: Vec<Value> = vec![
        now.into(),
        scope.viewer().into(),
        now.into(),
        id.into(),
        school.into(),
        now.into(),
    ];
    let revoked = execute(
        db.reader(),
        "update client_grant set ends_at = ?, revoked_by = ?, revoked_at = ?
         where id = ? and school_id = ? and (ends_at is null or ends_at > ?)",
        values,
    )
    .await?;
    let found = Entity::find_by_id(id).one(db.reader()).await?;
    Ok(match found.filter(|grant| grant.school_id == school) {
        Some(grant) if revoked == 1 => Revoked::Done(grant),
        Some(_) => Revoked::Over,
        None => Revoked::Unknown,
    })
}
