//! Vendors' software, and what the viewer's school lets it do.

use async_trait::async_trait;
use hub_entities::client_grant;
use hub_entities::id::{ClientGrantId, PrincipalId};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_graphql::client::{ClientRow, GrantRow};
use hub_graphql::hub::{Answer, Clients, Granted, NewGrant};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::scalar::Gid;

use super::answer::{counted, slice};
use super::{App, failed};
use crate::store::client_grant::{Coming, Revoked, issue, revoke};
use crate::store::read::client;

fn grant_row(grant: &client_grant::Model) -> GrantRow {
    GrantRow {
        id: Gid(grant.id),
        source_id: Gid(grant.source_id),
        tasks: grant.tasks.iter().map(Into::into).collect(),
        begins: grant.begins_at,
        ends: grant.ends_at,
        issued_by: grant.issued_by.map(Gid),
        issued_at: grant.issued_at,
        revoked_by: grant.revoked_by.map(Gid),
        revoked_at: grant.revoked_at,
    }
}

#[async_trait]
impl Clients for App {
    async fn clients(&self, operation: &Operation, page: &Page) -> Answer<Slice<ClientRow>> {
        let Some(scope) = self.decide(operation, Action::GrantClients)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref().map(|mark| PrincipalId(mark.id));
        let total = counted(page, client::count(&self.db, &scope)).await?;
        let found = client::page(&self.db, &scope, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let ids: Vec<PrincipalId> = found.iter().map(|one| one.id).collect();
        let grants = client::grants(&self.db, &scope, &ids).await;
        let grants = grants.map_err(|fault| failed(&fault))?;
        Ok(slice(found, page, total, |one| {
            let issued = grants.get(&one.id).into_iter().flatten();
            let row = ClientRow {
                id: Gid(one.id),
                issuer: one.issuer,
                subject: one.subject,
                grants: issued.map(grant_row).collect(),
            };
            let key = SortKey::Id;
            (Mark { key, id: one.id.0 }, row)
        }))
    }

    async fn issue_grant(&self, operation: &Operation, new: NewGrant) -> Answer<Granted> {
        let Some(scope) = self.decide(operation, Action::GrantClients)? else {
            return Ok(Granted::Unknown);
        };
        let coming = Coming {
            id: ClientGrantId(self.ids.next(operation.now)),
            client: new.client,
            source: new.source,
            tasks: new.tasks,
            begins_at: new.begins_at,
            ends_at: new.ends_at,
            now: operation.now,
        };
        let issued = issue(&self.db, &scope, coming).await;
        let issued = issued.map_err(|fault| failed(&fault))?;
        Ok(issued.map_or(Granted::Unknown, |grant| Granted::Done(Box::new(grant_row(&grant)))))
    }

    async fn revoke_grant(&self, operation: &Operation, grant: ClientGrantId) -> Answer<Granted> {
        let Some(scope) = self.decide(operation, Action::GrantClients)? else {
            return Ok(Granted::Unknown);
        };
        let revoked = revoke(&self.db, &scope, grant, operation.now).await;
        Ok(match revoked.map_err(|fault| failed(&fault))? {
            Revoked::Done(grant) => Granted::Done(Box::new(grant_row(&grant))),
            Revoked::Over => Granted::Over,
            Revoked::Unknown => Granted::Unknown,
        })
    }
}
