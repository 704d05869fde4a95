//! Connections to school systems, what was read from them, and what could not be taken over.

use crate::operation::closed_enum;

closed_enum! {
    /// What a run brings.
    RunKind {
        /// Pupils, classes, enrolments.
        Roster = "roster",
        /// Half-days of absence.
        Absences = "absences",
        /// Numbers of half-days carried in from former schools.
        CarriedIn = "carried_in",
    }
}

closed_enum! {
    /// How far a run has come. It moves forward only, and a killed one resumes where it was.
    RunState {
        /// What was read is being put aside; nothing of it is visible yet.
        Staging = "staging",
        /// It would end too many pupils: it waits for a person (R08). Nothing was changed.
        Held = "held",
        /// What was put aside is being merged, in chunks of whole pupils.
        Merging = "merging",
        /// All of it is merged and the watermark stands.
        Done = "done",
        /// The data was faulty: nothing was changed.
        Refused = "refused",
    }
}

closed_enum! {
    /// By which number the rows of a source name a pupil.
    KeyKind {
        /// The roster's own key.
        SourceKey = "source_key",
        /// The school's number for the pupil.
        Identifier = "identifier",
        /// Registration number (stamnummer).
        Stamnummer = "stamnummer",
    }
}

/// One connection.
pub mod connection {
    use sea_orm::entity::prelude::*;

    use crate::id::{SchoolId, SourceId};

    /// A source of one school.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "source")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SourceId,
        /// The school it speaks for.
        pub school_id: SchoolId,
        /// Its name, unique within the school.
        pub name: String,
        /// Built-in letter table of this tenant (school-apis §0).
        pub letters: String,
        /// The tenant's own letters, over the built-in table.
        pub letter_overrides: Json,
        /// How its files are to be read, where they are not as the defaults say.
        pub settings: Json,
        /// SHA-256 of the last content fully merged, per kind of run.
        pub watermark: Json,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One run.
pub mod run {
    use sea_orm::entity::prelude::*;

    use super::{RunKind, RunState};
    use crate::id::{PrincipalId, RunId, SourceId};

    /// One import, pull or push.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sync_run")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: RunId,
        /// The connection.
        pub source_id: SourceId,
        /// What it brings.
        pub kind: RunKind,
        /// How far it has come.
        pub state: RunState,
        /// SHA-256 of what is read: a repeated import resumes or finds it done.
        pub content_hash: Vec<u8>,
        /// Whether what is missing from it is gone (bulk), or unchanged (delta).
        pub complete: bool,
        /// The last pupil or source key merged.
        pub cursor: Option<String>,
        /// Rows put aside.
        pub staged: i64,
        /// Rows that changed something.
        pub changed: i64,
        /// Rows that were known already.
        pub unchanged: i64,
        /// Rows in quarantine.
        pub quarantined: i64,
        /// Pupils that its rows name by a key, where they do.
        pub named: Option<i64>,
        /// Of those, the ones that the roster knows by it: the join rate is `found` of `named`.
        pub found: Option<i64>,
        /// Rows ended because they were missing.
        pub ended: i64,
        /// Signals raised.
        pub raised: i64,
        /// Signals withdrawn.
        pub withdrawn: i64,
        /// Categories that were in the data and not agreed: dropped, and told to the sender.
        pub dropped: Json,
        /// Why it was refused or held: rules, files and lines, never a value.
        pub report: Json,
        /// When it began.
        pub started_at: DateTimeUtc,
        /// When it came to its end.
        pub finished_at: Option<DateTimeUtc>,
        /// Who approved a held run.
        pub approved_by: Option<PrincipalId>,
        /// When.
        pub approved_at: Option<DateTimeUtc>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How far one stream of a live source was read.
pub mod pull {
    use sea_orm::entity::prelude::*;

    use super::RunKind;
    use crate::id::SourceId;

    /// The last read that came to its end, all of it merged.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pull")]
    pub struct Model {
        /// The connection.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_id: SourceId,
        /// What it brings.
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: RunKind,
        /// Where the connector stands, in its own words: the watermark.
        pub state: Json,
        /// When it was read.
        pub pulled_at: DateTimeUtc,
        /// Records that were read.
        pub records: i64,
        /// Pupils that these name.
        pub named: i64,
        /// Of those, the ones that the roster knows.
        pub found: i64,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// When a stream of a live source is pulled next.
pub mod turn {
    use sea_orm::entity::prelude::*;

    use super::RunKind;
    use crate::id::SourceId;

    /// One stream of one source.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pull_turn")]
    pub struct Model {
        /// The connection.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_id: SourceId,
        /// What it brings.
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: RunKind,
        /// When it is pulled next.
        pub due_at: DateTimeUtc,
        /// How often it failed since it last went well.
        pub failures: i32,
        /// Since when.
        pub failing_since: Option<DateTimeUtc>,
        /// Why, in words of ours.
        pub fault: Option<String>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a run has put aside: rows of a roster.
pub mod staged_row {
    use sea_orm::entity::prelude::*;

    use crate::id::RunId;

    /// One row of a roster, already filtered by the agreement.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staged_row")]
    pub struct Model {
        /// The run.
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: RunId,
        /// `class`, `pupil` or `membership`, those of a report, and whom a complete read did not hold (`left`).
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        /// Its key in the source.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_key: String,
        /// What it says.
        pub body: Json,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a run has put aside: half-days, packed per record.
pub mod staged_half_days {
    use sea_orm::entity::prelude::*;

    use crate::id::{PupilId, RecordId, RunId};

    /// Half-days of one record in the order they were read, six bytes each.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staged_half_days")]
    pub struct Model {
        /// The run.
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: RunId,
        /// The canonical pupil when it was put aside: only the order of merging rests on it.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The record.
        #[sea_orm(primary_key, auto_increment = false)]
        pub record_id: RecordId,
        /// Rises within a run.
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i32,
        /// Days since 1970-01-01 (four bytes, big-endian), part, reading.
        pub pack: Vec<u8>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Loss is data: what a source said and could not be taken over.
pub mod gap {
    use sea_orm::entity::prelude::*;

    use crate::id::{GapId, RunId, SourceId};

    /// One kind of loss of one source, counted.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gap")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: GapId,
        /// The connection.
        pub source_id: SourceId,
        /// The rule that could not be met, such as `absence.unknown_letter`.
        pub rule: String,
        /// What the rule was about, such as the letter; never a person.
        pub detail: String,
        /// In how many rows, over all runs.
        pub occurrences: i64,
        /// The run that met it last.
        pub run_id: RunId,
        /// First met.
        pub first_seen_at: DateTimeUtc,
        /// Last met.
        pub last_seen_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows that could not be matched and wait.
pub mod quarantine {
    use sea_orm::entity::prelude::*;

    use super::{KeyKind, RunKind};
    use crate::id::{QuarantineId, RunId, SchoolId, SourceId};

    /// All rows of one source key that found no record; or one place in a class, under its own key, that found no class
    /// or no record.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quarantine")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: QuarantineId,
        /// The connection.
        pub source_id: SourceId,
        /// The school it speaks for.
        pub school_id: SchoolId,
        /// What kind of rows.
        pub kind: RunKind,
        /// The key that was not found.
        pub source_key: String,
        /// What kind of number that key is: one pupil's identifier may be another's stamnummer. `None` in rows of
        /// before it was kept: they wait until the source says them again.
        pub key_kind: Option<KeyKind>,
        /// How many rows.
        pub rows: i32,
        /// The rows, filtered by the agreement: half-days packed as when staged, numbers carried in as lines, a place in
        /// a class as JSON.
        pub body: Vec<u8>,
        /// The run that brought the latest.
        pub run_id: RunId,
        /// Since when it waits: its age is alarmed.
        pub since: DateTimeUtc,
        /// When it was worked off.
        pub resolved_at: Option<DateTimeUtc>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who is told of a contradiction.
pub mod conflict_side {
    use sea_orm::entity::prelude::*;

    use crate::id::{GapId, PupilId, SchoolId};

    /// A school that contradicts another about one half-day: a gap of its own, as long as it does.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "conflict_side")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: GapId,
        /// The canonical pupil.
        pub pupil_id: PupilId,
        /// The date in Europe/Brussels.
        pub day: Date,
        /// 0 in the morning, 1 in the afternoon.
        pub part: i16,
        /// The school.
        pub school_id: SchoolId,
        /// Since when.
        pub since: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Two sources that contradict each other about one half-day.
pub mod conflict {
    use sea_orm::entity::prelude::*;

    use crate::id::PupilId;

    /// One contradiction: pending, not B, until the schools agree (design §4).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "conflict")]
    pub struct Model {
        /// The canonical pupil.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The date in Europe/Brussels.
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: Date,
        /// 0 in the morning, 1 in the afternoon.
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i16,
        /// First met.
        pub since: DateTimeUtc,
        /// When the schools agreed again.
        pub resolved_at: Option<DateTimeUtc>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A lease: who may do a job that only one may do at a time.
pub mod lease {
    use sea_orm::entity::prelude::*;

    /// One job. The epoch fences: whoever commits under an older one changes nothing.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "lease")]
    pub struct Model {
        /// The job.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// Who holds it.
        pub holder: String,
        /// Rises each time it changes hands.
        pub epoch: i64,
        /// Until when, on database time.
        pub expires_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where the sequencer stands.
pub mod sequence {
    use sea_orm::entity::prelude::*;

    /// The one row. A restore of a backup starts a new epoch, and old cursors expire.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sequence")]
    pub struct Model {
        /// Always `outbox`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// The epoch of the positions.
        pub epoch: Uuid,
        /// The last position given.
        pub position: i64,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
