//! The proof: one binary, so that the tree is linked once.
#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests look into the database, past every scope"
)]

mod agreements;
mod architecture;
mod door;
mod http;
mod leases;
mod lists;
mod migrations;
mod minimise;
mod oracle;
mod outbox;
mod policy_matrix;
mod privacy;
mod pulls;
mod questions;
mod race;
mod reading;
mod recount;
mod resume;
mod revisions;
mod roster;
mod signals;
mod support;
mod tracks;
mod whole_path;
