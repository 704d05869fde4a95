//! The decoders without a call: for who measures them, and for who attacks them (`connectors/fuzz`).
//!
//! Each takes a whole answer, envelope included, in whatever pieces it comes.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::absences::{DayReader, MOST_ENTRY, Whose};
use super::account::MOST_ACCOUNT;
use super::answer::{Code, number};
use super::call::{Hear, Hearing, broken, fault_of};
use super::career::{Career, MOST_ROW};
use super::codes;
use super::groups::{self, MOST_TREE};
use super::read::{MOST_WORD, Pupils, unique_field};
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

/// The table of result codes; whether it knows those that the hub goes by.
///
/// # Errors
/// The answer cannot be read, or is no table.
pub fn result_codes<'p>(answer: impl IntoIterator<Item = &'p [u8]>) -> Result<bool, Fault> {
    const METHOD: &str = "returnJsonErrorCodes";
    let mut hearing = Hearing::text(METHOD, codes::MOST);
    feed(&mut hearing, answer)?;
    let table = codes::Table::read(&hearing.held()?).ok_or(broken(METHOD, 0, "codes.unreadable"))?;
    Ok(table.check().is_ok())
}

/// One plain word: by what the tenant names people.
///
/// # Errors
/// The answer cannot be read, or is a result code or another word.
pub fn plain<'p>(answer: impl IntoIterator<Item = &'p [u8]>) -> Result<UniqueField, Fault> {
    const METHOD: &str = "getReferenceField";
    let mut hearing = Hearing::text(METHOD, MOST_WORD);
    feed(&mut hearing, answer)?;
    let text = hearing.held()?;
    match number(&text) {
        Some(code) => Err(fault_of(METHOD, Code::of(code))),
        None => unique_field(&text),
    }
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
