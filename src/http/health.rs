//! For the machine that watches.

use std::sync::Arc;

use axum::extract::State;
use http::{StatusCode, header};

use super::Edge;

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The process can serve.
pub(super) async fn ready(State(edge): State<Arc<Edge>>) -> (StatusCode, &'static str) {
    match edge.ready.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

/// The metrics, in the text format of Prometheus.
pub(super) async fn metrics(State(edge): State<Arc<Edge>>) -> ([(header::HeaderName, &'static str); 1], String) {
    edge.metrics.run_upkeep();
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, edge.metrics.render())
}
