//! Agreements of the viewer's school or CLB.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::NaiveDate;
use hub_entities::agreement::Model;
use hub_entities::id::{AgreementId, ClbId};
use hub_entities::operation::Operation;
use hub_entities::policy::{Action, Scope};
use hub_graphql::agreement::AgreementRow;
use hub_graphql::hub::{Agreements, Answer, Decided, Proposal};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::school::ClbRow;

use super::answer::{clb_row, counted, schools, slice, text};
use super::{App, failed};
use crate::store::{agreement, read};

impl App {
    /// Agreements as they are answered, with the names of both parties.
    async fn agreement_rows(&self, scope: &Scope, found: Vec<Model>) -> Answer<Vec<AgreementRow>> {
        let schools = schools(&self.db, scope, found.iter().map(|one| one.school_id)).await?;
        let ids: Vec<ClbId> = found.iter().map(|one| one.clb_id).collect();
        let clbs = read::school::clbs_by_id(&self.db, scope, &ids)
            .await
            .map_err(|fault| failed(&fault))?;
        let clbs: HashMap<ClbId, ClbRow> = clbs.into_iter().map(|clb| (clb.id, clb_row(clb))).collect();
        let row = |one: Model| {
            Some(AgreementRow {
                id: one.id,
                school: schools.get(&one.school_id)?.clone(),
                clb: clbs.get(&one.clb_id)?.clone(),
                state: one.state,
                categories: one.categories,
                ground: one.ground,
                begins: one.begins_on,
                ends: one.ends_on,
                school_first_days: one.school_first_days,
                early_warning: one.early_warning,
                releases_to_software: one.releases_to_software,
                proposed_for: one.proposed_for,
                proposed_at: one.proposed_at,
                decided_at: one.decided_at,
                ended_at: one.ended_at,
                version: one.version,
            })
        };
        Ok(found.into_iter().filter_map(row).collect())
    }

    async fn decided(&self, scope: &Scope, decided: agreement::Decided) -> Answer<Decided> {
        Ok(match decided {
            agreement::Decided::Done(model) => {
                let row = self.agreement_rows(scope, vec![model]).await?.pop();
                row.map_or(Decided::Unknown, |row| Decided::Done(Box::new(row)))
            }
            agreement::Decided::Changed { version } => Decided::Changed(version),
            agreement::Decided::NotPossible(_) => Decided::State,
            agreement::Decided::Unknown => Decided::Unknown,
        })
    }
}

#[async_trait]
impl Agreements for App {
    async fn agreements(&self, operation: &Operation, page: &Page) -> Answer<Slice<AgreementRow>> {
        let Some(scope) = self.decide(operation, Action::ReadAgreements)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page
            .after
            .as_ref()
            .and_then(|mark| Some((text(page)?.parse().ok()?, AgreementId(mark.id))));
        let total = counted(page, read::agreement::count(&self.db, &scope)).await?;
        let found = read::agreement::page(&self.db, &scope, after, page.first).await;
        let found = self
            .agreement_rows(&scope, found.map_err(|fault| failed(&fault))?)
            .await?;
        Ok(slice(found, page, total, |row| {
            (
                Mark {
                    key: SortKey::Text(row.begins.to_string()),
                    id: row.id.0,
                },
                row,
            )
        }))
    }

    async fn agreement(&self, operation: &Operation, id: AgreementId) -> Answer<Option<AgreementRow>> {
        let Some(scope) = self.decide(operation, Action::ReadAgreements)? else {
            return Ok(None);
        };
        let found = read::agreement::by_id(&self.db, &scope, id)
            .await
            .map_err(|fault| failed(&fault))?;
        Ok(self.agreement_rows(&scope, found.into_iter().collect()).await?.pop())
    }

    async fn propose(&self, operation: &Operation, proposal: Proposal) -> Answer<Decided> {
        let Some(scope) = self.decide(operation, Action::DecideAgreement)? else {
            return Ok(Decided::Unknown);
        };
        let new = agreement::Proposal {
            id: AgreementId(self.ids.next(operation.now)),
            clb: proposal.clb,
            school: proposal.school,
            categories: proposal.categories,
            ground: proposal.ground,
            begins_on: proposal.begins_on,
            school_first_days: proposal.school_first_days,
            early_warning: proposal.early_warning,
            releases_to_software: proposal.releases_to_software,
            now: operation.now,
        };
        let decided = agreement::propose(&self.db, &scope, new)
            .await
            .map_err(|fault| failed(&fault))?;
        self.decided(&scope, decided).await
    }

    async fn accept_agreement(&self, operation: &Operation, id: AgreementId, version: i32) -> Answer<Decided> {
        let Some(scope) = self.decide(operation, Action::DecideAgreement)? else {
            return Ok(Decided::Unknown);
        };
        let decided = agreement::decide(&self.db, &scope, &*self.ids, id, version, true, operation.now).await;
        self.decided(&scope, decided.map_err(|fault| failed(&fault))?).await
    }

    async fn end_agreement(
        &self,
        operation: &Operation,
        id: AgreementId,
        version: i32,
        on: NaiveDate,
    ) -> Answer<Decided> {
        let Some(scope) = self.decide(operation, Action::DecideAgreement)? else {
            return Ok(Decided::Unknown);
        };
        let decided = agreement::end(&self.db, &scope, &*self.ids, id, version, on, operation.now).await;
        self.decided(&scope, decided.map_err(|fault| failed(&fault))?).await
    }
}
