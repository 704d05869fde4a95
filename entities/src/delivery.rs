//! What software brings in by itself, call by call, and what came of each record (design §5).

use serde::{Deserialize, Serialize};

use crate::category::Category;
use crate::operation::closed_enum;

closed_enum! {
    /// What came of one record.
    Outcome {
        /// It is taken over, evaluated and committed.
        Accepted = "accepted",
        /// It was known already.
        Unchanged = "unchanged",
        /// It cannot be taken over; nothing of it is kept.
        Refused = "refused",
        /// It is put aside until a person or a later call decides.
        Held = "held",
        /// It waits until a roster names its pupil.
        Quarantined = "quarantined",
    }
}

closed_enum! {
    /// Why, or what else is to be known.
    Why {
        /// No agreement in force lets the hub keep anything of this kind.
        NotAgreed = "not_agreed",
        /// Its key is empty or too long.
        Key = "key",
        /// The same call has spoken of it already.
        Repeated = "repeated",
        /// No roster of the school has named this pupil.
        UnknownPupil = "unknown_pupil",
        /// It names a class or a pupil that no roster of the school has named.
        UnknownPlace = "unknown_place",
        /// It ends before it begins.
        Days = "days",
        /// It waits for the call that closes its snapshot.
        AwaitsClosing = "awaits_closing",
        /// Its snapshot would end so many pupils that a person must look first.
        TooManyGone = "too_many_gone",
        /// Another snapshot took the place of the one that it waited in.
        Superseded = "superseded",
        /// The table of the connection does not know this code: the half-day is pending, and not B.
        UnknownCode = "unknown_code",
        /// There is no lesson then: it is kept and does not count.
        NotALesson = "not_a_lesson",
    }
}

closed_enum! {
    /// What kind of record.
    RecordKind {
        /// A class.
        Class = "class",
        /// A pupil.
        Pupil = "pupil",
        /// A place in a class.
        Membership = "membership",
        /// A half-day of absence.
        Absence = "absence",
    }
}

/// What is told of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, or what else is to be known.
    pub why: Option<Why>,
    /// What was in it and not agreed: dropped before anything was kept.
    pub dropped: Vec<Category>,
}

/// One call.
pub mod call {
    use sea_orm::entity::prelude::*;

    use crate::id::{PrincipalId, RunId, SourceId};
    use crate::source::RunState;

    /// A call that was answered: the same again gets the same answer.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "push_call")]
    pub struct Model {
        /// The connection it came through.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_id: SourceId,
        /// The sender's name of the call.
        #[sea_orm(primary_key, auto_increment = false)]
        pub idempotency_key: String,
        /// SHA-256 of all it said.
        pub content_hash: Vec<u8>,
        /// The run that it is.
        pub run_id: RunId,
        /// How far that had come when it was answered.
        pub run_state: RunState,
        /// Who sent it.
        pub client_id: Option<PrincipalId>,
        /// When.
        pub received_at: DateTimeUtc,
        /// The day of which a roster tells, once that was told whole.
        pub reference_date: Option<Date>,
        /// What was told of each record, in the order of the call.
        pub answer: Json,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The latest that was told of a record.
pub mod record {
    use sea_orm::entity::prelude::*;

    use super::{Outcome, RecordKind};
    use crate::category::Categories;
    use crate::id::{RunId, SourceId};

    /// One record, by the sender's own key.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "delivery")]
    pub struct Model {
        /// The connection it came through.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_id: SourceId,
        /// What kind of record.
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: RecordKind,
        /// Its key; of a half-day the pupil's key, the date and the part, with a slash between.
        #[sea_orm(primary_key, auto_increment = false)]
        pub record_key: String,
        /// The key of the pupil it is about; empty of a class.
        pub pupil_key: String,
        /// What came of it.
        pub outcome: Outcome,
        /// Why; empty where there is nothing to say.
        pub why: String,
        /// What was in it and not agreed.
        pub dropped: Categories,
        /// The run that brought it last.
        pub run_id: RunId,
        /// When.
        pub received_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
