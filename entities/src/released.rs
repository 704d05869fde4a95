//! What CLBs released to schools, in the main store: a copy, sealed with a key of its own, for the care team of the school
//! (design §3, class `shared`).

use sea_orm::entity::prelude::*;

use crate::id::{ClbId, PupilId, ReleaseId, SchoolId};

/// One copy. Of one that was taken back, or is over, nothing stays but that it is gone.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "released")]
pub struct Model {
    /// The release. UUIDv4: it is from the secrecy store.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReleaseId,
    /// Of which CLB.
    pub clb_id: ClbId,
    /// About whom.
    pub pupil_id: Option<PupilId>,
    /// To which school.
    pub school_id: Option<SchoolId>,
    /// When it was released.
    pub released_at: Option<DateTimeUtc>,
    /// The first day it may be read no longer.
    pub ends_on: Option<Date>,
    /// The key that it is sealed with.
    pub text_key: Option<Uuid>,
    /// Which version of the key-encryption key wrapped that key.
    pub kek_version: Option<i32>,
    /// That key, wrapped.
    pub wrapped: Option<Vec<u8>>,
    /// What it says, sealed.
    pub sealed: Option<Vec<u8>>,
    /// When it was taken back.
    pub gone_at: Option<DateTimeUtc>,
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
