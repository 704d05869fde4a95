//! What stands behind the door: the schemas over the hub, the principals, and whether it can serve.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use hub_entities::operation::{Operation, Realm};
use hub_graphql::problem::Problem;
use hub_graphql::{Options, Schemas, schemas};
use uuid::Uuid;

use super::service::{GraphqlService, Principals, Ready, Unavailable};
use crate::app::{App, Desk, SignedIn, while_waited_for};

/// The hub as the door knows it.
#[derive(Debug)]
pub struct House {
    app: Arc<App>,
    desk: Desk,
    schemas: Schemas,
}

impl House {
    /// The schemas over this hub and its desk; cursors are tagged with this key.
    pub fn new(app: Arc<App>, desk: Desk, cursor_key: &hub_graphql::page::CursorKey, options: Options) -> Self {
        let hub: Arc<dyn hub_graphql::hub::Hub> = app.clone();
        let alerts: Arc<dyn hub_graphql::hub::Alerts> = Arc::new(desk.clone());
        Self {
            app,
            desk,
            schemas: schemas(&hub, &alerts, cursor_key, options),
        }
    }
}

#[async_trait]
impl GraphqlService for House {
    async fn execute(
        &self,
        realm: Realm,
        request: async_graphql::Request,
        operation: Operation,
        signed_in: SignedIn,
    ) -> async_graphql::Response {
        if self.app.begin(&operation, signed_in).await.is_err() {
            let error: async_graphql::Error = Problem::Unavailable.into();
            return async_graphql::Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())]);
        }
        // However the request ends, cut off by its client included, what was seen is written down.
        let ended = Ended {
            app: &self.app,
            operation: operation.clone(),
        };
        let executed = self.schemas.execute(realm, request, operation);
        let response = while_waited_for(executed).await;
        drop(ended);
        response
    }

    fn subscribe(
        &self,
        realm: Realm,
        request: async_graphql::Request,
        operation: Operation,
    ) -> BoxStream<'static, async_graphql::Response> {
        // Whoever follows is signed in anew, and what is told is written down, as it comes.
        self.schemas.subscribe(realm, request, operation)
    }

    fn waiting(&self, request: Uuid) -> u64 {
        self.desk.waiting(request)
    }
}

struct Ended<'a> {
    app: &'a App,
    operation: Operation,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.app.end(&self.operation);
    }
}

#[async_trait]
impl Principals for House {
    async fn find(&self, issuer: &str, subject: &str, now: DateTime<Utc>) -> Result<Option<SignedIn>, Unavailable> {
        self.app.sign_in(issuer, subject, now).await.map_err(|fault| {
            tracing::error!(error = fault.kind(), "principals cannot be read");
            Unavailable
        })
    }
}

#[async_trait]
impl Ready for House {
    async fn ready(&self) -> Result<(), &'static str> {
        match self.app.is_ready().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the schema of the database is not the one of this version"),
            Err(_) => Err("the database cannot be reached"),
        }
    }
}
