//! Half-days of absence (afwezigheden) and what is counted from them.

use async_graphql::parser::types::Field;
use async_graphql::resolver_utils::enum_value;
use async_graphql::{Enum, ID, Positioned, ServerResult, SimpleObject, Value};
use chrono::NaiveDate;
use hub_entities::time::Part;

use crate::at_hand::{Asking, AtHand, Leaf as _, missing};
use crate::page::connection;
use crate::scalar::{Day, Often};

/// Morning or afternoon (voormiddag, namiddag).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "Part")]
pub enum PartOfDay {
    /// Morning (voormiddag).
    #[graphql(tag = "class:public")]
    Am,
    /// Afternoon (namiddag).
    #[graphql(tag = "class:public")]
    Pm,
}

impl From<Part> for PartOfDay {
    fn from(part: Part) -> Self {
        match part {
            Part::Am => Self::Am,
            Part::Pm => Self::Pm,
        }
    }
}

/// What is registered of one half-day (halve lesdag).
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(serial)]
pub struct Absence {
    /// The date in Brussels.
    #[graphql(tag = "class:agreed.truancy")]
    pub day: Day,
    /// Morning or afternoon.
    #[graphql(tag = "class:agreed.truancy")]
    pub part: PartOfDay,
    /// The official code; `UNRESOLVED`, `NO_LONGER_B` or `UNKNOWN_LETTER` where there is none.
    /// Other codes than B only where the category `attendance` was agreed.
    #[graphql(tag = "class:agreed.truancy")]
    pub code: Often<String>,
    /// The school that registered it.
    #[graphql(tag = "class:agreed.truancy")]
    pub school_id: Often<ID>,
}

connection!(
    /// A page of half-days of absence.
    AbsenceConnection,
    AbsenceEdge,
    Absence,
    "class:agreed.truancy",
    at hand
);

impl AtHand for Absence {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "day" => self.day.leaf(),
            "part" => enum_value(self.part),
            "code" => self.code.shared(),
            "schoolId" => self.school_id.shared(),
            _ => return Err(missing(field)),
        })
    }
}

/// How often a code was registered in a school year.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(serial)]
pub struct AbsenceCount {
    /// The code, as in `Absence.code`.
    #[graphql(tag = "class:agreed.truancy")]
    pub code: String,
    /// In half-days.
    #[graphql(tag = "class:agreed.truancy")]
    pub n: i32,
}

impl AtHand for AbsenceCount {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        match field.node.name.node.as_str() {
            "code" => Ok(self.code.leaf()),
            "n" => Ok(self.n.leaf()),
            _ => Err(missing(field)),
        }
    }
}

/// A problematic half-day that this viewer may see dated.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "HalfDay", serial)]
pub struct HalfDayRow {
    /// The date in Brussels.
    #[graphql(tag = "class:agreed.truancy")]
    pub day: NaiveDate,
    /// Morning or afternoon.
    #[graphql(tag = "class:agreed.truancy")]
    pub part: PartOfDay,
}

/// The tally as it was last counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TallyRow {
    /// B half-days that count, carried-in included.
    pub count: i32,
    /// Of these, carried in.
    pub carried: i32,
    /// Not yet explained.
    pub pending: i32,
    /// When the fifth was reached.
    pub reached5: Option<NaiveDate>,
    /// When the thirtieth was reached.
    pub reached30: Option<NaiveDate>,
}
