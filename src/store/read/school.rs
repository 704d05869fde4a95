//! Schools and CLBs: public.

use hub_entities::id::{ClbId, SchoolId};
use hub_entities::party::{clb, school};
use hub_entities::policy::Scope;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryResult, Value};

use crate::store::sql::{list, rows};
use crate::store::{Db, DbError};

/// What everyone may know of a school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct School {
    /// Its id.
    pub id: SchoolId,
    /// Institution number (instellingsnummer).
    pub institution_number: String,
    /// Its name.
    pub name: String,
    /// Its municipality.
    pub city: String,
}

/// The columns of [`School`], of a school that the statement calls `s`.
pub(super) const FACTS: &str = "s.id, s.institution_number, s.name, s.city";

/// Reads [`FACTS`], from this column on.
pub(super) fn facts(row: &QueryResult, at: usize) -> Result<School, DbError> {
    Ok(School {
        id: row.try_get_by_index(at)?,
        institution_number: row.try_get_by_index(at.saturating_add(1))?,
        name: row.try_get_by_index(at.saturating_add(2))?,
        city: row.try_get_by_index(at.saturating_add(3))?,
    })
}

/// These schools.
pub async fn by_id(db: &Db, _scope: &Scope, ids: &[SchoolId]) -> Result<Vec<School>, DbError> {
    let values = vec![list(ids)];
    let text = format!("select {FACTS} from school s where s.id in ?");
    rows(db.reader(), &text, values)
        .await?
        .iter()
        .map(|row| facts(row, 0))
        .collect()
}

/// These CLBs.
pub async fn clbs_by_id(db: &Db, _scope: &Scope, ids: &[ClbId]) -> Result<Vec<clb::Model>, DbError> {
    Ok(clb::Entity::find()
        .filter(clb::Column::Id.is_in(ids.iter().copied()))
        .all(db.reader())
        .await?)
}

/// A page of all schools, by institution number; one more than asked for tells of a next.
pub async fn page(db: &Db, _scope: &Scope, after: Option<&str>, first: u32) -> Result<Vec<School>, DbError> {
    let go_on = if after.is_some() {
        "where s.institution_number > ?"
    } else {
        ""
    };
    let text = format!("select {FACTS} from school s {go_on} order by s.institution_number limit ?");
    let mut values: Vec<Value> = after.into_iter().map(Value::from).collect();
    values.push(i64::from(first).saturating_add(1).into());
    rows(db.reader(), &text, values)
        .await?
        .iter()
        .map(|row| facts(row, 0))
        .collect()
}

/// How many schools there are.
pub async fn count(db: &Db, _scope: &Scope) -> Result<u64, DbError> {
    Ok(school::Entity::find().count(db.reader()).await?)
}
