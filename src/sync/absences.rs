//! Half-days of absence: read, read by the tenant's letters, filtered, matched, put aside, merged.

use std::collections::BTreeMap;

use hub_connectors::absences::AbsenceRow;
use hub_entities::absence::letters::LetterTable;
use hub_entities::evaluation::Said;
use hub_entities::id::{PupilId, RecordId, RunId};
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind, RunState, connection, run};
use tokio::runtime::Handle;

use super::staging::Staging;
use super::{Source, Sync, SyncError, filter, half_day, traced};
use crate::store::lease::Lease;
use crate::store::loss::{note_gaps, put_in_quarantine};
use crate::store::roster::keys;
use crate::store::run::set_state;
use crate::store::staging::{Pack, next_packs, put_packs};
use crate::store::{ledger, run as runs};

/// Half-days merged in one transaction: whole pupils, under the 500 ms of design §4 (SQLite: 100 ms).
const CHUNK: usize = 8_000;

/// Bytes kept in memory before they are put aside.
const SPILL: usize = 48 << 20;

/// Where rows of absence come from: something that can be read from the beginning, again after a kill.
pub trait Rows: Send {
    /// SHA-256 of the content, so that the same import again is known for the same. Asked again when all was read: what
    /// has another one by then is refused.
    fn content_hash(&mut self) -> Result<Vec<u8>, SyncError>;

    /// Hands over each row, until one is answered with a failure. A report with an error in it means that the data is
    /// faulty as a whole.
    fn read(
        &mut self,
        each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), SyncError>,
    ) -> Result<hub_connectors::report::Report, SyncError>;

    /// By which number a row names a pupil.
    fn key_kind(&self) -> KeyKind;
}

impl Sync {
    /// Imports half-days of absence of one school.
    pub async fn absences(
        &self,
        source: Source,
        connection: &connection::Model,
        rows: &mut dyn Rows,
    ) -> Result<run::Model, SyncError> {
        let lease = self.lease(source).await?;
        let import = self.absences_under(&lease, source, connection, rows);
        let import = Box::pin(traced(RunKind::Absences, source, import));
        let outcome = self.until_stopped(import).await;
        lease.release(&self.db).await?;
        outcome
    }

    async fn absences_under(
        &self,
        lease: &Lease,
        source: Source,
        connection: &connection::Model,
        rows: &mut dyn Rows,
    ) -> Result<run::Model, SyncError> {
        let scope = self.scope(source).await?;
        let letters = letters(self, connection)?;
        if !filter::keeps_absences(&scope) {
            return Err(SyncError::NotAgreed);
        }
        let hash = rows.content_hash()?;
        let finished = self.finish_cut_off(&scope, lease, source).await?;
        self.work_off(&scope, lease, source).await?;
        if let Some(same) = finished.filter(|run| run.content_hash == hash) {
            return Ok(same);
        }
        let run = self
            .begin(&scope, lease, source, RunKind::Absences, hash, false)
            .await?;
        let run = match run.state {
            RunState::Staging => self.stage_absences(&scope, lease, run, &letters, rows).await?,
            _ => run,
        };
        self.merge_absences(&scope, lease, run).await
    }

    /// A run that was killed while merging is finished first: its half-days are older than whatever comes.
    pub(super) async fn finish_cut_off(
        &self,
        scope: &Scope,
        lease: &Lease,
        source: Source,
    ) -> Result<Option<run::Model>, SyncError> {
        match runs::latest(&self.db, scope, RunKind::Absences).await? {
            Some(run) if run.state == RunState::Merging && run.source_id == source.id => {
                Ok(Some(self.merge_absences(scope, lease, run).await?))
            }
            _ => Ok(None),
        }
    }

    async fn stage_absences(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: run::Model,
        letters: &LetterTable,
        rows: &mut dyn Rows,
    ) -> Result<run::Model, SyncError> {
        let by_key = keys(&self.db, scope, rows.key_kind()).await?;
        // What an earlier try left behind is replaced: a run stages as a whole or not at all.
        runs::discard(&self.db, lease, run.id).await?;
        let mut staging = Staging::new(self, scope, letters, &by_key);
        let mut sequence = 0;
        let report = rows.read(&mut |row| {
            self.heed_stop()?;
            staging.take(&row);
            if staging.bytes >= SPILL {
                let packs = staging.empty();
                let put = self.put_aside(lease, run.id, sequence, packs);
                // The reader is synchronous; putting aside is not.
                tokio::task::block_in_place(|| Handle::current().block_on(put))?;
                sequence += 1;
            }
            Ok(())
        })?;
        // Under the hash of before, what was read since would be known for what it is not.
        if rows.content_hash()? != run.content_hash {
            runs::discard(&self.db, lease, run.id).await?;
            return Err(SyncError::Replaced);
        }
        if !report.usable() {
            return Err(self.refuse(lease, run, report).await);
        }
        let packs = staging.empty();
        self.put_aside(lease, run.id, sequence, packs).await?;
        let (staged, quarantined, join) = (staging.rows, staging.quarantined, staging.join());
        let (gaps, unmatched) = staging.losses(rows.key_kind());
        let work = self.work(scope, lease, run.id);
        note_gaps(&self.db, work, gaps).await?;
        put_in_quarantine(&self.db, work, RunKind::Absences, unmatched).await?;
        let next = run::Model {
            state: RunState::Merging,
            staged,
            quarantined,
            named: Some(join.named),
            found: Some(join.found),
            report: super::faults(&report),
            ..run
        };
        Ok(set_state(&self.db, lease, next).await?)
    }

    pub(super) async fn put_aside(
        &self,
        lease: &Lease,
        run: RunId,
        sequence: i32,
        packs: BTreeMap<(PupilId, RecordId), Vec<u8>>,
    ) -> Result<(), SyncError> {
        let packs = packs
            .into_iter()
            .map(|((pupil, record), bytes)| Pack { pupil, record, bytes });
        let packs: Vec<Pack> = packs.collect();
        for some in packs.chunks(2_000) {
            put_packs(&self.db, lease, run, sequence, some.to_vec()).await?;
        }
        Ok(())
    }

    /// Merges what was put aside, from where the run stands.
    pub(super) async fn merge_absences(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: run::Model,
    ) -> Result<run::Model, SyncError> {
        let total = u64::try_from(run.staged).unwrap_or_default();
        let mut done = u64::try_from(run.changed.saturating_add(run.unchanged)).unwrap_or_default();
        let mut after: Option<PupilId> = match &run.cursor {
            Some(cursor) => Some(cursor.parse().map_err(|_unreadable| {
                SyncError::Store(crate::store::DbError::Unreadable {
                    column: "sync_run.cursor",
                })
            })?),
            None => None,
        };
        loop {
            let packs = next_packs(&self.db, run.id, after, CHUNK).await?;
            let Some(last) = packs.last().map(|pack| pack.pupil) else {
                break;
            };
            let mut said = Vec::new();
            for pack in &packs {
                for one in half_day::read(&pack.bytes) {
                    let Some((at, reading)) = one else {
                        return Err(crate::store::DbError::Unreadable {
                            column: "staged_half_days.pack",
                        }
                        .into());
                    };
                    said.push(Said {
                        record: pack.record,
                        at,
                        reading,
                    });
                }
            }
            let work = self.work(scope, lease, run.id);
            ledger::merge_half_days(&self.db, work, &said, Some(last.to_string())).await?;
            done = done.saturating_add(u64::try_from(said.len()).unwrap_or_default());
            (self.progress)(done.min(total), total);
            after = Some(last);
        }
        self.finish(lease, run).await
    }
}

/// The letters of this tenant: the built-in table it names, and its own over it.
pub(super) fn letters(sync: &Sync, connection: &connection::Model) -> Result<LetterTable, SyncError> {
    let table = sync
        .book
        .laws()
        .letters(&connection.letters)
        .ok_or(SyncError::NoSuchLetters)?;
    let mut table = table.clone();
    let overrides = connection.letter_overrides.as_object();
    for (letter, means) in overrides.into_iter().flatten() {
        let means = means
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or(SyncError::NoSuchLetters)?;
        table = table.with(letter, means);
    }
    Ok(table)
}
