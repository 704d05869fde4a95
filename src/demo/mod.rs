//! A synthetic Flanders: schools, CLBs, pupils and absences that nobody ever had.
//!
//! Everything is a pure function of a seed, so a population needs no memory: a pupil is made when
//! asked for and can be made again. Names are common ones thrown together, places are invented,
//! institution numbers lie in a range that no real institution has.

pub mod absences;
pub mod dice;
pub mod dossiers;
pub mod feed;
pub mod files;
mod names;
mod number;
mod package;
pub mod parties;
pub mod personas;
pub mod population;
pub mod schools;
pub mod side_by_side;
pub mod software;
pub mod systems;
#[cfg(test)]
mod tests;
pub mod today;

/// What a stream of dice is for; see [`dice::Dice::of`].
const SCHOOL: u64 = 1;
const IDENTITY: u64 = 2;
const HOME: u64 = 3;
const MOVE: u64 = 4;
const ABSENCE: u64 = 5;
const CARRIED: u64 = 6;
const FEED: u64 = 7;
