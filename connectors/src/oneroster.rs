//! OneRoster, by 1EdTech: rosters as a CSV package (versions 1.1 and 1.2).

mod manifest;
mod package;
mod schema;
mod settings;
mod table;
#[cfg(test)]
mod tests;

pub use manifest::{Mode, Version};
pub use package::{read, read_path};
pub use settings::{EndDates, Extensions, Settings};
