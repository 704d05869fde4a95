//! The policy: who may do what, decided in one place, from facts, at one instant.
//!
//! It is pure: no database, no clock, no framework. [`decide`] takes the operation, the relations
//! that the store loaded and the action, and it alone can build a [`Scope`]; the store gives
//! nothing to whoever cannot show one. Deny wins, and what no rule allows is denied.

mod action;
mod decision;
#[cfg(test)]
mod policy_matrix;
mod relations;
mod rules;
pub mod secret;

pub use action::Action;
pub use decision::{Decision, Reach, Refusal, Scope};
pub use relations::Relations;
pub use rules::decide;
