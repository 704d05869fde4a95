//! The ledger of absences: what is registered now, what it was before, and what was counted from it.

/// The present state of one half-day.
pub mod absence {
    use sea_orm::entity::prelude::*;

    use crate::id::{PupilId, RecordId, RunId};
    use crate::time::SchoolYear;

    /// One half-day of absence (afwezigheid): the identity is (school record, local date, AM|PM),
    /// never an instant (design §4).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "absence")]
    pub struct Model {
        /// The school year: the partition.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_year: SchoolYear,
        /// The canonical pupil: the shard.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The date in Europe/Brussels.
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: Date,
        /// 0 in the morning, 1 in the afternoon.
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i16,
        /// The school record that says so.
        #[sea_orm(primary_key, auto_increment = false)]
        pub record_id: RecordId,
        /// What is registered: the stored number of a mark.
        pub mark: i16,
        /// 1 when first heard of; rises with every correction.
        pub revision: i32,
        /// The run that last changed it: its source, its time.
        pub run_id: RunId,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A former state of one half-day.
pub mod revision {
    use sea_orm::entity::prelude::*;

    use crate::id::{RecordId, RunId};

    /// One correction: what stood there until `run_id` replaced it.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "absence_revision")]
    pub struct Model {
        /// The school record.
        #[sea_orm(primary_key, auto_increment = false)]
        pub record_id: RecordId,
        /// The date in Europe/Brussels.
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: Date,
        /// 0 in the morning, 1 in the afternoon.
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i16,
        /// The run that replaced it: it has one last word on each half-day.
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: RunId,
        /// The revision that ended.
        pub revision: i32,
        /// What was registered then.
        pub mark: i16,
        /// The run that had brought it. `None` in rows of before it was kept.
        pub brought_by: Option<RunId>,
        /// When it was replaced.
        pub ended_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many half-days of each mark a pupil has, kept beside the rows so that a class list need not count.
pub mod count {
    use sea_orm::entity::prelude::*;

    use crate::id::PupilId;
    use crate::time::SchoolYear;

    /// One number.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "absence_count")]
    pub struct Model {
        /// The canonical pupil.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The school year.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_year: SchoolYear,
        /// The school whose record says so.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_id: crate::id::SchoolId,
        /// The mark counted.
        #[sea_orm(primary_key, auto_increment = false)]
        pub mark: i16,
        /// How many half-days.
        pub half_days: i32,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The outcome of the tally, as of the transaction that last changed a half-day.
pub mod tally {
    use sea_orm::entity::prelude::*;

    use crate::id::PupilId;
    use crate::time::SchoolYear;

    /// One pupil in one school year.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tally")]
    pub struct Model {
        /// The canonical pupil.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The school year.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_year: SchoolYear,
        /// B half-days that count, carried-in included.
        pub half_days: i32,
        /// Of these, carried in without dates.
        pub carried: i32,
        /// Half-days not yet explained.
        pub pending: i32,
        /// When the fifth was reached.
        pub reached_5: Option<Date>,
        /// When the thirtieth was reached.
        pub reached_30: Option<Date>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The same count beside each CLB that is or was competent for the pupil: the way from a CLB to its highest counts.
pub mod clb_tally {
    use sea_orm::entity::prelude::*;

    use crate::id::{ClbId, PupilId};
    use crate::time::SchoolYear;

    /// One pupil in one school year, for one CLB. A way to the row and no right to it.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "clb_tally")]
    pub struct Model {
        /// The canonical pupil.
        #[sea_orm(primary_key, auto_increment = false)]
        pub pupil_id: PupilId,
        /// The CLB.
        #[sea_orm(primary_key, auto_increment = false)]
        pub clb_id: ClbId,
        /// The school year.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_year: SchoolYear,
        /// B half-days that count, carried-in included; never 0.
        pub half_days: i32,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A number of B half-days of a former school, without dates (domain facts §0, row 2).
pub mod carried_in {
    use sea_orm::entity::prelude::*;

    use crate::id::{CarriedInId, PupilId, RecordId, RunId};
    use crate::time::SchoolYear;

    /// One carried-in number, as the receiving school gives it.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "carried_in")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: CarriedInId,
        /// The record at the receiving school.
        pub record_id: RecordId,
        /// The canonical pupil.
        pub pupil_id: PupilId,
        /// The school year.
        pub school_year: SchoolYear,
        /// How many half-days.
        pub half_days: i16,
        /// The first day at the receiving school: the number counts from here.
        pub begins_on: Date,
        /// Institution number of the former school, where it was given.
        pub former_institution: Option<String>,
        /// The run that last changed it.
        pub run_id: RunId,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
