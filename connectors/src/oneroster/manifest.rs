//! `manifest.csv`: which version, and what each file of the package claims to be.

use std::collections::BTreeMap;
use std::io::Read;

use super::schema::{FILES_1_1, FILES_1_2};
use crate::csv::{Reader, clean_name};
use crate::report::{Report, Severity, note};

/// Version of the binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.1: a user has one role.
    V1_1,
    /// 1.2: roles stand in a file of their own.
    V1_2,
}

/// What a file claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not in the package.
    Absent,
    /// The whole truth.
    Bulk,
    /// Changes since the last one.
    Delta,
}

pub(crate) const MANIFEST: &str = "manifest.csv";

pub(crate) struct Manifest {
    pub(crate) version: Version,
    modes: BTreeMap<&'static str, Mode>,
}

impl Manifest {
    pub(crate) fn mode(&self, file: &str) -> Mode {
        self.modes.get(file).copied().unwrap_or(Mode::Absent)
    }
}

/// The files that this version knows.
pub(crate) fn files(version: Version) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = if version == Version::V1_2 { &FILES_1_2 } else { &[] };
    FILES_1_1.iter().chain(more).copied()
}

/// Reads the manifest; faults go to the report.
pub(crate) fn read(input: &mut dyn Read, report: &mut Report) -> Option<Manifest> {
    let mut reader = Reader::new(input, None);
    let mut properties: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut first = true;
    loop {
        for lenient in reader.leniencies() {
            note(report, MANIFEST, lenient, Severity::Warning);
        }
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(trouble) => {
                note(report, MANIFEST, trouble, Severity::Error);
                continue;
            }
        };
        let line = record.line;
        let cell = |at| clean_name(record.get(at).unwrap_or_default());
        if std::mem::take(&mut first) {
            let header = (cell(0), cell(1));
            if header.0 != "propertyName" {
                report.error(MANIFEST, line, 1, "manifest.header");
            } else if header.1 != "value" {
                // "propertyValue" is seen in the wild.
                report.warn(MANIFEST, line, 2, "manifest.header");
            }
            continue;
        }
        if record.len() != 2 {
            let spare = record.len() > 2 && record.iter().skip(2).all(|cell| cell.trim().is_empty());
            if !spare {
                report.error(MANIFEST, line, 0, "row.width");
                continue;
            }
            report.warn(MANIFEST, line, 0, "row.width");
        }
        if properties.insert(cell(0), (cell(1), line)).is_some() {
            report.error(MANIFEST, line, 1, "manifest.duplicate_property");
        }
    }
    let property = |name: &str| properties.get(name).map(|(value, line)| (value.as_str(), *line));
    match property("manifest.version") {
        Some(("1.0", _)) => {}
        Some(("1", line)) => report.warn(MANIFEST, line, 2, "manifest.version"),
        Some((_, line)) => report.error(MANIFEST, line, 2, "manifest.version"),
        None => report.error(MANIFEST, 0, 0, "manifest.missing_property"),
    }
    let version = match property("oneroster.version") {
        Some(("1.1", _)) => Version::V1_1,
        Some(("1.2", _)) => Version::V1_2,
        Some(("1.2.1", line)) => {
            report.warn(MANIFEST, line, 2, "manifest.oneroster_version");
            Version::V1_2
        }
        Some((_, line)) => {
            report.error(MANIFEST, line, 2, "manifest.oneroster_version");
            return None;
        }
        None => {
            report.error(MANIFEST, 0, 0, "manifest.missing_property");
            return None;
        }
    };
    let mut modes = BTreeMap::new();
    for file in files(version) {
        match property(&format!("file.{file}")) {
            Some((value, line)) => {
                let mode = match value.to_ascii_lowercase().as_str() {
                    "absent" => Mode::Absent,
                    "bulk" => Mode::Bulk,
                    "delta" => Mode::Delta,
                    _ => {
                        report.error(MANIFEST, line, 2, "manifest.mode");
                        continue;
                    }
                };
                if !matches!(value, "absent" | "bulk" | "delta") {
                    report.warn(MANIFEST, line, 2, "manifest.mode");
                }
                modes.insert(file, mode);
            }
            None => report.warn(MANIFEST, 0, 0, "manifest.missing_property"),
        }
    }
    for (name, (_, line)) in &properties {
        let known = matches!(
            name.as_str(),
            "manifest.version" | "oneroster.version" | "source.systemName" | "source.systemCode"
        ) || name
            .strip_prefix("file.")
            .is_some_and(|file| files(version).any(|known| known == file));
        if !known {
            report.warn(MANIFEST, *line, 1, "manifest.unknown_property");
        }
    }
    report.usable().then_some(Manifest { version, modes })
}
