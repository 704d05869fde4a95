//! Rosters in the transaction of a call.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::policy::Scope;
use hub_entities::source::{RunState, run};
use sea_orm::Value;
use serde::de::DeserializeOwned;

use super::Intake;
use crate::store::DbError;
use crate::store::ledger::Work;
use crate::store::loss::{Gap, write_gaps};
use crate::store::roster::{
    ClassSaid, MembershipSaid, PupilSaid, count_ending, dangling, lock_roster, write_classes, write_endings,
    write_membership_endings, write_memberships, write_pupils, write_report_classes, write_report_endings,
    write_report_places,
};
use crate::store::run::{Begun, Coming, Progress, begin_within, write_state};
use crate::store::sql::row;
use crate::store::staging::{all_rows, write_rows};

/// Pupils, or places in classes, ended in one statement of the transaction.
const ENDED_AT_ONCE: u32 = 1_000;

/// What a merge did: of each row, by kind and key, whether it changed something; `None` where it named a class or a
/// pupil that nobody knows.
pub type Changed = BTreeMap<(&'static str, String), Option<bool>>;

impl Intake {
    /// The reference date of the latest roster that this connection brought.
    pub async fn latest_reference(&self) -> Result<Option<NaiveDate>, DbError> {
        let text = "select max(reference_date) from push_call where source_id = ? and reference_date is not null";
        let found = row(&self.tx, text, vec![self.connection.id.into()]).await?;
        Ok(found.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
    }

    /// The run that the call adds to: the snapshot under way that is named so, or a new one. One that is named otherwise
    /// gives way with all that was put aside for it. `None` while another is being merged.
    pub async fn open_run(&self, name: Vec<u8>, complete: bool) -> Result<Option<run::Model>, DbError> {
        let coming = Coming {
            id: self.call.run,
            source: self.connection.id,
            kind: self.call.kind,
            content_hash: name,
            complete,
            now: self.call.now,
        };
        Ok(match begin_within(&self.tx, coming).await? {
            Begun::Fresh(run) | Begun::Resumed(run) => Some(run),
            Begun::InTheWay(_) => None,
        })
    }

    /// How many parts of it have come.
    pub async fn parts(&self, run: &run::Model) -> Result<i64, DbError> {
        let text = "select count(*) from push_call where source_id = ? and run_id = ?";
        let values: Vec<Value> = vec![self.connection.id.into(), run.id.into()];
        let counted = row(&self.tx, text, values).await?;
        Ok(counted
            .map(|row| row.try_get_by_index(0))
            .transpose()?
            .unwrap_or_default())
    }

    /// Puts rows aside for a run.
    pub async fn put_aside(
        &self,
        run: &run::Model,
        kind: &'static str,
        rows: Vec<(String, serde_json::Value)>,
    ) -> Result<(), DbError> {
        write_rows(&self.tx, run.id, kind, rows).await
    }

    /// Whether the pupils that a snapshot does not hold are so many that a person must look first (R08).
    pub async fn must_be_held(&self, scope: &Scope, run: &run::Model) -> Result<bool, DbError> {
        Ok(count_ending(&self.tx, scope, run.id).await?.must_be_held())
    }

    /// The pupils that were put aside for a run.
    pub async fn pupils(&self, run: &run::Model) -> Result<Vec<(String, PupilSaid)>, DbError> {
        self.aside(run, "pupil").await
    }

    /// The places in classes that were put aside for a run.
    pub async fn places(&self, run: &run::Model) -> Result<Vec<(String, MembershipSaid)>, DbError> {
        self.aside(run, "membership").await
    }

    /// Merges what was put aside for a run, and ends what a snapshot does not hold.
    pub async fn merge_roster(&self, work: &Work<'_>, run: &run::Model) -> Result<(Progress, Changed), DbError> {
        let (db, tx) = (&self.db, &self.tx);
        let mut all = Progress::default();
        let mut changed = Changed::new();
        let classes = self.aside::<ClassSaid>(run, "class").await?;
        let pupils = self.aside::<PupilSaid>(run, "pupil").await?;
        let places = self.aside::<MembershipSaid>(run, "membership").await?;
        lock_roster(db, tx, work, &classes, &pupils, &places).await?;
        let (progress, of_classes) = write_classes(db, tx, work, &classes).await?;
        add(&mut all, progress);
        note(&mut changed, "class", classes, of_classes.into_iter().map(Some));
        let (progress, of_pupils) = write_pupils(db, tx, work, &pupils).await?;
        add(&mut all, progress);
        note(&mut changed, "pupil", pupils, of_pupils.into_iter().map(Some));
        let (progress, of_places) = write_memberships(db, tx, work, &places).await?;
        add(&mut all, progress);
        let lost = dangling(&places, &of_places);
        if lost > 0 {
            let gap = Gap {
                rule: "roster.dangling_membership",
                detail: String::new(),
                rows: lost,
            };
            write_gaps(tx, work, vec![gap]).await?;
        }
        note(&mut changed, "membership", places, of_places.into_iter());
        write_report_classes(tx, work, self.aside(run, "report_class").await?).await?;
        write_report_places(tx, work, self.aside(run, "report_place").await?).await?;
        if run.complete {
            loop {
                let ended = write_endings(db, tx, work, ENDED_AT_ONCE).await?;
                add(&mut all, ended);
                if ended.ended == 0 {
                    break;
                }
            }
            loop {
                let (progress, ended) = write_membership_endings(db, tx, work, ENDED_AT_ONCE).await?;
                add(&mut all, progress);
                if ended == 0 {
                    break;
                }
            }
            write_report_endings(tx, work).await?;
        }
        Ok((all, changed))
    }

    async fn aside<T: DeserializeOwned>(
        &self,
        run: &run::Model,
        kind: &'static str,
    ) -> Result<Vec<(String, T)>, DbError> {
        all_rows(&self.tx, run.id, kind).await
    }

    /// Moves the run of the call on. What it had put aside goes once it is done.
    pub async fn settle(&self, run: run::Model, progress: Progress) -> Result<run::Model, DbError> {
        let text = "update sync_run set changed = ?, unchanged = ?, ended = ?, raised = ?, withdrawn = ? where id = ?";
        let values: Vec<Value> = vec![
            progress.changed.into(),
            progress.unchanged.into(),
            progress.ended.into(),
            progress.raised.into(),
            progress.withdrawn.into(),
            run.id.into(),
        ];
        crate::store::sql::execute(&self.tx, text, values).await?;
        let done = run.state == RunState::Done;
        let run = run::Model {
            finished_at: done.then_some(self.call.now),
            ..run
        };
        write_state(&self.tx, run, 0).await
    }
}

fn add(all: &mut Progress, by: Progress) {
    all.changed = all.changed.saturating_add(by.changed);
    all.unchanged = all.unchanged.saturating_add(by.unchanged);
    all.ended = all.ended.saturating_add(by.ended);
    all.raised = all.raised.saturating_add(by.raised);
    all.withdrawn = all.withdrawn.saturating_add(by.withdrawn);
}

fn note<T>(changed: &mut Changed, kind: &'static str, rows: Vec<(String, T)>, of: impl Iterator<Item = Option<bool>>) {
    changed.extend(rows.into_iter().map(|(key, _)| (kind, key)).zip(of));
}
