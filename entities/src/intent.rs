//! Intents: what one store decided and the secrecy store has yet to follow (design §4, across stores).
//!
//! An intent is written in the transaction of what causes it, so that neither is there without the other, and is applied
//! later, once in effect. It holds who, whom and why; what is under secrecy does not stand in it in the open.

use sea_orm::entity::prelude::*;

use crate::id::{ClbId, IntentId, PrincipalId, PupilId, SignalId};
use crate::operation::{Role, closed_enum};

closed_enum! {
    /// What is to be done in the secrecy store.
    IntentKind {
        /// A CLB took up an obligatory signal: guidance of compulsory education begins (leerplichtbegeleiding).
        ObligationBegins = "obligation.begins",
        /// The signal was withdrawn: nothing obliges any more.
        ObligationLapses = "obligation.lapses",
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
    /// When applying it failed last: it goes behind the others then.
    pub tried_at: Option<DateTimeUtc>,
    /// When it was found to be applied.
    pub applied_at: Option<DateTimeUtc>,
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
