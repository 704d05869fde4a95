//! The two parties between whom the hub stands: schools and CLBs.

/// A school, known to everyone by its institution number.
pub mod school {
    use sea_orm::entity::prelude::*;

    use crate::id::SchoolId;

    /// One school (instelling, soort 1).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "school")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SchoolId,
        /// Institution number (instellingsnummer): six digits, leading zeros kept.
        pub institution_number: String,
        /// Its name, public.
        pub name: String,
        /// Its municipality, public.
        pub city: String,
        /// Local days off (facultatieve verlofdagen, pedagogische studiedagen) as ISO dates.
        pub days_off: Json,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A pupil guidance centre.
pub mod clb {
    use sea_orm::entity::prelude::*;

    use crate::id::ClbId;

    /// One CLB (Centrum voor Leerlingenbegeleiding, instelling, soort 2).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "clb")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ClbId,
        /// Institution number (instellingsnummer): six digits, leading zeros kept.
        pub institution_number: String,
        /// Its name, public.
        pub name: String,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
