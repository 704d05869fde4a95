//! From what was committed to those who are told.

pub mod audience;
pub mod follower;
pub mod sequencer;
