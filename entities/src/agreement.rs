//! What a school and its CLB agreed (samenwerkingsafspraken; obligatory since 1 September 2020,
//! domain facts §3.2): which categories of basic pupil data travel, from when until when.

use sea_orm::entity::prelude::*;

use crate::category::Categories;
use crate::id::{AgreementId, ClbId, PrincipalId, SchoolId};
use crate::operation::closed_enum;
use crate::time::Period;

closed_enum! {
    /// How far an agreement has come. Both parties must want it; either may end it.
    AgreementState {
        /// One party has put it forward.
        Proposed = "proposed",
        /// The other has accepted: it holds from its first day.
        Accepted = "accepted",
        /// The other has refused, or the proposer took it back.
        Refused = "refused",
        /// One party has ended it, or a newer one replaced it.
        Ended = "ended",
    }
}

closed_enum! {
    /// One of the two parties.
    Party {
        /// The school.
        School = "school",
        /// The CLB.
        Clb = "clb",
    }
}

/// The longest that an agreement may show a signal to the school first, in days: the law wants the report soon, and a
/// CLB that hears of it after a month cannot help in time.
pub const SCHOOL_FIRST_MOST: i16 = 30;

/// The highest number of half-days that an early warning may be agreed for: at the fifth the law obliges (domain facts
/// §2.1).
pub const EARLY_WARNING_MOST: i16 = 4;

/// One agreement. It continues until ended or replaced: nothing stops on 1 September.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "agreement")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AgreementId,
    /// The school.
    pub school_id: SchoolId,
    /// The CLB.
    pub clb_id: ClbId,
    /// How far it has come.
    pub state: AgreementState,
    /// The categories agreed, as bits of [`Categories`].
    pub categories: Categories,
    /// The written ground for the categories that need one.
    pub ground: Option<String>,
    /// The first day it holds.
    pub begins_on: Date,
    /// The first day it no longer holds.
    pub ends_on: Option<Date>,
    /// For how many days after the one on which it is raised a signal is shown to the school alone; 0 by default
    /// (design §4), [`SCHOOL_FIRST_MOST`] at most.
    pub school_first_days: i16,
    /// From how many half-days on both want a warning, [`EARLY_WARNING_MOST`] at most; none if null (design §4: off until
    /// both switch it on).
    pub early_warning: Option<i16>,
    /// Whether software of the school may read what the CLB released to the school (design §3, class `shared`: machines only
    /// if agreed).
    pub releases_to_software: bool,
    /// Who put it forward.
    pub proposed_by: Option<PrincipalId>,
    /// For which party.
    pub proposed_for: Party,
    /// When.
    pub proposed_at: DateTimeUtc,
    /// Who answered for the other party.
    pub decided_by: Option<PrincipalId>,
    /// When.
    pub decided_at: Option<DateTimeUtc>,
    /// Who ended it.
    pub ended_by: Option<PrincipalId>,
    /// When.
    pub ended_at: Option<DateTimeUtc>,
    /// Rises with every change; a writer names the one it read.
    pub version: i32,
}

/// What an agreement binds two parties to, and when: as much of it as a decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The school.
    pub school_id: SchoolId,
    /// The CLB.
    pub clb_id: ClbId,
    /// How far it has come.
    pub state: AgreementState,
    /// The categories agreed.
    pub categories: Categories,
    /// The first day it holds.
    pub begins_on: Date,
    /// The first day it no longer holds.
    pub ends_on: Option<Date>,
    /// When the other party answered.
    pub decided_at: Option<DateTimeUtc>,
}

impl From<Model> for Binding {
    fn from(row: Model) -> Self {
        Self {
            school_id: row.school_id,
            clb_id: row.clb_id,
            state: row.state,
            categories: row.categories,
            begins_on: row.begins_on,
            ends_on: row.ends_on,
            decided_at: row.decided_at,
        }
    }
}

impl Binding {
    /// The days on which it binds both: none before it was accepted.
    pub const fn in_force(&self) -> Option<Period> {
        match self.state {
            AgreementState::Accepted | AgreementState::Ended if self.decided_at.is_some() => Some(Period {
                begins: self.begins_on,
                ends: self.ends_on,
            }),
            _ => None,
        }
    }
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
