//! What an operator registers: parties, principals, sources, agreements signed on paper.

use std::sync::Arc;

use chrono::NaiveDate;
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClbId, Ids, PrincipalId, SchoolId, SourceId};
use hub_entities::operation::{Actor, Discipline, Operation, Role};
use hub_entities::policy::{Action, Decision, Scope, decide};
use hub_entities::source::connection;
use hub_entities::time::Clock;

use crate::store::setup::{self, NewPrincipal, SignedAgreement};
use crate::store::{Db, DbError, relations};

/// The register, as the hub's own operator on this machine.
#[derive(Clone)]
pub struct Register {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    scope: Scope,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").finish_non_exhaustive()
    }
}

impl Register {
    /// Opens the register: whoever can read the configuration of this machine may.
    pub async fn open(db: &Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, DbError> {
        let now = clock.now();
        let operation = Operation {
            actor: Actor::Hub,
            purpose: None,
            now,
            request: ids.next(now),
        };
        let relations = relations::load(db, &operation).await?;
        match decide(&operation, &relations, Action::Administer) {
            Decision::Allowed(scope) => Ok(Self {
                db: db.clone(),
                clock,
                ids,
                scope,
            }),
            Decision::Refused(_) => Err(DbError::OutOfScope),
        }
    }

    /// A CLB, by its institution number.
    pub async fn clb(&self, institution_number: &str, name: &str) -> Result<ClbId, DbError> {
        let new = ClbId(self.ids.next(self.clock.now()));
        setup::clb(&self.db, &self.scope, new, institution_number, name).await
    }

    /// A school, by its institution number.
    pub async fn school(
        &self,
        institution_number: &str,
        name: &str,
        city: &str,
        days_off: &[NaiveDate],
    ) -> Result<SchoolId, DbError> {
        let new = SchoolId(self.ids.next(self.clock.now()));
        setup::school(&self.db, &self.scope, new, institution_number, name, city, days_off).await
    }

    /// A source of a school, by its name.
    pub async fn source(&self, school: SchoolId, name: &str, letters: &str) -> Result<SourceId, DbError> {
        let new = SourceId(self.ids.next(self.clock.now()));
        setup::source(
            &self.db,
            &self.scope,
            new,
            school,
            name,
            letters,
            &serde_json::json!({}),
        )
        .await
    }

    /// An agreement signed on paper.
    pub async fn agreement(
        &self,
        school: SchoolId,
        clb: ClbId,
        categories: Categories,
        ground: Option<&'static str>,
        begins_on: NaiveDate,
    ) -> Result<AgreementId, DbError> {
        let id = AgreementId(self.ids.next(self.clock.now()));
        let signed = SignedAgreement {
            id,
            school,
            clb,
            categories,
            ground,
            begins_on,
        };
        setup::agreement(&self.db, &self.scope, signed, self.clock.now()).await
    }

    /// A principal, by the issuer and subject of its tokens.
    pub async fn principal(
        &self,
        issuer: &str,
        subject: &str,
        role: Role,
        acts_for: (Option<SchoolId>, Option<ClbId>),
        discipline: Option<Discipline>,
    ) -> Result<PrincipalId, DbError> {
        let now = self.clock.now();
        let new = NewPrincipal {
            id: PrincipalId(self.ids.next(now)),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            role,
            school: acts_for.0,
            clb: acts_for.1,
            discipline,
            begins_at: now,
        };
        setup::principal(&self.db, &self.scope, new).await
    }

    /// The source of a school by its name.
    pub async fn find_source(
        &self,
        institution_number: &str,
        name: &str,
    ) -> Result<Option<connection::Model>, DbError> {
        setup::find_source(&self.db, &self.scope, institution_number, name).await
    }
}
