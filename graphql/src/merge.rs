//! Pupils whom no number ties: a person ties two into one, and takes them apart again.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{MergeId, PrincipalId, PupilId};

use crate::asked::{Asked, counted, id};
use crate::hub::{Merged, NewMerge, UndoMerge};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Two pupils whom a person tied into one: who said so, when and why.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "PupilMerge")]
pub struct MergeRow {
    /// Its id.
    #[graphql(tag = "class:operations")]
    pub id: Gid<MergeId>,
    /// The pupil that went on; as it is called now.
    #[graphql(tag = "class:operations")]
    pub pupil_id: Gid<PupilId>,
    /// The pupil whose id gave way. While they are one it leads to the other.
    #[graphql(tag = "class:operations")]
    pub former_id: Gid<PupilId>,
    /// Why they were tied.
    #[graphql(tag = "class:operations")]
    pub reason: String,
    /// Who tied them.
    #[graphql(tag = "class:operations")]
    pub merged_by: Gid<PrincipalId>,
    /// When.
    #[graphql(tag = "class:operations")]
    pub merged_at: DateTime<Utc>,
    /// Why they were taken apart; null while they are one.
    #[graphql(tag = "class:operations")]
    pub undone_reason: Option<String>,
    /// Who took them apart.
    #[graphql(tag = "class:operations")]
    pub undone_by: Option<Gid<PrincipalId>>,
    /// When.
    #[graphql(tag = "class:operations")]
    pub undone_at: Option<DateTime<Utc>>,
    /// Rises with each change.
    #[graphql(tag = "class:operations")]
    pub version: i32,
}

connection!(
    /// A page of pupils that were tied.
    PupilMergeConnection,
    PupilMergeEdge,
    MergeRow,
    "class:operations"
);

/// The root about pupils that were tied.
#[derive(Default)]
pub struct MergeRoot;

#[Object]
impl MergeRoot {
    /// The pupils of the viewer that a person tied, also those who were taken apart, the latest first. For the school's
    /// data manager and the administration of the CLB.
    #[graphql(tag = "class:operations")]
    async fn pupil_merges(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<PupilMergeConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("merges", first, after.as_deref(), counted(context))?;
        let found = asked.hub.merges(asked.operation, &page).await?;
        Ok(PupilMergeConnection::of("merges", found))
    }
}

/// Tying two pupils: they are one person, and somebody has made sure of it. A name that is the same is no reason.
#[derive(Debug, Clone, InputObject)]
pub struct MergePupilsInput {
    /// The pupil whose id gives way.
    #[graphql(tag = "class:operations")]
    pub pupil: ID,
    /// The pupil that goes on.
    #[graphql(tag = "class:operations")]
    pub into: ID,
    /// Why, 500 characters at most.
    #[graphql(tag = "class:operations")]
    pub reason: String,
}

/// Taking two pupils apart.
#[derive(Debug, Clone, InputObject)]
pub struct UnmergePupilsInput {
    /// Which tying.
    #[graphql(tag = "class:operations")]
    pub merge: ID,
    /// Its version that was read.
    #[graphql(tag = "class:operations")]
    pub version: i32,
    /// Why, 500 characters at most.
    #[graphql(tag = "class:operations")]
    pub reason: String,
}

/// It is done.
#[derive(Debug, Clone, SimpleObject)]
pub struct PupilMergeDecided {
    /// The tying as it is now.
    #[graphql(tag = "class:operations")]
    pub merge: MergeRow,
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Union)]
        pub enum $name {
            /// It is done.
            Decided(Box<PupilMergeDecided>),
            /// The input cannot be right.
            Invalid(Invalid),
            /// They are one already, or apart already: read again.
            Conflict(Conflict),
            /// Not both are pupils of the viewer, it is not the viewer's to do, or not so.
            NotPossible(NotPossible),
        }

        impl From<Merged> for $name {
            fn from(merged: Merged) -> Self {
                match merged {
                    Merged::Done(merge) => Self::Decided(Box::new(PupilMergeDecided { merge: *merge })),
                    Merged::Changed(version) => Self::Conflict(Conflict { version }),
                    Merged::State => Self::NotPossible(Reason::State.into()),
                    Merged::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

payload!(
    /// What came of `mergePupils`.
    MergePupilsPayload
);
payload!(
    /// What came of `unmergePupils`.
    UnmergePupilsPayload
);

/// A reason that says something.
fn reason(said: &str) -> Result<String, Invalid> {
    let said = said.trim();
    if said.is_empty() || said.chars().count() > LONGEST_REASON {
        return Err(Invalid::of("reason"));
    }
    Ok(said.to_owned())
}

fn new_merge(input: &MergePupilsInput) -> Result<NewMerge, Invalid> {
    let pupil = id(&input.pupil).ok_or_else(|| Invalid::of("pupil"))?;
    let into = id(&input.into).ok_or_else(|| Invalid::of("into"))?;
    if pupil == into {
        return Err(Invalid::of("into"));
    }
    Ok(NewMerge {
        pupil,
        into,
        reason: reason(&input.reason)?,
    })
}

fn undo(input: &UnmergePupilsInput) -> Result<UndoMerge, Invalid> {
    Ok(UndoMerge {
        merge: id(&input.merge).ok_or_else(|| Invalid::of("merge"))?,
        version: input.version,
        reason: reason(&input.reason)?,
    })
}

/// How a person ties pupils, and takes them apart.
#[derive(Default)]
pub struct MergeMutation;

#[Object]
impl MergeMutation {
    /// Ties two pupils of the viewer into one: their records stay what each school said, and their half-days count
    /// together from now on, with the signals that follow. Who said so and why is written down.
    #[graphql(tag = "class:operations")]
    async fn merge_pupils(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:operations", desc = "Whom, and why.")] input: MergePupilsInput,
    ) -> Result<MergePupilsPayload, Problem> {
        let asked = Asked::of(context)?;
        match new_merge(&input) {
            Ok(new) => Ok(asked.hub.merge_pupils(asked.operation, new).await?.into()),
            Err(invalid) => Ok(MergePupilsPayload::Invalid(invalid)),
        }
    }

    /// Takes two pupils apart that a person tied: what went along goes back, each is counted alone, and what was tied
    /// last is taken apart first. What came since stays with the pupil that went on.
    #[graphql(tag = "class:operations")]
    async fn unmerge_pupils(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:operations", desc = "Which, and why.")] input: UnmergePupilsInput,
    ) -> Result<UnmergePupilsPayload, Problem> {
        let asked = Asked::of(context)?;
        match undo(&input) {
            Ok(undo) => Ok(asked.hub.unmerge_pupils(asked.operation, undo).await?.into()),
            Err(invalid) => Ok(UnmergePupilsPayload::Invalid(invalid)),
        }
    }
}
