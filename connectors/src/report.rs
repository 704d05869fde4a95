//! What was wrong with a delivery, in words that repeat nothing of it.
//!
//! A report is read by people who may not see the pupils in the file, and it ends up in logs. So a
//! fault names the place and the rule and never the value.

use std::fmt;

use serde::Serialize;

use crate::csv::Trouble;

/// How much weight a fault has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Not as the standard wants it, but read without doubt. Tells the sender what to repair.
    Warning,
    /// Cannot be read without guessing: the whole delivery is refused.
    Error,
}

/// One fault, or one leniency that was needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Fault {
    /// The file, by its standard name; a file with a name of its own is called by its position.
    pub file: String,
    /// The line, from 1, as a text editor counts them; 0 when the fault is about the whole file.
    pub line: u64,
    /// The field, from 1, as a spreadsheet counts columns; 0 when it is about the whole line.
    pub column: u32,
    /// The rule, for example `row.width`; the first word is its family.
    pub rule: &'static str,
    /// Whether the delivery is refused for it.
    pub severity: Severity,
}

/// The most faults that a report lists; the rest is counted.
pub const MOST_FAULTS: usize = 200;

/// The faults of one delivery, in the order in which they were met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The first [`MOST_FAULTS`] of each severity.
    pub faults: Vec<Fault>,
    /// How many more there were.
    pub truncated: u64,
    errors: u64,
    warnings: u64,
}

impl Report {
    /// Adds a fault. Errors and warnings are capped apart, so that warnings never hide an error.
    pub fn add(&mut self, fault: Fault) {
        let seen = match fault.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *seen += 1;
        if usize::try_from(*seen).is_ok_and(|seen| seen <= MOST_FAULTS) {
            self.faults.push(fault);
        } else {
            self.truncated += 1;
        }
    }

    /// Adds an error.
    pub fn error(&mut self, file: &str, line: u64, column: u32, rule: &'static str) {
        self.add(Fault {
            file: file.to_owned(),
            line,
            column,
            rule,
            severity: Severity::Error,
        });
    }

    /// Adds a warning.
    pub fn warn(&mut self, file: &str, line: u64, column: u32, rule: &'static str) {
        self.add(Fault {
            file: file.to_owned(),
            line,
            column,
            rule,
            severity: Severity::Warning,
        });
    }

    /// How many errors there were, listed or not.
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// How many warnings there were, listed or not.
    pub const fn warnings(&self) -> u64 {
        self.warnings
    }

    /// Whether the delivery may be used.
    pub const fn usable(&self) -> bool {
        self.errors == 0
    }

    /// Whether errors filled the report, so that reading on tells the sender nothing new.
    pub fn is_full(&self) -> bool {
        usize::try_from(self.errors).map_or(true, |errors| errors >= MOST_FAULTS)
    }

    /// Whether a rule was broken or bent.
    pub fn names(&self, rule: &str) -> bool {
        self.faults.iter().any(|fault| fault.rule == rule)
    }
}

/// Adds what a reader stumbled over.
pub(crate) fn note(report: &mut Report, file: &str, trouble: Trouble, severity: Severity) {
    report.add(Fault {
        file: file.to_owned(),
        line: trouble.line,
        column: trouble.column,
        rule: trouble.rule,
        severity,
    });
}

/// The number of a column, from 1, for its place among the fields, from 0.
pub(crate) fn column(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX).saturating_add(1)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return write!(f, "no faults");
        }
        let width = self
            .faults
            .iter()
            .map(|fault| fault.file.chars().count())
            .max()
            .unwrap_or(4)
            .max(4);
        writeln!(
            f,
            "{:<7}  {:<width$}  {:>8}  {:>6}  rule",
            "weight", "file", "line", "column"
        )?;
        let place = |number: u64| {
            if number == 0 {
                "-".to_owned()
            } else {
                number.to_string()
            }
        };
        for fault in &self.faults {
            let weight = match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let (line, column) = (place(fault.line), place(u64::from(fault.column)));
            writeln!(
                f,
                "{weight:<7}  {:<width$}  {line:>8}  {column:>6}  {}",
                fault.file, fault.rule
            )?;
        }
        if self.truncated > 0 {
            writeln!(f, "and {} more", self.truncated)?;
        }
        write!(f, "{} errors, {} warnings", self.errors, self.warnings)
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_warnings_hides_no_error() {
        let mut report = Report::default();
        for line in 0..1_000 {
            report.warn("users.csv", line, 2, "row.enum");
        }
        report.error("users.csv", 1_001, 3, "row.width");
        assert_eq!(report.faults.len(), 201);
        assert_eq!((report.truncated, report.warnings(), report.errors()), (800, 1_000, 1));
        assert!(!report.usable() && report.names("row.width"));
        let text = report.to_string();
        assert!(
            text.ends_with("1 errors, 1000 warnings") && text.contains("and 800 more"),
            "{text}"
        );
    }
}
