//! What a school and its CLB agreed (samenwerkingsafspraken), and how they come to agree.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::{AgreementState as Stage, EARLY_WARNING_MOST, Party as Side, SCHOOL_FIRST_MOST};
use hub_entities::category::{Categories, Category as Basic};
use hub_entities::id::AgreementId;

use crate::asked::{Asked, counted, id};
use crate::category::Category;
use crate::hub::{Decided, Proposal};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::{ClbRow, SchoolRow};

/// How far an agreement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Stage")]
pub enum AgreementState {
    /// One party has put it forward.
    #[graphql(tag = "class:case")]
    Proposed,
    /// The other has accepted: it holds from its first day.
    #[graphql(tag = "class:case")]
    Accepted,
    /// The other has refused, or the proposer took it back.
    #[graphql(tag = "class:case")]
    Refused,
    /// One party has ended it, or a newer one replaced it.
    #[graphql(tag = "class:case")]
    Ended,
}

/// One of the two parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Side")]
pub enum Party {
    /// The school.
    #[graphql(tag = "class:case")]
    School,
    /// The CLB.
    #[graphql(tag = "class:case")]
    Clb,
}

/// What the hub answers of one agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRow {
    /// The agreement.
    pub id: AgreementId,
    /// The school.
    pub school: SchoolRow,
    /// The CLB.
    pub clb: ClbRow,
    /// How far it has come.
    pub state: Stage,
    /// What travels.
    pub categories: Categories,
    /// The written ground.
    pub ground: Option<String>,
    /// The first day.
    pub begins: NaiveDate,
    /// The first day no longer.
    pub ends: Option<NaiveDate>,
    /// For how many days a signal is shown to the school first.
    pub school_first_days: i16,
    /// From how many half-days on both are warned.
    pub early_warning: Option<i16>,
    /// Whether software of the school may read what the CLB released to it.
    pub releases_to_software: bool,
    /// Who put it forward.
    pub proposed_for: Side,
    /// When it was put forward.
    pub proposed_at: DateTime<Utc>,
    /// When the other party answered.
    pub decided_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
}

/// An agreement (samenwerkingsafspraken) between a school and a CLB. It continues until ended or replaced.
#[derive(Debug, Clone, SimpleObject)]
pub struct Agreement {
    /// Its id.
    #[graphql(tag = "class:case")]
    pub id: Gid<AgreementId>,
    /// The school.
    #[graphql(tag = "class:public")]
    pub school: SchoolRow,
    /// The CLB.
    #[graphql(tag = "class:public")]
    pub clb: ClbRow,
    /// How far it has come.
    #[graphql(tag = "class:case")]
    pub state: AgreementState,
    /// The categories of basic pupil data that travel.
    #[graphql(tag = "class:case")]
    pub categories: Vec<Category>,
    /// The written ground for the categories that need one.
    #[graphql(tag = "class:case")]
    pub ground: Option<String>,
    /// The first day it holds.
    #[graphql(tag = "class:case")]
    pub begins: NaiveDate,
    /// The first day it no longer holds.
    #[graphql(tag = "class:case")]
    pub ends: Option<NaiveDate>,
    /// For how many days after the one on which it is raised a signal is shown to the school alone. One that the school
    /// reports is the CLB's at once.
    #[graphql(tag = "class:case")]
    pub school_first_days: i16,
    /// From how many half-days on both are warned (`truancy.early`), before the law obliges to anything; not at all if null.
    #[graphql(tag = "class:case")]
    pub early_warning: Option<i16>,
    /// Whether software of the school may read what the CLB released to the school; its care team may.
    #[graphql(tag = "class:case")]
    pub releases_to_software: bool,
    /// Which party put it forward.
    #[graphql(tag = "class:case")]
    pub proposed_for: Party,
    /// When it was put forward.
    #[graphql(tag = "class:case")]
    pub proposed_at: DateTime<Utc>,
    /// When the other party answered.
    #[graphql(tag = "class:case")]
    pub decided_at: Option<DateTime<Utc>>,
    /// When it was ended.
    #[graphql(tag = "class:case")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Rises with every change; a step on it names the one that was read.
    #[graphql(tag = "class:case")]
    pub version: i32,
}

impl From<AgreementRow> for Agreement {
    fn from(row: AgreementRow) -> Self {
        Self {
            id: Gid(row.id),
            school: row.school,
            clb: row.clb,
            state: row.state.into(),
            categories: row.categories.iter().map(Category::from).collect(),
            ground: row.ground,
            begins: row.begins,
            ends: row.ends,
            school_first_days: row.school_first_days,
            early_warning: row.early_warning,
            releases_to_software: row.releases_to_software,
            proposed_for: row.proposed_for.into(),
            proposed_at: row.proposed_at,
            decided_at: row.decided_at,
            ended_at: row.ended_at,
            version: row.version,
        }
    }
}

connection!(
    /// A page of agreements.
    AgreementConnection,
    AgreementEdge,
    Agreement,
    "class:case"
);

/// The root about agreements.
#[derive(Default)]
pub struct AgreementRoot;

#[Object]
impl AgreementRoot {
    /// The agreements that the viewer's school or CLB is a party to, the latest to begin first.
    #[graphql(tag = "class:case")]
    async fn agreements(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<AgreementConnection, Problem> {
        let asked = Asked::of(context)?;
        let page = asked.page("agreements", first, after.as_deref(), counted(context))?;
        let found = asked.hub.agreements(asked.operation, &page).await?;
        Ok(AgreementConnection::of("agreements", found.map(Agreement::from)))
    }
}

/// A proposal of an agreement. A school names the CLB, a CLB names the school.
#[derive(Debug, Clone, InputObject)]
pub struct ProposeAgreementInput {
    /// The other party: a school or a CLB.
    #[graphql(tag = "class:public")]
    pub other_party: ID,
    /// The categories of basic pupil data that are to travel.
    #[graphql(tag = "class:case")]
    pub categories: Vec<Category>,
    /// The written ground; `LANGUAGE`, `ATTENDANCE` and `NATIONAL_NUMBER` need one.
    #[graphql(tag = "class:case", validator(max_length = 2000))]
    pub ground: Option<String>,
    /// The first day.
    #[graphql(tag = "class:case")]
    pub begins: NaiveDate,
    /// For how many days after the one on which it is raised a signal is to be shown to the school alone, 0 to 30.
    #[graphql(tag = "class:case", default)]
    pub school_first_days: i16,
    /// From how many half-days on both are to be warned, 1 to 4; not at all if left out. Needs the category `TRUANCY`.
    #[graphql(tag = "class:case")]
    pub early_warning: Option<i16>,
    /// Whether software of the school is to read what the CLB releases to the school.
    #[graphql(tag = "class:case", default)]
    pub releases_to_software: bool,
}

/// Accepting what the other party put forward.
#[derive(Debug, Clone, InputObject)]
pub struct AcceptAgreementInput {
    /// Which agreement.
    #[graphql(tag = "class:case")]
    pub agreement: ID,
    /// The version that was read.
    #[graphql(tag = "class:case")]
    pub version: i32,
}

/// Ending an agreement.
#[derive(Debug, Clone, InputObject)]
pub struct EndAgreementInput {
    /// Which agreement.
    #[graphql(tag = "class:case")]
    pub agreement: ID,
    /// The version that was read.
    #[graphql(tag = "class:case")]
    pub version: i32,
    /// The first day it no longer holds; not before today.
    #[graphql(tag = "class:case")]
    pub on: NaiveDate,
}

/// It is done.
#[derive(Debug, Clone, SimpleObject)]
pub struct AgreementDecided {
    /// The agreement as it is now.
    #[graphql(tag = "class:case")]
    pub agreement: Agreement,
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Union)]
        pub enum $name {
            /// It is done.
            Decided(Box<AgreementDecided>),
            /// The input cannot be right.
            Invalid(Invalid),
            /// It changed since it was read.
            Conflict(Conflict),
            /// Not now, or not by this viewer.
            NotPossible(NotPossible),
        }

        impl From<Decided> for $name {
            fn from(decided: Decided) -> Self {
                match decided {
                    Decided::Done(row) => Self::Decided(Box::new(AgreementDecided { agreement: (*row).into() })),
                    Decided::Changed(version) => Self::Conflict(Conflict { version }),
                    Decided::State => Self::NotPossible(Reason::State.into()),
                    Decided::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

payload!(
    /// What came of `proposeAgreement`.
    ProposeAgreementPayload
);
payload!(
    /// What came of `acceptAgreement`.
    AcceptAgreementPayload
);
payload!(
    /// What came of `endAgreement`.
    EndAgreementPayload
);

/// The input as a proposal, or the field that cannot be right.
fn proposal(input: ProposeAgreementInput) -> Result<Proposal, Invalid> {
    let (clb, school) = (id(&input.other_party), id(&input.other_party));
    if clb.is_none() && school.is_none() {
        return Err(Invalid::of("otherParty"));
    }
    let categories: Categories = input.categories.into_iter().map(Basic::from).collect();
    if categories.is_empty() {
        return Err(Invalid::of("categories"));
    }
    let ground = input.ground.filter(|ground| !ground.trim().is_empty());
    if ground.is_none() && categories.iter().any(Basic::needs_ground) {
        return Err(Invalid::of("ground"));
    }
    if !(0..=SCHOOL_FIRST_MOST).contains(&input.school_first_days) {
        return Err(Invalid::of("schoolFirstDays"));
    }
    let may_warn = |half_days| (1..=EARLY_WARNING_MOST).contains(&half_days) && categories.has(Basic::Truancy);
    if input.early_warning.is_some_and(|half_days| !may_warn(half_days)) {
        return Err(Invalid::of("earlyWarning"));
    }
    Ok(Proposal {
        clb,
        school,
        categories,
        ground,
        begins_on: input.begins,
        school_first_days: input.school_first_days,
        early_warning: input.early_warning,
        releases_to_software: input.releases_to_software,
    })
}

/// How the two parties come to agree.
#[derive(Default)]
pub struct AgreementMutation;

#[Object]
impl AgreementMutation {
    /// Puts an agreement forward to the other party.
    #[graphql(tag = "class:case")]
    async fn propose_agreement(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:case", desc = "What is proposed.")] input: ProposeAgreementInput,
    ) -> Result<ProposeAgreementPayload, Problem> {
        let asked = Asked::of(context)?;
        match proposal(input) {
            Ok(proposal) => Ok(asked.hub.propose(asked.operation, proposal).await?.into()),
            Err(invalid) => Ok(ProposeAgreementPayload::Invalid(invalid)),
        }
    }

    /// Accepts what the other party put forward. It replaces what was in force between the two.
    #[graphql(tag = "class:case")]
    async fn accept_agreement(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:case", desc = "Which one.")] input: AcceptAgreementInput,
    ) -> Result<AcceptAgreementPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(agreement) = id(&input.agreement) else {
            return Ok(AcceptAgreementPayload::Invalid(Invalid::of("agreement")));
        };
        Ok(asked
            .hub
            .accept_agreement(asked.operation, agreement, input.version)
            .await?
            .into())
    }

    /// Ends an agreement from a day on. Either party may.
    #[graphql(tag = "class:case")]
    async fn end_agreement(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:case", desc = "Which one, and from when.")] input: EndAgreementInput,
    ) -> Result<EndAgreementPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(agreement) = id(&input.agreement) else {
            return Ok(EndAgreementPayload::Invalid(Invalid::of("agreement")));
        };
        if input.on < asked.operation.today() {
            return Ok(EndAgreementPayload::Invalid(Invalid::of("on")));
        }
        Ok(asked
            .hub
            .end_agreement(asked.operation, agreement, input.version, input.on)
            .await?
            .into())
    }
}
