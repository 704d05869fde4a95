//! Intents: what one store decided and the secrecy store has yet to follow (design §4, across stores).
//!
//! An intent is written in the transaction of what causes it, so that neither is there without the other, and is applied
//! later, once in effect. It holds who, whom and why; what was asked of a CLB lies in it sealed, with a key of its own
//! that a key outside the database wraps, and only until it is applied.

use sea_orm::entity::prelude::*;

use crate::id::{ClbId, IntentId, PrincipalId, PupilId, SchoolId, SignalId};
use crate::operation::{Role, closed_enum};

closed_enum! {
    /// What is to be done in the secrecy store.
    IntentKind {
        /// A CLB took up an obligatory signal: guidance of compulsory education begins (leerplichtbegeleiding).
        ObligationBegins = "obligation.begins",
        /// The signal was withdrawn: nothing obliges any more.
        ObligationLapses = "obligation.lapses",
        /// A school asked for guidance (aanmelding).
        GuidanceAsked = "guidance.asked",
    }
}

/// One intent.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "intent")]
pub struct Model {
    /// What applying it twice is known by. UUIDv4: it goes into the secrecy store.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntentId,
    /// Those of one queue are applied in their order: the pupil's, where it is about one.
    pub queue: Uuid,
    /// Its place in the queue.
    pub seq: i32,
    /// What is to be done.
    pub kind: IntentKind,
    /// In whose dossiers.
    pub clb_id: ClbId,
    /// About whom: a dossier stays with the pupil it was begun for, whomever that one is tied to since.
    pub pupil_id: Option<PupilId>,
    /// The signal it follows from.
    pub signal_id: Option<SignalId>,
    /// Who caused it; none where the hub's own count did.
    pub principal_id: Option<PrincipalId>,
    /// In which role.
    pub role: Option<Role>,
    /// Ties it to log and trace of the request that caused it.
    pub request_id: Uuid,
    /// When it was caused.
    pub at: DateTimeUtc,
    /// The school that asks, of a request for guidance.
    pub school_id: Option<SchoolId>,
    /// What the asker calls the request: asked twice under one name, it is one.
    pub asked_key: Option<String>,
    /// The key that what was asked is sealed with on its way.
    pub text_key: Option<Uuid>,
    /// Which version of the key-encryption key wrapped that key.
    pub kek_version: Option<i32>,
    /// That key, wrapped; gone when the intent is applied.
    pub wrapped: Option<Vec<u8>>,
    /// What was asked, sealed; gone when the intent is applied.
    pub sealed: Option<Vec<u8>>,
    /// When applying it failed last: it goes behind the others then.
    pub tried_at: Option<DateTimeUtc>,
    /// When it was found to be applied.
    pub applied_at: Option<DateTimeUtc>,
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
