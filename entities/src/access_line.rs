//! The access log: who read what of whom, when and why; never the content.

use sea_orm::entity::prelude::*;

use crate::category::Categories;
use crate::id::{AccessLineId, PrincipalId};
use crate::operation::{Purpose, Realm, Role};

/// One request's reads of basic pupil data (design §3: one line per request, write-behind ≤ 1 s).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_line")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccessLineId,
    /// When the request began.
    pub at: DateTimeUtc,
    /// Who asked.
    pub principal_id: PrincipalId,
    /// In which role.
    pub role: Role,
    /// Through which schema.
    pub realm: Realm,
    /// Why, where a purpose was given.
    pub purpose: Option<Purpose>,
    /// The categories whose values left.
    pub categories: Categories,
    /// Of how many pupils.
    pub pupils: i32,
    /// Of which pupils, by id.
    pub pupil_ids: Json,
    /// Of a look at what a CLB released to a school: by which rule which releases were read, or with which code they were
    /// withheld. Such a line is written before anything leaves.
    pub shared: Option<Json>,
    /// Ties the line to log and trace of the same request.
    pub request_id: Uuid,
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
