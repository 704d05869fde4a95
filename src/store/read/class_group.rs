//! Classes and who sits in them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{ClassId, PupilId, SchoolId};
use hub_entities::policy::Scope;
use hub_entities::time::SchoolYear;
use sea_orm::{QueryResult, Value};

use super::school::{School, facts};
use super::{agreed, related};
use crate::store::sql::{list, row, rows};
use crate::store::{Db, DbError};

const ENROLMENT: Categories = Categories::NONE.with(Category::Enrolment);

/// One class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its id.
    pub id: ClassId,
    /// The school.
    pub school: School,
    /// The school year.
    pub year: SchoolYear,
    /// Its label.
    pub name: String,
    /// Grade as the source gives it.
    pub grade: Option<String>,
}

/// The columns of [`Class`]: of the class `c` and its school `s`.
pub(super) const CLASS: &str = "c.id, c.school_year, c.name, c.grade, s.id, s.institution_number, s.name, s.city";

pub(super) fn class(row: &QueryResult) -> Result<Class, DbError> {
    Ok(Class {
        id: row.try_get_by_index(0)?,
        year: row.try_get_by_index(1)?,
        name: row.try_get_by_index(2)?,
        grade: row.try_get_by_index(3)?,
        school: facts(row, 4)?,
    })
}

/// These classes, of schools whose enrolments the reader may see.
pub async fn by_id(db: &Db, scope: &Scope, ids: &[ClassId]) -> Result<BTreeMap<ClassId, Class>, DbError> {
    let may = agreed(scope, "c.school_id", ENROLMENT);
    let mut values = vec![list(ids)];
    let text = format!(
        "select {CLASS} from class_group c join school s on s.id = c.school_id where c.id in ? and {}",
        may.text
    );
    values.extend(may.values);
    let found = rows(db.reader(), &text, values).await?;
    found
        .iter()
        .map(|row| class(row).map(|class| (class.id, class)))
        .collect()
}

/// A page of the classes of a school in a school year, by name; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    school: SchoolId,
    year: SchoolYear,
    after: Option<(&str, ClassId)>,
    first: u32,
) -> Result<Vec<Class>, DbError> {
    let may = agreed(scope, "c.school_id", ENROLMENT);
    let go_on = if after.is_some() {
        "and (c.name, c.id) > (?, ?)"
    } else {
        ""
    };
    let text = format!(
        "select {CLASS} from class_group c join school s on s.id = c.school_id
         where c.school_id = ? and c.school_year = ? and {} {go_on} order by c.name, c.id limit ?",
        may.text
    );
    let mut values: Vec<Value> = vec![school.into(), year.into()];
    values.extend(may.values);
    if let Some((name, id)) = after {
        values.extend([Value::from(name), id.into()]);
    }
    values.push(i64::from(first).saturating_add(1).into());
    rows(db.reader(), &text, values).await?.iter().map(class).collect()
}

/// How many classes a school has in a school year.
pub async fn count(db: &Db, scope: &Scope, school: SchoolId, year: SchoolYear) -> Result<i64, DbError> {
    let may = agreed(scope, "c.school_id", ENROLMENT);
    let text = format!(
        "select count(*) from class_group c where c.school_id = ? and c.school_year = ? and {}",
        may.text
    );
    let mut values: Vec<Value> = vec![school.into(), year.into()];
    values.extend(may.values);
    let counted = row(db.reader(), &text, values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}

/// One place in a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The class.
    pub class: ClassId,
    /// The pupil.
    pub pupil: PupilId,
    /// The first day, where the source gives one.
    pub begins_on: Option<NaiveDate>,
    /// The first day no longer a member.
    pub ends_on: Option<NaiveDate>,
}

/// Who sits in these classes, by pupil id: of each one more than asked for tells of a next. Only pupils the
/// reader is related to.
pub async fn members(
    db: &Db,
    scope: &Scope,
    classes: &[ClassId],
    after: Option<PupilId>,
    first: u32,
) -> Result<BTreeMap<ClassId, Vec<Member>>, DbError> {
    let may = agreed(scope, "m.school_id", ENROLMENT);
    let related = related(scope, "m.pupil_id");
    let mut values = vec![list(classes)];
    let text = format!(
        "select class_id, pupil_id, begins_on, ends_on from (
           select m.class_id, m.pupil_id, m.begins_on, m.ends_on,
                  row_number() over (partition by m.class_id order by m.pupil_id) as place
           from membership m
           where m.class_id in ? and m.pupil_id > ? and (m.ends_on is null or m.ends_on > ?) and {} and {}
         ) of_class where place <= ? order by class_id, pupil_id",
        may.text, related.text
    );
    values.extend([
        after.unwrap_or(PupilId(uuid::Uuid::nil())).into(),
        Value::from(scope.day()),
    ]);
    values.extend(may.values);
    values.extend(related.values);
    values.push(i64::from(first).saturating_add(1).into());
    let mut found: BTreeMap<ClassId, Vec<Member>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let member = Member {
            class: row.try_get_by_index(0)?,
            pupil: row.try_get_by_index(1)?,
            begins_on: row.try_get_by_index(2)?,
            ends_on: row.try_get_by_index(3)?,
        };
        found.entry(member.class).or_default().push(member);
    }
    Ok(found)
}

/// How many sit in these classes, of those the reader is related to.
pub async fn count_members(db: &Db, scope: &Scope, classes: &[ClassId]) -> Result<BTreeMap<ClassId, i64>, DbError> {
    let may = agreed(scope, "m.school_id", ENROLMENT);
    let related = related(scope, "m.pupil_id");
    let mut values = vec![list(classes)];
    let text = format!(
        "select m.class_id, count(*) from membership m
         where m.class_id in ? and (m.ends_on is null or m.ends_on > ?) and {} and {} group by m.class_id",
        may.text, related.text
    );
    values.push(scope.day().into());
    values.extend(may.values);
    values.extend(related.values);
    let found = rows(db.reader(), &text, values).await?;
    found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}
