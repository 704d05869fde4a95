//! The schemas as they are used from outside, over a hub of a few rows.
#![cfg(test)]
#![expect(clippy::string_slice, reason = "cursors are ASCII, and a test may fail loudly")]

mod cursors;
mod door;
mod dossiers;
mod fake;
mod inputs;
mod known;
mod levels;
