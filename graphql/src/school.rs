//! Schools and CLBs: public.

use async_graphql::parser::types::Field;
use async_graphql::{ComplexObject, Context, ID, Object, Positioned, ServerResult, SimpleObject, Value};
use hub_entities::id::{ClbId, SchoolId};
use hub_entities::time::SchoolYear;

use crate::asked::{Asked, counted, id};
use crate::at_hand::{Asking, AtHand, Leaf as _, missing};
use crate::class_group::{ClassConnection, siblings};
use crate::page::{Slice, connection};
use crate::problem::Problem;
use crate::scalar::{Gid, Year};

/// A school as anyone signed in may know it.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "SchoolFacts", serial)]
pub struct SchoolRow {
    /// Its id.
    #[graphql(tag = "class:public")]
    pub id: Gid<SchoolId>,
    /// Institution number (instellingsnummer), six digits.
    #[graphql(tag = "class:public")]
    pub institution_number: String,
    /// Its name.
    #[graphql(tag = "class:public")]
    pub name: String,
    /// Its municipality (gemeente).
    #[graphql(tag = "class:public")]
    pub city: String,
}

impl AtHand for SchoolRow {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "id" => self.id.leaf(),
            "institutionNumber" => self.institution_number.leaf(),
            "name" => self.name.leaf(),
            "city" => self.city.leaf(),
            _ => return Err(missing(field)),
        })
    }
}

/// A pupil guidance centre (Centrum voor Leerlingenbegeleiding).
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Clb")]
pub struct ClbRow {
    /// Its id.
    #[graphql(tag = "class:public")]
    pub id: Gid<ClbId>,
    /// Institution number (instellingsnummer), six digits.
    #[graphql(tag = "class:public")]
    pub institution_number: String,
    /// Its name.
    #[graphql(tag = "class:public")]
    pub name: String,
}

/// A school (school): what is public of it, and its classes as far as the viewer may see them.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct School {
    /// Its id.
    #[graphql(tag = "class:public")]
    pub id: Gid<SchoolId>,
    /// Institution number (instellingsnummer), six digits.
    #[graphql(tag = "class:public")]
    pub institution_number: String,
    /// Its name.
    #[graphql(tag = "class:public")]
    pub name: String,
    /// Its municipality (gemeente).
    #[graphql(tag = "class:public")]
    pub city: String,
}

impl From<SchoolRow> for School {
    fn from(row: SchoolRow) -> Self {
        Self {
            id: row.id,
            institution_number: row.institution_number,
            name: row.name,
            city: row.city,
        }
    }
}

#[ComplexObject]
impl School {
    /// Its classes in a school year, by name; none for a viewer without a relation to the school.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn classes(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:public", desc = "The school year; the running one if left out.")] school_year: Option<
            Year,
        >,
    ) -> Result<ClassConnection, Problem> {
        let asked = Asked::of(context)?;
        let year = school_year.map_or_else(|| SchoolYear::of(asked.operation.today()), |year| year.0);
        let list = format!("classes {} {year}", self.id.0);
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let found = asked.hub.classes(asked.operation, self.id.0, year, &page).await?;
        let (marks, rows): (Vec<_>, Vec<_>) = found.rows.into_iter().unzip();
        let rows = marks.into_iter().zip(siblings(rows)).collect();
        let slice = Slice {
            rows,
            more: found.more,
            total: found.total,
        };
        Ok(ClassConnection::of(&list, slice))
    }
}

connection!(
    /// A page of schools.
    SchoolConnection,
    SchoolEdge,
    School,
    "class:public"
);

/// The roots about schools, for schools and CLBs.
#[derive(Default)]
pub struct SchoolRoot;

#[Object]
impl SchoolRoot {
    /// One school; null if unknown.
    #[graphql(tag = "class:public")]
    async fn school(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The school's id.")] school: ID,
    ) -> Result<Option<School>, Problem> {
        let asked = Asked::of(context)?;
        let Some(school) = id::<SchoolId>(&school) else {
            return Ok(None);
        };
        let found = asked.hub.schools_by_id(asked.operation, &[school]).await?;
        Ok(found.into_values().next().map(School::from))
    }

    /// All schools, by institution number.
    #[graphql(tag = "class:public")]
    async fn schools(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<SchoolConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("schools", first, after.as_deref(), counted(context))?;
        let found = asked.hub.schools(asked.operation, &page).await?;
        Ok(SchoolConnection::of("schools", found.map(School::from)))
    }
}
