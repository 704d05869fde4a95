//! Legal holds (bewaringsplicht) in realm `clb`: put, lifted and read by the director of the CLB that keeps the dossier.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::dossier::hold::HoldGround as Ground;
use hub_entities::id::{HoldId, PrincipalId, PupilId};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;

/// A hold that is to be put.
#[derive(Clone, PartialEq, Eq)]
pub struct NewHold {
    /// On whose dossier.
    pub pupil: PupilId,
    /// On what ground.
    pub ground: Ground,
    /// In the words of the director.
    pub reason: String,
}

/// A hold, as the hub tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// Its id.
    pub id: HoldId,
    /// On whose dossier.
    pub pupil: PupilId,
    /// On what ground.
    pub ground: Ground,
    /// In the words of the director who put it.
    pub reason: String,
    /// Who put it.
    pub put_by: PrincipalId,
    /// When.
    pub put_at: DateTime<Utc>,
    /// Who lifted it, when, and why.
    pub lifted: Option<(PrincipalId, DateTime<Utc>, String)>,
    /// Rises with every change.
    pub version: i32,
}

macro_rules! secret {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(NewHold, HoldRow);

/// Why a dossier must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Ground")]
pub enum LegalHoldGround {
    /// A dispute, or a case before a court (geschil, rechtszaak).
    #[graphql(tag = "class:public")]
    Dispute,
    /// A complaint that is being handled (klacht).
    #[graphql(tag = "class:public")]
    Complaint,
    /// An authority asks for it, or looks into it (vordering, onderzoek, inspectie).
    #[graphql(tag = "class:public")]
    Authority,
    /// Another duty to keep it.
    #[graphql(tag = "class:public")]
    Other,
}

/// A legal hold (bewaringsplicht): while it stands the dossier is not erased, whatever its term and whoever asks for it.
#[derive(Debug, Clone, SimpleObject)]
pub struct LegalHold {
    /// Its id; it tells no time.
    #[graphql(tag = "class:audit")]
    pub id: Gid<HoldId>,
    /// The pupil whose dossier it is.
    #[graphql(tag = "class:audit")]
    pub pupil_id: Gid<PupilId>,
    /// On what ground.
    #[graphql(tag = "class:audit")]
    pub ground: LegalHoldGround,
    /// Why, in the words of the director who put it.
    #[graphql(tag = "class:audit")]
    pub reason: String,
    /// Who put it: the principal's id.
    #[graphql(tag = "class:audit")]
    pub put_by: Gid<PrincipalId>,
    /// When.
    #[graphql(tag = "class:audit")]
    pub put_at: DateTime<Utc>,
    /// Who lifted it; none while it stands.
    #[graphql(tag = "class:audit")]
    pub lifted_by: Option<Gid<PrincipalId>>,
    /// When it was lifted; none while it stands.
    #[graphql(tag = "class:audit")]
    pub lifted_at: Option<DateTime<Utc>>,
    /// Why it was lifted, in the words of the director who did; none while it stands.
    #[graphql(tag = "class:audit")]
    pub lifted_why: Option<String>,
    /// Rises with every change: give it back to lift it.
    #[graphql(tag = "class:audit")]
    pub version: i32,
}

impl From<HoldRow> for LegalHold {
    fn from(row: HoldRow) -> Self {
        let (by, at, why) = match row.lifted {
            Some((by, at, why)) => (Some(Gid(by)), Some(at), Some(why)),
            None => (None, None, None),
        };
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            ground: row.ground.into(),
            reason: row.reason,
            put_by: Gid(row.put_by),
            put_at: row.put_at,
            lifted_by: by,
            lifted_at: at,
            lifted_why: why,
            version: row.version,
        }
    }
}

connection!(
    /// Legal holds, the latest first.
    LegalHoldConnection, LegalHoldEdge, LegalHold, "class:audit"
);

/// Legal holds, for who is told.
#[derive(SimpleObject)]
pub struct GrantedLegalHolds {
    /// The page of them.
    #[graphql(tag = "class:audit")]
    pub value: LegalHoldConnection,
}

/// Legal holds, or why they are not told.
#[derive(Union)]
pub enum ProtectedLegalHolds {
    /// They may be seen.
    Granted(Box<GrantedLegalHolds>),
    /// They may not.
    Withheld(Withheld),
}

/// The root of legal holds.
#[derive(Default)]
pub struct HoldRoot;

#[Object]
impl HoldRoot {
    /// Legal holds on dossiers of the viewer's CLB, those that were lifted too, the latest first: for the director. Being asked is
    /// logged.
    #[graphql(tag = "class:audit")]
    async fn legal_holds(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<Option<ProtectedLegalHolds>, Problem> {
        const LIST: &str = "legalHolds";
        let asked = Asked::of(context)?;
        let count = context.look_ahead().field("value").field("totalCount").exists();
        let page = asked.page(LIST, first, after.as_deref(), count)?;
        let told = asked.hub.legal_holds(asked.operation, &page).await?;
        Ok(told.map(|told| match told {
            Protected::Granted(opened) => {
                let slice = opened.into_inner().map(Into::<LegalHold>::into);
                let value = LegalHoldConnection::of(LIST, slice);
                ProtectedLegalHolds::Granted(Box::new(GrantedLegalHolds { value }))
            }
            Protected::Withheld { why, decision } => ProtectedLegalHolds::Withheld(Withheld::of(why, decision)),
        }))
    }
}

/// Putting a legal hold.
#[derive(Clone, InputObject)]
pub struct PutLegalHoldInput {
    /// The pupil whose dossier it is.
    #[graphql(tag = "class:public")]
    pub pupil_id: ID,
    /// On what ground.
    #[graphql(tag = "class:public")]
    pub ground: LegalHoldGround,
    /// Why: not blank, at most 65,536 bytes. No more of the pupil than which case it is.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// Lifting a legal hold.
#[derive(Clone, InputObject)]
pub struct LiftLegalHoldInput {
    /// The hold: one that stands.
    #[graphql(tag = "class:public")]
    pub hold_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// Why: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// The hold stands, or is lifted.
#[derive(Debug, Clone, SimpleObject)]
pub struct LegalHoldDecided {
    /// The hold.
    #[graphql(tag = "class:public")]
    pub hold_id: Gid<HoldId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl LegalHoldDecided {
    const fn of(id: HoldId, version: i32) -> Self {
        Self {
            hold_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `putLegalHold`.
    PutLegalHoldPayload, LegalHoldDecided, HoldId
);
payload!(
    /// What came of `liftLegalHold`.
    LiftLegalHoldPayload, LegalHoldDecided, HoldId
);

/// Holding dossiers back.
#[derive(Default)]
pub struct HoldMutation;

#[Object]
impl HoldMutation {
    /// Puts a legal hold on a dossier that the viewer's CLB keeps, whether or not it is competent still: by the director, who
    /// sees nothing of it. Nobody erases it while a hold stands. Of another CLB's pupil and of one without a dossier the answer is
    /// the same.
    #[graphql(tag = "class:public")]
    async fn put_legal_hold(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "On whose dossier, and why.")] input: PutLegalHoldInput,
    ) -> Result<PutLegalHoldPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&input.pupil_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let new = NewHold {
            pupil,
            ground: input.ground.into(),
            reason: input.reason,
        };
        Ok(asked.hub.put_hold(asked.operation, new).await?.into())
    }

    /// Lifts a legal hold: by the director. That it stood, who lifted it and why stays with the dossier.
    #[graphql(tag = "class:public")]
    async fn lift_legal_hold(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, and why.")] input: LiftLegalHoldInput,
    ) -> Result<LiftLegalHoldPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(hold) = id(&input.hold_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !is_text(&input.reason) {
            return Ok(Stepped::Invalid("reason").into());
        }
        let of = (hold, input.version);
        Ok(asked.hub.lift_hold(asked.operation, of, &input.reason).await?.into())
    }
}
