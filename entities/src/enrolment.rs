//! Where a pupil goes to school, and in which class.

/// An enrolment of a pupil at a school.
pub mod at_school {
    use sea_orm::entity::prelude::*;

    use crate::id::{EnrolmentId, PupilId, RecordId, RunId, SchoolId};

    /// One enrolment (inschrijving).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "enrolment")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: EnrolmentId,
        /// The school's record of the pupil.
        pub record_id: RecordId,
        /// The canonical pupil, repeated so that a shard holds all of one pupil.
        pub pupil_id: PupilId,
        /// The school.
        pub school_id: SchoolId,
        /// The first day.
        pub begins_on: Date,
        /// The first day no longer enrolled.
        pub ends_on: Option<Date>,
        /// The run that last changed it.
        pub run_id: RunId,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A class of a school in one school year.
pub mod class_group {
    use sea_orm::entity::prelude::*;

    use crate::id::{ClassId, SchoolId};
    use crate::time::SchoolYear;

    /// One class (klas): a free label of the school, not official.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "class_group")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ClassId,
        /// The school.
        pub school_id: SchoolId,
        /// The school year it exists in.
        pub school_year: SchoolYear,
        /// Its key in the school's source.
        pub source_key: String,
        /// Its label.
        pub name: String,
        /// Grade as the source gives it.
        pub grade: Option<String>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A pupil's place in a class.
pub mod membership {
    use sea_orm::entity::prelude::*;

    use crate::id::{ClassId, MembershipId, PupilId, RecordId, SchoolId};

    /// One membership.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "membership")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MembershipId,
        /// The class.
        pub class_id: ClassId,
        /// The school's record of the pupil.
        pub record_id: RecordId,
        /// The canonical pupil.
        pub pupil_id: PupilId,
        /// The school.
        pub school_id: SchoolId,
        /// Its key in the school's source.
        pub source_key: String,
        /// The first day, where the source gives one.
        pub begins_on: Option<Date>,
        /// The first day no longer a member.
        pub ends_on: Option<Date>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
