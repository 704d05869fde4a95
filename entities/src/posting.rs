//! What guidance rests on outside the secrecy store.

/// Where a CLB keeps its dossiers.
pub mod clb_dossiers {
    use sea_orm::entity::prelude::*;

    use crate::dossier::Mode;
    use crate::id::ClbId;

    /// A CLB that said so.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "clb_dossiers")]
    pub struct Model {
        /// Which CLB.
        #[sea_orm(primary_key, auto_increment = false)]
        pub clb_id: ClbId,
        /// Where.
        pub mode: Mode,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A worker's post at a school.
pub mod post {
    use sea_orm::entity::prelude::*;

    use crate::dossier::Post;
    use crate::id::{ClbId, PostId, PrincipalId, SchoolId};

    /// One post, for one period.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "post")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PostId,
        /// The worker's CLB.
        pub clb_id: ClbId,
        /// The worker.
        pub principal_id: PrincipalId,
        /// Where.
        pub school_id: SchoolId,
        /// Which.
        pub post: Post,
        /// The first day.
        pub begins_on: Date,
        /// The first day no longer.
        pub ends_on: Option<Date>,
        /// Which director assigned it.
        pub assigned_by: PrincipalId,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
