//! Files of numbers carried in: `pupil,halfDays,begins,former`, a line per pupil.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use chrono::NaiveDate;
use hub_connectors::csv::{Reader, clean_name};
use hub_connectors::report::Report;
use hub_entities::id::RecordId;
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind, run};
use serde::{Deserialize, Serialize};

use super::{Source, Sync, SyncError, traced};
use crate::store::DbError;
use crate::store::carried::{CarriedSaid, merge_carried};
use crate::store::lease::Lease;
use crate::store::loss::{Gap, Unmatched, note_gaps, put_in_quarantine};
use crate::store::roster::keys;

/// What one line says of a pupil.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    begins_on: NaiveDate,
    half_days: i16,
    former_institution: Option<String>,
}

impl Sync {
    /// Imports the numbers carried in of one school. A line whose pupil is unknown waits in quarantine.
    pub async fn carried_file(&self, source: Source, path: &Path) -> Result<run::Model, SyncError> {
        let lease = self.lease(source).await?;
        let import = self.carried_under(&lease, source, path);
        let import = Box::pin(traced(RunKind::CarriedIn, source, import));
        let outcome = self.until_stopped(import).await;
        lease.release(&self.db).await?;
        outcome
    }

    async fn carried_under(&self, lease: &Lease, source: Source, path: &Path) -> Result<run::Model, SyncError> {
        let scope = self.scope(source).await?;
        if !super::filter::keeps_absences(&scope) {
            return Err(SyncError::NotAgreed);
        }
        let hash = super::files::hash_of(path)?;
        self.work_off(&scope, lease, source).await?;
        let run = self
            .begin(&scope, lease, source, RunKind::CarriedIn, hash, false)
            .await?;
        let mut report = Report::default();
        let lines = lines(path, &mut report)?;
        super::files::unchanged(path, &run.content_hash)?;
        if !report.usable() {
            return Err(self.refuse(lease, run, report).await);
        }
        let records = keys(&self.db, &scope, KeyKind::SourceKey).await?;
        let staged = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let mut said = Vec::new();
        let mut unkeyed = 0_i64;
        let mut unmatched: BTreeMap<String, Unmatched> = BTreeMap::new();
        for (key, line) in lines {
            let key = self.pupil_key(&key).into_owned();
            if key.is_empty() {
                unkeyed = unkeyed.saturating_add(1);
                continue;
            }
            if let Some((record, _)) = records.get(&key) {
                said.push(line.of(*record));
                continue;
            }
            let waiting = unmatched.entry(key).or_insert_with_key(|key| Unmatched {
                source_key: key.clone(),
                key_kind: KeyKind::SourceKey,
                rows: 0,
                body: Vec::new(),
            });
            waiting.rows = waiting.rows.saturating_add(1);
            waiting.body.extend(line.packed());
        }
        let unmatched: Vec<Unmatched> = unmatched.into_values().collect();
        let found = said.iter().map(|one| one.record).collect::<BTreeSet<_>>().len();
        let run = run::Model {
            staged,
            quarantined: unmatched.iter().map(|one| i64::from(one.rows)).sum(),
            named: i64::try_from(found.saturating_add(unmatched.len())).ok(),
            found: i64::try_from(found).ok(),
            ..run
        };
        let work = self.work(&scope, lease, run.id);
        let unkeyed = (unkeyed > 0).then(|| Gap {
            rule: "carriedin.national_number_as_key",
            detail: String::new(),
            rows: unkeyed,
        });
        note_gaps(&self.db, work, unkeyed.into_iter().collect()).await?;
        put_in_quarantine(&self.db, work, RunKind::CarriedIn, unmatched).await?;
        self.merge_carried_in(&scope, lease, run, &said).await
    }

    /// Merges numbers carried in, and ends the run. Nothing of them is put aside: a run that is killed here is still
    /// `staging`, and gives way to the file when it is read again.
    pub(super) async fn merge_carried_in(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: run::Model,
        said: &[CarriedSaid],
    ) -> Result<run::Model, SyncError> {
        for some in said.chunks(200) {
            merge_carried(&self.db, self.work(scope, lease, run.id), some).await?;
        }
        self.finish(lease, run).await
    }
}

impl Line {
    fn of(self, record: RecordId) -> CarriedSaid {
        CarriedSaid {
            record,
            begins_on: self.begins_on,
            half_days: self.half_days,
            former_institution: self.former_institution,
        }
    }

    /// As it waits in quarantine: a line of JSON, after those that wait already.
    fn packed(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// The lines that waited, in the order they came: the last word is merged last.
pub(super) fn unpacked(body: &[u8], record: RecordId) -> Result<Vec<CarriedSaid>, SyncError> {
    let lines = serde_json::Deserializer::from_slice(body).into_iter::<Line>();
    lines
        .map(|line| match line {
            Ok(line) => Ok(line.of(record)),
            Err(_unreadable) => Err(SyncError::Store(DbError::Unreadable {
                column: "quarantine.body",
            })),
        })
        .collect()
}

/// The lines of a file, with where and what for each that cannot be read.
fn lines(path: &Path, report: &mut Report) -> Result<Vec<(String, Line)>, SyncError> {
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
            (Some(half_days), Some(begins_on)) => lines.push((
                key.to_owned(),
                Line {
                    begins_on,
                    half_days,
                    former_institution: former,
                },
            )),
        }
    }
    Ok(lines)
}
