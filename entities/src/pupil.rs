//! A pupil is a link without content; what a school says of a pupil is that school's record.
//!
//! The canonical pupil only ties records together, so merge and unmerge lose nothing, purging one
//! school's data is exact, and no school reads another's (design §3).

/// The canonical pupil.
pub mod link {
    use sea_orm::entity::prelude::*;

    use crate::id::PupilId;

    /// One pupil (leerling): no name, no date, nothing but the tie.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pupil")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PupilId,
        /// Set when this pupil turned out to be another: the old id keeps resolving.
        pub merged_into: Option<PupilId>,
        /// When the hub first heard of this pupil.
        pub created_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Two pupils that a person tied into one.
pub mod merge {
    use sea_orm::entity::prelude::*;

    use crate::id::{CompetenceId, MergeId, PrincipalId, PupilId, RecordId, SignalId};

    /// One tying, with what went along, so that taking apart brings back exactly that; and who said so, when and why.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pupil_merge")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MergeId,
        /// The pupil whose id gave way: it goes on resolving, to the other one.
        pub from_pupil: PupilId,
        /// The pupil that goes on.
        pub into_pupil: PupilId,
        /// What went along: a [`Moved`].
        pub moved: Json,
        /// Why, in the words of whoever tied them.
        pub reason: String,
        /// Who tied them.
        pub merged_by: PrincipalId,
        /// When.
        pub merged_at: DateTimeUtc,
        /// Why they were taken apart.
        pub undone_reason: Option<String>,
        /// Who took them apart.
        pub undone_by: Option<PrincipalId>,
        /// When.
        pub undone_at: Option<DateTimeUtc>,
        /// 1 when they were tied, 2 once they were taken apart.
        pub version: i32,
    }

    /// What went from one pupil to the other.
    #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Moved {
        /// What schools say of it; enrolments, places, half-days and numbers carried in go with these.
        pub records: Vec<RecordId>,
        /// Pupils that had become it before.
        pub pupils: Vec<PupilId>,
        /// Its signals.
        pub signals: Vec<SignalId>,
        /// Its ties to CLBs that do not follow from an enrolment.
        pub competences: Vec<CompetenceId>,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What one school says of one pupil.
pub mod record {
    use sea_orm::entity::prelude::*;

    use crate::id::{PupilId, RecordId, RunId, SchoolId};

    /// One record. Its columns fall into the categories of an agreement; a category that was not
    /// agreed was never written (design §3: not agreed = not stored).
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "record")]
    pub struct Model {
        /// Our id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: RecordId,
        /// The canonical pupil it is tied to.
        pub pupil_id: PupilId,
        /// The school that says it.
        pub school_id: SchoolId,
        /// The pupil's key in the school's source (OneRoster: `sourcedId`).
        pub source_key: String,
        /// The school's own number for the pupil (OneRoster `identifier`, Informat pupil number).
        pub identifier: Option<String>,
        /// Registration number (stamnummer): unique inside this one school only.
        pub stamnummer: Option<String>,
        /// identity: given name (voornaam).
        pub given_name: Option<String>,
        /// identity: family name (naam).
        pub family_name: Option<String>,
        /// identity: sex as the source gives it (`male`, `female`, `other`, `unspecified`).
        pub sex: Option<String>,
        /// identity: family and given name folded for sorting.
        pub sort_name: Option<String>,
        /// birth: date of birth.
        pub birth_date: Option<Date>,
        /// address: street and number.
        pub street: Option<String>,
        /// address: postal code.
        pub postal_code: Option<String>,
        /// address: municipality.
        pub city: Option<String>,
        /// contact: parents and guardians as the school lists them. A contact is no authority.
        pub contacts: Option<Json>,
        /// language: language at home.
        pub language: Option<String>,
        /// nationalNumber: keyed blind index; the plain number is never written.
        pub national_index: Option<Vec<u8>>,
        /// SHA-256 of what was taken over: the same row again changes nothing.
        pub content_hash: Vec<u8>,
        /// Rises with every change.
        pub revision: i32,
        /// The run that last changed it.
        pub run_id: RunId,
        /// When.
        pub changed_at: DateTimeUtc,
    }

    /// No relations are followed by the ORM: joins are written where the scope is.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
