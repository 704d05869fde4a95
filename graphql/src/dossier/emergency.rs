//! Opening in an emergency (noodtoegang) in realm `clb`; and what director and data protection officer find of it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::dossier::emergency::Ground;
use hub_entities::id::{DecisionId, EmergencyId, PrincipalId, PupilId};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;

/// What a worker opens, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEmergency {
    /// Whose.
    pub pupil: PupilId,
    /// On what ground.
    pub ground: Ground,
    /// In the words of the worker.
    pub reason: String,
}

/// What was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its id.
    pub id: EmergencyId,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// An opening, as the hub tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct EmergencyRow {
    /// Its id.
    pub id: EmergencyId,
    /// Of whom.
    pub pupil: PupilId,
    /// By whom.
    pub by: PrincipalId,
    /// On what ground.
    pub ground: Ground,
    /// In the words of the worker.
    pub reason: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Its line in the access log.
    pub line: DecisionId,
}

impl std::fmt::Debug for NewEmergency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("NewEmergency(…)")
    }
}

impl std::fmt::Debug for EmergencyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("EmergencyRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why somebody outside the team opened: the worker decides, and answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Ground")]
pub enum EmergencyGround {
    /// Danger to life.
    #[graphql(tag = "class:public")]
    DangerToLife,
    /// Public safety.
    #[graphql(tag = "class:public")]
    PublicSafety,
    /// Disquiet about the situation in which the pupil lives (verontrusting).
    #[graphql(tag = "class:public")]
    Disquiet,
    /// Suspected abuse.
    #[graphql(tag = "class:public")]
    SuspectedAbuse,
    /// Another state of need (noodtoestand).
    #[graphql(tag = "class:public")]
    Necessity,
}

/// That a worker opened in an emergency what is another team's.
#[derive(Debug, Clone, SimpleObject)]
pub struct Emergency {
    /// Its id; it tells no time.
    #[graphql(tag = "class:audit")]
    pub id: Gid<EmergencyId>,
    /// The pupil.
    #[graphql(tag = "class:audit")]
    pub pupil_id: Gid<PupilId>,
    /// Who: the principal's id.
    #[graphql(tag = "class:audit")]
    pub opened_by: Gid<PrincipalId>,
    /// On what ground.
    #[graphql(tag = "class:audit")]
    pub ground: EmergencyGround,
    /// Why, in the words of the worker, who answers for it.
    #[graphql(tag = "class:audit")]
    pub reason: String,
    /// From when, by the database's own time.
    #[graphql(tag = "class:audit")]
    pub from: DateTime<Utc>,
    /// Until when. It is over by itself.
    #[graphql(tag = "class:audit")]
    pub until: DateTime<Utc>,
    /// Its line in the access log.
    #[graphql(tag = "class:audit")]
    pub line_id: Gid<DecisionId>,
}

impl From<EmergencyRow> for Emergency {
    fn from(row: EmergencyRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            opened_by: Gid(row.by),
            ground: row.ground.into(),
            reason: row.reason,
            from: row.from,
            until: row.until,
            line_id: Gid(row.line),
        }
    }
}

connection!(
    /// What was opened in emergencies, the latest first.
    EmergencyConnection, EmergencyEdge, Emergency, "class:audit"
);

/// What was opened in emergencies, for who is told.
#[derive(SimpleObject)]
pub struct GrantedEmergencies {
    /// The page of it.
    #[graphql(tag = "class:audit")]
    pub value: EmergencyConnection,
}

/// What was opened in emergencies, or why it is not told.
#[derive(Union)]
pub enum ProtectedEmergencies {
    /// It may be seen.
    Granted(Box<GrantedEmergencies>),
    /// It may not.
    Withheld(Withheld),
}

/// The root of what was opened in emergencies.
#[derive(Default)]
pub struct EmergencyRoot;

#[Object]
impl EmergencyRoot {
    /// What workers of the viewer's CLB opened in emergencies, the latest first, there from the moment it was opened: for the
    /// director and the data protection officer, and null for anyone else. Being asked is logged.
    #[graphql(tag = "class:audit")]
    async fn emergencies(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<Option<ProtectedEmergencies>, Problem> {
        const LIST: &str = "emergencies";
        let asked = Asked::of(context)?;
        let count = context.look_ahead().field("value").field("totalCount").exists();
        let page = asked.page(LIST, first, after.as_deref(), count)?;
        let told = asked.hub.emergencies(asked.operation, &page).await?;
        Ok(told.map(|told| match told {
            Protected::Granted(opened) => {
                let slice = opened.into_inner().map(Into::<Emergency>::into);
                let value = EmergencyConnection::of(LIST, slice);
                ProtectedEmergencies::Granted(Box::new(GrantedEmergencies { value }))
            }
            Protected::Withheld { why, decision } => ProtectedEmergencies::Withheld(Withheld::of(why, decision)),
        }))
    }
}

/// Opening in an emergency.
#[derive(Clone, InputObject)]
pub struct OpenInEmergencyInput {
    /// The pupil.
    #[graphql(tag = "class:public")]
    pub pupil_id: ID,
    /// On what ground.
    #[graphql(tag = "class:public")]
    pub ground: EmergencyGround,
    /// Why: not blank, at most 65,536 bytes. Director and data protection officer read it: no more of the pupil than they need.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// It is open, to read, for minutes. Director and data protection officer find it in `emergencies`.
#[derive(Debug, Clone, SimpleObject)]
pub struct EmergencyOpened {
    /// Its id.
    #[graphql(tag = "class:public")]
    pub emergency_id: Gid<EmergencyId>,
    /// Until when, by the database's own time. It is over by itself, and not prolonged by asking again.
    #[graphql(tag = "class:public")]
    pub until: DateTime<Utc>,
}

impl EmergencyOpened {
    const fn of(opened: Opened, _version: i32) -> Self {
        Self {
            emergency_id: Gid(opened.id),
            until: opened.until,
        }
    }
}

payload!(
    /// What came of `openInEmergency`.
    OpenInEmergencyPayload, EmergencyOpened, Opened
);

/// Opening in an emergency.
#[derive(Default)]
pub struct EmergencyMutation;

#[Object]
impl EmergencyMutation {
    /// Opens the dossier of a pupil of the viewer's CLB in an emergency: for minutes, to read, whatever team it is of, and never
    /// what a third person asked to keep confidential. Director and data protection officer find it in `emergencies` at once,
    /// with the reason; the pupil finds it in the access log.
    #[graphql(tag = "class:public")]
    async fn open_in_emergency(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Whose, and why.")] input: OpenInEmergencyInput,
    ) -> Result<OpenInEmergencyPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&input.pupil_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let new = NewEmergency {
            pupil,
            ground: input.ground.into(),
            reason: input.reason,
        };
        Ok(asked.hub.open_in_emergency(asked.operation, new).await?.into())
    }
}
