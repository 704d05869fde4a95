//! Whom what was said belongs to: what waits for its pupil, and pupils that a person ties.

use async_trait::async_trait;
use hub_entities::id::{MergeId, PupilId};
use hub_entities::operation::Operation;

use super::Answer;
use crate::merge::MergeRow;
use crate::page::{Page, Slice};
use crate::pupil_gap::PupilGapRow;
use crate::quarantine::WaitingRow;

/// Two pupils to be tied into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMerge {
    /// The one whose id gives way.
    pub pupil: PupilId,
    /// The one that goes on.
    pub into: PupilId,
    /// Why.
    pub reason: String,
}

/// Two pupils to be taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoMerge {
    /// Which tying.
    pub merge: MergeId,
    /// Its version that was read.
    pub version: i32,
    /// Why.
    pub reason: String,
}

/// What came of either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It is done.
    Done(Box<MergeRow>),
    /// It was so already: the version now.
    Changed(i32),
    /// Not so.
    State,
    /// Not the viewer's to do.
    Unknown,
}

/// Whom what was said belongs to.
#[async_trait]
pub trait Matching: Send + Sync {
    /// What waits because no roster of the viewer's school names its pupil, the longest first.
    async fn quarantine(&self, operation: &Operation, page: &Page) -> Answer<Slice<WaitingRow>>;

    /// Half-days of the viewer's pupils about which schools contradict each other, the latest first.
    async fn pupil_gaps(&self, operation: &Operation, page: &Page) -> Answer<Slice<PupilGapRow>>;

    /// The pupils of the viewer that a person tied, the latest first.
    async fn merges(&self, operation: &Operation, page: &Page) -> Answer<Slice<MergeRow>>;

    /// Ties two pupils of the viewer.
    async fn merge_pupils(&self, operation: &Operation, new: NewMerge) -> Answer<Merged>;

    /// Takes two pupils apart that a person tied.
    async fn unmerge_pupils(&self, operation: &Operation, undo: UndoMerge) -> Answer<Merged>;
}
