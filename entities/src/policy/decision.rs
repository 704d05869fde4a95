//! What a decision is, and the only thing that carries it to the store.

use chrono::NaiveDate;

use crate::category::Categories;
use crate::id::{ClbId, PrincipalId, SchoolId, SourceId};
use crate::operation::closed_enum;

closed_enum! {
    /// Why an action was refused altogether. It says nothing of any pupil.
    Refusal {
        /// This role does not do this.
        Role = "role",
        /// The actor's row has ended, or names nothing to act for.
        NotInForce = "not_in_force",
    }
}

/// The outcome of [`super::decide`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be done, within this scope.
    Allowed(Scope),
    /// It may not.
    Refused(Refusal),
}

/// How far an allowed action reaches. Every query is written for each of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// What everyone signed in may see.
    Public,
    /// One school: what it said itself of the pupils enrolled there today.
    School(SchoolId),
    /// One CLB: pupils it is competent for today; of each record the categories that the agreement
    /// in force today with the record's school lists.
    Clb {
        /// The CLB.
        clb: ClbId,
        /// Per school with an agreement in force today, what was agreed.
        agreed: Vec<(SchoolId, Categories)>,
    },
    /// One CLB, of an obligatory report alone: name, birth date, school, class and count of a pupil it is
    /// competent for today, as one of its own schools has them, whatever the agreement lists.
    Report {
        /// The CLB.
        clb: ClbId,
        /// The schools with an agreement in force today.
        schools: Vec<SchoolId>,
    },
    /// Sources, runs and gaps of all schools; no pupil content.
    Operations,
    /// What one source says of its own school.
    Source {
        /// The connection.
        source: SourceId,
        /// Its school.
        school: SchoolId,
        /// What the agreements in force today let the hub keep.
        agreed: Categories,
    },
}

/// The right to query, as far as it reaches.
///
/// It has no public constructor and cannot be read from outside data: a decision is the only
/// thing that makes one. The forging tests show that nothing else compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    reach: Reach,
    viewer: Option<PrincipalId>,
    day: NaiveDate,
}

impl Scope {
    pub(super) const fn new(reach: Reach, viewer: Option<PrincipalId>, day: NaiveDate) -> Self {
        Self { reach, viewer, day }
    }

    /// How far it reaches.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Who looks, if it is a principal.
    pub const fn viewer(&self) -> Option<PrincipalId> {
        self.viewer
    }

    /// The day relations are compared with.
    pub const fn day(&self) -> NaiveDate {
        self.day
    }
}
