//! What exists, and what is always true of it.

pub mod absence;
pub mod category;
pub mod id;
pub mod law;
pub mod number;
pub mod operation;
pub mod time;
