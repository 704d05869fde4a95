//! Who is asking, as the hub sees them.

use async_graphql::{Context, Enum, Object, SimpleObject};
use hub_entities::id::{ClbId, PrincipalId, SchoolId};
use hub_entities::operation::{Actor, Role as Acting};

use crate::asked::Asked;
use crate::problem::Problem;
use crate::scalar::Gid;

/// The one acting role of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Acting")]
pub enum Role {
    /// A vendor's software, by a grant of the school.
    #[graphql(tag = "class:public")]
    SchoolClient,
    /// School care team (zorgteam).
    #[graphql(tag = "class:public")]
    SchoolCareTeam,
    /// Who keeps the school's data in order (databeheerder).
    #[graphql(tag = "class:public")]
    SchoolDataManager,
    /// A CLB worker with a discipline.
    #[graphql(tag = "class:public")]
    ClbWorker,
    /// Director of a CLB.
    #[graphql(tag = "class:public")]
    ClbDirector,
    /// CLB administration.
    #[graphql(tag = "class:public")]
    ClbAdministration,
    /// CLBch@t: no pupil at all.
    #[graphql(tag = "class:public")]
    ClbChatWorker,
    /// A pupil (leerling).
    #[graphql(tag = "class:public")]
    Pupil,
    /// A parent with verified authority.
    #[graphql(tag = "class:public")]
    Parent,
    /// Data protection officer (functionaris voor gegevensbescherming).
    #[graphql(tag = "class:public")]
    DataProtectionOfficer,
    /// Runs the hub; sees no pupil content.
    #[graphql(tag = "class:public")]
    Operator,
}

/// Who is asking.
#[derive(Debug, Clone, SimpleObject)]
pub struct Viewer {
    /// The principal's id.
    #[graphql(tag = "class:public")]
    pub id: Gid<PrincipalId>,
    /// The one acting role.
    #[graphql(tag = "class:public")]
    pub role: Role,
    /// The school it acts for.
    #[graphql(tag = "class:public")]
    pub school_id: Option<Gid<SchoolId>>,
    /// The CLB it acts for.
    #[graphql(tag = "class:public")]
    pub clb_id: Option<Gid<ClbId>>,
}

/// The root about the viewer.
#[derive(Default)]
pub struct ViewerRoot;

#[Object]
#[expect(
    clippy::unused_async,
    reason = "resolvers are asynchronous, whether or not they wait"
)]
impl ViewerRoot {
    /// Who is asking, as the hub sees them.
    #[graphql(tag = "class:public")]
    async fn viewer(&self, context: &Context<'_>) -> Result<Option<Viewer>, Problem> {
        Ok(match &Asked::of(context)?.operation.actor {
            Actor::Principal {
                id, role, school, clb, ..
            } => Some(Viewer {
                id: Gid(*id),
                role: (*role).into(),
                school_id: school.map(Gid),
                clb_id: clb.map(Gid),
            }),
            Actor::Source { .. } | Actor::Hub => None,
        })
    }
}
