//! What a school lets a vendor's software do for it (design §3): a grant that its data manager issues and can revoke.

use sea_orm::DeriveValueType;
use sea_orm::entity::prelude::*;

use crate::id::{ClientGrantId, PrincipalId, SchoolId, SourceId};
use crate::operation::closed_enum;

closed_enum! {
    /// One thing that software may do for a school. The order of the list is how it is stored: append only.
    Task {
        /// Bring in the roster.
        Roster = "roster",
        /// Bring in half-days of absence.
        Absences = "absences",
        /// Read what the school may read: agreed fields, signals, agreements.
        Reading = "reading",
        /// Report signals to the CLB.
        Reporting = "reporting",
    }
}

/// A set of tasks, stored as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, DeriveValueType)]
pub struct Tasks(i32);

impl Tasks {
    /// Every task.
    pub fn all() -> Self {
        Task::ALL.iter().copied().collect()
    }

    const fn bit(task: Task) -> i32 {
        match task {
            Task::Roster => 1,
            Task::Absences => 1 << 1,
            Task::Reading => 1 << 2,
            Task::Reporting => 1 << 3,
        }
    }

    /// Whether the task is in the set.
    pub const fn has(self, task: Task) -> bool {
        self.0 & Self::bit(task) != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Task> {
        Task::ALL.iter().copied().filter(move |task| self.has(*task))
    }
}

impl FromIterator<Task> for Tasks {
    fn from_iter<I: IntoIterator<Item = Task>>(of: I) -> Self {
        Self(of.into_iter().fold(0, |bits, task| bits | Self::bit(task)))
    }
}

/// One grant. Without one in force a vendor's software is nobody; it has at most one at a time, for a new one ends what
/// was there.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_grant")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClientGrantId,
    /// The school that issued it.
    pub school_id: SchoolId,
    /// The principal of the software.
    pub client_id: PrincipalId,
    /// The connection through which it brings in: its letters are read by that one's table.
    pub source_id: SourceId,
    /// What it may do, as bits of [`Tasks`].
    pub tasks: Tasks,
    /// From when.
    pub begins_at: DateTimeUtc,
    /// Until when; rights end with it at once.
    pub ends_at: Option<DateTimeUtc>,
    /// Who issued it for the school.
    pub issued_by: Option<PrincipalId>,
    /// When.
    pub issued_at: DateTimeUtc,
    /// Who took it back for the school.
    pub revoked_by: Option<PrincipalId>,
    /// When.
    pub revoked_at: Option<DateTimeUtc>,
}

impl Model {
    /// Whether it holds at this instant.
    pub fn is_in_force(&self, now: DateTimeUtc) -> bool {
        self.begins_at <= now && self.ends_at.is_none_or(|ends| now < ends)
    }
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let some: Tasks = [Task::Absences, Task::Reading].into_iter().collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Task::Absences, Task::Reading]);
        assert_eq!(Tasks::all().iter().count(), 4);
        assert!(Tasks::default().is_empty() && !some.is_empty());
    }
}
