//! Releases to the school (vrijgave) in a dossier: what the school was told, under consent, for what and until when.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use hub_entities::dossier::release::{LONGEST_DAYS, Over as AReason};
use hub_entities::id::{PrincipalId, ReleaseId, SchoolId, TrajectoryId};

use super::Withheld;
use super::step::{Stepped, payload};
use crate::asked::{Asked, id};
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest title, in bytes.
const LONGEST_TITLE: usize = 256;

/// The longest purpose, in bytes.
const LONGEST_PURPOSE: usize = 2_048;

/// The longest advice, in bytes.
const LONGEST_ADVICE: usize = 16_384;

/// A release, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its id.
    pub id: ReleaseId,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To which school.
    pub school: SchoolId,
    /// Whether something of it is health data.
    pub health: bool,
    /// What it is about, in a line.
    pub title: String,
    /// What the school is to know or to do.
    pub advice: String,
    /// What the school may use it for.
    pub purpose: String,
    /// Who released it.
    pub author: PrincipalId,
    /// When.
    pub released_at: DateTime<Utc>,
    /// The first day the school may read it no longer.
    pub ends_on: NaiveDate,
    /// Why the school reads it no longer, and since when.
    pub over: Option<(AReason, DateTime<Utc>)>,
    /// Rises with every change.
    pub version: i32,
}

/// A release that is to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRelease {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To which school.
    pub school: SchoolId,
    /// Whether something of it is health data.
    pub health: bool,
    /// What it is about, in a line.
    pub title: String,
    /// What the school is to know or to do.
    pub advice: String,
    /// What the school may use it for.
    pub purpose: String,
    /// The first day the school may read it no longer.
    pub ends_on: NaiveDate,
}

macro_rules! secret {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(ReleaseRow, NewRelease);

/// Why the school reads a release no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AReason")]
pub enum ReleaseOver {
    /// A worker of the team took it back.
    #[graphql(tag = "class:public")]
    Revoked,
    /// Who decides took the consent back, or it covers the release no longer.
    #[graphql(tag = "class:public")]
    Consent,
    /// Its last day is over.
    #[graphql(tag = "class:public")]
    Ended,
    /// The pupil left the school.
    #[graphql(tag = "class:public")]
    Left,
}

/// What was released to a school: a copy, in words of its own.
#[derive(Debug, Clone, SimpleObject)]
pub struct SchoolRelease {
    /// Its id; it tells no time.
    #[graphql(tag = "class:shared")]
    pub id: Gid<ReleaseId>,
    /// The trajectory in which it was released.
    #[graphql(tag = "class:secret.granted")]
    pub trajectory_id: Gid<TrajectoryId>,
    /// The school.
    #[graphql(tag = "class:shared")]
    pub school_id: Gid<SchoolId>,
    /// Whether something of it is health data, for which consent is in writing.
    #[graphql(tag = "class:secret.granted")]
    pub health: bool,
    /// What it is about, in a line.
    #[graphql(tag = "class:shared")]
    pub title: String,
    /// What the school is to know or to do.
    #[graphql(tag = "class:shared")]
    pub advice: String,
    /// What the school may use it for (doel).
    #[graphql(tag = "class:shared")]
    pub purpose: String,
    /// Who released it: the principal's id.
    #[graphql(tag = "class:secret.granted")]
    pub author_id: Gid<PrincipalId>,
    /// When.
    #[graphql(tag = "class:shared")]
    pub released_at: DateTime<Utc>,
    /// The first day the school may read it no longer.
    #[graphql(tag = "class:shared")]
    pub ends_on: NaiveDate,
    /// Why the school reads it no longer; null while it does, or before its end is noted.
    #[graphql(tag = "class:secret.granted")]
    pub over: Option<ReleaseOver>,
    /// Since when.
    #[graphql(tag = "class:secret.granted")]
    pub over_at: Option<DateTime<Utc>>,
    /// Rises with every change: give it back with the next one.
    #[graphql(tag = "class:secret.granted")]
    pub version: i32,
}

impl From<ReleaseRow> for SchoolRelease {
    fn from(row: ReleaseRow) -> Self {
        Self {
            id: Gid(row.id),
            trajectory_id: Gid(row.trajectory),
            school_id: Gid(row.school),
            health: row.health,
            title: row.title,
            advice: row.advice,
            purpose: row.purpose,
            author_id: Gid(row.author),
            released_at: row.released_at,
            ends_on: row.ends_on,
            over: row.over.map(|(why, _)| why.into()),
            over_at: row.over.map(|(_, at)| at),
            version: row.version,
        }
    }
}

/// Releases that may be read.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedSchoolReleases {
    /// The releases, in the order in which they were made.
    #[graphql(tag = "class:shared")]
    pub value: Vec<SchoolRelease>,
}

/// Releases, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedSchoolReleases {
    /// They may be read.
    Granted(GrantedSchoolReleases),
    /// They may not.
    Withheld(Withheld),
}

/// Releasing to the pupil's school: what it is told in words written for it, and nothing else of the dossier.
#[derive(Clone, InputObject)]
pub struct ReleaseToSchoolInput {
    /// The trajectory in which it is released.
    #[graphql(tag = "class:public")]
    pub trajectory_id: ID,
    /// A school where the pupil is enrolled, and with which this CLB has an agreement.
    #[graphql(tag = "class:public")]
    pub school_id: ID,
    /// Whether something of it is health data: by doctor and nurse, under consent in writing. In the domain of health all of it
    /// is.
    #[graphql(tag = "class:public", default)]
    pub health: bool,
    /// What it is about, in a line: not blank, at most 256 bytes.
    #[graphql(tag = "class:public", secret)]
    pub title: String,
    /// What the school is to know or to do: not blank, at most 16,384 bytes.
    #[graphql(tag = "class:public", secret)]
    pub advice: String,
    /// What the school may use it for: not blank, at most 2,048 bytes.
    #[graphql(tag = "class:public", secret)]
    pub purpose: String,
    /// The first day the school may read it no longer: after today, within 366 days.
    #[graphql(tag = "class:public")]
    pub ends_on: NaiveDate,
}

/// Taking a release back.
#[derive(Debug, Clone, InputObject)]
pub struct RevokeReleaseInput {
    /// Which.
    #[graphql(tag = "class:public")]
    pub release_id: ID,
    /// The version that was read.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

/// It is noted.
#[derive(Debug, Clone, SimpleObject)]
pub struct ReleaseNoted {
    /// The release.
    #[graphql(tag = "class:public")]
    pub release_id: Gid<ReleaseId>,
    /// Its version now.
    #[graphql(tag = "class:public")]
    pub version: i32,
}

impl ReleaseNoted {
    const fn of(id: ReleaseId, version: i32) -> Self {
        Self {
            release_id: Gid(id),
            version,
        }
    }
}

payload!(
    /// What came of `releaseToSchool`.
    ReleaseToSchoolPayload, ReleaseNoted, ReleaseId
);
payload!(
    /// What came of `revokeRelease`.
    RevokeReleasePayload, ReleaseNoted, ReleaseId
);

/// The first field that cannot be right.
fn wrong(input: &ReleaseToSchoolInput, today: NaiveDate) -> Option<&'static str> {
    let is_text = |text: &str, longest: usize| !text.trim().is_empty() && text.len() <= longest;
    let last = TimeDelta::try_days(LONGEST_DAYS).and_then(|longest| today.checked_add_signed(longest));
    let in_time = today < input.ends_on && last.is_some_and(|last| input.ends_on <= last);
    [
        ("title", is_text(&input.title, LONGEST_TITLE)),
        ("advice", is_text(&input.advice, LONGEST_ADVICE)),
        ("purpose", is_text(&input.purpose, LONGEST_PURPOSE)),
        ("endsOn", in_time),
    ]
    .into_iter()
    .find_map(|(field, fits)| (!fits).then_some(field))
}

/// What a team releases to the school.
#[derive(Default)]
pub struct ReleaseMutation;

#[Object]
impl ReleaseMutation {
    /// Releases a copy to the pupil's school: by the team, under a consent to telling the school of whoever decides, that covers
    /// it to its end; without one it is not possible. The care team of the school reads it within a second.
    #[graphql(tag = "class:public")]
    async fn release_to_school(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What the school is told.")] input: ReleaseToSchoolInput,
    ) -> Result<ReleaseToSchoolPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(trajectory) = id(&input.trajectory_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let Some(school) = id(&input.school_id) else {
            return Ok(Stepped::Invalid("schoolId").into());
        };
        if let Some(field) = wrong(&input, asked.operation.today()) {
            return Ok(Stepped::Invalid(field).into());
        }
        let new = NewRelease {
            trajectory,
            school,
            health: input.health,
            title: input.title,
            advice: input.advice,
            purpose: input.purpose,
            ends_on: input.ends_on,
        };
        Ok(asked.hub.release_to_school(asked.operation, new).await?.into())
    }

    /// Takes a release back: by the team. Within a second the school reads it no longer and its copy is gone; what was told
    /// stays in the dossier.
    #[graphql(tag = "class:public")]
    async fn revoke_release(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "Which.")] input: RevokeReleaseInput,
    ) -> Result<RevokeReleasePayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(release) = id(&input.release_id) else {
            return Ok(Stepped::Unknown.into());
        };
        let of = (release, input.version);
        Ok(asked.hub.revoke_release(asked.operation, of).await?.into())
    }
}
