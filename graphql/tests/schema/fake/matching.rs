//! Whom what was said belongs to, in a hub of a few rows.

use async_trait::async_trait;
use hub_entities::operation::Operation;
use hub_graphql::hub::{Answer, Matching, Merged, NewMerge, UndoMerge};
use hub_graphql::merge::MergeRow;
use hub_graphql::page::{Page, Slice};
use hub_graphql::pupil_gap::PupilGapRow;
use hub_graphql::quarantine::WaitingRow;

use super::Fake;

#[async_trait]
impl Matching for Fake {
    async fn quarantine(&self, _: &Operation, page: &Page) -> Answer<Slice<WaitingRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn pupil_gaps(&self, _: &Operation, page: &Page) -> Answer<Slice<PupilGapRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn merges(&self, _: &Operation, page: &Page) -> Answer<Slice<MergeRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn merge_pupils(&self, _: &Operation, _: NewMerge) -> Answer<Merged> {
        self.count()?;
        Ok(Merged::State)
    }

    async fn unmerge_pupils(&self, _: &Operation, _: UndoMerge) -> Answer<Merged> {
        self.count()?;
        Ok(Merged::Changed(2))
    }
}
