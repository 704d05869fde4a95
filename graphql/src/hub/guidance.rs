//! What guidance rests on: consents, and what follows from them.

use async_trait::async_trait;
use chrono::NaiveDate;
use hub_entities::id::{ConsentId, TrajectoryId};
use hub_entities::operation::Operation;

use super::Answer;
use crate::dossier::{CorrectConsent, JudgeCapability, RecordConsent, Stepped};

/// Consents in a dossier. What they are is read with the dossier.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Notes a consent or a refusal.
    async fn record_consent(&self, operation: &Operation, new: RecordConsent) -> Answer<Stepped<ConsentId>>;

    /// Corrects one that was noted wrongly.
    async fn correct_consent(&self, operation: &Operation, corrected: CorrectConsent) -> Answer<Stepped<ConsentId>>;

    /// Takes one of this version back from a day on.
    async fn withdraw_consent(
        &self,
        operation: &Operation,
        of: (ConsentId, i32),
        on: NaiveDate,
    ) -> Answer<Stepped<ConsentId>>;

    /// Notes what a team decided of whether the pupil can judge.
    async fn judge_capability(&self, operation: &Operation, judged: JudgeCapability) -> Answer<Stepped<TrajectoryId>>;
}
