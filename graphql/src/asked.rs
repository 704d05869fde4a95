//! What every resolver starts from: who asks, the hub, and the key of the cursors.

use std::sync::Arc;

use async_graphql::{Context, ContextBase, ID};
use hub_entities::operation::Operation;

use crate::hub::Hub;
use crate::page::{CursorKey, Page, size};
use crate::problem::Problem;

/// One question.
pub(crate) struct Asked<'a> {
    /// Who, why, when.
    pub(crate) operation: &'a Arc<Operation>,
    /// Who answers.
    pub(crate) hub: &'a Arc<dyn Hub>,
    /// What cursors are tagged with.
    pub(crate) keys: &'a CursorKey,
}

impl<'a> Asked<'a> {
    /// From the request's data, where [`crate::Schemas::execute`] put them.
    pub(crate) fn of<T>(context: &ContextBase<'a, T>) -> Result<Self, Problem> {
        match (context.data_opt(), context.data_opt(), context.data_opt()) {
            (Some(operation), Some(hub), Some(keys)) => Ok(Self { operation, hub, keys }),
            _ => Err(Problem::Unavailable),
        }
    }

    /// The page asked for of this list, after a cursor that belongs to it.
    pub(crate) fn page(&self, list: &str, first: i32, after: Option<&str>, count: bool) -> Result<Page, Problem> {
        Ok(Page {
            first: size(first)?,
            after: after
                .map(|cursor| self.keys.open(self.operation, list, cursor))
                .transpose()?,
            count,
        })
    }
}

/// The typed id in an argument. What is no id of this kind is the id of nothing.
pub(crate) fn id<T: std::str::FromStr>(argument: &ID) -> Option<T> {
    argument.parse().ok()
}

/// Whether a connection's rows are to be counted.
pub(crate) fn counted(context: &Context<'_>) -> bool {
    context.look_ahead().field("totalCount").exists()
}
