//! The only place that queries.
//!
//! Pools and transactions are private to this module, and every function takes a
//! [`hub_entities::policy::Scope`]; the one scope-free read is [`relations::load`], which yields
//! the facts that the policy decides on. What differs between the databases is in [`dialect`].
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that queries (design §2)"
)]

mod db;
mod dialect;
pub mod relations;
mod sql;

pub use db::{Db, DbError, Options};
