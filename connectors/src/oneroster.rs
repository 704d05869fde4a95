//! OneRoster, by 1EdTech: rosters as a CSV package, or over REST; versions 1.1 and 1.2.

pub mod fake;
mod files;
mod manifest;
mod package;
mod people;
pub mod rest;
mod schema;
mod settings;
mod table;
#[cfg(test)]
mod tests;

pub use manifest::{Mode, Version};
pub use package::{read, read_path};
pub use settings::{EndDates, Extensions, Settings};
