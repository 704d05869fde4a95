//! The way in: one HTTP door for GraphQL, with health and metrics beside it.
//!
//! The order of the checks is the order of their price: method and media types, token, body,
//! limits; then, and only then, a resolver.

mod answer;
mod body;
pub mod documents;
mod follow;
mod graphql;
mod health;
pub mod house;
mod impatient;
pub mod limits;
mod negotiate;
mod operation;
mod params;
pub mod serve;
pub mod service;
mod sse;
pub mod streams;
#[cfg(test)]
mod tests;
mod ws;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use http::{HeaderName, HeaderValue, header};
use hub_entities::id::Ids;
use hub_entities::time::Clock;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::auth::Verifier;
use documents::Documents;
use limits::{Limits, Lists};
use service::{GraphqlService, Principals, Ready};
use streams::Streams;

/// What the door stands on. Nothing here is of the demo: its issuer brings its own routes.
pub struct Edge {
    /// Answers the operations.
    pub service: Arc<dyn GraphqlService>,
    /// Knows who may sign in.
    pub principals: Arc<dyn Principals>,
    /// Judges tokens.
    pub verifier: Verifier,
    /// Says whether the hub can serve.
    pub ready: Arc<dyn Ready>,
    /// The time of each request.
    pub clock: Arc<dyn Clock>,
    /// The id of each request.
    pub ids: Arc<dyn Ids>,
    /// The bounds of a query.
    pub limits: Limits,
    /// The lists that are read in pages.
    pub lists: Arc<Lists>,
    /// What was read before.
    pub documents: Documents,
    /// The bounds of a request.
    pub bounds: Bounds,
    /// What stays open.
    pub streams: Arc<Streams>,
    /// Prints the metrics.
    pub metrics: PrometheusHandle,
}

/// The bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest body in bytes (R16).
    pub body: usize,
    /// How long the body may take to arrive (R16: a slow one is cut).
    pub body_time: Duration,
    /// How long the answer may take (R58).
    pub request_time: Duration,
    /// Whether queries may come by GET. Mutations never do (R14).
    pub get_queries: bool,
}

impl Bounds {
    /// 256 KiB in 15 s, an answer in 10 s, no GET.
    pub const DEFAULT: Self = Self {
        body: 256 * 1024,
        body_time: Duration::from_secs(15),
        request_time: Duration::from_secs(10),
        get_queries: false,
    };
}

/// The routes of `serve`.
pub fn router(edge: Arc<Edge>) -> Router {
    let set = |name: HeaderName, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/graphql/ws", any(ws::handle))
        .route("/graphql/stream", any(sse::handle))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(edge)
        .layer(set(header::CACHE_CONTROL, "private, no-store"))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "no-referrer"))
        .layer(set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
}
