//! What may be asked: one schema per realm, built from shared modules (design §3).
//!
//! The rest of the hub is reached only through the port traits in [`hub`]; there is no database
//! here. What a realm does not have cannot be named in it. Depth, aliases, root fields and cost are
//! refused by the edge before anything here runs.

pub mod absence;
pub mod access_log;
pub mod agreement;
pub mod alert;
mod asked;
mod at_hand;
mod batch;
pub mod category;
pub mod change;
pub mod class_group;
pub mod client;
pub mod delivery;
pub mod dossier;
pub mod guidance;
pub mod hub;
mod known;
pub mod merge;
pub mod node;
pub mod operations;
pub mod operations_node;
mod order;
pub mod outcome;
pub mod page;
pub mod problem;
pub mod pupil;
pub mod pupil_gap;
pub mod pupils;
pub mod quarantine;
pub mod release;
pub mod roster_submission;
pub mod scalar;
pub mod school;
pub mod signal;
pub mod submission;
pub mod viewer;

mod schema;
#[cfg(test)]
mod tests;

pub use known::Known;
pub use schema::{Options, Schemas, schemas, sdl};
