//! Whom what was said belongs to: what waits for its pupil, and pupils that a person ties.

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{GapId, MergeId, PupilId, QuarantineId};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_entities::pupil::merge;
use hub_graphql::hub::{Answer, Matching, Merged, NewMerge, UndoMerge};
use hub_graphql::merge::MergeRow;
use hub_graphql::page::{Mark, Page, Slice};
use hub_graphql::pupil_gap::PupilGapRow;
use hub_graphql::quarantine::WaitingRow;
use hub_graphql::scalar::Gid;

use super::answer::{counted, slice, text, time};
use super::{App, failed, lock};
use crate::store::DbError;
use crate::store::ledger::Judge;
use crate::store::read::gap::{self, Disputed};
use crate::store::read::quarantine::{self, Waiting};
use crate::store::tie::{self, NewTie, Tied, Undo};

fn waiting_row(one: Waiting) -> WaitingRow {
    WaitingRow {
        id: Gid(one.id),
        source_id: Gid(one.source),
        school_id: Gid(one.school),
        kind: one.kind.into(),
        key: one.key,
        key_kind: one.key_kind.map(Into::into),
        rows: one.rows,
        since: one.since,
    }
}

fn gap_row(one: Disputed) -> PupilGapRow {
    PupilGapRow {
        id: Gid(one.id),
        rule: gap::CONFLICT.to_owned(),
        pupil_id: Gid(one.pupil),
        day: one.at.day,
        part: one.at.part.into(),
        school_id: Gid(one.school),
        since: one.since,
    }
}

/// A tying, and the pupil that it is of now.
fn merge_row((made, now): (merge::Model, PupilId)) -> MergeRow {
    MergeRow {
        id: Gid(made.id),
        pupil_id: Gid(now),
        former_id: Gid(made.from_pupil),
        reason: made.reason,
        merged_by: Gid(made.merged_by),
        merged_at: made.merged_at,
        undone_reason: made.undone_reason,
        undone_by: made.undone_by.map(Gid),
        undone_at: made.undone_at,
        version: made.version,
    }
}

impl App {
    /// What an evaluation needs of this operation.
    fn judge(&self, operation: &Operation) -> Judge<'_> {
        Judge {
            book: &self.book,
            ids: &*self.ids,
            now: operation.now,
        }
    }

    /// What came of a step is written down with whom it was about, and what follows is told.
    fn tied(&self, operation: &Operation, tied: Result<Tied, DbError>) -> Answer<Merged> {
        Ok(match tied.map_err(|fault| failed(&fault))? {
            Tied::Done(made) => {
                self.wake.notify_one();
                let both = [made.from_pupil, made.into_pupil];
                self.note(operation, both, Categories::NONE)?;
                let into = made.into_pupil;
                Merged::Done(Box::new(merge_row((*made, into))))
            }
            Tied::Changed(version) => Merged::Changed(version),
            Tied::State => Merged::State,
            Tied::Unknown => Merged::Unknown,
        })
    }
}

#[async_trait]
impl Matching for App {
    async fn quarantine(&self, operation: &Operation, page: &Page) -> Answer<Slice<WaitingRow>> {
        let Some(scope) = self.decide(operation, Action::ReadQuarantine)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, QuarantineId(mark.id))));
        let total = counted(page, quarantine::count(&self.db, &scope)).await?;
        let found = quarantine::page(&self.db, &scope, after, page.first).await;
        let found = slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            let key = time(one.since);
            (Mark { key, id: one.id.0 }, waiting_row(one))
        });
        let request = self.request(operation)?;
        let seen = found.rows.iter().map(|(_, row)| row.id.0);
        lock(&request.seen).waiting.extend(seen);
        Ok(found)
    }

    async fn pupil_gaps(&self, operation: &Operation, page: &Page) -> Answer<Slice<PupilGapRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, GapId(mark.id))));
        let total = counted(page, gap::count_disputed(&self.db, &scope)).await?;
        let found = gap::disputed(&self.db, &scope, after, page.first).await;
        let found = slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            let key = time(one.since);
            (Mark { key, id: one.id.0 }, gap_row(one))
        });
        let seen = found.rows.iter().map(|(_, row)| row.pupil_id.0);
        self.note(operation, seen, Categories::NONE.with(Category::Truancy))?;
        Ok(found)
    }

    async fn merges(&self, operation: &Operation, page: &Page) -> Answer<Slice<MergeRow>> {
        let Some(scope) = self.decide(operation, Action::TiePupils)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, MergeId(mark.id))));
        let total = counted(page, tie::count(&self.db, &scope)).await?;
        let found = tie::page(&self.db, &scope, after, page.first).await;
        let found = slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            let key = time(one.0.merged_at);
            let id = one.0.id.0;
            (Mark { key, id }, merge_row(one))
        });
        let seen = found.rows.iter().flat_map(|(_, row)| [row.pupil_id.0, row.former_id.0]);
        self.note(operation, seen, Categories::NONE)?;
        Ok(found)
    }

    async fn merge_pupils(&self, operation: &Operation, new: NewMerge) -> Answer<Merged> {
        let Some(scope) = self.decide(operation, Action::TiePupils)? else {
            return Ok(Merged::Unknown);
        };
        let new = NewTie {
            id: MergeId(self.ids.next(operation.now)),
            from: new.pupil,
            into: new.into,
            reason: new.reason,
        };
        let tied = tie::tie(&self.db, &scope, &self.judge(operation), new).await;
        self.tied(operation, tied)
    }

    async fn unmerge_pupils(&self, operation: &Operation, undo: UndoMerge) -> Answer<Merged> {
        let Some(scope) = self.decide(operation, Action::TiePupils)? else {
            return Ok(Merged::Unknown);
        };
        let undo = Undo {
            merge: undo.merge,
            version: undo.version,
            reason: undo.reason,
        };
        let tied = tie::untie(&self.db, &scope, &self.judge(operation), undo).await;
        self.tied(operation, tied)
    }
}
