//! What the hub decides to do, and does.
//!
//! Inside: `main → {http, sync, deliver}`; `http → app`; `{app, sync, deliver} → store`.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod custody;
pub mod deliver;
pub mod demo;
pub mod http;
pub mod keys;
pub mod outbound;
pub mod register;
pub mod runtime;
pub mod store;
pub mod sync;
pub mod telemetry;
