//! What is asked of dossiers of a hub that has none.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::NaiveDate;
use hub_entities::dossier::trajectory::Phase;
use hub_entities::id::{ConsentId, EntryId, PostId, PupilId, TrajectoryId};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::Field;
use hub_graphql::dossier::{
    self, CorrectConsent, CorrectEntry, DossierRow, JudgeCapability, NewTrajectory, PutPost, PutWorker, RecordConsent,
    WriteEntry,
};
use hub_graphql::hub::{Answer, Consents, Dossiers};

use super::Fake;

#[async_trait]
impl Dossiers for Fake {
    async fn dossiers(&self, _: &Operation, _: &[PupilId], _: &[Field]) -> Answer<HashMap<PupilId, DossierRow>> {
        self.count()?;
        Ok(HashMap::new())
    }

    async fn open_trajectory(&self, _: &Operation, _: NewTrajectory) -> Answer<dossier::Stepped<TrajectoryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn assign_team(&self, _: &Operation, _: PutWorker) -> Answer<dossier::Stepped<TrajectoryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn move_trajectory(
        &self,
        _: &Operation,
        _: (TrajectoryId, i32),
        _: Option<Phase>,
        _: bool,
    ) -> Answer<dossier::Stepped<TrajectoryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn write_entry(&self, _: &Operation, _: WriteEntry) -> Answer<dossier::Stepped<EntryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn correct_entry(&self, _: &Operation, _: CorrectEntry) -> Answer<dossier::Stepped<EntryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn assign_post(&self, _: &Operation, _: PutPost) -> Answer<dossier::Stepped<PostId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Consents for Fake {
    async fn record_consent(&self, _: &Operation, _: RecordConsent) -> Answer<dossier::Stepped<ConsentId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn correct_consent(&self, _: &Operation, _: CorrectConsent) -> Answer<dossier::Stepped<ConsentId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn withdraw_consent(
        &self,
        _: &Operation,
        _: (ConsentId, i32),
        _: NaiveDate,
    ) -> Answer<dossier::Stepped<ConsentId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn judge_capability(&self, _: &Operation, _: JudgeCapability) -> Answer<dossier::Stepped<TrajectoryId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}
