//! Numbers that others give to people and institutions, checked by form and checksum.

pub mod institution;
pub mod national;
pub mod register;
