//! How guidance is asked for, and what it rests on: requests, and consents with what follows from them.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::trajectory::ReferralState;
use hub_entities::id::{
    AccessRequestId, ConsentId, CorrectionId, DecisionId, DossierAccessId, DossierRequestId, GuidanceRequestId, HoldId,
    LogHoldId, PupilId, ReferralId, ReleaseId, SchoolId, TrajectoryId, TransferId,
};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Field, Protected};

use super::Answer;
use crate::access_log::{LogFilter, LookRow};
use crate::dossier::access::AccessRow;
use crate::dossier::correction::{AskCorrection, AskedCorrection, CorrectionRow, GrantCorrection};
use crate::dossier::emergency::{EmergencyRow, NewEmergency, Opened};
use crate::dossier::export::ExportRow;
use crate::dossier::hold::{HoldRow, NewHold};
use crate::dossier::log_hold::LogHoldRow;
use crate::dossier::own::{Asks, OwnDossierRow, OwnRequestRows};
use crate::dossier::referral::{NewReferral, ReferralSaid};
use crate::dossier::release::NewRelease;
use crate::dossier::request::{Answered, RequestRow, TakeIn};
use crate::dossier::review::ParentsLogRow;
use crate::dossier::rights::{EndAccess, OpenDossier, StandingRow};
use crate::dossier::transfer::{RecordObjection, TransferRow};
use crate::dossier::{CorrectConsent, JudgeCapability, RecordConsent, Stepped};
use crate::guidance::{Ask, Received};
use crate::page::{Page, Slice};
use crate::release::SharedRow;

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

/// Guidance on demand: who asks for it, and who takes it in.
#[async_trait]
pub trait Guidance: Send + Sync {
    /// Asks for guidance.
    async fn ask_guidance(&self, operation: &Operation, ask: Ask) -> Answer<Received>;

    /// The requests of a school that wait, as far as the viewer may see them; with what was asked, if that is wanted.
    async fn guidance_requests(
        &self,
        operation: &Operation,
        school: SchoolId,
        with_text: bool,
    ) -> Answer<Vec<RequestRow>>;

    /// Takes a request in.
    async fn take_in_guidance(&self, operation: &Operation, take: TakeIn) -> Answer<Stepped<Answered>>;

    /// Declines a request of this version, for this reason.
    async fn decline_guidance(
        &self,
        operation: &Operation,
        of: (GuidanceRequestId, i32),
        reason: &str,
    ) -> Answer<Stepped<Answered>>;
}

/// Partners outside. What they are referred is read with the dossier.
#[async_trait]
pub trait Referrals: Send + Sync {
    /// Puts a referral to the pupil or the parents.
    async fn refer(&self, operation: &Operation, new: NewReferral) -> Answer<Stepped<ReferralId>>;

    /// Corrects one of this version that was noted wrongly.
    async fn correct_referral(
        &self,
        operation: &Operation,
        of: (ReferralId, i32),
        said: ReferralSaid,
    ) -> Answer<Stepped<ReferralId>>;

    /// Moves one of this version on, with what came of it.
    async fn move_referral(
        &self,
        operation: &Operation,
        of: (ReferralId, i32),
        state: ReferralState,
        outcome: Option<String>,
    ) -> Answer<Stepped<ReferralId>>;
}

/// Releases to the school. What was released is read by the team with the dossier, and by the school here.
#[async_trait]
pub trait Releases: Send + Sync {
    /// Releases to the pupil's school.
    async fn release_to_school(&self, operation: &Operation, new: NewRelease) -> Answer<Stepped<ReleaseId>>;

    /// Takes one of this version back.
    async fn revoke_release(&self, operation: &Operation, of: (ReleaseId, i32)) -> Answer<Stepped<ReleaseId>>;

    /// A page of what was released to the viewer's school, about this pupil or all, or why it is not told. It is written down
    /// before anything is answered.
    async fn shared_with_school(
        &self,
        operation: &Operation,
        pupil: Option<PupilId>,
        page: &Page,
    ) -> Answer<Protected<Slice<SharedRow>>>;
}

/// Access to what was withheld.
#[async_trait]
pub trait Asking: Send + Sync {
    /// Asks for access to what a decision withheld.
    async fn request_access(
        &self,
        operation: &Operation,
        decision: DecisionId,
        reason: &str,
    ) -> Answer<Stepped<DecisionId>>;

    /// Requests about a pupil that wait for the viewer.
    async fn access_requests(&self, operation: &Operation, pupil: PupilId) -> Answer<Vec<AccessRow>>;

    /// Answers a request of this version: opens a trajectory until then, or nothing.
    async fn answer_access(
        &self,
        operation: &Operation,
        of: (AccessRequestId, i32),
        lends: Option<(TrajectoryId, DateTime<Utc>)>,
    ) -> Answer<Stepped<AccessRequestId>>;
}

/// The rights of the person: reading the own dossier as far as it was opened, asking for it, and answering.
#[async_trait]
pub trait Rights: Send + Sync {
    /// What was decided of these fields of the person's own dossiers, one for each CLB that is competent.
    async fn own_dossiers(&self, operation: &Operation, fields: &[Field]) -> Answer<Vec<OwnDossierRow>>;

    /// What the person asked, or why it is not told; nothing where there is no CLB to ask.
    async fn own_requests(&self, operation: &Operation) -> Answer<Option<Protected<OwnRequestRows>>>;

    /// A person asks to read the own dossier, with a decision that withheld something of it.
    async fn ask_to_read(&self, operation: &Operation, decision: DecisionId, reason: &str) -> Answer<Stepped<Asks>>;

    /// What persons ask and waits for the viewer, or is open by now.
    async fn standing_requests(&self, operation: &Operation) -> Answer<Vec<StandingRow>>;

    /// Opens a trajectory to a person.
    async fn open_dossier(&self, operation: &Operation, open: OpenDossier) -> Answer<Stepped<DossierAccessId>>;

    /// Refuses a request of this version, for this reason.
    async fn refuse_request(
        &self,
        operation: &Operation,
        of: (DossierRequestId, i32),
        reason: &str,
    ) -> Answer<Stepped<DossierRequestId>>;

    /// Ends what was opened.
    async fn end_access(&self, operation: &Operation, end: EndAccess) -> Answer<Stepped<DossierAccessId>>;
}

/// What persons ask of entries that were opened to them.
#[async_trait]
pub trait Corrections: Send + Sync {
    /// A person asks something of an entry.
    async fn ask_correction(&self, operation: &Operation, ask: AskCorrection) -> Answer<Stepped<AskedCorrection>>;

    /// What persons ask and waits for the viewer.
    async fn standing_corrections(&self, operation: &Operation) -> Answer<Vec<CorrectionRow>>;

    /// Does what was asked.
    async fn grant_correction(&self, operation: &Operation, grant: GrantCorrection) -> Answer<Stepped<CorrectionId>>;

    /// Refuses a request of this version, for this reason.
    async fn refuse_correction(
        &self,
        operation: &Operation,
        of: (CorrectionId, i32),
        reason: &str,
    ) -> Answer<Stepped<CorrectionId>>;
}

/// Transfers of dossiers to other CLBs.
#[async_trait]
pub trait Transfers: Send + Sync {
    /// A page of those from the viewer's CLB and to it, as far as the viewer hears of them.
    async fn transfers(&self, operation: &Operation, page: &Page) -> Answer<Slice<TransferRow>>;

    /// Those of the person's own pupil, or why they are not told; nothing where there is no CLB to ask.
    async fn own_transfers(&self, operation: &Operation) -> Answer<Option<Protected<Vec<TransferRow>>>>;

    /// A person objects to one, in these words if any.
    async fn object_to_transfer(
        &self,
        operation: &Operation,
        transfer: TransferId,
        text: Option<&str>,
    ) -> Answer<Stepped<TransferId>>;

    /// Records an objection that came on paper.
    async fn record_transfer_objection(
        &self,
        operation: &Operation,
        record: RecordObjection,
    ) -> Answer<Stepped<TransferId>>;
}

/// Exports of all data of one pupil.
#[async_trait]
pub trait Exports: Send + Sync {
    /// All that a person may read of the own pupil; nothing for who is no person. It is written down before anything is read.
    async fn own_export(&self, operation: &Operation) -> Answer<Option<ExportRow>>;

    /// All that a worker may read of a pupil, or why it is withheld; nothing for whom there is no such pupil. It is written down
    /// before anything is read.
    async fn pupil_export(&self, operation: &Operation, pupil: PupilId) -> Answer<Option<Protected<ExportRow>>>;
}

/// Opening in an emergency.
#[async_trait]
pub trait Emergencies: Send + Sync {
    /// Opens a dossier for minutes.
    async fn open_in_emergency(&self, operation: &Operation, new: NewEmergency) -> Answer<Stepped<Opened>>;

    /// A page of what was opened at the viewer's CLB, or why it is not told; nothing for whom it is not.
    async fn emergencies(&self, operation: &Operation, page: &Page) -> Answer<Option<Protected<Slice<EmergencyRow>>>>;
}

/// Legal holds on dossiers.
#[async_trait]
pub trait Holds: Send + Sync {
    /// Puts a hold on a dossier.
    async fn put_hold(&self, operation: &Operation, new: NewHold) -> Answer<Stepped<HoldId>>;

    /// Lifts one of this version, for this reason.
    async fn lift_hold(&self, operation: &Operation, of: (HoldId, i32), why: &str) -> Answer<Stepped<HoldId>>;

    /// A page of those of the viewer's CLB, or why it is not told; nothing for whom it is not.
    async fn legal_holds(&self, operation: &Operation, page: &Page) -> Answer<Option<Protected<Slice<HoldRow>>>>;
}

/// The access log.
#[async_trait]
pub trait AccessLogs: Send + Sync {
    /// A page of it, or why not; nothing where there is none for this viewer. It is written down before anything is answered.
    async fn access_log(
        &self,
        operation: &Operation,
        filter: &LogFilter,
        page: &Page,
    ) -> Answer<Option<Protected<Slice<LookRow>>>>;
}

/// What parents are told of the access log.
#[async_trait]
pub trait ParentsLogs: Send + Sync {
    /// Opens the log of a pupil to parents, up to the line of this number; done with that number, or changed with a higher one.
    async fn review_log(&self, operation: &Operation, pupil: PupilId, up_to: i32) -> Answer<Stepped<PupilId>>;

    /// How far it was reviewed and when it was held back, or why that is withheld; nothing for whom it is not.
    async fn parents_log(&self, operation: &Operation, pupil: PupilId) -> Answer<Option<Protected<ParentsLogRow>>>;

    /// Holds the log of the pupil of this trajectory back, for this reason.
    async fn hold_log(
        &self,
        operation: &Operation,
        trajectory: TrajectoryId,
        reason: &str,
    ) -> Answer<Stepped<LogHoldId>>;

    /// When and why it is or was held back under the viewer's own trajectories.
    async fn log_holds(&self, operation: &Operation, pupil: PupilId) -> Answer<Vec<LogHoldRow>>;

    /// Lets it go, in this version.
    async fn lift_log_hold(&self, operation: &Operation, of: (LogHoldId, i32)) -> Answer<Stepped<LogHoldId>>;
}
