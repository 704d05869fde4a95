//! The legal minimum of an obligatory report (name, birth date, class), where no agreement lists it.
//!
//! The school must report the fifth half-day whatever it agreed with its CLB (design §3), and the name comes with a
//! roster long before. So where half-days of absence are kept, and as long as an obligatory signal can arise or stands,
//! what an agreement leaves out of the minimum is kept here: apart, read by the report alone, and for nothing else.

/// Who it is about.
pub mod name {
    use sea_orm::entity::prelude::*;

    use crate::id::RecordId;

    /// What the school's record does not hold, because its category was not agreed.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "report_name")]
    pub struct Model {
        /// The record.
        #[sea_orm(primary_key, auto_increment = false)]
        pub record_id: RecordId,
        /// Given name (voornaam).
        pub given_name: Option<String>,
        /// Family name (naam).
        pub family_name: Option<String>,
        /// Date of birth.
        pub birth_date: Option<Date>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a class is called.
pub mod class {
    use sea_orm::entity::prelude::*;

    use crate::id::SchoolId;
    use crate::time::SchoolYear;

    /// A class that a report may have to name.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "report_class")]
    pub struct Model {
        /// The school.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_id: SchoolId,
        /// Its key in the source.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_key: String,
        /// The school year it exists in.
        pub school_year: SchoolYear,
        /// Its label.
        pub name: String,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who sits where.
pub mod place {
    use sea_orm::entity::prelude::*;

    use crate::id::SchoolId;

    /// A place in a class, as the source says it: by its keys.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "report_place")]
    pub struct Model {
        /// The school.
        #[sea_orm(primary_key, auto_increment = false)]
        pub school_id: SchoolId,
        /// Its key in the source.
        #[sea_orm(primary_key, auto_increment = false)]
        pub source_key: String,
        /// The class, by its key in the source.
        pub class_key: String,
        /// The pupil, by its key in the source.
        pub pupil_key: String,
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
