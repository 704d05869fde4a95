//! The schemas as they are used from outside, over a hub of a few rows.
#![cfg(test)]

mod cursors;
mod door;
mod fake;
mod levels;
