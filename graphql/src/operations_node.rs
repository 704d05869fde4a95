//! Any object by its id, for operators: what arrived, whence, and who agreed. No pupil content.

use async_graphql::{Context, ID, Interface, Object};
use hub_entities::id::{AgreementId, GapId, RunId, SchoolId, SourceId};

use crate::agreement::Agreement;
use crate::asked::{Asked, id};
use crate::operations::{GapRow, RunRow, SourceRow};
use crate::problem::Problem;
use crate::scalar::NodeId;
use crate::school::SchoolRow;

/// Anything with an id of its own.
#[derive(Interface)]
#[graphql(
    name = "Node",
    field(name = "id", ty = "NodeId", tag = "class:public", desc = "Its id.")
)]
pub enum OperationsNode {
    /// A school.
    School(Box<SchoolRow>),
    /// A connection to a school's system.
    Source(Box<SourceRow>),
    /// An import, pull or push.
    SyncRun(Box<RunRow>),
    /// Something that could not be taken over.
    Gap(Box<GapRow>),
    /// An agreement.
    Agreement(Box<Agreement>),
}

/// The root by id, for operators.
#[derive(Default)]
pub struct OperationsNodeRoot;

#[Object]
impl OperationsNodeRoot {
    /// Any object by its id; null if unknown, or not an operator's to know.
    #[graphql(tag = "class:public")]
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The id, with its prefix.")] node: ID,
    ) -> Result<Option<OperationsNode>, Problem> {
        let asked = Asked::of(context)?;
        let prefix = node.split_once('_').map_or("", |(prefix, _)| prefix);
        match prefix {
            SchoolId::PREFIX => {
                let Some(school) = id(&node) else { return Ok(None) };
                let found = asked.hub.schools_by_id(asked.operation, &[school]).await?;
                Ok(found.into_values().next().map(Box::new).map(OperationsNode::School))
            }
            SourceId::PREFIX => {
                let Some(source) = id(&node) else { return Ok(None) };
                let found = asked.hub.source(asked.operation, source).await?;
                Ok(found.map(Box::new).map(OperationsNode::Source))
            }
            RunId::PREFIX => {
                let Some(run) = id(&node) else { return Ok(None) };
                let found = asked.hub.run(asked.operation, run).await?;
                Ok(found.map(Box::new).map(OperationsNode::SyncRun))
            }
            GapId::PREFIX => {
                let Some(gap) = id(&node) else { return Ok(None) };
                let found = asked.hub.gap(asked.operation, gap).await?;
                Ok(found.map(Box::new).map(OperationsNode::Gap))
            }
            AgreementId::PREFIX => {
                let Some(agreement) = id(&node) else { return Ok(None) };
                let found = asked.hub.agreement(asked.operation, agreement).await?;
                Ok(found.map(|row| OperationsNode::Agreement(Box::new(row.into()))))
            }
            _ => Ok(None),
        }
    }
}
