//! The decoders without a call: for who measures them, and for who attacks them (`connectors/fuzz`).
//!
//! Each takes a whole answer, envelope included, in whatever pieces it comes.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::absences::{DayReader, MOST_ENTRY, Whose};
use super::account::MOST_ACCOUNT;
use super::call::{Hear, Hearing, broken};
use super::career::{Career, MOST_ROW};
use super::groups::{self, MOST_TREE};
use super::read::Pupils;
use super::settings::UniqueField;
use crate::contract::Sink;
use crate::fault::Fault;
use crate::http::Take as _;

/// The half-days of a day, handed to `sink`; how many entries there were.
///
/// # Errors
/// The answer cannot be read.
pub fn half_days<'p>(
    answer: impl IntoIterator<Item = &'p [u8]>,
    day: NaiveDate,
    sink: &mut dyn Sink,
) -> Result<u64, Fault> {
    const METHOD: &str = "getAbsentsWithInternalNumberByDate";
    let (whose, labels) = (Whose::All, BTreeMap::new());
    let mut reader = DayReader::new(day, &whose, &labels, sink);
    hear(METHOD, MOST_ENTRY, answer, &mut reader)?;
    let entries = reader.entries();
    for gap in reader.finish(&|_| None).map_err(|flaw| broken(METHOD, 0, flaw))? {
        sink.gap(gap);
    }
    Ok(entries)
}

/// The accounts of a group; how many of them are pupils.
///
/// # Errors
/// The answer cannot be read.
pub fn accounts<'p>(answer: impl IntoIterator<Item = &'p [u8]>) -> Result<usize, Fault> {
    let mut pupils = Pupils::of(UniqueField::Number);
    hear("getAllAccountsExtended", MOST_ACCOUNT, answer, &mut pupils)?;
    Ok(pupils.found.len())
}

/// The career of a pupil; whether it has a stay anywhere.
///
/// # Errors
/// The answer cannot be read.
pub fn career<'p>(answer: impl IntoIterator<Item = &'p [u8]>) -> Result<bool, Fault> {
    let mut career = Career::default();
    hear("getStudentCareer", MOST_ROW, answer, &mut career)?;
    Ok(!career.sorted().at_school("", true).is_empty())
}

/// The tree of groups; how many classes are in it.
///
/// # Errors
/// The answer cannot be read.
pub fn tree<'p>(answer: impl IntoIterator<Item = &'p [u8]>) -> Result<usize, Fault> {
    const METHOD: &str = "getAllGroupsAndClasses";
    let mut hearing = Hearing::text(METHOD, MOST_TREE);
    feed(&mut hearing, answer)?;
    let classes = groups::classes(&hearing.held()?).map_err(|flaw| broken(METHOD, 0, flaw))?;
    Ok(classes.len())
}

fn hear<'p>(
    method: &'static str,
    most: usize,
    answer: impl IntoIterator<Item = &'p [u8]>,
    hear: &mut dyn Hear,
) -> Result<(), Fault> {
    feed(&mut Hearing::pieces(method, most, hear), answer)
}

fn feed<'p>(hearing: &mut Hearing<'_>, answer: impl IntoIterator<Item = &'p [u8]>) -> Result<(), Fault> {
    for piece in answer {
        hearing.some(piece)?;
    }
    hearing.end()
}

#[cfg(test)]
mod tests;
