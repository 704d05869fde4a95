//! What an operator registers: parties, principals, sources, agreements signed on paper.
//!
//! Everything is found again by its natural key, so registering twice changes nothing.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::{AgreementState, Party};
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClbId, PrincipalId, SchoolId, SourceId};
use hub_entities::operation::{Discipline, Role};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::connection;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};
use uuid::Uuid;

use super::sql::row;
use super::{Db, DbError};

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

async fn id_of(db: &Db, text: &str, values: Vec<Value>) -> Result<Uuid, DbError> {
    let found = row(db.reader(), text, values)
        .await?
        .ok_or(DbError::Unreadable { column: "id" })?;
    Ok(found.try_get_by_index(0)?)
}

/// Registers a school by its institution number.
pub async fn school(
    db: &Db,
    scope: &Scope,
    new: SchoolId,
    institution_number: &str,
    name: &str,
    city: &str,
    days_off: &[NaiveDate],
) -> Result<SchoolId, DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        new.into(),
        institution_number.into(),
        name.into(),
        city.into(),
        serde_json::json!(days_off).into(),
    ];
    let id = id_of(
        db,
        "insert into school (id, institution_number, name, city, days_off) values (?, ?, ?, ?, ?)
         on conflict (institution_number)
         do update set name = excluded.name, city = excluded.city, days_off = excluded.days_off returning id",
        values,
    )
    .await?;
    Ok(SchoolId(id))
}

/// Registers a CLB by its institution number.
pub async fn clb(db: &Db, scope: &Scope, new: ClbId, institution_number: &str, name: &str) -> Result<ClbId, DbError> {
    may(scope)?;
    let id = id_of(
        db,
        "insert into clb (id, institution_number, name) values (?, ?, ?)
         on conflict (institution_number) do update set name = excluded.name returning id",
        vec![new.into(), institution_number.into(), name.into()],
    )
    .await?;
    Ok(ClbId(id))
}

/// Registers a source of a school by its name, with its letters.
pub async fn source(
    db: &Db,
    scope: &Scope,
    new: SourceId,
    school: SchoolId,
    name: &str,
    letters: &str,
    overrides: &serde_json::Value,
) -> Result<SourceId, DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        new.into(),
        school.into(),
        name.into(),
        letters.into(),
        overrides.clone().into(),
    ];
    let id = id_of(
        db,
        "insert into source (id, school_id, name, letters, letter_overrides, watermark) values (?, ?, ?, ?, ?, '{}')
         on conflict (school_id, name)
         do update set letters = excluded.letters, letter_overrides = excluded.letter_overrides returning id",
        values,
    )
    .await?;
    Ok(SourceId(id))
}

/// A principal to register.
#[derive(Debug, Clone)]
pub struct NewPrincipal {
    /// Its id if it is new.
    pub id: PrincipalId,
    /// `iss` of its tokens.
    pub issuer: String,
    /// `sub` of its tokens.
    pub subject: String,
    /// Its one acting role.
    pub role: Role,
    /// The school it acts for.
    pub school: Option<SchoolId>,
    /// The CLB it acts for.
    pub clb: Option<ClbId>,
    /// The discipline of a CLB worker.
    pub discipline: Option<Discipline>,
    /// From when it may act.
    pub begins_at: DateTime<Utc>,
}

/// Registers a principal by issuer and subject. The role of one that exists is not changed: it is ended and
/// another is made.
pub async fn principal(db: &Db, scope: &Scope, new: NewPrincipal) -> Result<PrincipalId, DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        new.id.into(),
        new.issuer.into(),
        new.subject.into(),
        new.role.into(),
        new.school.into(),
        new.clb.into(),
        new.discipline.into(),
        new.begins_at.into(),
    ];
    let id = id_of(
        db,
        "insert into principal (id, issuer, subject, role, school_id, clb_id, discipline, begins_at)
         values (?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (issuer, subject) do update set subject = excluded.subject returning id",
        values,
    )
    .await?;
    Ok(PrincipalId(id))
}

/// An agreement signed on paper.
#[derive(Debug, Clone, Copy)]
pub struct SignedAgreement {
    /// Its id if it is new.
    pub id: AgreementId,
    /// The school.
    pub school: SchoolId,
    /// The CLB.
    pub clb: ClbId,
    /// What was agreed.
    pub categories: Categories,
    /// The written ground for categories that need one.
    pub ground: Option<&'static str>,
    /// The first day it holds.
    pub begins_on: NaiveDate,
}

/// Registers an agreement signed on paper, before its first pupils come in. One with the same parties and
/// first day is found again.
pub async fn agreement(
    db: &Db,
    scope: &Scope,
    new: SignedAgreement,
    now: DateTime<Utc>,
) -> Result<AgreementId, DbError> {
    may(scope)?;
    let known = row(
        db.reader(),
        "select id from agreement where school_id = ? and clb_id = ? and begins_on = ?",
        vec![new.school.into(), new.clb.into(), new.begins_on.into()],
    )
    .await?;
    if let Some(known) = known {
        return Ok(known.try_get_by_index(0)?);
    }
    let values: Vec<Value> = vec![
        new.id.into(),
        new.school.into(),
        new.clb.into(),
        AgreementState::Accepted.into(),
        new.categories.into(),
        new.ground.into(),
        new.begins_on.into(),
        Party::School.into(),
        now.into(),
        now.into(),
    ];
    let id = id_of(
        db,
        "insert into agreement (id, school_id, clb_id, state, categories, ground, begins_on, school_first_days,
         proposed_for, proposed_at, decided_at, version) values (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 1) returning id",
        values,
    )
    .await?;
    Ok(AgreementId(id))
}

/// A school by its institution number.
pub async fn find_school(db: &Db, scope: &Scope, institution_number: &str) -> Result<Option<SchoolId>, DbError> {
    may(scope)?;
    let text = "select id from school where institution_number = ?";
    let found = row(db.reader(), text, vec![institution_number.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The source of a school by its name.
pub async fn find_source(
    db: &Db,
    scope: &Scope,
    institution_number: &str,
    name: &str,
) -> Result<Option<connection::Model>, DbError> {
    may(scope)?;
    let found = row(
        db.reader(),
        "select s.id from source s join school c on c.id = s.school_id where c.institution_number = ? and s.name = ?",
        vec![institution_number.into(), name.into()],
    )
    .await?;
    let Some(found) = found else { return Ok(None) };
    let id: SourceId = found.try_get_by_index(0)?;
    Ok(connection::Entity::find()
        .filter(connection::Column::Id.eq(id))
        .one(db.reader())
        .await?)
}
