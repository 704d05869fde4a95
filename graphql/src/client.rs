//! Vendors' software that acts for a school, and the grants by which it does.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::client_grant::{Task, Tasks};
use hub_entities::id::{ClientGrantId, PrincipalId, SourceId};

use crate::asked::{Asked, counted, id};
use crate::hub::{Granted, NewGrant};
use crate::outcome::{Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;

/// One thing that software may do for a school.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Task")]
pub enum ClientTask {
    /// Bring in the roster.
    #[graphql(tag = "class:operations")]
    Roster,
    /// Bring in half-days of absence.
    #[graphql(tag = "class:operations")]
    Absences,
    /// Read what the school may read.
    #[graphql(tag = "class:operations")]
    Reading,
    /// Report signals to the CLB.
    #[graphql(tag = "class:operations")]
    Reporting,
}

/// What a school lets software do for it. A client has at most one in force; without one it is nobody.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "ClientGrant")]
pub struct GrantRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<ClientGrantId>,
    /// The connection through which it brings in.
    #[graphql(tag = "class:operations")]
    pub source_id: Gid<SourceId>,
    /// What it may do.
    #[graphql(tag = "class:operations")]
    pub tasks: Vec<ClientTask>,
    /// From when.
    #[graphql(tag = "class:operations")]
    pub begins: DateTime<Utc>,
    /// Until when; rights end with it at once.
    #[graphql(tag = "class:operations")]
    pub ends: Option<DateTime<Utc>>,
    /// Who issued it for the school.
    #[graphql(tag = "class:operations")]
    pub issued_by: Option<Gid<PrincipalId>>,
    /// When.
    #[graphql(tag = "class:operations")]
    pub issued_at: DateTime<Utc>,
    /// Who took it back for the school.
    #[graphql(tag = "class:operations")]
    pub revoked_by: Option<Gid<PrincipalId>>,
    /// When.
    #[graphql(tag = "class:operations")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A vendor's software, as it is registered for the viewer's school.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "Client")]
pub struct ClientRow {
    /// Its principal.
    #[graphql(tag = "class:operations")]
    pub id: Gid<PrincipalId>,
    /// Who issues its tokens.
    #[graphql(tag = "class:operations")]
    pub issuer: String,
    /// What its tokens call it.
    #[graphql(tag = "class:operations")]
    pub subject: String,
    /// The grants it has and had, latest begin first.
    #[graphql(tag = "class:operations")]
    pub grants: Vec<GrantRow>,
}

connection!(
    /// A page of clients.
    ClientConnection,
    ClientEdge,
    ClientRow,
    "class:operations"
);

/// The root about software.
#[derive(Default)]
pub struct ClientRoot;

#[Object]
impl ClientRoot {
    /// The software registered for the viewer's school, for whoever may issue its grants.
    #[graphql(tag = "class:operations")]
    async fn clients(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<ClientConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("clients", first, after.as_deref(), counted(context))?;
        let found = asked.hub.clients(asked.operation, &page).await?;
        Ok(ClientConnection::of("clients", found))
    }
}

/// A grant to software. From its begin on it takes the place of what the client had.
#[derive(Debug, Clone, InputObject)]
pub struct IssueClientGrantInput {
    /// To whom: the id of a client registered for the school.
    #[graphql(tag = "class:operations")]
    pub client: ID,
    /// The connection through which it brings in: its table reads the letters.
    #[graphql(tag = "class:operations")]
    pub source: ID,
    /// What it may do.
    #[graphql(tag = "class:operations")]
    pub tasks: Vec<ClientTask>,
    /// From when; not before now, and now if left out.
    #[graphql(tag = "class:operations")]
    pub begins: Option<DateTime<Utc>>,
    /// Until when; until it is revoked if left out.
    #[graphql(tag = "class:operations")]
    pub ends: Option<DateTime<Utc>>,
}

/// Taking a grant back.
#[derive(Debug, Clone, InputObject)]
pub struct RevokeClientGrantInput {
    /// Which grant.
    #[graphql(tag = "class:operations")]
    pub grant: ID,
}

/// It is done.
#[derive(Debug, Clone, SimpleObject)]
pub struct ClientGrantDecided {
    /// The grant as it is now.
    #[graphql(tag = "class:operations")]
    pub grant: GrantRow,
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Union)]
        pub enum $name {
            /// It is done.
            Decided(Box<ClientGrantDecided>),
            /// The input cannot be right.
            Invalid(Invalid),
            /// There is no such client, connection or grant, or it is not this viewer's to decide on.
            NotPossible(NotPossible),
        }

        impl From<Granted> for $name {
            fn from(granted: Granted) -> Self {
                match granted {
                    Granted::Done(grant) => Self::Decided(Box::new(ClientGrantDecided { grant: *grant })),
                    Granted::Over => Self::NotPossible(Reason::State.into()),
                    Granted::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

payload!(
    /// What came of `issueClientGrant`.
    IssueClientGrantPayload
);
payload!(
    /// What came of `revokeClientGrant`.
    RevokeClientGrantPayload
);

/// The input as a grant, or the field that cannot be right.
fn new_grant(input: IssueClientGrantInput, now: DateTime<Utc>) -> Result<NewGrant, Invalid> {
    let client = id(&input.client).ok_or_else(|| Invalid::of("client"))?;
    let source = id(&input.source).ok_or_else(|| Invalid::of("source"))?;
    let tasks: Tasks = input.tasks.into_iter().map(Task::from).collect();
    if tasks.is_empty() {
        return Err(Invalid::of("tasks"));
    }
    let begins_at = input.begins.unwrap_or(now);
    if begins_at < now {
        return Err(Invalid::of("begins"));
    }
    if input.ends.is_some_and(|ends| ends <= begins_at) {
        return Err(Invalid::of("ends"));
    }
    Ok(NewGrant {
        client,
        source,
        tasks,
        begins_at,
        ends_at: input.ends,
    })
}

/// How a school lets software act for it.
#[derive(Default)]
pub struct ClientMutation;

#[Object]
impl ClientMutation {
    /// Lets software act for the school, from when until when. Who said so is written down.
    #[graphql(tag = "class:operations")]
    async fn issue_client_grant(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:operations", desc = "What it may do.")] input: IssueClientGrantInput,
    ) -> Result<IssueClientGrantPayload, Problem> {
        let asked = Asked::of(context)?;
        match new_grant(input, asked.operation.now) {
            Ok(new) => Ok(asked.hub.issue_grant(asked.operation, new).await?.into()),
            Err(invalid) => Ok(IssueClientGrantPayload::Invalid(invalid)),
        }
    }

    /// Takes a grant back: the software is nobody with its next request, and what it follows ends.
    #[graphql(tag = "class:operations")]
    async fn revoke_client_grant(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:operations", desc = "Which one.")] input: RevokeClientGrantInput,
    ) -> Result<RevokeClientGrantPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(grant) = id(&input.grant) else {
            return Ok(RevokeClientGrantPayload::Invalid(Invalid::of("grant")));
        };
        Ok(asked.hub.revoke_grant(asked.operation, grant).await?.into())
    }
}
