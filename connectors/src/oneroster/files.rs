//! The files of a package: each read against its schema, and what they refer to in each other.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Manifest, Mode};
use super::schema::Table;
use super::table::{self, Contents, Row};
use crate::archive::Package;
use crate::report::Report;
use crate::roster::Status;

/// A reference that can only be judged when every file is read.
struct Reference {
    file: String,
    line: u64,
    column: u32,
    target: &'static str,
    key: String,
    vital: bool,
}

/// A column that refers to another file. A vital one makes a row meaningless when it points nowhere;
/// a parent that is missing leaves a pupil without a contact, no more.
pub(super) struct To(pub(super) &'static str, pub(super) &'static str, pub(super) bool);

/// The files of a package, read one by one.
pub(super) struct Files<'p> {
    package: &'p mut Package,
    names: BTreeMap<String, String>,
    pub(super) manifest: Manifest,
    pub(super) report: Report,
    /// What was read and is not kept, by column.
    pub(super) dropped: BTreeSet<String>,
    contents: BTreeMap<&'static str, Contents>,
    references: Vec<Reference>,
}

impl<'p> Files<'p> {
    /// The files of a package, by their names in small letters; nothing is read yet.
    pub(super) fn new(
        package: &'p mut Package,
        names: BTreeMap<String, String>,
        manifest: Manifest,
        report: Report,
    ) -> Self {
        Self {
            package,
            names,
            manifest,
            report,
            dropped: BTreeSet::new(),
            contents: BTreeMap::new(),
            references: Vec::new(),
        }
    }

    /// How a file is sent.
    pub(super) fn mode(&self, file: &str) -> Mode {
        self.manifest.mode(file)
    }

    /// Reads one file, if the package has it, and keeps what it refers to for the end.
    pub(super) fn each(&mut self, table: &Table, to: &[To], each: &mut dyn FnMut(&Row<'_>, &mut Report)) {
        self.each_with(table, &[], to, each);
    }

    /// As [`Self::each`], with columns of the sender's own that are to be taken over.
    pub(super) fn each_with(
        &mut self,
        table: &Table,
        extensions: &[&str],
        to: &[To],
        each: &mut dyn FnMut(&Row<'_>, &mut Report),
    ) {
        let mode = self.mode(table.name);
        let file = format!("{}.csv", table.name);
        if mode == Mode::Absent || self.report.is_full() {
            return;
        }
        for To(_, target, _) in to {
            if mode == Mode::Bulk && self.mode(target) == Mode::Absent {
                self.report.warn(&file, 0, 0, "reference.file_absent");
            }
        }
        // Only a bulk file can prove that something is not there.
        let to: Vec<&To> = to.iter().filter(|to| self.manifest.mode(to.1) == Mode::Bulk).collect();
        let Some(name) = self.names.get(&file.to_lowercase()) else {
            return;
        };
        let Ok(Some(mut stream)) = self.package.read(name) else {
            self.report.error(&file, 0, 0, "package.unreadable");
            return;
        };
        let (references, before) = (&mut self.references, &self.contents);
        // What was met already needs no judge, and most of what a large file refers to was.
        let was_met = |target: &str, key: &str| before.get(target).is_some_and(|file| file.ids.contains_key(key));
        let contents = table::read(
            &mut stream,
            &file,
            (table, extensions),
            mode,
            &mut self.report,
            &mut self.dropped,
            &mut |row, report| {
                if row.status == Status::Active {
                    for To(name, target, vital) in &to {
                        let keys = row.list(name).into_iter().filter(|key| !was_met(target, key));
                        references.extend(keys.map(|key| Reference {
                            file: file.clone(),
                            line: row.line,
                            column: row.column(name),
                            target,
                            key,
                            vital: *vital,
                        }));
                    }
                }
                each(row, report);
            },
        );
        self.contents.insert(table.name, contents);
    }

    /// Whether a file is all there is: a bulk file, and not the one whose last line has no end while those of others
    /// have. Such a file may be cut off behind a row; it is read, and is no proof that something is not there.
    pub(super) fn is_whole(&mut self, file: &str) -> bool {
        if self.mode(file) != Mode::Bulk {
            return false;
        }
        let open = |one: &Contents| one.has_open_end;
        let is_open = self.contents.get(file).is_some_and(open);
        let is_cut_off = is_open && !self.contents.values().all(open);
        if is_cut_off {
            self.report.warn(&format!("{file}.csv"), 0, 0, "csv.cut_off");
        }
        !is_cut_off
    }

    /// Says which references point nowhere, once every file is read.
    pub(super) fn judge(&mut self) {
        for reference in std::mem::take(&mut self.references) {
            let found = self
                .contents
                .get(reference.target)
                .is_some_and(|contents| contents.ids.contains_key(&reference.key));
            let Reference {
                file,
                line,
                column,
                vital,
                ..
            } = reference;
            match (found, vital) {
                (true, _) => {}
                (false, true) => self.report.error(&file, line, column, "reference.target_absent"),
                (false, false) => self.report.warn(&file, line, column, "reference.target_absent"),
            }
        }
    }
}
