//! What software asks of a hub of a few rows.

use async_trait::async_trait;
use hub_entities::id::ClientGrantId;
use hub_entities::operation::Operation;
use hub_entities::source::KeyKind;
use hub_graphql::client::ClientRow;
use hub_graphql::delivery::{DeliveryFilter, DeliveryRow};
use hub_graphql::hub::{
    AbsenceSaid, Answer, Clients, Granted, NewGrant, RosterSaid, Submission, Submissions, Submitted,
};
use hub_graphql::page::{Page, Slice};
use hub_graphql::submission::DeliveryLimits;

use super::Fake;

#[async_trait]
impl Clients for Fake {
    async fn clients(&self, _: &Operation, page: &Page) -> Answer<Slice<ClientRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn issue_grant(&self, _: &Operation, _: NewGrant) -> Answer<Granted> {
        self.count()?;
        Ok(Granted::Unknown)
    }

    async fn revoke_grant(&self, _: &Operation, _: ClientGrantId) -> Answer<Granted> {
        self.count()?;
        Ok(Granted::Unknown)
    }
}

#[async_trait]
impl Submissions for Fake {
    fn delivery_limits(&self) -> DeliveryLimits {
        DeliveryLimits {
            absences_per_call: 2,
            roster_rows_per_call: 2,
            roster_rows_per_snapshot: 4,
            key_length: 8,
            calls_at_once: 1,
        }
    }

    async fn own_deliveries(&self, _: &Operation, _: &DeliveryFilter, page: &Page) -> Answer<Slice<DeliveryRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn submit_roster(&self, _: &Operation, _: Submission, _: RosterSaid) -> Answer<Submitted> {
        self.count()?;
        Ok(Submitted::Unknown)
    }

    async fn submit_absences(
        &self,
        _: &Operation,
        _: Submission,
        _: KeyKind,
        _: Vec<AbsenceSaid>,
    ) -> Answer<Submitted> {
        self.count()?;
        Ok(Submitted::Unknown)
    }
}
