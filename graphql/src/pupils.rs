//! Lists of pupils: which ones, in which order. Both are closed, and on basic data alone.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use hub_entities::id::{ClassId, PupilId, SchoolId};
use hub_entities::time::SchoolYear;

use crate::asked::{Asked, counted, id};
use crate::at_hand::Row;
use crate::page::Slice;
use crate::problem::Problem;
use crate::pupil::{Pupil, PupilConnection, PupilRow, columns, counted_siblings, one, year_or_now};
use crate::scalar::Year;

/// Which pupils. Only basic data can be asked by, and only as far as it was agreed.
#[derive(Debug, Clone, Default, InputObject)]
#[graphql(name = "PupilFilter")]
pub struct PupilFilterInput {
    /// Enrolled today at this school.
    #[graphql(tag = "class:agreed.enrolment")]
    pub school: Option<ID>,
    /// Sitting in this class.
    #[graphql(tag = "class:agreed.enrolment")]
    pub class: Option<ID>,
    /// With at least so many problematic half-days in the school year.
    #[graphql(tag = "class:agreed.truancy")]
    pub truancy_count_at_least: Option<i32>,
    /// The school year that counts; the running one if left out.
    #[graphql(tag = "class:public")]
    pub school_year: Option<Year>,
}

/// Which pupils, with typed ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PupilFilter {
    /// Enrolled today at this school.
    pub school: Option<SchoolId>,
    /// Sitting in this class.
    pub class: Option<ClassId>,
    /// With at least so many problematic half-days.
    pub truancy_count_at_least: Option<i32>,
    /// In this school year.
    pub year: SchoolYear,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PupilOrder {
    /// By id: the order in which the hub first heard of them.
    #[graphql(tag = "class:public")]
    Id,
    /// By family and given name; pupils whose name was not agreed come last.
    #[graphql(tag = "class:agreed.identity")]
    FamilyName,
    /// By truancy count, highest first; pupils whose truancy was not agreed count as none.
    #[graphql(tag = "class:agreed.truancy")]
    TruancyCount,
}

/// The roots about pupils.
#[derive(Default)]
pub struct PupilRoot;

#[Object]
impl PupilRoot {
    /// One pupil, by id or by the key that the viewer's own school has for the pupil; null if unknown or without relation
    /// to the viewer, and where both or none are given.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn pupil(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The pupil's id.")] pupil: Option<ID>,
        #[graphql(tag = "class:agreed.enrolment", desc = "The pupil's key in the school's own system.")]
        by_source_key: Option<String>,
    ) -> Result<Option<Row<Pupil>>, Problem> {
        let asked = Asked::of(context)?;
        let pupil = match (pupil, by_source_key) {
            (Some(pupil), None) => id(&pupil),
            (None, Some(key)) => asked.hub.pupil_by_source_key(asked.operation, &key).await?,
            _ => None,
        };
        let Some(pupil) = pupil else {
            return Ok(None);
        };
        let found = one(&asked, pupil, columns(&context.look_ahead())).await?;
        Ok(found.map(Row))
    }

    /// The viewer's pupils.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn pupils(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:agreed.enrolment", desc = "Which ones.")] filter: Option<PupilFilterInput>,
        #[graphql(
            tag = "class:agreed.enrolment",
            desc = "In which order.",
            default_with = "PupilOrder::Id"
        )]
        order_by: PupilOrder,
    ) -> Result<PupilConnection, Problem> {
        let asked = Asked::of(context)?;
        let Some(filter) = typed(&asked, &filter.unwrap_or_default()) else {
            return Ok(PupilConnection::of("", Slice::empty(counted(context))));
        };
        let list = format!("pupils {filter:?} {order_by:?}");
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let columns = columns(&context.look_ahead().field("edges").field("node"));
        let found = asked
            .hub
            .pupils(asked.operation, &filter, order_by, &page, columns)
            .await?;
        Ok(PupilConnection::of(&list, as_pupils(found, filter.year)))
    }
}

/// The filter with typed ids; `None` when an id is none, so that nothing can match.
fn typed(asked: &Asked<'_>, filter: &PupilFilterInput) -> Option<PupilFilter> {
    Some(PupilFilter {
        school: match &filter.school {
            Some(school) => Some(id(school)?),
            None => None,
        },
        class: match &filter.class {
            Some(class) => Some(id(class)?),
            None => None,
        },
        truancy_count_at_least: filter.truancy_count_at_least,
        year: year_or_now(asked, filter.school_year),
    })
}

fn as_pupils(found: Slice<PupilRow>, year: SchoolYear) -> Slice<Pupil> {
    let (marks, rows): (Vec<_>, Vec<_>) = found
        .rows
        .into_iter()
        .map(|(mark, row)| {
            let id = row.id.unwrap_or(PupilId(mark.id));
            (mark, (id, row))
        })
        .unzip();
    Slice {
        rows: marks.into_iter().zip(counted_siblings(rows, year)).collect(),
        more: found.more,
        total: found.total,
    }
}
