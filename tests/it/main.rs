//! The proof: one binary, so that the tree is linked once.
#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests look into the database, past every scope"
)]

mod architecture;
mod door;
mod http;
mod leases;
mod lists;
mod migrations;
mod oracle;
mod outbox;
mod policy_matrix;
mod privacy;
mod race;
mod recount;
mod resume;
mod roster;
mod signals;
mod support;
mod whole_path;
