//! The categories of basic pupil data (basisleerlinggegevens) as an enum of the schema.

use async_graphql::Enum;
use hub_entities::category::Category as Basic;

/// A category of basic pupil data (basisleerlinggegevens) that a school and a CLB may agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Basic")]
pub enum Category {
    /// Name and sex.
    #[graphql(tag = "class:public")]
    Identity,
    /// Date of birth.
    #[graphql(tag = "class:public")]
    Birth,
    /// Where the pupil lives.
    #[graphql(tag = "class:public")]
    Address,
    /// How parents or guardians are reached.
    #[graphql(tag = "class:public")]
    Contact,
    /// Schools, classes, begin and end.
    #[graphql(tag = "class:public")]
    Enrolment,
    /// Problematic absences (code B) and what follows from them.
    #[graphql(tag = "class:public")]
    Truancy,
    /// Language at home. Needs a written ground.
    #[graphql(tag = "class:public")]
    Language,
    /// All absence codes, sickness included. Needs a written ground.
    #[graphql(tag = "class:public")]
    Attendance,
    /// National or BIS number, as a blind index only. Needs a written ground.
    #[graphql(tag = "class:public")]
    NationalNumber,
}
