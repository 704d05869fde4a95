//! The way in.

pub mod limits;
