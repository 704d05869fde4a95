//! What the hub decides to do, and does.
//!
//! Inside: `main → {http, sync, deliver}`; `http → app`; `{app, sync, deliver} → store`.

pub mod auth;
pub mod config;
pub mod demo;
pub mod http;
pub mod outbound;
pub mod runtime;
pub mod store;
pub mod telemetry;
