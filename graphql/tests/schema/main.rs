//! The schemas as they are used from outside, over a hub of a few rows.

mod cursors;
mod door;
mod fake;
mod levels;
