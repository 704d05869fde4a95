//! The access log (toegangslog) in realm `person`: who looked, for the person it tells of and for the data protection officer
//! of the controller; for a parent after a review. Nobody else has a word for it, the CLB's own workers included.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::id::{DecisionId, PrincipalId, PupilId};
use hub_entities::operation::{Discipline as ADiscipline, Purpose as APurpose, Role as Acting};
use hub_entities::policy::secret::Protected;
use uuid::Uuid;

use crate::asked::{Asked, id};
use crate::dossier::Withheld;
use crate::page::{Slice, connection};
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::ClbRow;
use crate::viewer::Role;

/// Which lines are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// About this pupil; the person's own where none is named, or the whole log of the controller.
    pub pupil: Option<PupilId>,
    /// Not before this instant.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
}

/// A line, as the hub answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookRow {
    /// When.
    pub at: DateTime<Utc>,
    /// In whose log.
    pub clb: ClbRow,
    /// In which role.
    pub role: Acting,
    /// Why.
    pub purpose: Option<APurpose>,
    /// Whether it is linked to the lines before it.
    pub linked: bool,
    /// Whether it was in an emergency.
    pub emergency: bool,
    /// What the officer of the controller sees of it, and nobody else.
    pub detail: Option<LookDetail>,
}

/// What the officer sees of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookDetail {
    /// The line.
    pub id: DecisionId,
    /// Its number in the log of its CLB; none while it is not linked, and past what a number of an answer can be.
    pub position: Option<i32>,
    /// Who.
    pub by: PrincipalId,
    /// Of which discipline that is now.
    pub discipline: Option<ADiscipline>,
    /// About whom; nobody where a list was looked at.
    pub pupil: Option<PupilId>,
    /// `read`, or the step.
    pub action: String,
    /// Whether the sign-in was strong and fresh.
    pub assured: bool,
    /// What was decided.
    pub decided: Vec<LookDecision>,
    /// The request.
    pub request: Uuid,
}

/// What was decided of one field or step.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "AccessDecision")]
pub struct LookDecision {
    /// What it was about: a class, and behind a stroke the part of it, such as `secret.learning/entries`.
    #[graphql(tag = "class:audit")]
    pub what: String,
    /// Whether it was given.
    #[graphql(tag = "class:audit")]
    pub granted: bool,
    /// By which rule it was given, or with which code it was refused.
    #[graphql(tag = "class:audit")]
    pub ground: String,
}

/// The discipline of a CLB worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ADiscipline")]
pub enum Discipline {
    /// Psychologist.
    #[graphql(tag = "class:public")]
    Psychologist,
    /// Pedagogue.
    #[graphql(tag = "class:public")]
    Pedagogue,
    /// Social worker (maatschappelijk werker).
    #[graphql(tag = "class:public")]
    SocialWorker,
    /// Doctor (CLB-arts).
    #[graphql(tag = "class:public")]
    Doctor,
    /// Nurse (verpleegkundige).
    #[graphql(tag = "class:public")]
    Nurse,
    /// Paramedic (paramedisch werker).
    #[graphql(tag = "class:public")]
    Paramedic,
    /// Intercultural mediator.
    #[graphql(tag = "class:public")]
    Mediator,
}

/// Why it was asked (doel): header `CLB-Purpose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "APurpose")]
pub enum Purpose {
    /// Guidance of a pupil (begeleiding).
    #[graphql(tag = "class:public")]
    Guidance,
    /// Follow-up of compulsory education (leerplicht).
    #[graphql(tag = "class:public")]
    CompulsoryEducation,
    /// Systematic contact (systematisch contactmoment).
    #[graphql(tag = "class:public")]
    SystematicContact,
    /// Prophylaxis of contagious disease.
    #[graphql(tag = "class:public")]
    Prophylaxis,
    /// Planning and administration.
    #[graphql(tag = "class:public")]
    Administration,
    /// A right of the person in the data.
    #[graphql(tag = "class:public")]
    RightsOfThePerson,
    /// Keeping the hub running.
    #[graphql(tag = "class:public")]
    Operations,
}

/// That somebody looked, or did something: role, organisation, time and purpose.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLine {
    /// When.
    #[graphql(tag = "class:audit")]
    pub at: DateTime<Utc>,
    /// Of which organisation: the controller in whose log it stands.
    #[graphql(tag = "class:audit")]
    pub clb: ClbRow,
    /// In which role.
    #[graphql(tag = "class:audit")]
    pub role: Role,
    /// Why, where it was said.
    #[graphql(tag = "class:audit")]
    pub purpose: Option<Purpose>,
    /// Whether it is sealed into the log by now; a line is, within a second after it was written.
    #[graphql(tag = "class:audit")]
    pub sealed: bool,
    /// Whether it was opened, or read, in an emergency (noodtoegang). A parent is told that somebody looked, and not this.
    #[graphql(tag = "class:audit")]
    pub emergency: bool,
    /// What the data protection officer of the controller sees beyond that; null for a person.
    #[graphql(tag = "class:audit")]
    pub detail: Option<AccessLineDetail>,
}

/// What the data protection officer sees of a line. Nothing of what was read stands in any.
#[derive(Debug, Clone, SimpleObject)]
pub struct AccessLineDetail {
    /// The line: the decision that a withheld field names.
    #[graphql(tag = "class:audit")]
    pub id: Gid<DecisionId>,
    /// Its place in the log of the controller, from 1: none while it is not sealed. `reviewAccessLog` takes it.
    #[graphql(tag = "class:audit")]
    pub position: Option<i32>,
    /// Who: the principal's id, which says nothing more.
    #[graphql(tag = "class:audit")]
    pub by: Gid<PrincipalId>,
    /// The discipline of that worker, as it is now.
    #[graphql(tag = "class:audit")]
    pub discipline: Option<Discipline>,
    /// About which pupil it was asked, whether or not there is one; none where a list was looked at.
    #[graphql(tag = "class:audit")]
    pub pupil_id: Option<Gid<PupilId>>,
    /// `read`, or the step that was taken or tried.
    #[graphql(tag = "class:audit")]
    pub action: String,
    /// Whether the sign-in was strong and fresh.
    #[graphql(tag = "class:audit")]
    pub assured: bool,
    /// What was decided of each field or step.
    #[graphql(tag = "class:audit")]
    pub decided: Vec<LookDecision>,
    /// The request, as the hub's own log and traces call it.
    #[graphql(tag = "class:audit")]
    pub request_id: String,
}

impl From<LookRow> for AccessLine {
    fn from(row: LookRow) -> Self {
        let detail = |detail: LookDetail| AccessLineDetail {
            id: Gid(detail.id),
            position: detail.position,
            by: Gid(detail.by),
            discipline: detail.discipline.map(Into::into),
            pupil_id: detail.pupil.map(Gid),
            action: detail.action,
            assured: detail.assured,
            decided: detail.decided,
            request_id: detail.request.to_string(),
        };
        Self {
            at: row.at,
            clb: row.clb,
            role: row.role.into(),
            purpose: row.purpose.map(Into::into),
            sealed: row.linked,
            emergency: row.emergency,
            detail: row.detail.map(detail),
        }
    }
}

connection!(
    /// Lines of the access log, the latest first.
    AccessLineConnection, AccessLineEdge, AccessLine, "class:audit"
);

/// The log, which may be seen.
#[derive(SimpleObject)]
pub struct GrantedAccessLog {
    /// The page of it.
    #[graphql(tag = "class:audit")]
    pub value: AccessLineConnection,
}

/// The log, or why not.
#[derive(Union)]
pub enum ProtectedAccessLog {
    /// It may be seen.
    Granted(Box<GrantedAccessLog>),
    /// It may not.
    Withheld(Withheld),
}

/// Which lines of the access log.
#[derive(Debug, Clone, Default, InputObject)]
pub struct AccessLogFilter {
    /// Those about this pupil. A person has the own log alone, and an officer that of the controller.
    #[graphql(tag = "class:public")]
    pub pupil_id: Option<ID>,
    /// Not before this instant.
    #[graphql(tag = "class:public")]
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    #[graphql(tag = "class:public")]
    pub until: Option<DateTime<Utc>>,
}

/// The root of the access log.
#[derive(Default)]
pub struct AccessLogRoot;

#[Object]
impl AccessLogRoot {
    /// Who looked, the latest first: a pupil who decides sees by which roles, of which organisation, when and why; while the
    /// parents decide a parent sees as much, as far as it was reviewed, but nothing of what the pupil or the other parent did; the
    /// data protection officer sees the log of the own controller. Null where there is none for this viewer. Being asked is in it
    /// too.
    #[graphql(tag = "class:audit")]
    async fn access_log(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:public", desc = "Which ones.")] filter: Option<AccessLogFilter>,
    ) -> Result<Option<ProtectedAccessLog>, Problem> {
        let asked = Asked::of(context)?;
        let filter = filter.unwrap_or_default();
        let pupil = filter.pupil_id.as_ref().map(id);
        if pupil == Some(None) {
            return Ok(None);
        }
        let filter = LogFilter {
            pupil: pupil.flatten(),
            from: filter.from,
            until: filter.until,
        };
        let list = format!("accessLog {filter:?}");
        let count = context.look_ahead().field("value").field("totalCount").exists();
        let page = asked.page(&list, first, after.as_deref(), count)?;
        let log = asked.hub.access_log(asked.operation, &filter, &page).await?;
        let granted = |slice: Slice<LookRow>| GrantedAccessLog {
            value: AccessLineConnection::of(&list, slice.map(AccessLine::from)),
        };
        Ok(log.map(|log| match log {
            Protected::Granted(opened) => ProtectedAccessLog::Granted(Box::new(granted(opened.into_inner()))),
            Protected::Withheld { why, decision } => ProtectedAccessLog::Withheld(Withheld::of(why, decision)),
        }))
    }
}
