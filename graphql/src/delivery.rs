//! What came of what a school's software brought, record by record, by its own keys.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use hub_entities::delivery::{Outcome, RecordKind};
use hub_entities::id::RunId;

use crate::asked::{Asked, counted};
use crate::category::Category;
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::submission::{DeliveryOutcome, DeliveryReason};

/// What kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RecordKind")]
pub enum DeliveryKind {
    /// A class.
    #[graphql(tag = "class:operations")]
    Class,
    /// A pupil.
    #[graphql(tag = "class:operations")]
    Pupil,
    /// A place in a class.
    #[graphql(tag = "class:operations")]
    Membership,
    /// A half-day of absence.
    #[graphql(tag = "class:operations")]
    Absence,
}

/// The latest word on one record.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "OwnDelivery", serial)]
pub struct DeliveryRow {
    /// What kind of record.
    #[graphql(tag = "class:operations")]
    pub kind: DeliveryKind,
    /// Its key, as it was sent; of a half-day `pupil/date/part`, such as `4711/2026-09-01/AM`.
    #[graphql(tag = "class:agreed.truancy")]
    pub key: String,
    /// What came of it, and stands of it now.
    #[graphql(tag = "class:operations")]
    pub outcome: DeliveryOutcome,
    /// Why, or what else is to be known.
    #[graphql(tag = "class:operations")]
    pub reason: Option<DeliveryReason>,
    /// Categories that were in it and not agreed: dropped before anything was kept.
    #[graphql(tag = "class:operations")]
    pub dropped_categories: Vec<Category>,
    /// The run that brought it last.
    #[graphql(tag = "class:operations")]
    pub run_id: Gid<RunId>,
    /// When it came last with something new.
    #[graphql(tag = "class:operations")]
    pub received_at: DateTime<Utc>,
}

connection!(
    /// A page of records that were brought.
    OwnDeliveryConnection,
    OwnDeliveryEdge,
    DeliveryRow,
    "class:operations"
);

/// Which records.
#[derive(Debug, Clone, Default, InputObject)]
#[graphql(name = "OwnDeliveryFilter")]
pub struct DeliveryFilterInput {
    /// Of this kind.
    #[graphql(tag = "class:operations")]
    pub kind: Option<DeliveryKind>,
    /// With one of these keys; at most 200.
    #[graphql(tag = "class:agreed.truancy", validator(max_items = 200))]
    pub keys: Option<Vec<String>>,
    /// Of which this came.
    #[graphql(tag = "class:operations")]
    pub outcome: Option<DeliveryOutcome>,
}

/// Which records, in the hub's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// With one of these keys.
    pub keys: Option<Vec<String>>,
    /// Of which this came.
    pub outcome: Option<Outcome>,
}

/// The root about what was brought.
#[derive(Default)]
pub struct DeliveryRoot;

#[Object]
impl DeliveryRoot {
    /// What came of each record that the viewer's own connection brought, by kind and key: the latest word on it.
    #[graphql(tag = "class:operations")]
    async fn own_deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:operations", desc = "Which ones.")] filter: Option<DeliveryFilterInput>,
    ) -> Result<OwnDeliveryConnection, Problem> {
        let asked = Asked::of(context)?;
        let filter = filter.unwrap_or_default();
        let filter = DeliveryFilter {
            kind: filter.kind.map(Into::into),
            keys: filter.keys,
            outcome: filter.outcome.map(Into::into),
        };
        let list = format!("deliveries {filter:?}");
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let found = asked.hub.own_deliveries(asked.operation, &filter, &page).await?;
        Ok(OwnDeliveryConnection::of(&list, found))
    }
}
