//! The one scope-free read: the facts that the policy decides on.

use chrono::{DateTime, Utc};
use hub_entities::agreement::Binding;
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::Relations;
use hub_entities::principal;
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::sql::{row, rows};
use super::{Db, DbError};

const PRINCIPAL: &str =
    "p.id, p.issuer, p.subject, p.role, p.school_id, p.clb_id, p.pupil_id, p.discipline, p.begins_at, p.ends_at";
const BINDING: &str = "a.school_id, a.clb_id, a.state, a.categories, a.begins_on, a.ends_on, a.decided_at";

/// The acting principal of a token, as of now: (issuer, subject) bound to one role by a row of ours. One statement: the
/// number that moves when any of what follows does. Who has signed in since it moved last is known, relations and all.
pub async fn sign_in(
    db: &Db,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<Option<(Actor, Relations)>, DbError> {
    let moved = row(db.reader(), "select version from authority", Vec::new()).await?;
    let version: i64 = moved
        .ok_or(DbError::Unreadable {
            column: "authority.version",
        })?
        .try_get_by_index(0)?;
    let known = if let Some(known) = db.sign_ins().at(version, issuer, subject) {
        known
    } else {
        let whom = vec![issuer.into(), subject.into()];
        let (row, agreements) = of_principal(db.reader(), "p.issuer = ? and p.subject = ?", whom).await?;
        let Some(row) = row else { return Ok(None) };
        let known = (row.clone(), Relations::of_rows(Some(row), agreements));
        db.sign_ins().keep(version, issuer, subject, known.clone());
        known
    };
    let (row, relations) = known;
    Ok(row.actor_at(now).map(|actor| (actor, relations)))
}

/// The relations of the actor: its own row, and the agreements its school or CLB is a party to.
pub async fn load(db: &Db, operation: &Operation) -> Result<Relations, DbError> {
    load_from(db.reader(), operation).await
}

/// As [`load`], with what a transaction has written.
pub(super) async fn load_from<C: ConnectionTrait>(db: &C, operation: &Operation) -> Result<Relations, DbError> {
    match &operation.actor {
        Actor::Principal { id, .. } => {
            let (row, agreements) = of_principal(db, "p.id = ?", vec![(*id).into()]).await?;
            Ok(Relations::of_rows(row, agreements))
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

/// The row of a principal, and the agreements of the school it acts for, or else of its CLB.
async fn of_principal<C: ConnectionTrait>(
    db: &C,
    which: &str,
    values: Vec<Value>,
) -> Result<(Option<principal::Model>, Vec<Binding>), DbError> {
    let text = format!(
        "select {PRINCIPAL}, {BINDING} from principal p
         left join agreement a on a.school_id = p.school_id or (p.school_id is null and a.clb_id = p.clb_id)
         where {which}"
    );
    let found = rows(db, &text, values).await?;
    let Some(first) = found.first() else {
        return Ok((None, Vec::new()));
    };
    let principal = principal::Model {
        id: first.try_get_by_index(0)?,
        issuer: first.try_get_by_index(1)?,
        subject: first.try_get_by_index(2)?,
        role: first.try_get_by_index(3)?,
        school_id: first.try_get_by_index(4)?,
        clb_id: first.try_get_by_index(5)?,
        pupil_id: first.try_get_by_index(6)?,
        discipline: first.try_get_by_index(7)?,
        begins_at: first.try_get_by_index(8)?,
        ends_at: first.try_get_by_index(9)?,
    };
    let mut agreements = Vec::with_capacity(found.len());
    for row in &found {
        // A principal without agreements has one row, with nothing beside it.
        if row.try_get_by_index::<Option<uuid::Uuid>>(10)?.is_some() {
            agreements.push(binding(row, 10)?);
        }
    }
    Ok((Some(principal), agreements))
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
