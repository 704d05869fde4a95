//! What the door needs of the house.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use hub_entities::operation::{Operation, Realm};
use uuid::Uuid;

use crate::app::SignedIn;

/// The four schemas. The door has already refused what is too large, malformed or unauthenticated.
#[async_trait]
pub trait GraphqlService: Send + Sync {
    /// Runs one operation on the schema of the realm. The document in `request` is parsed and
    /// within the limits; `operation`, of who has signed in, must be put into its data.
    async fn execute(
        &self,
        realm: Realm,
        request: async_graphql::Request,
        operation: Operation,
        signed_in: SignedIn,
    ) -> async_graphql::Response;

    /// Runs one subscription on the schema of the realm, response by response; it ends after a fault, or when the one
    /// who follows no longer may. The document in `request` is parsed and within the limits.
    fn subscribe(
        &self,
        realm: Realm,
        request: async_graphql::Request,
        operation: Operation,
    ) -> BoxStream<'static, async_graphql::Response>;

    /// How many events wait for the subscription of this request.
    fn waiting(&self, request: Uuid) -> u64;
}

/// Something that is needed to decide cannot be asked now. Never taken for a "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not available now")]
pub struct Unavailable;

/// The principals: rows of ours that bind (issuer, subject) to one acting role.
#[async_trait]
pub trait Principals: Send + Sync {
    /// The principal in force at `now`, if there is one.
    async fn find(&self, issuer: &str, subject: &str, now: DateTime<Utc>) -> Result<Option<SignedIn>, Unavailable>;
}

/// Whether this process can serve: database reached, migrations applied, keys at hand.
#[async_trait]
pub trait Ready: Send + Sync {
    /// The reason is for the operator and holds no data.
    async fn ready(&self) -> Result<(), &'static str>;
}
