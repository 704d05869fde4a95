//! Working off what waits in quarantine and can be matched by now: after every roster, and before anything newer. What
//! waits for too long is told.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use hub_entities::id::{PupilId, QuarantineId, RecordId};
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind, RunState, quarantine, run};
use sha2::{Digest, Sha256};

use super::{Source, Sync, SyncError, carried, filter};
use crate::store::lease::Lease;
use crate::store::loss::{resolve, tell_of_waiting, waiting};
use crate::store::roster::{keys, work_off_places};
use crate::store::run::{self as runs, set_state};

/// What waits in quarantine for longer is told as a gap: nobody looks after it.
pub(super) const LONG: TimeDelta = TimeDelta::days(7);

impl Sync {
    /// Tells of what waits for too long, whichever way it came in: pulled, pushed or by a file.
    pub(super) async fn tell_of_waiting(&self, scope: &Scope) -> Result<(), SyncError> {
        let now = self.clock.now();
        Ok(tell_of_waiting(&self.db, scope, &*self.ids, now - LONG, now).await?)
    }

    /// Works off what can be matched by now.
    pub(super) async fn work_off(&self, scope: &Scope, lease: &Lease, source: Source) -> Result<(), SyncError> {
        if filter::keeps_places(scope) {
            let places = waiting(&self.db, scope, RunKind::Roster).await?;
            if let Some(brought) = places.first().map(|place| place.run_id) {
                work_off_places(&self.db, self.work(scope, lease, brought)).await?;
            }
        }
        if !filter::keeps_absences(scope) {
            return Ok(());
        }
        for kind in [RunKind::Absences, RunKind::CarriedIn] {
            let found = self.matched(scope, kind).await?;
            if found.is_empty() {
                continue;
            }
            match kind {
                RunKind::CarriedIn => self.work_off_carried(scope, lease, source, &found).await?,
                _ => self.work_off_half_days(scope, lease, source, &found).await?,
            }
            let ids: Vec<QuarantineId> = found.iter().map(|(row, _)| row.id).collect();
            resolve(&self.db, lease, &ids, self.clock.now()).await?;
        }
        Ok(())
    }

    /// The waiting rows whose pupil is known by now, by the very kind of number that they name it by.
    async fn matched(&self, scope: &Scope, kind: RunKind) -> Result<Vec<(quarantine::Model, Place)>, SyncError> {
        let waiting = waiting(&self.db, scope, kind).await?;
        let mut known: BTreeMap<KeyKind, HashMap<String, Place>> = BTreeMap::new();
        for by in waiting.iter().filter_map(|row| row.key_kind) {
            if let std::collections::btree_map::Entry::Vacant(place) = known.entry(by) {
                place.insert(keys(&self.db, scope, by).await?);
            }
        }
        let place_of = |row: &quarantine::Model| known.get(&row.key_kind?)?.get(&row.source_key).copied();
        let found = waiting.into_iter().filter_map(|row| {
            let place = place_of(&row)?;
            Some((row, place))
        });
        Ok(found.collect())
    }

    async fn work_off_half_days(
        &self,
        scope: &Scope,
        lease: &Lease,
        source: Source,
        found: &[(quarantine::Model, Place)],
    ) -> Result<(), SyncError> {
        let mut packs: BTreeMap<(PupilId, RecordId), Vec<u8>> = BTreeMap::new();
        for (row, (record, pupil)) in found {
            packs.entry((*pupil, *record)).or_default().extend_from_slice(&row.body);
        }
        let run = self
            .begin(scope, lease, source, RunKind::Absences, hash_of(found), false)
            .await?;
        let run = if run.state == RunState::Staging {
            runs::discard(&self.db, lease, run.id).await?;
            self.put_aside(lease, run.id, 0, packs).await?;
            let next = run::Model {
                state: RunState::Merging,
                staged: rows_of(found),
                ..run
            };
            set_state(&self.db, lease, next).await?
        } else {
            run
        };
        self.merge_absences(scope, lease, run).await?;
        Ok(())
    }

    async fn work_off_carried(
        &self,
        scope: &Scope,
        lease: &Lease,
        source: Source,
        found: &[(quarantine::Model, Place)],
    ) -> Result<(), SyncError> {
        let mut said = Vec::new();
        for (row, (record, _)) in found {
            said.extend(carried::unpacked(&row.body, *record)?);
        }
        let run = self
            .begin(scope, lease, source, RunKind::CarriedIn, hash_of(found), false)
            .await?;
        let run = run::Model {
            staged: rows_of(found),
            ..run
        };
        self.merge_carried_in(scope, lease, run, &said).await?;
        Ok(())
    }
}

/// A record, and its pupil.
type Place = (RecordId, PupilId);

/// The same rows worked off again, after a kill, are the same run.
fn hash_of(found: &[(quarantine::Model, Place)]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for (row, _) in found {
        hash.update(row.id.0.as_bytes());
        hash.update(&row.body);
    }
    hash.finalize().to_vec()
}

fn rows_of(found: &[(quarantine::Model, Place)]) -> i64 {
    found.iter().map(|(row, _)| i64::from(row.rows)).sum()
}
