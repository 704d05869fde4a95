//! Any object by its id. The prefix says what it is; what the viewer may not know is null.

use async_graphql::{Context, ID, Interface, Object};
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClassId, PupilId, SchoolId, SignalId};

use crate::agreement::Agreement;
use crate::asked::{Asked, id};
use crate::class_group::ClassGroup;
use crate::problem::Problem;
use crate::pupil::Pupil;
use crate::scalar::NodeId;
use crate::school::School;
use crate::signal::Signal;

/// Anything with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "NodeId", tag = "class:public", desc = "Its id."))]
pub enum Node {
    /// A pupil.
    Pupil(Box<Pupil>),
    /// A class.
    ClassGroup(Box<ClassGroup>),
    /// A school.
    School(Box<School>),
    /// A signal.
    Signal(Box<Signal>),
    /// An agreement.
    Agreement(Box<Agreement>),
}

/// The root by id.
#[derive(Default)]
pub struct NodeRoot;

#[Object]
impl NodeRoot {
    /// Any object by its id; null if unknown or without relation to the viewer.
    #[graphql(tag = "class:public")]
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The id, with its prefix.")] node: ID,
    ) -> Result<Option<Node>, Problem> {
        let asked = Asked::of(context)?;
        let prefix = node.split_once('_').map_or("", |(prefix, _)| prefix);
        match prefix {
            PupilId::PREFIX => pupil(&asked, &node, crate::pupil::columns(&context.look_ahead())).await,
            ClassId::PREFIX => class(&asked, &node).await,
            SchoolId::PREFIX => school(&asked, &node).await,
            SignalId::PREFIX => signal(&asked, &node).await,
            AgreementId::PREFIX => agreement(&asked, &node).await,
            _ => Ok(None),
        }
    }
}

async fn pupil(asked: &Asked<'_>, node: &ID, columns: Categories) -> Result<Option<Node>, Problem> {
    let Some(pupil) = id(node) else { return Ok(None) };
    Ok(crate::pupil::one(asked, pupil, columns)
        .await?
        .map(Box::new)
        .map(Node::Pupil))
}

async fn class(asked: &Asked<'_>, node: &ID) -> Result<Option<Node>, Problem> {
    let Some(class) = id(node) else { return Ok(None) };
    let found = asked.hub.classes_by_id(asked.operation, &[class]).await?;
    let found = crate::class_group::siblings(found.into_values().collect()).pop();
    Ok(found.map(Box::new).map(Node::ClassGroup))
}

async fn school(asked: &Asked<'_>, node: &ID) -> Result<Option<Node>, Problem> {
    let Some(school) = id(node) else { return Ok(None) };
    let found = asked.hub.schools_by_id(asked.operation, &[school]).await?;
    Ok(found.into_values().next().map(|row| Node::School(Box::new(row.into()))))
}

async fn signal(asked: &Asked<'_>, node: &ID) -> Result<Option<Node>, Problem> {
    let Some(signal) = id(node) else { return Ok(None) };
    let found = asked.hub.signals_by_id(asked.operation, &[signal]).await?;
    let found = crate::signal::siblings(found.into_values().collect()).pop();
    Ok(found.map(Box::new).map(Node::Signal))
}

async fn agreement(asked: &Asked<'_>, node: &ID) -> Result<Option<Node>, Problem> {
    let Some(agreement) = id(node) else { return Ok(None) };
    let found = asked.hub.agreement(asked.operation, agreement).await?;
    Ok(found.map(|row| Node::Agreement(Box::new(row.into()))))
}
