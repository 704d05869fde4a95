//! The only place that queries.
//!
//! Pools and transactions are private to this module, and every function takes a
//! [`hub_entities::policy::Scope`]; the one scope-free read is in [`relations`], which yields
//! the facts that the policy decides on. What differs between the databases is in [`dialect`].
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that queries (design §2)"
)]

pub mod abandoned;
pub mod access;
pub mod agreement;
mod asked;
pub mod audience;
pub mod carried;
mod clb_tally;
pub mod client_grant;
pub mod competence;
mod connections;
mod db;
mod dialect;
pub mod early;
pub mod guidance;
pub mod intake;
pub mod intent;
pub mod keeping;
mod known;
pub mod lease;
pub mod ledger;
pub mod loss;
mod merge;
pub mod outbox;
pub mod post;
pub mod pull;
pub mod read;
mod reader;
pub mod relations;
pub mod released;
pub mod roster;
pub mod run;
pub mod secret;
pub mod setup;
pub mod signal;
mod sql;
pub mod staging;
pub mod tie;
mod together;
mod transaction;
pub mod turn;
pub mod wake;
mod watch;

pub use db::{Db, DbError, Options};
pub use secret::{SecretDb, Secrets};
