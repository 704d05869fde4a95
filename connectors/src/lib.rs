//! Where it comes from.

pub mod absences;
pub mod archive;
pub mod csv;
pub mod report;
