//! The one scope-free read: the facts that the policy decides on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::Binding;
use hub_entities::id::{ClbId, PrincipalId, SchoolId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::policy::Relations;
use hub_entities::{client_grant, principal};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryResult, Value};
use uuid::Uuid;

use super::reader::Reader;
use super::sql::{list, list_from, row, rows};
use super::together::Answers;
use super::{Db, DbError};

const PRINCIPAL: &str =
    "p.id, p.issuer, p.subject, p.role, p.school_id, p.clb_id, p.pupil_id, p.discipline, p.begins_at, p.ends_at";
const BINDING: &str = "a.school_id, a.clb_id, a.state, a.categories, a.begins_on, a.ends_on, a.decided_at";

/// The acting principal of a token, as of now: (issuer, subject) bound to one role by a row of ours. One statement, or
/// the share in one: the number that moves when any of what follows does. Who has signed in since it moved last is known, relations and all.
pub async fn sign_in(
    db: &Db,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<Option<(Actor, Arc<Relations>)>, DbError> {
    let version = version(db).await?;
    let known = if let Some(known) = db.sign_ins().at(version, issuer, subject) {
        known
    } else {
        let whom = vec![issuer.into(), subject.into()];
        let found = of_principal(db.reader(), "p.issuer = ? and p.subject = ?", whom).await?;
        let Some(known) = found.map(Arc::new) else {
            return Ok(None);
        };
        db.sign_ins().keep(version, issuer, subject, Arc::clone(&known));
        known
    };
    Ok(known.actor_at(now).map(|actor| (actor, known)))
}

/// The number that moves with every change of who may act and of what was agreed.
pub async fn version(db: &Db) -> Result<i64, DbError> {
    db.authority().ask(db.reader(), Version).await
}

/// The question for that number, which is the same for all who ask.
pub(super) struct Version;

#[async_trait]
impl Answers<Version> for Reader {
    type Answer = i64;

    async fn all(&self, questions: &[&Version]) -> Result<Vec<i64>, DbError> {
        let found = row(self, "select version from authority", Vec::new()).await?;
        let found = found.ok_or(DbError::Unreadable {
            column: "authority.version",
        })?;
        Ok(vec![found.try_get_by_index(0)?; questions.len()])
    }
}

/// The relations of the actor: its own row, and the agreements its school or CLB is a party to.
pub async fn load(db: &Db, operation: &Operation) -> Result<Relations, DbError> {
    load_from(db.reader(), operation).await
}

/// As [`load`], with what a transaction has written.
pub(super) async fn load_from<C: ConnectionTrait>(db: &C, operation: &Operation) -> Result<Relations, DbError> {
    match &operation.actor {
        Actor::Principal { id, .. } => {
            let found = of_principal(db, "p.id = ?", vec![(*id).into()]).await?;
            Ok(found.unwrap_or_else(|| Relations::of_rows(None, Vec::<Binding>::new())))
        }
        Actor::Source { school, .. } => {
            let text = format!("select {BINDING} from agreement a where a.school_id = ?");
            let found = rows(db, &text, vec![(*school).into()]).await?;
            let agreements = found.iter().map(|row| binding(row, 0)).collect::<Result<Vec<_>, _>>()?;
            Ok(Relations::of_rows(None, agreements))
        }
        Actor::Hub => Ok(Relations::of_rows(None, Vec::<Binding>::new())),
    }
}

/// As [`load`], for many principals at once: three statements at most, whatever their number. One that is gone is not among them.
pub async fn load_all(db: &Db, of: &[PrincipalId]) -> Result<HashMap<PrincipalId, Relations>, DbError> {
    let text = format!("select {PRINCIPAL} from principal p where p.id in ?");
    let mut principals = Vec::new();
    for row in rows(db.reader(), &text, vec![list(of)]).await? {
        principals.push(principal(&row)?);
    }
    let schools: BTreeSet<SchoolId> = principals.iter().filter_map(|one| one.school_id).collect();
    let clbs: BTreeSet<ClbId> = principals
        .iter()
        .filter(|one| one.school_id.is_none())
        .filter_map(|one| one.clb_id)
        .collect();
    let text = format!("select {BINDING} from agreement a where a.school_id in ? or a.clb_id in ?");
    let values = vec![list_from(schools), list_from(clbs)];
    let found = rows(db.reader(), &text, values).await?;
    let agreements = found.iter().map(|row| binding(row, 0)).collect::<Result<Vec<_>, _>>()?;
    let mut grants: HashMap<PrincipalId, Vec<client_grant::Model>> = HashMap::new();
    for grant in grants_of(db.reader(), principals.iter()).await? {
        grants.entry(grant.client_id).or_default().push(grant);
    }
    let relations = principals.into_iter().map(|row| {
        let own = |one: &&Binding| match row.school_id {
            Some(school) => one.school_id == school,
            None => Some(one.clb_id) == row.clb_id,
        };
        let own: Vec<Binding> = agreements.iter().filter(own).copied().collect();
        let granted = grants.remove(&row.id).unwrap_or_default();
        (row.id, Relations::of_rows(Some(row), own).with_grants(granted))
    });
    Ok(relations.collect())
}

/// The schools and CLBs that events between two positions may concern, on this day: those with a relation to one of
/// their pupils, and those that an event is for. Whether one is told is decided for each reader; to the others there is
/// nothing to decide.
pub async fn concerned(db: &Db, (after, until): (i64, i64), day: NaiveDate) -> Result<BTreeSet<Uuid>, DbError> {
    let text = "select e.school_id from outbox o join enrolment e on e.pupil_id = o.pupil_id
         where o.position > ? and o.position <= ? and e.begins_on <= ? and (e.ends_on is null or e.ends_on > ?)
         union select c.clb_id from outbox o join competence c on c.pupil_id = o.pupil_id
         where o.position > ? and o.position <= ? and c.begins_on <= ? and (c.ends_on is null or c.ends_on > ?)
         union select o.party from outbox o where o.position > ? and o.position <= ? and o.party is not null";
    let between = [Value::from(after), until.into()];
    let days = [Value::from(day), day.into()];
    let values = [between.clone(), days.clone(), between.clone(), days, between].concat();
    let found = rows(db.reader(), text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// A principal, the agreements of the school it acts for, or else of its CLB, and the grants of software.
async fn of_principal<C: ConnectionTrait>(
    db: &C,
    which: &str,
    values: Vec<Value>,
) -> Result<Option<Relations>, DbError> {
    let text = format!(
        "select {PRINCIPAL}, {BINDING} from principal p
         left join agreement a on a.school_id = p.school_id or (p.school_id is null and a.clb_id = p.clb_id)
         where {which}"
    );
    let found = rows(db, &text, values).await?;
    let Some(first) = found.first() else {
        return Ok(None);
    };
    let principal = principal(first)?;
    let mut agreements = Vec::with_capacity(found.len());
    for row in &found {
        // A principal without agreements has one row, with nothing beside it.
        if row.try_get_by_index::<Option<uuid::Uuid>>(10)?.is_some() {
            agreements.push(binding(row, 10)?);
        }
    }
    let grants = grants_of(db, std::iter::once(&principal)).await?;
    Ok(Some(
        Relations::of_rows(Some(principal), agreements).with_grants(grants),
    ))
}

/// The grants of those among them that are software; no statement where none is.
async fn grants_of<C: ConnectionTrait>(
    db: &C,
    principals: impl Iterator<Item = &principal::Model>,
) -> Result<Vec<client_grant::Model>, DbError> {
    let clients = principals.filter(|one| one.role == Role::SchoolClient);
    let clients: Vec<PrincipalId> = clients.map(|one| one.id).collect();
    if clients.is_empty() {
        return Ok(Vec::new());
    }
    let granted = client_grant::Entity::find().filter(client_grant::Column::ClientId.is_in(clients));
    Ok(granted.all(db).await?)
}

/// The columns of [`PRINCIPAL`].
fn principal(row: &QueryResult) -> Result<principal::Model, DbError> {
    Ok(principal::Model {
        id: row.try_get_by_index(0)?,
        issuer: row.try_get_by_index(1)?,
        subject: row.try_get_by_index(2)?,
        role: row.try_get_by_index(3)?,
        school_id: row.try_get_by_index(4)?,
        clb_id: row.try_get_by_index(5)?,
        pupil_id: row.try_get_by_index(6)?,
        discipline: row.try_get_by_index(7)?,
        begins_at: row.try_get_by_index(8)?,
        ends_at: row.try_get_by_index(9)?,
    })
}

/// The columns of [`BINDING`], from this one on.
fn binding(row: &QueryResult, at: usize) -> Result<Binding, DbError> {
    Ok(Binding {
        school_id: row.try_get_by_index(at)?,
        clb_id: row.try_get_by_index(at.saturating_add(1))?,
        state: row.try_get_by_index(at.saturating_add(2))?,
        categories: row.try_get_by_index(at.saturating_add(3))?,
        begins_on: row.try_get_by_index(at.saturating_add(4))?,
        ends_on: row.try_get_by_index(at.saturating_add(5))?,
        decided_at: row.try_get_by_index(at.saturating_add(6))?,
    })
}
