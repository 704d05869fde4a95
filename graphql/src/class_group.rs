//! A class (klas): a free label of one school in one school year, and who sits in it.

use std::sync::Arc;

use async_graphql::parser::types::{Field, SelectionSet};
use async_graphql::{ComplexObject, Context, ContextSelectionSet, Positioned, ServerResult, SimpleObject, Value};
use chrono::NaiveDate;
use hub_entities::category::Categories;
use hub_entities::id::{ClassId, PupilId};

use crate::asked::{Asked, counted};
use crate::at_hand::{Asking, AtHand, Leaf as _, fetch_below, missing};
use crate::batch::Batch;
use crate::page::{Page, Slice, connection};
use crate::problem::Problem;
use crate::pupil::{Pupil, PupilRow};
use crate::scalar::{Gid, Year};
use crate::school::SchoolRow;

/// What the hub answers of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRow {
    /// The class.
    pub id: ClassId,
    /// Its label.
    pub name: String,
    /// Grade as the source gives it.
    pub grade: Option<String>,
    /// The school year.
    pub year: hub_entities::time::SchoolYear,
    /// The school.
    pub school: SchoolRow,
}

/// What the hub answers of one member of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The pupil.
    pub id: PupilId,
    /// The columns asked for.
    pub pupil: PupilRow,
    /// The first day, where it is known.
    pub begins: Option<NaiveDate>,
    /// The first day no longer a member.
    pub ends: Option<NaiveDate>,
}

/// The classes of one list level, and what was loaded for all of them.
#[derive(Default)]
pub(crate) struct Level {
    ids: Vec<ClassId>,
    members: Batch<(Page, Categories), ClassId, Slice<MemberRow>>,
}

/// A class (klas): a free label of the school, not official.
#[derive(SimpleObject)]
#[graphql(complex, serial)]
pub struct ClassGroup {
    /// Its id.
    #[graphql(tag = "class:agreed.enrolment")]
    pub id: Gid<ClassId>,
    /// Its label.
    #[graphql(tag = "class:agreed.enrolment")]
    pub name: String,
    /// Grade as the school's system gives it.
    #[graphql(tag = "class:agreed.enrolment")]
    pub grade: Option<String>,
    /// The school year it exists in.
    #[graphql(tag = "class:agreed.enrolment")]
    pub school_year: Year,
    /// The school.
    #[graphql(tag = "class:public")]
    pub school: SchoolRow,
    #[graphql(skip)]
    level: Arc<Level>,
}

/// A pupil's place in a class.
#[derive(SimpleObject)]
#[graphql(name = "Member", serial)]
pub struct Member {
    /// The pupil.
    #[graphql(tag = "class:agreed.enrolment")]
    pub pupil: Pupil,
    /// The first day, where the school's system gives one.
    #[graphql(tag = "class:agreed.enrolment")]
    pub begins: Option<NaiveDate>,
    /// The first day no longer a member.
    #[graphql(tag = "class:agreed.enrolment")]
    pub ends: Option<NaiveDate>,
}

impl Level {
    /// The level of these classes.
    pub(crate) fn of(mut ids: Vec<ClassId>) -> Arc<Self> {
        ids.sort_unstable();
        ids.dedup();
        Arc::new(Self { ids, ..Self::default() })
    }
}

/// The classes of one list level: they know each other as siblings.
pub(crate) fn siblings(rows: Vec<ClassRow>) -> Vec<ClassGroup> {
    let level = Level::of(rows.iter().map(|row| row.id).collect());
    at_level(rows, &level)
}

/// Classes of a level that is known.
pub(crate) fn at_level(rows: Vec<ClassRow>, level: &Arc<Level>) -> Vec<ClassGroup> {
    let class = |row: ClassRow| ClassGroup {
        id: Gid(row.id),
        name: row.name,
        grade: row.grade,
        school_year: Year(row.year),
        school: row.school,
        level: Arc::clone(level),
    };
    rows.into_iter().map(class).collect()
}

#[ComplexObject]
impl ClassGroup {
    /// Who sits in it, by pupil id: only pupils with whom the viewer has a relation.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<MemberConnection, Problem> {
        let asked = Asked::of(context)?;
        let list = format!("members {}", self.id.0);
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let node = context.look_ahead().field("edges").field("node").field("pupil");
        let columns = crate::pupil::columns(&node);
        let slice = if page.after.is_some() {
            // A cursor belongs to one class's list: there is nothing to load for the siblings.
            asked
                .hub
                .members(asked.operation, &[self.id.0], &page, columns)
                .await?
                .remove(&self.id.0)
        } else {
            let load = || asked.hub.members(asked.operation, &self.level.ids, &page, columns);
            self.level
                .members
                .get((page.clone(), columns), &self.id.0, load)
                .await?
        };
        let members = as_members(slice.unwrap_or_else(|| Slice::empty(page.count)));
        Ok(MemberConnection::of(&list, members))
    }
}

fn as_members(slice: Slice<MemberRow>) -> Slice<Member> {
    let mut places = Vec::with_capacity(slice.rows.len());
    let mut pupils = Vec::with_capacity(slice.rows.len());
    for (mark, row) in slice.rows {
        places.push((mark, row.begins, row.ends));
        pupils.push((row.id, row.pupil));
    }
    let member = |((mark, begins, ends), pupil)| (mark, Member { pupil, begins, ends });
    Slice {
        rows: places
            .into_iter()
            .zip(crate::pupil::siblings(pupils))
            .map(member)
            .collect(),
        more: slice.more,
        total: slice.total,
    }
}

connection!(
    /// A page of members of a class.
    MemberConnection,
    MemberEdge,
    Member,
    "class:agreed.enrolment",
    at hand
);

impl AtHand for Member {
    async fn fetch(&self, context: &ContextSelectionSet<'_>, of: &Positioned<SelectionSet>) -> bool {
        fetch_below(&self.pupil, "pupil", context, of).await
    }

    fn value<'a>(&self, asking: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        match field.node.name.node.as_str() {
            "pupil" => asking.object(&field.node.selection_set, &self.pupil),
            "begins" => Ok(self.begins.leaf()),
            "ends" => Ok(self.ends.leaf()),
            _ => Err(missing(field)),
        }
    }
}

connection!(
    /// A page of classes.
    ClassConnection,
    ClassEdge,
    ClassGroup,
    "class:agreed.enrolment"
);
