//! What is asked of dossiers of a hub that has none, unless it is given some.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::trajectory::{Phase, ReferralState};
use hub_entities::id::{
    AccessRequestId, ConsentId, CorrectionId, DecisionId, DossierAccessId, DossierRequestId, EntryId,
    GuidanceRequestId, HoldId, LogHoldId, PostId, PupilId, ReferralId, ReleaseId, SchoolId, TrajectoryId, TransferId,
};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Field, Protected};
use hub_graphql::access_log::{LogFilter, LookRow};
use hub_graphql::dossier::access::AccessRow;
use hub_graphql::dossier::correction::{AskCorrection, AskedCorrection, CorrectionRow, GrantCorrection};
use hub_graphql::dossier::emergency::{EmergencyRow, NewEmergency, Opened};
use hub_graphql::dossier::export::ExportRow;
use hub_graphql::dossier::hold::{HoldRow, NewHold};
use hub_graphql::dossier::log_hold::LogHoldRow;
use hub_graphql::dossier::own::{Asks, OwnDossierRow, OwnRequestRows};
use hub_graphql::dossier::referral::{NewReferral, ReferralSaid};
use hub_graphql::dossier::release::NewRelease;
use hub_graphql::dossier::request::{Answered, RequestRow, TakeIn};
use hub_graphql::dossier::review::ParentsLogRow;
use hub_graphql::dossier::rights::{EndAccess, OpenDossier, StandingRow};
use hub_graphql::dossier::transfer::{RecordObjection, TransferRow};
use hub_graphql::dossier::{
    self, AskedFor, CorrectConsent, CorrectEntry, DossierRow, JudgeCapability, NewTrajectory, PutPost, PutWorker,
    RecordConsent, WriteEntry,
};
use hub_graphql::guidance::{Ask, Received};
use hub_graphql::hub::{
    AccessLogs, Answer, Asking, Consents, Corrections, Dossiers, Emergencies, Exports, Guidance, Holds, ParentsLogs,
    Referrals, Releases, Rights, Transfers,
};
use hub_graphql::page::{Page, Slice};
use hub_graphql::release::SharedRow;

use super::Fake;

#[async_trait]
impl Dossiers for Fake {
    async fn dossiers(
        &self,
        operation: &Operation,
        pupils: &[PupilId],
        asked_for: &AskedFor,
    ) -> Answer<HashMap<PupilId, DossierRow>> {
        self.count()?;
        let kept = self.dossiers.as_ref();
        Ok(kept.map(|kept| kept(operation, pupils, asked_for)).unwrap_or_default())
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

#[async_trait]
impl Guidance for Fake {
    async fn ask_guidance(&self, _: &Operation, _: Ask) -> Answer<Received> {
        self.count()?;
        Ok(Received::Unknown)
    }

    async fn guidance_requests(&self, _: &Operation, _: SchoolId, _: bool) -> Answer<Vec<RequestRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn take_in_guidance(&self, _: &Operation, _: TakeIn) -> Answer<dossier::Stepped<Answered>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn decline_guidance(
        &self,
        _: &Operation,
        _: (GuidanceRequestId, i32),
        _: &str,
    ) -> Answer<dossier::Stepped<Answered>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Referrals for Fake {
    async fn refer(&self, _: &Operation, _: NewReferral) -> Answer<dossier::Stepped<ReferralId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn correct_referral(
        &self,
        _: &Operation,
        _: (ReferralId, i32),
        _: ReferralSaid,
    ) -> Answer<dossier::Stepped<ReferralId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn move_referral(
        &self,
        _: &Operation,
        _: (ReferralId, i32),
        _: ReferralState,
        _: Option<String>,
    ) -> Answer<dossier::Stepped<ReferralId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Releases for Fake {
    async fn release_to_school(&self, _: &Operation, _: NewRelease) -> Answer<dossier::Stepped<ReleaseId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn revoke_release(&self, _: &Operation, _: (ReleaseId, i32)) -> Answer<dossier::Stepped<ReleaseId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn shared_with_school(
        &self,
        _: &Operation,
        _: Option<PupilId>,
        _: &Page,
    ) -> Answer<Protected<Slice<SharedRow>>> {
        self.count()?;
        Ok(Protected::unprepared(DecisionId(uuid::Uuid::nil())))
    }
}

#[async_trait]
impl Asking for Fake {
    async fn request_access(&self, _: &Operation, _: DecisionId, _: &str) -> Answer<dossier::Stepped<DecisionId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn access_requests(&self, _: &Operation, _: PupilId) -> Answer<Vec<AccessRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn answer_access(
        &self,
        _: &Operation,
        _: (AccessRequestId, i32),
        _: Option<(TrajectoryId, DateTime<Utc>)>,
    ) -> Answer<dossier::Stepped<AccessRequestId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Rights for Fake {
    async fn own_dossiers(&self, _: &Operation, _: &[Field]) -> Answer<Vec<OwnDossierRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn own_requests(&self, _: &Operation) -> Answer<Option<Protected<OwnRequestRows>>> {
        self.count()?;
        Ok(None)
    }

    async fn ask_to_read(&self, _: &Operation, _: DecisionId, _: &str) -> Answer<dossier::Stepped<Asks>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn standing_requests(&self, _: &Operation) -> Answer<Vec<StandingRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn open_dossier(&self, _: &Operation, _: OpenDossier) -> Answer<dossier::Stepped<DossierAccessId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn refuse_request(
        &self,
        _: &Operation,
        _: (DossierRequestId, i32),
        _: &str,
    ) -> Answer<dossier::Stepped<DossierRequestId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn end_access(&self, _: &Operation, _: EndAccess) -> Answer<dossier::Stepped<DossierAccessId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Corrections for Fake {
    async fn ask_correction(&self, _: &Operation, _: AskCorrection) -> Answer<dossier::Stepped<AskedCorrection>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn standing_corrections(&self, _: &Operation) -> Answer<Vec<CorrectionRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn grant_correction(&self, _: &Operation, _: GrantCorrection) -> Answer<dossier::Stepped<CorrectionId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn refuse_correction(
        &self,
        _: &Operation,
        _: (CorrectionId, i32),
        _: &str,
    ) -> Answer<dossier::Stepped<CorrectionId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Exports for Fake {
    async fn own_export(&self, _: &Operation) -> Answer<Option<ExportRow>> {
        self.count()?;
        Ok(None)
    }

    async fn pupil_export(&self, _: &Operation, _: PupilId) -> Answer<Option<Protected<ExportRow>>> {
        self.count()?;
        Ok(None)
    }
}

#[async_trait]
impl Holds for Fake {
    async fn put_hold(&self, _: &Operation, _: NewHold) -> Answer<dossier::Stepped<HoldId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn lift_hold(&self, _: &Operation, _: (HoldId, i32), _: &str) -> Answer<dossier::Stepped<HoldId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn legal_holds(&self, _: &Operation, _: &Page) -> Answer<Option<Protected<Slice<HoldRow>>>> {
        self.count()?;
        Ok(None)
    }
}

#[async_trait]
impl Emergencies for Fake {
    async fn open_in_emergency(&self, _: &Operation, _: NewEmergency) -> Answer<dossier::Stepped<Opened>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn emergencies(&self, _: &Operation, _: &Page) -> Answer<Option<Protected<Slice<EmergencyRow>>>> {
        self.count()?;
        Ok(None)
    }
}

#[async_trait]
impl AccessLogs for Fake {
    async fn access_log(&self, _: &Operation, _: &LogFilter, _: &Page) -> Answer<Option<Protected<Slice<LookRow>>>> {
        self.count()?;
        Ok(None)
    }
}

#[async_trait]
impl ParentsLogs for Fake {
    async fn review_log(&self, _: &Operation, _: PupilId, _: i32) -> Answer<dossier::Stepped<PupilId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn parents_log(&self, _: &Operation, _: PupilId) -> Answer<Option<Protected<ParentsLogRow>>> {
        self.count()?;
        Ok(None)
    }

    async fn hold_log(&self, _: &Operation, _: TrajectoryId, _: &str) -> Answer<dossier::Stepped<LogHoldId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn log_holds(&self, _: &Operation, _: PupilId) -> Answer<Vec<LogHoldRow>> {
        self.count()?;
        Ok(Vec::new())
    }

    async fn lift_log_hold(&self, _: &Operation, _: (LogHoldId, i32)) -> Answer<dossier::Stepped<LogHoldId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}

#[async_trait]
impl Transfers for Fake {
    async fn transfers(&self, _: &Operation, page: &Page) -> Answer<Slice<TransferRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn own_transfers(&self, _: &Operation) -> Answer<Option<Protected<Vec<TransferRow>>>> {
        self.count()?;
        Ok(None)
    }

    async fn object_to_transfer(
        &self,
        _: &Operation,
        _: TransferId,
        _: Option<&str>,
    ) -> Answer<dossier::Stepped<TransferId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }

    async fn record_transfer_objection(
        &self,
        _: &Operation,
        _: RecordObjection,
    ) -> Answer<dossier::Stepped<TransferId>> {
        self.count()?;
        Ok(dossier::Stepped::Unknown)
    }
}
