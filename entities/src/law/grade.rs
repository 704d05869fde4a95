//! The grades of classes (leerjaren), and the level that each is at.

use serde::Deserialize;

use super::code::Level;
use super::sourced::{Certainty, Row as _, row};
use crate::time::SchoolYear;

/// One row of the data file: grades of one level.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GradeRow {
    codes: Vec<String>,
    level: Level,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(GradeRow, |row| format!("grades `{}`", row.codes.join(" ")));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) grade: Vec<GradeRow>,
}

/// What two rows say of one grade in one and the same year, if any two do.
pub(super) fn contradiction(rows: &[GradeRow]) -> Option<String> {
    let twice = |(place, row): (usize, &GradeRow)| {
        let others = rows.iter().skip(place.saturating_add(1));
        let mut same = others.filter(|other| row.provenance().overlaps(&other.provenance()));
        let codes = same.find_map(|other| row.codes.iter().find(|code| other.codes.contains(code)));
        codes.map(|code| format!("grade `{code}` occurs twice"))
    };
    rows.iter().enumerate().find_map(twice)
}

/// The level of a grade in a school year; `None` where no row has it.
pub(super) fn level(rows: &[GradeRow], grade: &str, year: SchoolYear) -> Option<Level> {
    let mut in_force = rows.iter().filter(|row| row.provenance().holds_in(year));
    let row = in_force.find(|row| row.codes.iter().any(|code| code == grade))?;
    Some(row.level)
}
