//! Classes and who sits in them.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{ClassId, PupilId, SchoolId};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_entities::time::SchoolYear;
use hub_graphql::class_group::{ClassRow, MemberRow};
use hub_graphql::hub::{Answer, Classes, Pupils as _};
use hub_graphql::page::{Mark, Page, Slice, SortKey};

use super::answer::{counted, school_row, slice, text};
use super::{App, failed};
use crate::store::read::class_group::{self as classes, Class};

/// A class as it is answered.
pub(super) fn row(class: Class) -> ClassRow {
    ClassRow {
        id: class.id,
        name: class.name,
        grade: class.grade,
        year: class.year,
        school: school_row(class.school),
    }
}

#[async_trait]
impl Classes for App {
    async fn classes_by_id(&self, operation: &Operation, ids: &[ClassId]) -> Answer<HashMap<ClassId, ClassRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = classes::by_id(&self.db, &scope, ids)
            .await
            .map_err(|fault| failed(&fault))?;
        Ok(found.into_iter().map(|(id, class)| (id, row(class))).collect())
    }

    async fn classes(
        &self,
        operation: &Operation,
        school: SchoolId,
        year: SchoolYear,
        page: &Page,
    ) -> Answer<Slice<ClassRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page
            .after
            .as_ref()
            .and_then(|mark| Some((text(page)?, ClassId(mark.id))));
        let total = counted(page, classes::count(&self.db, &scope, school, year)).await?;
        let found = classes::page(&self.db, &scope, school, year, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        Ok(slice(found, page, total, |class| {
            let mark = Mark {
                key: SortKey::Text(class.name.clone()),
                id: class.id.0,
            };
            (mark, row(class))
        }))
    }

    async fn members(
        &self,
        operation: &Operation,
        of: &[ClassId],
        page: &Page,
        columns: Categories,
    ) -> Answer<HashMap<ClassId, Slice<MemberRow>>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let after = page.after.as_ref().map(|mark| PupilId(mark.id));
        let found = classes::members(&self.db, &scope, of, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let totals = if page.count {
            classes::count_members(&self.db, &scope, of)
                .await
                .map_err(|fault| failed(&fault))?
        } else {
            std::collections::BTreeMap::new()
        };
        // The pupils of all classes of this level in one statement.
        let mut ids: Vec<PupilId> = found.values().flatten().map(|member| member.pupil).collect();
        ids.sort_unstable();
        ids.dedup();
        let enrolment = Categories::NONE.with(Category::Enrolment);
        self.note(operation, ids.iter().copied(), enrolment)?;
        let pupils = self.pupils_by_id(operation, &ids, columns).await?;
        let answer = |(class, members): (ClassId, Vec<classes::Member>)| {
            let total = page.count.then(|| totals.get(&class).copied().unwrap_or_default());
            let rows = slice(members, page, total, |member| {
                let mark = Mark {
                    key: SortKey::Id,
                    id: member.pupil.0,
                };
                let row = pupils.get(&member.pupil).map(|pupil| MemberRow {
                    id: member.pupil,
                    pupil: pupil.clone(),
                    begins: member.begins_on,
                    ends: member.ends_on,
                });
                (mark, row)
            });
            // A relation that ended between the two statements: the row is absent.
            let seen = rows.rows.into_iter().filter_map(|(mark, row)| Some((mark, row?)));
            let slice = Slice {
                rows: seen.collect(),
                more: rows.more,
                total: rows.total,
            };
            (class, slice)
        };
        Ok(found.into_iter().map(answer).collect())
    }
}
