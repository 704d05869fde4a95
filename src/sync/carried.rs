//! Files of numbers carried in: `pupil,halfDays,begins,former`, a line per pupil.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use chrono::NaiveDate;
use hub_connectors::csv::{Reader, clean_name};
use hub_connectors::report::Report;
use hub_entities::id::RecordId;
use hub_entities::source::{RunKind, RunState, run};

use super::{Source, Sync, SyncError};
use crate::store::carried::{CarriedSaid, merge_carried};
use crate::store::roster::{KeyKind, keys};
use crate::store::run::set_state;

/// One line: the pupil's key, and what it says.
type Line = (String, NaiveDate, i16, Option<String>);

impl Sync {
    /// Imports the numbers carried in of one school. A line whose pupil is unknown is counted as a gap.
    pub async fn carried_file(&self, source: Source, path: &Path) -> Result<run::Model, SyncError> {
        let lease = self.lease(source).await?;
        let outcome = self.carried_under(&lease, source, path).await;
        lease.release(&self.db).await?;
        outcome
    }

    async fn carried_under(
        &self,
        lease: &crate::store::lease::Lease,
        source: Source,
        path: &Path,
    ) -> Result<run::Model, SyncError> {
        let scope = self.scope(source).await?;
        if !super::filter::keeps_absences(&scope) {
            return Err(SyncError::NotAgreed);
        }
        let hash = super::files::hash_of(path)?;
        let run = self
            .begin(&scope, lease, source, RunKind::CarriedIn, hash, false)
            .await?;
        let mut report = Report::default();
        let lines = lines(path, &mut report)?;
        if !report.usable() {
            return Err(self.refuse(lease, run, report).await);
        }
        let records: HashMap<String, RecordId> = keys(&self.db, &scope, KeyKind::SourceKey)
            .await?
            .into_iter()
            .map(|(key, record, _)| (key, record))
            .collect();
        let staged = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let mut said = Vec::new();
        let mut dangling = 0_i64;
        for (key, begins_on, half_days, former_institution) in lines {
            match records.get(&key) {
                Some(record) => said.push(CarriedSaid {
                    record: *record,
                    begins_on,
                    half_days,
                    former_institution,
                }),
                None => dangling = dangling.saturating_add(1),
            }
        }
        let work = self.work(&scope, lease, run.id);
        if dangling > 0 {
            let gap = crate::store::loss::Gap {
                rule: "carried.unknown_pupil",
                detail: String::new(),
                rows: dangling,
            };
            crate::store::loss::note_gaps(&self.db, work, vec![gap]).await?;
        }
        let run = run::Model {
            state: RunState::Merging,
            staged,
            ..run
        };
        let run = set_state(&self.db, lease, run).await?;
        for some in said.chunks(200) {
            merge_carried(&self.db, self.work(&scope, lease, run.id), some).await?;
        }
        self.finish(lease, run).await
    }
}

/// The lines of a file, with where and what for each that cannot be read.
fn lines(path: &Path, report: &mut Report) -> Result<Vec<Line>, SyncError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut reader = Reader::new(BufReader::new(File::open(path)?), None);
    let mut places: Option<[Option<usize>; 4]> = None;
    let mut lines = Vec::new();
    loop {
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(trouble) => {
                report.error(&name, trouble.line, trouble.column, trouble.rule);
                if trouble.fatal {
                    break;
                }
                continue;
            }
        };
        let Some([Some(pupil), Some(half_days), Some(begins), former]) = places else {
            let header: Vec<String> = record.iter().map(clean_name).collect();
            let place = |wanted: &str| header.iter().position(|name| name.eq_ignore_ascii_case(wanted));
            let found = [place("pupil"), place("halfDays"), place("begins"), place("former")];
            if found.iter().take(3).any(Option::is_none) {
                report.error(&name, record.line, 0, "schema.missing_header");
                break;
            }
            places = Some(found);
            continue;
        };
        let field = |at: usize| record.get(at).map(str::trim).unwrap_or_default();
        let column = |at: usize| u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
        let key = field(pupil);
        let number: Option<i16> = field(half_days)
            .parse()
            .ok()
            .filter(|number| (0..=400).contains(number));
        let day: Option<NaiveDate> = field(begins).parse().ok();
        let (line, is_blank) = (record.line, key.is_empty());
        let former = former.map(field).filter(|former| !former.is_empty()).map(str::to_owned);
        match (number, day) {
            _ if is_blank => report.error(&name, line, column(pupil), "row.blank_required"),
            (None, _) => report.error(&name, line, column(half_days), "row.number"),
            (_, None) => report.error(&name, line, column(begins), "row.date"),
            (Some(number), Some(day)) => lines.push((key.to_owned(), day, number, former)),
        }
    }
    Ok(lines)
}
