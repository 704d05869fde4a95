//! What came of what the viewer's own connection brought.

use hub_entities::delivery::record::Model;
use hub_entities::delivery::{RecordKind, Why};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_graphql::delivery::{DeliveryFilter, DeliveryRow};
use hub_graphql::hub::Answer;
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::scalar::Gid;
use uuid::Uuid;

use super::answer::{counted, slice, text};
use super::{App, failed};
use crate::store::read::delivery;

/// The record that a cursor stands for.
fn after(page: &Page) -> Option<(RecordKind, String)> {
    let (kind, key) = text(page)?.split_once('/')?;
    Some((kind.parse().ok()?, key.to_owned()))
}

fn row(one: Model) -> DeliveryRow {
    DeliveryRow {
        kind: one.kind.into(),
        key: one.record_key,
        outcome: one.outcome.into(),
        reason: one.why.parse::<Why>().ok().map(Into::into),
        dropped_categories: one.dropped.iter().map(Into::into).collect(),
        run_id: Gid(one.run_id),
        received_at: one.received_at,
    }
}

impl App {
    /// A page of them.
    pub(super) async fn deliveries(
        &self,
        operation: &Operation,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Answer<Slice<DeliveryRow>> {
        let Some(scope) = self.decide(operation, Action::ReadDeliveries)? else {
            return Ok(Slice::empty(page.count));
        };
        let intake = self.intake(operation);
        // As it was said, too: the key of a class is kept whatever it looks like.
        let own = |key: &String| [key.clone(), intake.record_key(key).into_owned()];
        let filter = delivery::Filter {
            kind: filter.kind,
            keys: filter.keys.as_ref().map(|keys| keys.iter().flat_map(own).collect()),
            outcome: filter.outcome,
        };
        let total = counted(page, delivery::count(&self.db, &scope, &filter)).await?;
        let found = delivery::page(&self.db, &scope, &filter, after(page), page.first).await;
        Ok(slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            let mark = Mark {
                key: SortKey::Text(format!("{}/{}", one.kind, one.record_key)),
                id: Uuid::nil(),
            };
            (mark, row(one))
        }))
    }
}
