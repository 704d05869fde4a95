//! What the questions need of the hub: one small trait per noun, answered by `src/app`.
//!
//! Every method takes the operation first; who may see what is decided behind these traits and
//! nowhere before them. Lists of ids are asked at once, so that a list level is one statement.

mod guidance;
mod matching;

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use futures::stream::BoxStream;
use hub_entities::category::Categories;
use hub_entities::client_grant::Tasks;
use hub_entities::delivery::Told;
use hub_entities::dossier::trajectory::Phase;
use hub_entities::id::{
    AgreementId, ClassId, ClbId, ClientGrantId, EntryId, GapId, PostId, PrincipalId, PupilId, RunId, SchoolId,
    SignalId, SourceId, TrajectoryId,
};
use hub_entities::operation::Operation;
use hub_entities::source::{KeyKind, RunState};
use hub_entities::time::{HalfDay, SchoolYear};
use uuid::Uuid;

use crate::absence::{Absence, AbsenceCount, HalfDayRow, TallyRow};
use crate::agreement::AgreementRow;
use crate::change::ChangeRow;
use crate::class_group::{ClassRow, MemberRow};
use crate::client::{ClientRow, GrantRow};
use crate::delivery::{DeliveryFilter, DeliveryRow};
use crate::dossier::{self, AskedFor, CorrectEntry, DossierRow, NewTrajectory, PutPost, PutWorker, WriteEntry};
use crate::operations::{GapRow, RunRow, SourceRow};
use crate::page::{Page, Slice};
use crate::problem::Problem;
use crate::pupil::{Enrolment, PupilRow};
use crate::pupils::{PupilFilter, PupilOrder};
use crate::roster_submission::{RosterClassInput, RosterMembershipInput, RosterPupilInput};
use crate::school::SchoolRow;
use crate::signal::{ProofRow, ReportedRow, SignalFilter, SignalRow};
use crate::submission::DeliveryLimits;
pub use guidance::{
    AccessLogs, Asking, Consents, Corrections, Emergencies, Exports, Guidance, Holds, ParentsLogs, Referrals, Releases,
    Rights, Transfers,
};
pub use matching::{Matching, Merged, NewMerge, UndoMerge};

/// An answer, or a fault.
pub type Answer<T> = Result<T, Problem>;

/// Pupils and what schools say of them. Of whom the viewer has no relation with, nothing is answered.
#[async_trait]
pub trait Pupils: Send + Sync {
    /// These pupils, with the columns of these categories.
    async fn pupils_by_id(
        &self,
        operation: &Operation,
        ids: &[PupilId],
        columns: Categories,
    ) -> Answer<HashMap<PupilId, PupilRow>>;

    /// The pupil that the viewer's own school calls so in its system.
    async fn pupil_by_source_key(&self, operation: &Operation, key: &str) -> Answer<Option<PupilId>>;

    /// A page of the viewer's pupils.
    async fn pupils(
        &self,
        operation: &Operation,
        filter: &PupilFilter,
        order: PupilOrder,
        page: &Page,
        columns: Categories,
    ) -> Answer<Slice<PupilRow>>;

    /// Enrolments, latest first.
    async fn enrolments(&self, operation: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<Enrolment>>>;

    /// The classes of a school year in which these pupils sit.
    async fn classes_of(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<ClassRow>>>;

    /// Half-days of absence in day order, a page of the same size for each pupil.
    async fn absences(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
        page: &Page,
    ) -> Answer<HashMap<PupilId, Slice<Absence>>>;

    /// How many half-days of each code, in code order.
    async fn absence_counts(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<AbsenceCount>>>;

    /// The tally of truancy.
    async fn tallies(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, TallyRow>>;

    /// The problematic half-days that this viewer may see dated.
    async fn evidence(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<HalfDayRow>>>;
}

/// Classes and who sits in them.
#[async_trait]
pub trait Classes: Send + Sync {
    /// These classes.
    async fn classes_by_id(&self, operation: &Operation, ids: &[ClassId]) -> Answer<HashMap<ClassId, ClassRow>>;

    /// The classes of a school in a school year, by name.
    async fn classes(
        &self,
        operation: &Operation,
        school: SchoolId,
        year: SchoolYear,
        page: &Page,
    ) -> Answer<Slice<ClassRow>>;

    /// The members of these classes by pupil id, a page of the same size for each class.
    async fn members(
        &self,
        operation: &Operation,
        of: &[ClassId],
        page: &Page,
        columns: Categories,
    ) -> Answer<HashMap<ClassId, Slice<MemberRow>>>;
}

/// Schools: public.
#[async_trait]
pub trait Schools: Send + Sync {
    /// These schools.
    async fn schools_by_id(&self, operation: &Operation, ids: &[SchoolId]) -> Answer<HashMap<SchoolId, SchoolRow>>;

    /// All schools, by institution number.
    async fn schools(&self, operation: &Operation, page: &Page) -> Answer<Slice<SchoolRow>>;
}

/// What came of a step on a signal.
#[derive(Debug, Clone)]
pub enum Stepped {
    /// It is done, and this is the proof.
    Done(Box<SignalRow>, ProofRow),
    /// It has another version by now.
    Changed(i32),
    /// It no longer stands.
    Withdrawn,
    /// No such signal for this viewer, or not in this role.
    Unknown,
}

/// Signals.
#[async_trait]
pub trait Signals: Send + Sync {
    /// These signals.
    async fn signals_by_id(&self, operation: &Operation, ids: &[SignalId]) -> Answer<HashMap<SignalId, SignalRow>>;

    /// A page of signals, latest raised first.
    async fn signals(&self, operation: &Operation, filter: &SignalFilter, page: &Page) -> Answer<Slice<SignalRow>>;

    /// The signals of these pupils, latest raised first.
    async fn signals_of(&self, operation: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<SignalRow>>>;

    /// What the reports of those that oblige carry, with the columns of these categories.
    async fn reported(
        &self,
        operation: &Operation,
        of: &[SignalId],
        columns: Categories,
    ) -> Answer<HashMap<SignalId, ReportedRow>>;

    /// The school reports it to the CLB.
    async fn report(&self, operation: &Operation, signal: SignalId, version: Option<i32>) -> Answer<Stepped>;

    /// The CLB takes it up.
    async fn accept(&self, operation: &Operation, signal: SignalId, version: Option<i32>) -> Answer<Stepped>;
}

/// Where a reader of changes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The epoch: a restore begins another.
    #[serde(rename = "e")]
    pub epoch: Uuid,
    /// The position within it, from 1.
    #[serde(rename = "p")]
    pub position: i64,
}

/// Some changes, and where to go on.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The changes that concern the viewer.
    pub rows: Vec<(Position, ChangeRow)>,
    /// Up to where was looked: the next call goes on here, whether or not anything concerned the viewer.
    pub end: Position,
    /// Whether there is more behind it.
    pub more: bool,
}

/// What happened, in the order of the sequencer.
#[async_trait]
pub trait Changes: Send + Sync {
    /// What happened after a position, with the columns of these categories; from the beginning without one.
    async fn changes(
        &self,
        operation: &Operation,
        after: Option<Position>,
        first: u32,
        columns: Categories,
    ) -> Answer<Changed>;
}

/// What a subscriber is told.
#[derive(Debug, Clone)]
pub enum Update {
    /// Where the stream stands.
    Stands(Position),
    /// What happened, and where the stream stands behind it.
    Happened(Position, ChangeRow),
    /// The last update: the viewer may no longer follow.
    NoLongerYours {
        /// Where the stream stood.
        at: Position,
        /// The school it acted for.
        school: Option<SchoolId>,
        /// The CLB it acted for.
        clb: Option<ClbId>,
    },
}

/// What happens, as it happens.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// What happened after a position and whatever happens then, with the columns of these categories; from now on
    /// without one. Each event is decided on anew. The first update tells where the stream stands; it ends after a
    /// fault, after [`Update::NoLongerYours`], and never else.
    async fn signals(
        &self,
        operation: &Operation,
        after: Option<Position>,
        columns: Categories,
    ) -> Answer<BoxStream<'static, Answer<Update>>>;
}

/// A proposal of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The other party, when a school proposes.
    pub clb: Option<ClbId>,
    /// The other party, when a CLB proposes.
    pub school: Option<SchoolId>,
    /// What is to travel.
    pub categories: Categories,
    /// The written ground, for categories that need one.
    pub ground: Option<String>,
    /// The first day.
    pub begins_on: NaiveDate,
    /// For how many days a signal is to be shown to the school first.
    pub school_first_days: i16,
    /// From how many half-days on both are to be warned; not at all if none.
    pub early_warning: Option<i16>,
    /// Whether software of the school may read what the CLB released to it.
    pub releases_to_software: bool,
}

/// What came of a step on an agreement.
#[derive(Debug, Clone)]
pub enum Decided {
    /// It is done; the agreement as it is now.
    Done(Box<AgreementRow>),
    /// It has another version by now.
    Changed(i32),
    /// Not from this state, or not by this party.
    State,
    /// No such agreement or party for this viewer, or not in this role.
    Unknown,
}

/// Agreements of the viewer's school or CLB.
#[async_trait]
pub trait Agreements: Send + Sync {
    /// A page of them, latest first.
    async fn agreements(&self, operation: &Operation, page: &Page) -> Answer<Slice<AgreementRow>>;

    /// One of them.
    async fn agreement(&self, operation: &Operation, id: AgreementId) -> Answer<Option<AgreementRow>>;

    /// Puts one forward.
    async fn propose(&self, operation: &Operation, proposal: Proposal) -> Answer<Decided>;

    /// Accepts what the other party put forward.
    async fn accept_agreement(&self, operation: &Operation, id: AgreementId, version: i32) -> Answer<Decided>;

    /// Ends one from a day on.
    async fn end_agreement(
        &self,
        operation: &Operation,
        id: AgreementId,
        version: i32,
        on: NaiveDate,
    ) -> Answer<Decided>;
}

/// A grant that a school issues to software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// To whom.
    pub client: PrincipalId,
    /// The connection through which it brings in.
    pub source: SourceId,
    /// What it may do.
    pub tasks: Tasks,
    /// From when.
    pub begins_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: Option<DateTime<Utc>>,
}

/// What came of a step on a grant.
#[derive(Debug, Clone)]
pub enum Granted {
    /// It is done; the grant as it is now.
    Done(Box<GrantRow>),
    /// It had ended already.
    Over,
    /// No such client, connection or grant for this viewer, or not in this role.
    Unknown,
}

/// Vendors' software that acts for the viewer's school.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Those that are registered, with their grants.
    async fn clients(&self, operation: &Operation, page: &Page) -> Answer<Slice<ClientRow>>;

    /// Issues a grant.
    async fn issue_grant(&self, operation: &Operation, new: NewGrant) -> Answer<Granted>;

    /// Takes one back.
    async fn revoke_grant(&self, operation: &Operation, grant: ClientGrantId) -> Answer<Granted>;
}

/// A call of software, as its sender names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The sender's name of it.
    pub key: String,
    /// Institution number of the school it speaks for.
    pub institution_number: String,
}

/// A half-day as software says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsenceSaid {
    /// The pupil.
    pub pupil: String,
    /// Which half-day.
    pub at: HalfDay,
    /// The code; empty where none was given.
    pub code: String,
    /// Whether it is taken back.
    pub deleted: bool,
}

/// What a roster tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Telling {
    /// What has changed.
    Changes,
    /// All there is, or a part of it.
    Snapshot {
        /// What its parts call it.
        name: String,
        /// Which part this is, from 1.
        number: i32,
        /// Whether this is the last part.
        closing: bool,
    },
}

/// A roster as software says it.
#[derive(Debug, Clone)]
pub struct RosterSaid {
    /// What it tells.
    pub telling: Telling,
    /// The day of which it tells.
    pub reference: NaiveDate,
    /// Classes.
    pub classes: Vec<RosterClassInput>,
    /// Pupils.
    pub pupils: Vec<RosterPupilInput>,
    /// Places in classes.
    pub memberships: Vec<RosterMembershipInput>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is committed: the run that it is or belongs to, how far that had come, and what came of each record.
    Done(RunId, RunState, Vec<Told>),
    /// Its name stands for another call, of then.
    NameTaken(DateTime<Utc>),
    /// Not after what came before.
    State,
    /// Not the sender's to do.
    Unknown,
    /// Not now: again after so many seconds.
    Later(i32),
}

/// What software brings in by itself.
#[async_trait]
pub trait Submissions: Send + Sync {
    /// What a call may hold.
    fn delivery_limits(&self) -> DeliveryLimits;

    /// Takes in half-days of absence that name pupils by this kind of number.
    async fn submit_absences(
        &self,
        operation: &Operation,
        named: Submission,
        by: KeyKind,
        said: Vec<AbsenceSaid>,
    ) -> Answer<Submitted>;

    /// What came of each record that the viewer's own connection brought.
    async fn own_deliveries(
        &self,
        operation: &Operation,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Answer<Slice<DeliveryRow>>;

    /// Takes in a roster, or a part of one.
    async fn submit_roster(&self, operation: &Operation, named: Submission, said: RosterSaid) -> Answer<Submitted>;
}

/// Sources, runs and gaps; no pupil content.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Sources.
    async fn sources(&self, operation: &Operation, page: &Page) -> Answer<Slice<SourceRow>>;

    /// Runs, latest first.
    async fn runs(&self, operation: &Operation, page: &Page) -> Answer<Slice<RunRow>>;

    /// Gaps, latest met first.
    async fn gaps(&self, operation: &Operation, page: &Page) -> Answer<Slice<GapRow>>;

    /// One source; `None` when there is none within the viewer's reach.
    async fn source(&self, operation: &Operation, id: SourceId) -> Answer<Option<SourceRow>>;

    /// One run; `None` when there is none within the viewer's reach.
    async fn run(&self, operation: &Operation, id: RunId) -> Answer<Option<RunRow>>;

    /// One gap; `None` when there is none within the viewer's reach.
    async fn gap(&self, operation: &Operation, id: GapId) -> Answer<Option<GapRow>>;

    /// Lets a held run go on; `None` when no such run is held within the viewer's reach.
    async fn approve_run(&self, operation: &Operation, run: RunId) -> Answer<Option<RunRow>>;
}

/// What is under professional secrecy, and the steps in it.
#[async_trait]
pub trait Dossiers: Send + Sync {
    /// What was decided of what is asked of these pupils' dossiers; a pupil who is unknown or not of the viewer's CLB is
    /// not among them.
    async fn dossiers(
        &self,
        operation: &Operation,
        pupils: &[PupilId],
        asked_for: &AskedFor,
    ) -> Answer<HashMap<PupilId, DossierRow>>;

    /// Begins a trajectory.
    async fn open_trajectory(
        &self,
        operation: &Operation,
        new: NewTrajectory,
    ) -> Answer<dossier::Stepped<TrajectoryId>>;

    /// Puts a worker in a team, or takes one out.
    async fn assign_team(&self, operation: &Operation, put: PutWorker) -> Answer<dossier::Stepped<TrajectoryId>>;

    /// Sets the phase of a trajectory of this version, or closes it.
    async fn move_trajectory(
        &self,
        operation: &Operation,
        of: (TrajectoryId, i32),
        phase: Option<Phase>,
        close: bool,
    ) -> Answer<dossier::Stepped<TrajectoryId>>;

    /// Writes an entry.
    async fn write_entry(&self, operation: &Operation, entry: WriteEntry) -> Answer<dossier::Stepped<EntryId>>;

    /// Corrects an entry.
    async fn correct_entry(&self, operation: &Operation, entry: CorrectEntry) -> Answer<dossier::Stepped<EntryId>>;

    /// Gives a worker a post at a school, or takes it away.
    async fn assign_post(&self, operation: &Operation, put: PutPost) -> Answer<dossier::Stepped<PostId>>;
}

/// Everything that is asked of the hub.
pub trait Hub:
    Pupils
    + Classes
    + Schools
    + Signals
    + Changes
    + Agreements
    + Clients
    + Submissions
    + Operations
    + Matching
    + Dossiers
    + Consents
    + Guidance
    + Referrals
    + Releases
    + Asking
    + AccessLogs
    + Emergencies
    + Holds
    + Rights
    + Corrections
    + Exports
    + ParentsLogs
    + Transfers
{
}

impl<T> Hub for T where
    T: Pupils
        + Classes
        + Schools
        + Signals
        + Changes
        + Agreements
        + Clients
        + Submissions
        + Operations
        + Matching
        + Dossiers
        + Consents
        + Guidance
        + Referrals
        + Releases
        + Asking
        + AccessLogs
        + Emergencies
        + Holds
        + Rights
        + Corrections
        + Exports
        + ParentsLogs
        + Transfers
{
}
