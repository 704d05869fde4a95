//! What the hub decides to do, and does.
//!
//! Inside: `main → {http, sync, deliver}`; `http → app`; `{app, sync, deliver} → store`.

pub mod http;
pub mod store;
