//! Absences by half-day: what a source's letter means, what of it is kept, and what it adds up to.

pub mod code;
pub mod letters;
pub mod mark;
pub mod minimise;
pub mod tally;
