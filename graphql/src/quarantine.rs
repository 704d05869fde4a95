//! What waits because no roster names its pupil: for those who can put it right, and for nobody else.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use hub_entities::id::{QuarantineId, SchoolId, SourceId};

use crate::asked::{Asked, counted};
use crate::operations::RunKind;
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::submission::PupilKey;

/// All that waits under one key of one connection.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Waiting")]
pub struct WaitingRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<QuarantineId>,
    /// The connection that said it.
    #[graphql(tag = "class:operations")]
    pub source_id: Gid<SourceId>,
    /// Its school.
    #[graphql(tag = "class:operations")]
    pub school_id: Gid<SchoolId>,
    /// What waits.
    #[graphql(tag = "class:operations")]
    pub kind: RunKind,
    /// The key, as it was said.
    #[graphql(tag = "class:agreed.truancy")]
    pub key: String,
    /// Which number of a pupil it must be for the roster to name him by it; null of rows from before that was kept, which
    /// wait until they are said again.
    #[graphql(tag = "class:operations")]
    pub key_kind: Option<PupilKey>,
    /// How many rows.
    #[graphql(tag = "class:operations")]
    pub rows: i32,
    /// Since when.
    #[graphql(tag = "class:operations")]
    pub since: DateTime<Utc>,
}

connection!(
    /// A page of what waits.
    WaitingConnection,
    WaitingEdge,
    WaitingRow,
    "class:operations"
);

/// The root about what waits.
#[derive(Default)]
pub struct QuarantineRoot;

#[Object]
impl QuarantineRoot {
    /// What waits because no roster of the school names its pupil, the longest first: it is worked off by itself once one
    /// does. For the school's data manager, and the administration of a CLB as far as the category was agreed; each look
    /// is written down.
    #[graphql(tag = "class:operations")]
    async fn quarantine(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<WaitingConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("quarantine", first, after.as_deref(), counted(context))?;
        let found = asked.hub.quarantine(asked.operation, &page).await?;
        Ok(WaitingConnection::of("quarantine", found))
    }
}
