//! Where pupils go to school, as far as the reader may see it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{EnrolmentId, PupilId};
use hub_entities::policy::Scope;
use hub_entities::time::SchoolYear;

use super::class_group::{CLASS, Class, class};
use super::school::{FACTS, School, facts};
use super::{agreed, related};
use crate::store::sql::{list, rows};
use crate::store::{Db, DbError};

const ENROLMENT: Categories = Categories::NONE.with(Category::Enrolment);

/// One enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// The pupil.
    pub pupil: PupilId,
    /// The school.
    pub school: School,
    /// The first day.
    pub begins_on: NaiveDate,
    /// The first day no longer enrolled.
    pub ends_on: Option<NaiveDate>,
}

/// The enrolments of these pupils, latest first.
pub async fn of_pupils(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
) -> Result<BTreeMap<PupilId, Vec<Enrolment>>, DbError> {
    let may = agreed(scope, "e.school_id", ENROLMENT);
    let related = related(scope, "e.pupil_id");
    let mut values = vec![list(pupils)];
    let text = format!(
        "select e.id, e.pupil_id, e.begins_on, e.ends_on, {FACTS} from enrolment e join school s on s.id = e.school_id
         where e.pupil_id in ? and {} and {} order by e.pupil_id, e.begins_on desc, e.id",
        may.text, related.text
    );
    values.extend(may.values);
    values.extend(related.values);
    let mut found: BTreeMap<PupilId, Vec<Enrolment>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let one = Enrolment {
            id: row.try_get_by_index(0)?,
            pupil: row.try_get_by_index(1)?,
            begins_on: row.try_get_by_index(2)?,
            ends_on: row.try_get_by_index(3)?,
            school: facts(&row, 4)?,
        };
        found.entry(one.pupil).or_default().push(one);
    }
    Ok(found)
}

/// The classes of a school year in which these pupils sit, by name.
pub async fn classes_of(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
    year: SchoolYear,
) -> Result<BTreeMap<PupilId, Vec<Class>>, DbError> {
    let may = agreed(scope, "m.school_id", ENROLMENT);
    let related = related(scope, "m.pupil_id");
    let mut values = vec![list(pupils)];
    let text = format!(
        "select {CLASS}, m.pupil_id
         from membership m join class_group c on c.id = m.class_id join school s on s.id = c.school_id
         where m.pupil_id in ? and c.school_year = ? and (m.ends_on is null or m.ends_on > ?) and {} and {}
         order by m.pupil_id, c.name, c.id",
        may.text, related.text
    );
    values.extend([year.into(), scope.day().into()]);
    values.extend(may.values);
    values.extend(related.values);
    let mut found: BTreeMap<PupilId, Vec<Class>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        found.entry(row.try_get_by_index(8)?).or_default().push(class(&row)?);
    }
    Ok(found)
}
