//! The own dossier in realm `person`: what a worker opened of it after the talk, and the request that asks for it.
//!
//! An entry that is closed to the person is not there at all; nobody of the CLB is named.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::access::DossierRequestState as AState;
use hub_entities::id::{DecisionId, DossierRequestId, EntryId, TrajectoryId};
use hub_entities::policy::secret::{Class, Part, Protected};

use super::correction::{OwnCorrection, OwnCorrectionRow};
use super::step::{Stepped, is_text};
use super::terms::{About, AskedBy, Domain, Obligation, Phase, TrajectoryState};
use super::{DossierRow, EntryRow, TrajectoryRow, Values, Withheld, asked_for};
use crate::asked::{Asked, id};
use crate::outcome::{Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::ClbRow;
use crate::viewer::Role;

/// The dossier of a person's own pupil at one CLB, as the hub answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDossierRow {
    /// At which CLB.
    pub clb: ClbRow,
    /// What was decided of it.
    pub row: DossierRow,
}

/// A person's own request, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnRequestRow {
    /// Its id.
    pub id: DossierRequestId,
    /// Of which CLB it was asked.
    pub clb: ClbRow,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// How far it has come.
    pub state: AState,
    /// When it was first answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused.
    pub answer: Option<String>,
}

impl std::fmt::Debug for OwnRequestRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("OwnRequestRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a person asked, as the hub answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnRequestRows {
    /// To read.
    pub requests: Vec<OwnRequestRow>,
    /// Of entries.
    pub corrections: Vec<OwnCorrectionRow>,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asks {
    /// The request.
    pub id: DossierRequestId,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
}

/// How far a person's request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AState")]
pub enum DossierRequestState {
    /// It waits for the talk.
    #[graphql(tag = "class:public")]
    Waiting,
    /// After the talk something was opened.
    #[graphql(tag = "class:public")]
    Opened,
    /// It was refused.
    #[graphql(tag = "class:public")]
    Refused,
}

/// A course of guidance (begeleidingstraject) that was opened to the person.
#[derive(Debug, Clone, SimpleObject)]
pub struct OwnTrajectory {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<TrajectoryId>,
    /// In which domain (begeleidingsdomein).
    #[graphql(tag = "class:secret.granted")]
    pub domain: Domain,
    /// Where it stands in the continuum of care (zorgcontinuüm).
    #[graphql(tag = "class:secret.granted")]
    pub phase: Phase,
    /// Whether it is open.
    #[graphql(tag = "class:secret.granted")]
    pub state: TrajectoryState,
    /// Who asked for it.
    #[graphql(tag = "class:secret.granted")]
    pub asked_by: AskedBy,
    /// Why it cannot be refused, where it cannot (verplichte begeleiding).
    #[graphql(tag = "class:secret.granted")]
    pub obligation: Option<Obligation>,
    /// When it began.
    #[graphql(tag = "class:secret.granted")]
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    #[graphql(tag = "class:secret.granted")]
    pub closed_at: Option<DateTime<Utc>>,
}

impl From<TrajectoryRow> for OwnTrajectory {
    fn from(row: TrajectoryRow) -> Self {
        Self {
            id: Gid(row.id),
            domain: row.domain.into(),
            phase: row.phase.into(),
            state: row.state.into(),
            asked_by: row.asked_by.into(),
            obligation: row.obligation.map(Into::into),
            opened_at: row.opened_at,
            closed_at: row.closed_at,
        }
    }
}

/// What a worker wrote down, and is open to the person.
#[derive(Debug, Clone, SimpleObject)]
pub struct OwnEntry {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<EntryId>,
    /// The trajectory in which it was written.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Whom it is about.
    #[graphql(tag = "class:secret.granted")]
    pub about: About,
    /// When this version was written.
    #[graphql(tag = "class:secret.granted")]
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// As whom the person speaks, where these are a person's own words.
    #[graphql(tag = "class:secret.granted")]
    pub own_words_of: Option<Role>,
    /// What stands in it. Confidential, and for youth help alone.
    #[graphql(tag = "class:secret.granted")]
    pub text: String,
}

impl From<EntryRow> for OwnEntry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            about: row.about.into(),
            written_at: row.written_at,
            version: row.version,
            own_words_of: row.own_words.map(Into::into),
            text: row.text,
        }
    }
}

/// Trajectories that may be seen.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedOwnTrajectories {
    /// The trajectories, in the order in which they began.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<OwnTrajectory>,
}

/// Entries that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedOwnEntries {
    /// The entries, in the order in which they were written.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<OwnEntry>,
}

/// Trajectories, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedOwnTrajectories {
    /// They may be seen.
    Granted(GrantedOwnTrajectories),
    /// They may not.
    Withheld(Withheld),
}

/// Entries, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedOwnEntries {
    /// They may be read.
    Granted(GrantedOwnEntries),
    /// They may not.
    Withheld(Withheld),
}

impl DossierRow {
    fn own_trajectories(&self, class: Class) -> ProtectedOwnTrajectories {
        let rows = match self.take(class, Part::Trajectories) {
            Ok(Values::Trajectories(rows)) => rows,
            Ok(_) => Vec::new(),
            Err(withheld) => return ProtectedOwnTrajectories::Withheld(withheld),
        };
        let value = rows.into_iter().map(OwnTrajectory::from).collect();
        ProtectedOwnTrajectories::Granted(GrantedOwnTrajectories { value })
    }

    fn own_entries(&self, class: Class) -> ProtectedOwnEntries {
        let rows = match self.take(class, Part::Entries) {
            Ok(Values::Entries(rows)) => rows,
            Ok(_) => Vec::new(),
            Err(withheld) => return ProtectedOwnEntries::Withheld(withheld),
        };
        let value = rows.into_iter().map(OwnEntry::from).collect();
        ProtectedOwnEntries::Granted(GrantedOwnEntries { value })
    }
}

macro_rules! domain {
    ($(#[$doc:meta])* $name:ident, $class:ident, $tag:literal) => {
        $(#[$doc])*
        pub struct $name(Arc<DossierRow>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The courses of guidance that were opened.
            #[graphql(tag = $tag)]
            async fn trajectories(&self) -> ProtectedOwnTrajectories {
                self.0.own_trajectories(Class::$class)
            }

            /// What was written down in them, but for health data, which are kept apart.
            #[graphql(tag = $tag)]
            async fn entries(&self) -> ProtectedOwnEntries {
                self.0.own_entries(Class::$class)
            }
        }
    };
}

domain!(
    /// The domain of learning and studying (leren en studeren) in the own dossier.
    OwnLearning, Learning, "class:secret.learning"
);
domain!(
    /// The domain of the school career (onderwijsloopbaan) in the own dossier.
    OwnCareer, Career, "class:secret.career"
);
domain!(
    /// The domain of preventive health care (preventieve gezondheidszorg) in the own dossier.
    OwnHealth, Health, "class:secret.health"
);
domain!(
    /// The domain of psychological and social functioning (psychisch en sociaal functioneren) in the own dossier.
    OwnWellbeing, Wellbeing, "class:secret.wellbeing"
);

/// The dossier that a CLB keeps of the pupil whom the viewer is, or is a parent of.
pub struct OwnDossier {
    clb: ClbRow,
    row: Arc<DossierRow>,
}

/// The dossier that a CLB keeps of the pupil whom the viewer is, or is a parent of: every pupil has one.
#[Object]
impl OwnDossier {
    /// Which CLB keeps it.
    #[graphql(tag = "class:public")]
    async fn clb(&self) -> ClbRow {
        self.clb.clone()
    }

    /// Learning and studying.
    #[graphql(tag = "class:secret.learning")]
    async fn learning(&self) -> OwnLearning {
        OwnLearning(Arc::clone(&self.row))
    }

    /// School career.
    #[graphql(tag = "class:secret.career")]
    async fn career(&self) -> OwnCareer {
        OwnCareer(Arc::clone(&self.row))
    }

    /// Preventive health care: through the doctor of the CLB.
    #[graphql(tag = "class:secret.health")]
    async fn health(&self) -> OwnHealth {
        OwnHealth(Arc::clone(&self.row))
    }

    /// Psychological and social functioning.
    #[graphql(tag = "class:secret.wellbeing")]
    async fn wellbeing(&self) -> OwnWellbeing {
        OwnWellbeing(Arc::clone(&self.row))
    }

    /// Health data of any domain: through the doctor of the CLB.
    #[graphql(tag = "class:secret.medical")]
    async fn medical(&self) -> ProtectedOwnEntries {
        self.row.own_entries(Class::Medical)
    }
}

/// A request to read the own dossier (verzoek tot inzage).
#[derive(Debug, Clone, SimpleObject)]
pub struct OwnRequest {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<DossierRequestId>,
    /// Of which CLB it was asked.
    #[graphql(tag = "class:secret.granted")]
    pub clb: ClbRow,
    /// When.
    #[graphql(tag = "class:secret.granted")]
    pub requested_at: DateTime<Utc>,
    /// The last day on which it is answered in time, by the law of that day; none where no term is known.
    #[graphql(tag = "class:secret.granted")]
    pub answer_by: Option<NaiveDate>,
    /// How far it has come.
    #[graphql(tag = "class:secret.granted")]
    pub state: DossierRequestState,
    /// When it was first answered.
    #[graphql(tag = "class:secret.granted")]
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused, if it was.
    #[graphql(tag = "class:secret.granted")]
    pub answer: Option<String>,
}

impl From<OwnRequestRow> for OwnRequest {
    fn from(row: OwnRequestRow) -> Self {
        Self {
            id: Gid(row.id),
            clb: row.clb,
            requested_at: row.at,
            answer_by: row.answer_by,
            state: row.state.into(),
            answered_at: row.answered_at,
            answer: row.answer,
        }
    }
}

/// What was asked in the viewer's own name.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedOwnRequests {
    /// The requests to read: of each CLB the oldest first.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<OwnRequest>,
    /// What was asked of entries: of each CLB the oldest first.
    #[graphql(tag = "class:secret.granted")]
    pub corrections: Vec<OwnCorrection>,
}

/// What was asked in the viewer's own name, or why it is not told.
#[derive(Debug, Clone, Union)]
pub enum ProtectedOwnRequests {
    /// It may be seen.
    Granted(GrantedOwnRequests),
    /// It may not.
    Withheld(Withheld),
}

/// The roots of the own dossier.
#[derive(Default)]
pub struct OwnDossierRoot;

#[Object]
impl OwnDossierRoot {
    /// The dossiers of the pupil whom the viewer is, or is a parent of: one for each CLB that is competent today and keeps its
    /// dossiers here. What is in one is read as far as a worker opened it, after the talk. Being asked is logged.
    #[graphql(tag = "class:public")]
    async fn dossiers(&self, context: &Context<'_>) -> Result<Vec<OwnDossier>, Problem> {
        let asked = Asked::of(context)?;
        let sought = asked_for(&context.look_ahead());
        let found = asked.hub.own_dossiers(asked.operation, &sought.fields).await?;
        let dossier = |one: OwnDossierRow| OwnDossier {
            clb: one.clb,
            row: Arc::new(one.row),
        };
        Ok(found.into_iter().map(dossier).collect())
    }

    /// What was asked in the viewer's own name, and what was answered; null where there is no CLB to ask. Being asked is logged.
    #[graphql(tag = "class:secret.intake")]
    async fn own_requests(&self, context: &Context<'_>) -> Result<Option<ProtectedOwnRequests>, Problem> {
        let asked = Asked::of(context)?;
        let told = asked.hub.own_requests(asked.operation).await?;
        Ok(told.map(|told| match told {
            Protected::Granted(opened) => {
                let told = opened.into_inner();
                ProtectedOwnRequests::Granted(GrantedOwnRequests {
                    value: told.requests.into_iter().map(OwnRequest::from).collect(),
                    corrections: told.corrections.into_iter().map(OwnCorrection::from).collect(),
                })
            }
            Protected::Withheld { why, decision } => ProtectedOwnRequests::Withheld(Withheld::of(why, decision)),
        }))
    }
}

/// Asking to read the own dossier.
#[derive(Clone, InputObject)]
pub struct AskToReadInput {
    /// The decision that a withheld field names, made for this viewer: it says at which CLB.
    #[graphql(tag = "class:public")]
    pub decision_id: ID,
    /// Why: not blank, at most 65,536 bytes. Who answers reads it; no reason is needed to have the right.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// It was asked. Whether there is anything to read is not said.
#[derive(Debug, Clone, SimpleObject)]
pub struct AskedToRead {
    /// The request.
    #[graphql(tag = "class:public")]
    pub request_id: Gid<DossierRequestId>,
    /// The last day on which it is answered in time; none where no term is known.
    #[graphql(tag = "class:public")]
    pub answer_by: Option<NaiveDate>,
}

/// What came of `requestAccess`.
#[derive(Debug, Clone, Union)]
#[graphql(name = "RequestAccessPayload")]
pub enum AskToReadPayload {
    /// It is done.
    Done(AskedToRead),
    /// The input cannot be right.
    Invalid(Invalid),
    /// Not now, or not by this viewer.
    NotPossible(NotPossible),
}

impl From<Stepped<Asks>> for AskToReadPayload {
    fn from(stepped: Stepped<Asks>) -> Self {
        match stepped {
            Stepped::Done(asks, _) => Self::Done(AskedToRead {
                request_id: Gid(asks.id),
                answer_by: asks.answer_by,
            }),
            Stepped::Invalid(field) => Self::Invalid(Invalid::of(field)),
            Stepped::Changed(_) | Stepped::State => Self::NotPossible(Reason::State.into()),
            Stepped::NotAllowed => Self::NotPossible(Reason::NotAllowed.into()),
            Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
        }
    }
}

/// Asking to read the own dossier.
#[derive(Default)]
pub struct OwnDossierMutation;

#[Object]
impl OwnDossierMutation {
    /// Asks to read the own dossier at the CLB of a decision that withheld something of it. A worker answers within the term of
    /// the law, after a talk. While it waits, asking again is the same request.
    #[graphql(tag = "class:public")]
    async fn request_access(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Where, and why.")] input: AskToReadInput,
    ) -> Result<AskToReadPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(decision): Option<DecisionId> = id(&input.decision_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let asks = asked.hub.ask_to_read(asked.operation, decision, &input.reason).await?;
        Ok(asks.into())
    }
}
