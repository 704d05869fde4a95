//! What the CLB released to a school (vrijgave), in realm `school`: copies, written for the school. Of what is behind them
//! this schema has no word.

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::id::{ClbId, PupilId, ReleaseId};
use hub_entities::policy::secret::Protected;

use crate::asked::{Asked, id};
use crate::page::{Slice, connection};
use crate::problem::Problem;
use crate::scalar::Gid;

/// A copy, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedRow {
    /// Its id.
    pub id: ReleaseId,
    /// About whom.
    pub pupil: PupilId,
    /// Of which CLB.
    pub clb: ClbId,
    /// What it is about, in a line.
    pub title: String,
    /// What the school is to know or to do.
    pub advice: String,
    /// What the school may use it for.
    pub purpose: String,
    /// When it was released.
    pub released_at: DateTime<Utc>,
    /// The first day the school may read it no longer.
    pub ends_on: NaiveDate,
}

impl std::fmt::Debug for SharedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What was released is written into no log.
        f.write_str("SharedRow(…)")
    }
}

/// What a CLB released to the school about a pupil: for this purpose, until this day, and not to be passed on.
#[derive(Clone, SimpleObject)]
pub struct Release {
    /// Its id; it tells no time.
    #[graphql(tag = "class:shared")]
    pub id: Gid<ReleaseId>,
    /// The pupil.
    #[graphql(tag = "class:shared")]
    pub pupil_id: Gid<PupilId>,
    /// The CLB.
    #[graphql(tag = "class:shared")]
    pub clb_id: Gid<ClbId>,
    /// What it is about, in a line.
    #[graphql(tag = "class:shared")]
    pub title: String,
    /// What the school is to know or to do.
    #[graphql(tag = "class:shared")]
    pub advice: String,
    /// What the school may use it for (doel).
    #[graphql(tag = "class:shared")]
    pub purpose: String,
    /// When it was released.
    #[graphql(tag = "class:shared")]
    pub released_at: DateTime<Utc>,
    /// The first day the school may read it no longer.
    #[graphql(tag = "class:shared")]
    pub ends_on: NaiveDate,
}

impl From<SharedRow> for Release {
    fn from(row: SharedRow) -> Self {
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            clb_id: Gid(row.clb),
            title: row.title,
            advice: row.advice,
            purpose: row.purpose,
            released_at: row.released_at,
            ends_on: row.ends_on,
        }
    }
}

connection!(
    /// A page of what was released to the school, the latest first.
    ReleaseConnection,
    ReleaseEdge,
    Release,
    "class:shared"
);

/// What was released, for who may read it.
#[derive(SimpleObject)]
pub struct GrantedReleases {
    /// The page of it.
    #[graphql(tag = "class:shared")]
    pub value: ReleaseConnection,
}

/// Why it is not told: a function of the asker alone, whatever was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ReleaseRefusal {
    /// It is for the care team of the school; for its software only where school and CLB agreed on that.
    #[graphql(tag = "class:public")]
    Secrecy,
}

/// Not to this viewer.
#[derive(Debug, Clone, SimpleObject)]
pub struct WithheldReleases {
    /// Why.
    #[graphql(tag = "class:public")]
    pub code: ReleaseRefusal,
}

/// What was released, or why it is not told.
#[derive(Union)]
pub enum ProtectedReleases {
    /// It may be read.
    Granted(Box<GrantedReleases>),
    /// It may not.
    Withheld(WithheldReleases),
}

/// The root of what was released to the school.
#[derive(Default)]
pub struct ReleaseRoot;

#[Object]
impl ReleaseRoot {
    /// What CLBs released to the viewer's school about pupils who are enrolled there, the latest first: for its care team. What
    /// is taken back, is over, or is about a pupil who left is not there. Being asked is logged before anything is answered.
    #[graphql(tag = "class:shared")]
    async fn releases(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:public", desc = "About this pupil alone.")] pupil_id: Option<ID>,
    ) -> Result<ProtectedReleases, Problem> {
        let asked = Asked::of(context)?;
        // What is no id of a pupil is the id of nobody.
        let pupil: Option<PupilId> = pupil_id
            .as_ref()
            .map(|pupil| id(pupil).unwrap_or(PupilId(uuid::Uuid::nil())));
        let list = format!("releases {pupil:?}");
        let count = context.look_ahead().field("value").field("totalCount").exists();
        let page = asked.page(&list, first, after.as_deref(), count)?;
        let told = asked.hub.shared_with_school(asked.operation, pupil, &page).await?;
        Ok(match told {
            Protected::Granted(opened) => {
                let slice: Slice<Release> = opened.into_inner().map(Release::from);
                let value = ReleaseConnection::of(&list, slice);
                ProtectedReleases::Granted(Box::new(GrantedReleases { value }))
            }
            Protected::Withheld { .. } => ProtectedReleases::Withheld(WithheldReleases {
                code: ReleaseRefusal::Secrecy,
            }),
        })
    }
}
