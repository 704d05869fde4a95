//! One file of a package against its schema: columns by name, each cell by its kind.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chrono::{DateTime, NaiveDate};
use hub_entities::time::brussels_day;

use super::manifest::Mode;
use super::schema::{Column, Kind, Need, Table};
use crate::csv::{Reader, Record, clean_name};
use crate::report::{Report, Severity, column, note};
use crate::roster::Status;

/// The line on which each `sourcedId` was met.
pub(crate) type Ids = BTreeMap<String, u64>;

/// A row whose cells were found to be what the schema says.
pub(crate) struct Row<'a> {
    pub(crate) line: u64,
    pub(crate) status: Status,
    record: &'a Record<'a>,
    places: &'a [Option<usize>],
    /// Columns of the sender's own that are taken over, by the name they were asked for.
    extensions: &'a [(&'a str, usize)],
    table: &'a Table,
}

impl<'a> Row<'a> {
    /// The trimmed cell of a column, or nothing when it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let place = (*self.places.get(self.table.position(name)?)?)?;
        Some(self.record.get(place)?.trim()).filter(|cell| !cell.is_empty())
    }

    /// The trimmed cell of a column of the sender's own, or nothing when it is empty or was not asked for.
    pub(crate) fn extension(&self, name: &str) -> Option<&'a str> {
        let (_, place) = self.extensions.iter().find(|(asked, _)| *asked == name)?;
        Some(self.record.get(*place)?.trim()).filter(|cell| !cell.is_empty())
    }

    /// The cell of a column that the schema says must be there.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(crate) fn day(&self, name: &str) -> Option<NaiveDate> {
        self.get(name).and_then(date).map(|(day, _)| day)
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        items(self.get(name).unwrap_or_default()).map(str::to_owned).collect()
    }

    /// The cell as the schema spells it, whatever its case in the file.
    pub(crate) fn choice(&self, name: &str) -> Option<&'static str> {
        let found = self.table.columns.get(self.table.position(name)?)?;
        let Kind::Enum(values) = found.kind else { return None };
        let cell = self.get(name)?;
        values.iter().copied().find(|value| value.eq_ignore_ascii_case(cell))
    }

    /// The column in the file, for a fault.
    pub(crate) fn column(&self, name: &str) -> u32 {
        let place = self
            .table
            .position(name)
            .and_then(|at| self.places.get(at).copied().flatten());
        place.map_or(0, column)
    }
}

pub(crate) fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A date, and whether it was written as the standard says. A time behind it is cut off; with an offset it is a moment,
/// which falls on its day in Brussels: midnight there is 22:00 or 23:00 UTC of the day before.
pub(super) fn date(cell: &str) -> Option<(NaiveDate, bool)> {
    let head = cell.get(..10)?;
    let day = NaiveDate::parse_from_str(head, "%Y-%m-%d").ok()?;
    let rest = cell.get(10..)?;
    if rest.is_empty() {
        return Some((day, true));
    }
    let moment = DateTime::parse_from_rfc3339(cell).map(|moment| brussels_day(moment.to_utc()));
    rest.starts_with('T').then(|| (moment.unwrap_or(day), false))
}

/// What was met in a file.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) ids: Ids,
    /// The last line has no end.
    pub(crate) has_open_end: bool,
}

/// Reads a file; hands over every row that is whole. `extensions` are columns of the
/// sender's own that are taken over too.
pub(crate) fn read(
    input: &mut dyn Read,
    file: &str,
    (table, extensions): (&Table, &[&str]),
    mode: Mode,
    report: &mut Report,
    dropped: &mut BTreeSet<String>,
    each: &mut dyn FnMut(&Row<'_>, &mut Report),
) -> Contents {
    let mut contents = Contents::default();
    let mut reader = Reader::new(input, None);
    let header: Vec<String> = match reader.next_record() {
        Ok(Some(record)) => record.iter().map(clean_name).collect(),
        Ok(None) => {
            // "Bulk and empty" is sent as a file without a header too.
            if mode == Mode::Bulk {
                report.warn(file, 0, 0, "schema.missing_header");
            } else {
                report.error(file, 0, 0, "schema.missing_header");
            }
            return contents;
        }
        Err(trouble) => {
            note(report, file, trouble, Severity::Error);
            return contents;
        }
    };
    let Some(places) = places(&header, file, (table, extensions), report) else {
        return contents;
    };
    let extensions: Vec<(&str, usize)> = extensions
        .iter()
        .filter_map(|name| Some((*name, header.iter().position(|found| found.eq_ignore_ascii_case(name))?)))
        .collect();
    let mut filled = vec![false; header.len()];
    while !report.is_full() {
        for lenient in reader.leniencies() {
            note(report, file, lenient, Severity::Warning);
        }
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(trouble) => {
                note(report, file, trouble, Severity::Error);
                continue;
            }
        };
        if record.len() != header.len() {
            report.error(file, record.line, column(record.len().min(header.len())), "row.width");
            continue;
        }
        for (seen, cell) in filled.iter_mut().zip(record.iter()) {
            *seen |= !cell.trim().is_empty();
        }
        let mut row = Row {
            line: record.line,
            status: Status::Active,
            record: &record,
            places: &places,
            extensions: &extensions,
            table,
        };
        if !check(&row, file, mode, report) {
            continue;
        }
        if row.choice("status") == Some("tobedeleted") {
            row.status = Status::Gone;
        }
        if contents.ids.insert(row.text("sourcedId"), row.line).is_some() {
            report.error(file, row.line, row.column("sourcedId"), "reference.duplicate_id");
            continue;
        }
        each(&row, report);
    }
    for lenient in reader.leniencies() {
        note(report, file, lenient, Severity::Warning);
    }
    for (at, _) in filled.iter().enumerate().filter(|(_, filled)| **filled) {
        let known = places
            .iter()
            .position(|place| *place == Some(at))
            .and_then(|known| table.columns.get(known));
        match known {
            Some(known) if known.kept => {}
            None if extensions.iter().any(|(_, place)| *place == at) => {}
            Some(known) => drop(dropped.insert(format!("{}.{}", table.name, known.name))),
            // The sender's own name for it could hold anything, so it is not repeated.
            None => drop(dropped.insert(format!("{}.(column {})", table.name, column(at)))),
        }
    }
    contents.has_open_end = reader.has_open_end();
    contents
}

/// The place of each column of the schema in the file; none when the header cannot be used.
fn places(
    header: &[String],
    file: &str,
    (table, extensions): (&Table, &[&str]),
    report: &mut Report,
) -> Option<Vec<Option<usize>>> {
    let mut usable = true;
    let mut taken = vec![false; header.len()];
    let mut places = Vec::with_capacity(table.columns.len());
    for wanted in table.columns {
        let heritage = match (table.name, wanted.name) {
            ("demographics", "sourcedId") => Some("userSourcedId"),
            (_, "grades") => Some("grade"),
            _ => None,
        };
        let find = |test: &dyn Fn(&str) -> bool| header.iter().position(|name| test(name));
        let exact = find(&|name| name == wanted.name);
        let found = exact
            .or_else(|| find(&|name| name.eq_ignore_ascii_case(wanted.name)))
            .or_else(|| heritage.and_then(|old| find(&|name| name.eq_ignore_ascii_case(old))));
        match found {
            Some(at) => {
                if exact.is_none() {
                    report.warn(file, 1, column(at), "schema.header_name");
                }
                if let Some(taken) = taken.get_mut(at) {
                    *taken = true;
                }
            }
            // `status` is what a delta is made of; it is asked for row by row.
            None if wanted.need == Need::Must => {
                report.error(file, 1, 0, "schema.missing_header");
                usable = false;
            }
            None => report.warn(file, 1, 0, "schema.missing_header"),
        }
        places.push(found);
    }
    for (at, name) in header.iter().enumerate() {
        if header.iter().take(at).any(|other| other.eq_ignore_ascii_case(name)) {
            report.error(file, 1, column(at), "schema.duplicate_header");
            usable = false;
        }
        if taken.get(at) == Some(&false) {
            let extension = name.starts_with("metadata.");
            let behind = taken.iter().skip(at).all(|taken| !taken);
            match (extension, behind) {
                (true, true) => {}
                (false, _) if extensions.iter().any(|asked| asked.eq_ignore_ascii_case(name)) => {}
                (true, false) => report.warn(file, 1, column(at), "schema.metadata_position"),
                (false, _) => report.warn(file, 1, column(at), "schema.unknown_header"),
            }
        }
    }
    let known: Vec<usize> = places.iter().copied().flatten().collect();
    if !known.is_sorted() {
        report.warn(file, 1, 0, "schema.order");
    }
    usable.then_some(places)
}

/// Whether the row may be used.
fn check(row: &Row<'_>, file: &str, mode: Mode, report: &mut Report) -> bool {
    let before = report.errors();
    for found in row.table.columns {
        let at = row.column(found.name);
        let stamp = matches!(found.name, "status" | "dateLastModified");
        let Some(cell) = row.get(found.name) else {
            match (stamp, mode, found.need) {
                (true, Mode::Delta, _) if found.name == "status" => {
                    report.error(file, row.line, at, "row.field_required_in_delta");
                }
                (true, Mode::Delta, _) => report.warn(file, row.line, at, "row.field_required_in_delta"),
                (_, _, Need::Must) => report.error(file, row.line, at, "row.blank_required"),
                (_, _, Need::Should) => report.warn(file, row.line, at, "row.blank_required"),
                (_, _, Need::May) => {}
            }
            continue;
        };
        if stamp && mode == Mode::Bulk {
            report.warn(file, row.line, at, "row.field_forbidden_in_bulk");
        }
        if let Some((rule, severity)) = wrong(found, cell) {
            report.add(crate::report::Fault {
                file: file.to_owned(),
                line: row.line,
                column: at,
                rule,
                severity,
            });
        }
    }
    report.errors() == before
}

/// What is wrong with a cell. It is an error only where the hub would take a wrong value over.
fn wrong(found: &Column, cell: &str) -> Option<(&'static str, Severity)> {
    let weight = if found.kept { Severity::Error } else { Severity::Warning };
    let guid = |id: &str| id.len() <= 255 && !id.contains(char::is_whitespace);
    match found.kind {
        Kind::Text => None,
        Kind::Guid => (!guid(cell)).then_some(("row.guid", weight)),
        Kind::Guids => (!items(cell).all(guid)).then_some(("row.guid", weight)),
        Kind::Date => match date(cell) {
            Some((_, true)) => None,
            Some((_, false)) => Some(("row.date", Severity::Warning)),
            None => Some(("row.date", weight)),
        },
        // Only told: the hub orders by what it received, not by the sender's clock.
        Kind::DateTime => {
            let full = DateTime::parse_from_rfc3339(cell).is_ok();
            (!full).then_some(("row.datetime", Severity::Warning))
        }
        Kind::Bool => (!matches!(cell, "true" | "false")).then_some(("row.boolean", Severity::Warning)),
        Kind::Year => {
            let year = cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit());
            (!year).then_some(("row.year", weight))
        }
        // 1.2 lets a sender add values of its own under this prefix.
        Kind::Enum(values) if values.contains(&cell) || cell.starts_with("ext:") => None,
        Kind::Enum(values) if values.iter().any(|value| value.eq_ignore_ascii_case(cell)) => {
            Some(("row.enum", Severity::Warning))
        }
        Kind::Enum(_) => Some(("row.enum", weight)),
    }
}
