//! From what was committed to those who are told.

pub mod sequencer;
