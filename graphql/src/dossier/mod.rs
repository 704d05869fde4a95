//! The dossier (multidisciplinair dossier) in realm `clb`, and in realm `person` as far as it was opened ([`own`]): no other
//! schema has a word for any of it.
//!
//! A field under secrecy is a union in `data`: granted with a value, or withheld with a reason that tells of nothing but
//! the asker. A list under secrecy is wrapped whole. What is behind a grant has the class of the field that granted it.

pub mod access;
pub mod consent;
pub mod correction;
pub mod emergency;
pub mod export;
pub mod hold;
pub mod log_hold;
pub mod own;
pub mod referral;
pub mod release;
pub mod request;
pub mod review;
pub mod rights;
pub mod step;
pub mod terms;
pub mod transfer;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Lookahead, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::entry::ClosedGrounds;
use hub_entities::id::{DecisionId, EntryId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::policy::secret::{Class, Field, Part, Protected};

pub use access::{AccessMutation, AccessRoot};
pub use consent::{
    ConsentMutation, ConsentRow, ConsentRows, CorrectConsent, GuidanceRow, JudgeCapability, JudgementRow, RecordConsent,
};
use consent::{GrantedConsents, ProtectedConsents};
pub use referral::ReferralMutation;
use referral::{GrantedReferrals, ProtectedReferrals, ReferralRow};
pub use release::ReleaseMutation;
use release::{GrantedSchoolReleases, ProtectedSchoolReleases, ReleaseRow};
pub use request::{RequestMutation, RequestRoot};
pub use step::{CorrectEntry, DossierMutation, NewTrajectory, PutPost, PutWorker, Stepped, WriteEntry};
use terms::{About, AskedBy, ClosedGround, Domain, Obligation, Phase, TrajectoryState, WithheldCode};

use crate::asked::{Asked, id};
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::viewer::Role;

/// A trajectory, as the hub answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrajectoryRow {
    /// Its id.
    pub id: TrajectoryId,
    /// In which domain.
    pub domain: hub_entities::dossier::Domain,
    /// How far in the continuum of care.
    pub phase: hub_entities::dossier::trajectory::Phase,
    /// Whether it is open.
    pub state: hub_entities::dossier::trajectory::TrajectoryState,
    /// Who asked for it.
    pub asked_by: hub_entities::dossier::trajectory::AskedBy,
    /// Why it cannot be refused.
    pub obligation: Option<hub_entities::dossier::trajectory::Obligation>,
    /// Since when nothing obliges any more.
    pub lapsed_at: Option<DateTime<Utc>>,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// Worker, begin and end of each place in its team; none where that is not asked.
    pub team: Vec<(PrincipalId, NaiveDate, Option<NaiveDate>)>,
}

/// An entry, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its id.
    pub id: EntryId,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Whom it is about.
    pub about: hub_entities::dossier::entry::About,
    /// What closes it to the person.
    pub closed: ClosedGrounds,
    /// Who wrote this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
    /// As whom the person speaks, where these are a person's own words.
    pub own_words: Option<hub_entities::operation::Role>,
    /// The entry to which they were added.
    pub adds_to: Option<EntryId>,
    /// What stands in it.
    pub text: String,
}

impl std::fmt::Debug for EntryRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("EntryRow").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The value of a field under secrecy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Of [`Part::Trajectories`].
    Trajectories(Vec<TrajectoryRow>),
    /// Of [`Part::Entries`].
    Entries(Vec<EntryRow>),
    /// Of [`Part::Consents`].
    Consents(ConsentRows),
    /// Of [`Part::Referrals`].
    Referrals(Vec<ReferralRow>),
    /// Of [`Part::Releases`].
    Releases(Vec<ReleaseRow>),
}

/// What was decided of one dossier: of the fields that were asked for, and of no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DossierRow {
    /// By field.
    pub fields: HashMap<Field, Protected<Values>>,
    /// The decision on all of them.
    pub decision: DecisionId,
}

/// Not this: the reason, and whether one may ask for access. It tells nothing of what there is.
#[derive(Debug, Clone, SimpleObject)]
pub struct Withheld {
    /// Why: a function of role, discipline, relation, purpose and sign-in alone.
    #[graphql(tag = "class:public")]
    pub code: WithheldCode,
    /// Whether `requestAccess` makes sense.
    #[graphql(tag = "class:public")]
    pub can_ask: bool,
    /// What to ask for access with. It is also the line of this request in the access log.
    #[graphql(tag = "class:public")]
    pub decision_id: Gid<DecisionId>,
}

impl Withheld {
    pub(crate) fn of(why: hub_entities::policy::secret::Withheld, decision: DecisionId) -> Self {
        Self {
            code: why.code().into(),
            can_ask: why.can_ask(),
            decision_id: Gid(decision),
        }
    }
}

/// A course of guidance (begeleidingstraject), without what was said in it.
#[derive(Debug, Clone, SimpleObject)]
pub struct Trajectory {
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
    /// Since when nothing obliges any more, where what obliged was taken back: obtain consent, or close.
    #[graphql(tag = "class:secret.granted")]
    pub lapsed_at: Option<DateTime<Utc>>,
    /// When it began.
    #[graphql(tag = "class:secret.granted")]
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    #[graphql(tag = "class:secret.granted")]
    pub closed_at: Option<DateTime<Utc>>,
    /// Rises with every change: give it back with the next one.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// Who is or was in its team.
    #[graphql(tag = "class:secret.granted")]
    pub team: Vec<TeamMember>,
}

/// A worker's place in a team.
#[derive(Debug, Clone, SimpleObject)]
pub struct TeamMember {
    /// The worker: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub worker_id: Gid<PrincipalId>,
    /// The first day.
    #[graphql(tag = "class:secret.granted")]
    pub begins: NaiveDate,
    /// The first day no longer.
    #[graphql(tag = "class:secret.granted")]
    pub ends: Option<NaiveDate>,
}

/// What a worker wrote down.
#[derive(Debug, Clone, SimpleObject)]
pub struct Entry {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<EntryId>,
    /// The trajectory in which it was written.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// Whom it is about.
    #[graphql(tag = "class:secret.granted")]
    pub about: About,
    /// Why it is never open to the pupil or a parent, where it is not.
    #[graphql(tag = "class:secret.granted")]
    pub closed: Vec<ClosedGround>,
    /// Who wrote this version: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub author_id: Gid<PrincipalId>,
    /// When this version was written.
    #[graphql(tag = "class:secret.granted")]
    pub written_at: DateTime<Utc>,
    /// Which version it is; former ones are kept.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
    /// As whom the person speaks, where these are a person's own words: nobody corrects them.
    #[graphql(tag = "class:secret.granted")]
    pub own_words_of: Option<Role>,
    /// The entry to which they were added; they are as open to the person as that one.
    #[graphql(tag = "class:secret.granted")]
    pub adds_to: Option<Gid<EntryId>>,
    /// What stands in it.
    #[graphql(tag = "class:secret.granted")]
    pub text: String,
}

impl From<TrajectoryRow> for Trajectory {
    fn from(row: TrajectoryRow) -> Self {
        let member = |(worker, begins, ends)| TeamMember {
            worker_id: Gid(worker),
            begins,
            ends,
        };
        Self {
            id: Gid(row.id),
            domain: row.domain.into(),
            phase: row.phase.into(),
            state: row.state.into(),
            asked_by: row.asked_by.into(),
            obligation: row.obligation.map(Into::into),
            lapsed_at: row.lapsed_at,
            opened_at: row.opened_at,
            closed_at: row.closed_at,
            version: row.version,
            team: row.team.into_iter().map(member).collect(),
        }
    }
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            about: row.about.into(),
            closed: row.closed.iter().map(Into::into).collect(),
            author_id: Gid(row.author),
            written_at: row.written_at,
            version: row.version,
            own_words_of: row.own_words.map(Into::into),
            adds_to: row.adds_to.map(Gid),
            text: row.text,
        }
    }
}

/// Trajectories that may be seen.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedTrajectories {
    /// The trajectories, in the order in which they began.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<Trajectory>,
}

/// Entries that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedEntries {
    /// The entries, in the order in which they were written.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<Entry>,
}

/// Trajectories, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedTrajectories {
    /// They may be seen.
    Granted(GrantedTrajectories),
    /// They may not.
    Withheld(Withheld),
}

/// Entries, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedEntries {
    /// They may be read.
    Granted(GrantedEntries),
    /// They may not.
    Withheld(Withheld),
}

impl DossierRow {
    /// What was decided of a field. One that look-ahead did not prepare is withheld: a bug of ours, and counted.
    fn take(&self, class: Class, part: Part) -> Result<Values, Withheld> {
        let decided = Field::new(class, part).and_then(|field| self.fields.get(&field).cloned());
        let decided = decided.unwrap_or_else(|| {
            metrics::counter!("clb_hub_unprepared_total", "class" => class.name(), "part" => part.name()).increment(1);
            Protected::unprepared(self.decision)
        });
        match decided {
            Protected::Granted(opened) => Ok(opened.into_inner()),
            Protected::Withheld { why, decision } => Err(Withheld::of(why, decision)),
        }
    }

    fn trajectories(&self, class: Class) -> ProtectedTrajectories {
        match self.take(class, Part::Trajectories) {
            Ok(Values::Trajectories(rows)) => ProtectedTrajectories::Granted(GrantedTrajectories {
                value: rows.into_iter().map(Trajectory::from).collect(),
            }),
            Ok(_) => ProtectedTrajectories::Granted(GrantedTrajectories { value: Vec::new() }),
            Err(withheld) => ProtectedTrajectories::Withheld(withheld),
        }
    }

    fn entries(&self, class: Class) -> ProtectedEntries {
        match self.take(class, Part::Entries) {
            Ok(Values::Entries(rows)) => ProtectedEntries::Granted(GrantedEntries {
                value: rows.into_iter().map(Entry::from).collect(),
            }),
            Ok(_) => ProtectedEntries::Granted(GrantedEntries { value: Vec::new() }),
            Err(withheld) => ProtectedEntries::Withheld(withheld),
        }
    }
}

impl DossierRow {
    fn consents(&self, class: Class) -> ProtectedConsents {
        match self.take(class, Part::Consents) {
            Ok(Values::Consents(rows)) => ProtectedConsents::Granted(rows.into()),
            Ok(_) => ProtectedConsents::Granted(GrantedConsents::from(ConsentRows::default())),
            Err(withheld) => ProtectedConsents::Withheld(withheld),
        }
    }

    fn referrals(&self, class: Class) -> ProtectedReferrals {
        match self.take(class, Part::Referrals) {
            Ok(Values::Referrals(rows)) => ProtectedReferrals::Granted(GrantedReferrals {
                value: rows.into_iter().map(Into::into).collect(),
            }),
            Ok(_) => ProtectedReferrals::Granted(GrantedReferrals { value: Vec::new() }),
            Err(withheld) => ProtectedReferrals::Withheld(withheld),
        }
    }

    fn releases(&self) -> ProtectedSchoolReleases {
        match self.take(Class::Shared, Part::Releases) {
            Ok(Values::Releases(rows)) => ProtectedSchoolReleases::Granted(GrantedSchoolReleases {
                value: rows.into_iter().map(Into::into).collect(),
            }),
            Ok(_) => ProtectedSchoolReleases::Granted(GrantedSchoolReleases { value: Vec::new() }),
            Err(withheld) => ProtectedSchoolReleases::Withheld(withheld),
        }
    }
}

macro_rules! domain {
    ($(#[$doc:meta])* $name:ident, $class:ident, $tag:literal) => {
        $(#[$doc])*
        pub struct $name(Arc<DossierRow>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// That there is guidance: domain, phase, period and team of each trajectory.
            #[graphql(tag = $tag)]
            async fn trajectories(&self) -> ProtectedTrajectories {
                self.0.trajectories(Class::$class)
            }

            /// What was written down, but for health data, which are kept apart.
            #[graphql(tag = $tag)]
            async fn entries(&self) -> ProtectedEntries {
                self.0.entries(Class::$class)
            }

            /// Who consented to what and who refused, what guidance rests on today, and what is to be done next.
            #[graphql(tag = $tag)]
            async fn consents(&self) -> ProtectedConsents {
                self.0.consents(Class::$class)
            }

            /// To which partners outside the pupil is referred, and what came of it (draaischijf).
            #[graphql(tag = $tag)]
            async fn referrals(&self) -> ProtectedReferrals {
                self.0.referrals(Class::$class)
            }
        }
    };
}

domain!(
    /// The domain of learning and studying (leren en studeren) in a dossier.
    LearningDossier, Learning, "class:secret.learning"
);
domain!(
    /// The domain of the school career (onderwijsloopbaan) in a dossier.
    CareerDossier, Career, "class:secret.career"
);
domain!(
    /// The domain of preventive health care (preventieve gezondheidszorg) in a dossier.
    HealthDossier, Health, "class:secret.health"
);
domain!(
    /// The domain of psychological and social functioning (psychisch en sociaal functioneren) in a dossier.
    WellbeingDossier, Wellbeing, "class:secret.wellbeing"
);

/// The dossier of one pupil at the viewer's CLB. That it is here says only that the pupil is the CLB's: every pupil has one.
pub struct Dossier {
    pupil: PupilId,
    row: Arc<DossierRow>,
}

/// The dossier of one pupil at the viewer's CLB. That it is here says only that the pupil is the CLB's: every pupil has one.
#[Object]
impl Dossier {
    /// The pupil.
    #[graphql(tag = "class:public")]
    async fn pupil_id(&self) -> Gid<PupilId> {
        Gid(self.pupil)
    }

    /// Learning and studying.
    #[graphql(tag = "class:secret.learning")]
    async fn learning(&self) -> LearningDossier {
        LearningDossier(Arc::clone(&self.row))
    }

    /// School career.
    #[graphql(tag = "class:secret.career")]
    async fn career(&self) -> CareerDossier {
        CareerDossier(Arc::clone(&self.row))
    }

    /// Preventive health care.
    #[graphql(tag = "class:secret.health")]
    async fn health(&self) -> HealthDossier {
        HealthDossier(Arc::clone(&self.row))
    }

    /// Psychological and social functioning.
    #[graphql(tag = "class:secret.wellbeing")]
    async fn wellbeing(&self) -> WellbeingDossier {
        WellbeingDossier(Arc::clone(&self.row))
    }

    /// Health data of any domain: the medical part.
    #[graphql(tag = "class:secret.medical")]
    async fn medical(&self) -> ProtectedEntries {
        self.row.entries(Class::Medical)
    }

    /// What was released to schools in the viewer's own trajectories, of whatever domain.
    #[graphql(tag = "class:shared")]
    async fn releases(&self) -> ProtectedSchoolReleases {
        self.row.releases()
    }
}

/// What is asked of a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedFor {
    /// Which fields under secrecy.
    pub fields: Vec<Field>,
    /// Whether with its trajectories who is in their teams is asked as well.
    pub teams: bool,
}

/// What a question asks for below a dossier.
fn asked_for(look: &Lookahead<'_>) -> AskedFor {
    const DOMAINS: [(&str, Class); 4] = [
        ("learning", Class::Learning),
        ("career", Class::Career),
        ("health", Class::Health),
        ("wellbeing", Class::Wellbeing),
    ];
    const PARTS: [(&str, Part); 4] = [
        ("trajectories", Part::Trajectories),
        ("entries", Part::Entries),
        ("consents", Part::Consents),
        ("referrals", Part::Referrals),
    ];
    let mut fields = Vec::new();
    let mut teams = false;
    for (domain, class) in DOMAINS {
        let of_domain = look.field(domain);
        for (part, of) in PARTS {
            let of_part = of_domain.field(part);
            if of_part.exists() {
                fields.extend(Field::new(class, of));
                teams |= of_part.field("value").field("team").exists();
            }
        }
    }
    if look.field("medical").exists() {
        fields.extend(Field::new(Class::Medical, Part::Entries));
    }
    if look.field("releases").exists() {
        fields.extend(Field::new(Class::Shared, Part::Releases));
    }
    AskedFor { fields, teams }
}

/// The roots of what is under secrecy.
#[derive(Default)]
pub struct DossierRoot;

#[Object]
impl DossierRoot {
    /// The dossier of a pupil; null if the pupil is unknown or not of the viewer's CLB. Being asked is logged either way.
    #[graphql(tag = "class:public")]
    async fn dossier(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The pupil.")] pupil_id: ID,
    ) -> Result<Option<Dossier>, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&pupil_id) else { return Ok(None) };
        let sought = asked_for(&context.look_ahead());
        let mut found = asked.hub.dossiers(asked.operation, &[pupil], &sought).await?;
        Ok(found.remove(&pupil).map(|row| Dossier {
            pupil,
            row: Arc::new(row),
        }))
    }
}
