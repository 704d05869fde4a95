//! Signals (meldingen) and the events that tell of them.
//!
//! The model is general: exclusions, infection reports and crises come later with keys of their
//! own. What is fixed is the identity. A signal's key is unique among the raised ones, and the
//! next time the same thing comes true it is the next generation (design §4).

use uuid::Uuid;

use crate::id::{PupilId, SignalId};
use crate::operation::closed_enum;
use crate::time::SchoolYear;

closed_enum! {
    /// What a signal is about.
    Subject {
        /// One canonical pupil.
        Pupil = "pupil",
        /// A class.
        Class = "class",
        /// A school.
        School = "school",
    }
}

closed_enum! {
    /// Whether a signal still stands.
    SignalState {
        /// It stands.
        Raised = "raised",
        /// What it rested on is gone.
        Withdrawn = "withdrawn",
    }
}

closed_enum! {
    /// One of the two tracks of an obligatory signal, each with who and when.
    Track {
        /// The school reported it to the CLB (`reportSignal`).
        Report = "report",
        /// The CLB took it up (`acceptSignal`).
        Accept = "accept",
    }
}

closed_enum! {
    /// What an event tells.
    EventKind {
        /// A signal came to stand; told to a CLB alone when the agreement showed it to the school first.
        Raised = "signal.raised",
        /// A signal no longer stands.
        Withdrawn = "signal.withdrawn",
        /// The school reported it.
        Reported = "signal.reported",
        /// The CLB accepted it.
        Accepted = "signal.accepted",
        /// A standing signal counts another number of half-days than when last told.
        Changed = "signal.changed",
        /// A standing signal concerns one more school or CLB: its pupil came there. Told to that one alone.
        NowYours = "signal.now_yours",
        /// Its pupil is no longer one of the school or CLB that had been told of it. The last event of the signal for
        /// that one, told to it alone, ids only (design §6).
        NoLongerYours = "signal.no_longer_yours",
    }
}

/// The namespace of signal ids: the UUIDv5 of this product's name in the DNS namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x9f4c_7a52_6a0e_5b51_9d0e_51c7_8e20_43a1);

/// The key of a truancy signal: what makes two evaluations speak of the same signal.
pub fn truancy_key(kind: &str, pupil: PupilId, year: SchoolYear) -> String {
    format!("{kind}/{pupil}/{year}")
}

/// The id of one generation of a key, the same on every replica.
pub fn signal_id(key: &str, generation: i32) -> SignalId {
    SignalId(Uuid::new_v5(&NAMESPACE, format!("{key}#{generation}").as_bytes()))
}

/// One signal.
pub mod row {
    use sea_orm::entity::prelude::*;

    use super::{SignalState, Subject};
    use crate::id::{PupilId, SignalId};
    use crate::time::SchoolYear;

    /// One generation of one key.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signal")]
    pub struct Model {
        /// UUIDv5 of key and generation.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SignalId,
        /// Which rule: `truancy.5`, `truancy.30`.
        pub kind: String,
        /// What it is about.
        pub subject: Subject,
        /// The pupil, when it is about one.
        pub pupil_id: Option<PupilId>,
        /// The school year.
        pub school_year: SchoolYear,
        /// What makes two evaluations speak of the same signal.
        pub key: String,
        /// 1, and one more each time it is raised again.
        pub generation: i32,
        /// Whether it stands.
        pub state: SignalState,
        /// Half-days, as last counted while it stood.
        pub half_days: i32,
        /// The day on which the threshold was reached.
        pub reached_on: Option<Date>,
        /// For an early warning the number of half-days that was agreed on when it was raised: by that one it is judged,
        /// whatever is agreed since.
        pub warned_at: Option<i16>,
        /// When it was raised.
        pub raised_at: DateTimeUtc,
        /// When it was withdrawn. The reason is never the new code.
        pub withdrawn_at: Option<DateTimeUtc>,
        /// Whether it came of data older than the run that brought it (backfill).
        pub backfill: bool,
        /// Rises with every change: a receiver drops what is older than it has.
        pub version: i32,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who reported and who accepted, and when: the proof, never purged.
pub mod track {
    use sea_orm::entity::prelude::*;

    use super::Track;
    use crate::id::{PrincipalId, SignalId};

    /// One step of one party.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signal_track")]
    pub struct Model {
        /// The signal.
        #[sea_orm(primary_key, auto_increment = false)]
        pub signal_id: SignalId,
        /// Which track.
        #[sea_orm(primary_key, auto_increment = false)]
        pub track: Track,
        /// The school or CLB, by the number of its id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub party: Uuid,
        /// Who.
        pub principal_id: PrincipalId,
        /// When.
        pub at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which schools and CLBs a signal concerns: who was told and loses its pupil hears so, once.
pub mod audience {
    use sea_orm::entity::prelude::*;

    use crate::id::SignalId;

    /// One signal and one school or CLB.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signal_audience")]
    pub struct Model {
        /// The signal.
        #[sea_orm(primary_key, auto_increment = false)]
        pub signal_id: SignalId,
        /// The school or CLB, by the number of its id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub party: Uuid,
        /// Whether it is held back from a CLB, while the agreement shows it to the school first (design §4). One that
        /// is withdrawn meanwhile stays so: that CLB never hears of it.
        pub held: bool,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What happened, in the order that subscribers are told.
pub mod outbox {
    use sea_orm::entity::prelude::*;

    use super::EventKind;
    use crate::id::{EventId, PupilId, SignalId};
    use crate::time::SchoolYear;

    /// One event. Thin: ids, kind and count; whoever reads more asks for it and is decided upon.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        /// Stable over every delivery.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: EventId,
        /// Given by the sequencer after the commit; gapless (R07).
        pub position: Option<i64>,
        /// What it tells.
        pub kind: EventKind,
        /// Of which signal.
        pub signal_id: SignalId,
        /// Which rule.
        pub signal_kind: String,
        /// About whom; only the authority of a reader is decided by it.
        pub pupil_id: Option<PupilId>,
        /// The school year.
        pub school_year: SchoolYear,
        /// Half-days.
        pub half_days: i32,
        /// The signal's version.
        pub version: i32,
        /// When.
        pub occurred_at: DateTimeUtc,
        /// The one school or CLB that it is told to, by the number of its id; everyone whom it concerns if null.
        pub party: Option<Uuid>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_the_same_id_everywhere_and_another_when_raised_again() {
        let pupil = PupilId(Uuid::from_u128(7));
        let key = truancy_key("truancy.5", pupil, SchoolYear(2026));
        assert_eq!(key, "truancy.5/pup_00000000000000000000000000000007/2026-2027");
        assert_eq!(signal_id(&key, 1), signal_id(&key, 1));
        assert_ne!(signal_id(&key, 1), signal_id(&key, 2));
        assert_ne!(
            signal_id(&key, 1),
            signal_id(&truancy_key("truancy.30", pupil, SchoolYear(2026)), 1)
        );
    }
}
