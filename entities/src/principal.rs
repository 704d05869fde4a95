//! Who may sign in: a row of ours binds (issuer, subject) to one acting role (design §3).
//! It is never made by name or e-mail, and roles are never added up.

use sea_orm::entity::prelude::*;

use crate::id::{ClbId, PrincipalId, PupilId, SchoolId};
use crate::operation::{Actor, Discipline, Role};

/// One principal.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "principal")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PrincipalId,
    /// `iss` of the token, compared byte for byte.
    pub issuer: String,
    /// `sub` of the token, compared byte for byte.
    pub subject: String,
    /// The one acting role.
    pub role: Role,
    /// The school it acts for.
    pub school_id: Option<SchoolId>,
    /// The CLB it acts for.
    pub clb_id: Option<ClbId>,
    /// The pupil it acts for.
    pub pupil_id: Option<PupilId>,
    /// The discipline of a CLB worker.
    pub discipline: Option<Discipline>,
    /// From when it may act.
    pub begins_at: DateTimeUtc,
    /// Until when; rights end with it at once.
    pub ends_at: Option<DateTimeUtc>,
}

impl Model {
    /// The actor, if the row holds at this instant and names what its role acts for.
    pub fn actor_at(&self, now: DateTimeUtc) -> Option<Actor> {
        let holds = self.begins_at <= now && self.ends_at.is_none_or(|ends| now < ends);
        let tied = match self.role {
            Role::SchoolClient | Role::SchoolCareTeam | Role::SchoolDataManager => self.school_id.is_some(),
            Role::ClbWorker | Role::ClbDirector | Role::ClbAdministration | Role::ClbChatWorker => {
                self.clb_id.is_some()
            }
            Role::Pupil | Role::Parent => self.pupil_id.is_some(),
            Role::DataProtectionOfficer => self.clb_id.is_some() || self.school_id.is_some(),
            Role::Operator => true,
        };
        (holds && tied).then_some(Actor::Principal {
            id: self.id,
            role: self.role,
            school: self.school_id,
            clb: self.clb_id,
            pupil: self.pupil_id,
        })
    }
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Whether what a sign-in rests on has changed: one number for all principals, agreements and grants.
pub mod authority {
    use sea_orm::entity::prelude::*;

    /// The one row. Triggers of the database move it, in the transaction that changes any of them.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "authority")]
    pub struct Model {
        /// Always `sign_in`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// Rises with every change.
        pub version: i64,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
