//! Referrals to partners outside (draaischijf) in a dossier: to whom, why, how far, and what came of it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::dossier::trajectory::{PartnerSector as ASector, ReferralState as AState};
use hub_entities::id::{PrincipalId, ReferralId, TrajectoryId};

use super::Withheld;
use super::step::{Stepped, is_text, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest name of a partner, in bytes.
const LONGEST: usize = 512;

/// To whom, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct ReferralSaid {
    /// To which sector.
    pub sector: ASector,
    /// To whom.
    pub partner: String,
    /// Why.
    pub reason: String,
}

/// A referral, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReferralRow {
    /// Its id.
    pub id: ReferralId,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To whom, and why.
    pub said: ReferralSaid,
    /// How far it has come.
    pub state: AState,
    /// What came of it.
    pub outcome: Option<String>,
    /// Who noted this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
}

/// A referral that is to be noted.
#[derive(Clone, PartialEq, Eq)]
pub struct NewReferral {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To whom, and why.
    pub said: ReferralSaid,
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
secret!(ReferralSaid, ReferralRow, NewReferral);

/// To which sector a CLB is the bridge (draaischijf).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ASector")]
pub enum PartnerSector {
    /// Welfare (welzijn, jeugdhulp).
    #[graphql(tag = "class:public")]
    Welfare,
    /// Health care (gezondheidszorg).
    #[graphql(tag = "class:public")]
    Health,
    /// Work (werk).
    #[graphql(tag = "class:public")]
    Work,
}

/// How far a referral has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AState")]
pub enum ReferralState {
    /// Put to the pupil or the parents.
    #[graphql(tag = "class:public")]
    Proposed,
    /// The partner was approached, under the consent of who decides.
    #[graphql(tag = "class:public")]
    Made,
    /// The partner has taken over.
    #[graphql(tag = "class:public")]
    Taken,
    /// It came to nothing.
    #[graphql(tag = "class:public")]
    Dropped,
}

/// A referral to a partner outside (doorverwijzing).
#[derive(Debug, Clone, SimpleObject)]
pub struct Referral {
    /// Its id; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<ReferralId>,
    /// The trajectory in which it is made.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// To which sector.
    #[graphql(tag = "class:secret.granted")]
    pub sector: PartnerSector,
    /// To whom.
    #[graphql(tag = "class:secret.granted")]
    pub partner: String,
    /// Why.
    #[graphql(tag = "class:secret.granted")]
    pub reason: String,
    /// How far it has come.
    #[graphql(tag = "class:secret.granted")]
    pub state: ReferralState,
    /// What came of it.
    #[graphql(tag = "class:secret.granted")]
    pub outcome: Option<String>,
    /// Who noted this version: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub author_id: Gid<PrincipalId>,
    /// When this version was noted.
    #[graphql(tag = "class:secret.granted")]
    pub written_at: DateTime<Utc>,
    /// Which version it is; former ones are kept.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

impl From<ReferralRow> for Referral {
    fn from(row: ReferralRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            sector: row.said.sector.into(),
            partner: row.said.partner,
            reason: row.said.reason,
            state: row.state.into(),
            outcome: row.outcome,
            author_id: Gid(row.author),
            written_at: row.written_at,
            version: row.version,
        }
    }
}

/// Referrals that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedReferrals {
    /// The referrals, by trajectory.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<Referral>,
}

/// Referrals, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedReferrals {
    /// They may be read.
    Granted(GrantedReferrals),
    /// They may not.
    Withheld(Withheld),
}

/// Putting a referral to the pupil or the parents.
#[derive(Clone, InputObject)]
pub struct ReferInput {
    /// The trajectory in which it is made.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// To which sector.
    #[graphql(tag = "class:public")]
    pub sector: PartnerSector,
    /// To whom: not blank, at most 512 bytes.
    #[graphql(tag = "class:public", secret)]
    pub partner: String,
    /// Why: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// Correcting a referral: a new version, and the former is kept.
#[derive(Clone, InputObject)]
pub struct CorrectReferralInput {
    /// Which.
    #[graphql(tag = "class:public")]
    pub referral_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// To which sector.
    #[graphql(tag = "class:public")]
    pub sector: PartnerSector,
    /// To whom: not blank, at most 512 bytes.
    #[graphql(tag = "class:public", secret)]
    pub partner: String,
    /// Why: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub reason: String,
}

/// Moving a referral on.
#[derive(Clone, InputObject)]
pub struct MoveReferralInput {
    /// Which.
    #[graphql(tag = "class:public")]
    pub referral_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
    /// How far it has come: forward, or to nothing.
    #[graphql(tag = "class:public")]
    pub state: ReferralState,
    /// What came of it: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub outcome: Option<String>,
}

/// It is noted.
#[derive(Debug, Clone, SimpleObject)]
pub struct ReferralNoted {
    /// The referral.
    #[graphql(tag = "class:public")]
    pub referral_id: Gid<ReferralId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl ReferralNoted {
    const fn of(id: ReferralId, version: i32) -> Self {
        Self {
            referral_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `refer`.
    ReferPayload, ReferralNoted, ReferralId
);
payload!(
    /// What came of `correctReferral`.
    CorrectReferralPayload, ReferralNoted, ReferralId
);
payload!(
    /// What came of `moveReferral`.
    MoveReferralPayload, ReferralNoted, ReferralId
);

/// What is said, or the field that cannot be right.
fn said(sector: PartnerSector, partner: String, reason: String) -> Result<ReferralSaid, &'static str> {
    if partner.trim().is_empty() || partner.len() > LONGEST {
        return Err("partner");
    }
    if !is_text(&reason) {
        return Err("reason");
    }
    Ok(ReferralSaid {
        sector: sector.into(),
        partner,
        reason,
    })
}

/// What a team does about partners outside.
#[derive(Default)]
pub struct ReferralMutation;

#[Object]
impl ReferralMutation {
    /// Puts a referral to a partner outside to the pupil or the parents: by the team, in its own trajectory. The partner is
    /// told nothing yet.
    #[graphql(tag = "class:public")]
    async fn refer(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "To whom, and why.")] input: ReferInput,
    ) -> Result<ReferPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let said = match said(input.sector, input.partner, input.reason) {
            Ok(said) => said,
            Err(field) => return Ok(Stepped::Invalid(field).into()),
        };
        let new = NewReferral { trajectory, said };
        Ok(asked.hub.refer(asked.operation, new).await?.into())
    }

    /// Corrects a referral that was noted wrongly: by the team. The former version is kept.
    #[graphql(tag = "class:public")]
    async fn correct_referral(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What it says from now on.")] input: CorrectReferralInput,
    ) -> Result<CorrectReferralPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(referral) = id(&input.referral_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let said = match said(input.sector, input.partner, input.reason) {
            Ok(said) => said,
            Err(field) => return Ok(Stepped::Invalid(field).into()),
        };
        let of = (referral, input.version);
        Ok(asked.hub.correct_referral(asked.operation, of, said).await?.into())
    }

    /// Moves a referral on: by the team. To approach the partner asks for the consent of who decides, to this referral.
    #[graphql(tag = "class:public")]
    async fn move_referral(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which, to where, and what came of it.")] input: MoveReferralInput,
    ) -> Result<MoveReferralPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(referral) = id(&input.referral_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if input.outcome.as_ref().is_some_and(|outcome| !is_text(outcome)) {
            return Ok(Stepped::Invalid("outcome").into());
        }
        let of = (referral, input.version);
        let moved = asked
            .hub
            .move_referral(asked.operation, of, input.state.into(), input.outcome);
        Ok(moved.await?.into())
    }
}
