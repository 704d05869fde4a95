//! Referrals to partners outside: put to the pupil or the parents by the team, and told to the partner under consent.

use async_trait::async_trait;
use hub_entities::dossier::consent::ConsentTo;
use hub_entities::dossier::trajectory::ReferralState;
use hub_entities::id::ReferralId;
use hub_entities::operation::Operation;
use hub_entities::policy::secret::Step;
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::referral::{NewReferral, ReferralRow, ReferralSaid};
use hub_graphql::hub::{Answer, Referrals};

use super::dossiers::stepped;
use super::{App, failed};
use crate::store::secret::What;
use crate::store::secret::referral::{self, Change, Content, MayTell, Referral};

fn content(said: ReferralSaid) -> Content {
    Content {
        sector: said.sector,
        partner: said.partner,
        reason: said.reason,
    }
}

pub(super) fn row(one: Referral) -> ReferralRow {
    ReferralRow {
        id: one.id,
        trajectory: one.trajectory,
        said: ReferralSaid {
            sector: one.content.sector,
            partner: one.content.partner,
            reason: one.content.reason,
        },
        state: one.state,
        outcome: one.outcome,
        author: one.author,
        written_at: one.written_at,
        version: one.version,
    }
}

impl App {
    async fn change_referral(
        &self,
        operation: &Operation,
        of: (ReferralId, i32),
        change: Change,
    ) -> Answer<Stepped<ReferralId>> {
        let Some(allowed) = self.allowed(operation, What::Referral(of.0), Step::Refer).await? else {
            return Ok(Stepped::Unknown);
        };
        let pupil = allowed.pupil();
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, pupil, &known);
        let may_tell: MayTell<'_> = &|answers| minority.may_begin(ConsentTo::Referral, answers);
        let changed = referral::change(allowed.reader.secrets, &*self.ids, allowed.by(), of, change, may_tell).await;
        Ok(stepped(of.0, changed.map_err(|fault| failed(&fault))?))
    }
}

#[async_trait]
impl Referrals for App {
    async fn refer(&self, operation: &Operation, new: NewReferral) -> Answer<Stepped<ReferralId>> {
        let what = What::Trajectory(new.trajectory);
        let Some(allowed) = self.allowed(operation, what, Step::Refer).await? else {
            return Ok(Stepped::Unknown);
        };
        let (secrets, by) = (allowed.reader.secrets, allowed.by());
        let content = content(new.said);
        let referred = referral::refer(secrets, &*self.ids, by, new.trajectory, &content).await;
        let referred = referred.map_err(|fault| failed(&fault))?;
        Ok(referred.map_or(Stepped::Unknown, |id| Stepped::Done(id, 1)))
    }

    async fn correct_referral(
        &self,
        operation: &Operation,
        of: (ReferralId, i32),
        said: ReferralSaid,
    ) -> Answer<Stepped<ReferralId>> {
        self.change_referral(operation, of, Change::Correct(content(said)))
            .await
    }

    async fn move_referral(
        &self,
        operation: &Operation,
        of: (ReferralId, i32),
        state: ReferralState,
        outcome: Option<String>,
    ) -> Answer<Stepped<ReferralId>> {
        self.change_referral(operation, of, Change::Move(state, outcome)).await
    }
}
