//! Whom what was said belongs to: what waits for its pupil.

use async_trait::async_trait;
use hub_entities::id::QuarantineId;
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_graphql::hub::{Answer, Matching};
use hub_graphql::page::{Mark, Page, Slice};
use hub_graphql::quarantine::WaitingRow;
use hub_graphql::scalar::Gid;

use super::answer::{counted, slice, text, time};
use super::{App, failed, lock};
use crate::store::read::quarantine::{self, Waiting};

fn waiting_row(one: Waiting) -> WaitingRow {
    WaitingRow {
        id: Gid(one.id),
        source_id: Gid(one.source),
        kind: one.kind.into(),
        key: one.key,
        key_kind: one.key_kind.map(Into::into),
        rows: one.rows,
        since: one.since,
    }
}

#[async_trait]
impl Matching for App {
    async fn quarantine(&self, operation: &Operation, page: &Page) -> Answer<Slice<WaitingRow>> {
        let Some(scope) = self.decide(operation, Action::ReadQuarantine)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, QuarantineId(mark.id))));
        let total = counted(page, quarantine::count(&self.db, &scope)).await?;
        let found = quarantine::page(&self.db, &scope, after, page.first).await;
        let found = slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            let key = time(one.since);
            (Mark { key, id: one.id.0 }, waiting_row(one))
        });
        let request = self.request(operation)?;
        let seen = found.rows.iter().map(|(_, row)| row.id.0);
        lock(&request.seen).waiting.extend(seen);
        Ok(found)
    }
}
