//! Access to what was withheld: asked for with the decision that withheld it, answered by the team that has it, and given
//! for a time.

use chrono::{DateTime, Utc};
use hub_entities::dossier::request::AccessState;
use hub_entities::id::{AccessRequestId, ClbId, DecisionId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::policy::secret::{Asked, Class, Grant, Rows, Step};
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::text_in;
use super::writing::{Changed, Stepping};
use super::{Secrets, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, list_from, row, rows};
use crate::store::transaction::Transaction;

/// What one decision said no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// In whose log.
    pub clb: ClbId,
    /// About whom.
    pub pupil: PupilId,
    /// Each `class/part=code`, as the line has it.
    pub withheld: Vec<String>,
}

/// A request that waits.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: AccessRequestId,
    /// About whom.
    pub pupil: PupilId,
    /// To what.
    pub class: Class,
    /// Who asks.
    pub by: PrincipalId,
    /// When.
    pub at: DateTime<Utc>,
    /// Rises with every change.
    pub version: i32,
    /// Why.
    pub reason: String,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("Request").field("id", &self.id).finish_non_exhaustive()
    }
}

const fn place(clb: ClbId, dossier: PupilId, id: AccessRequestId) -> Place {
    Place {
        clb,
        dossier,
        table: "access_request",
        column: "reason",
        row: id.0,
    }
}

/// What a decision in one of these logs said no to, of this viewer and of no other.
pub async fn refused(
    secrets: &Secrets,
    clbs: &[ClbId],
    by: PrincipalId,
    decision: DecisionId,
) -> Result<Option<Refused>, DbError> {
    let tx = secrets.apart.within(clbs).await?;
    let text = "select pupil_id, withheld, clb_id from access_line
         where clb_id in ? and principal_id = ? and id = ? and action = 'read'";
    let found = row(&tx, text, vec![list(clbs), by.into(), decision.into()]).await?;
    tx.commit().await?;
    let Some(found) = found else { return Ok(None) };
    let withheld: String = found.try_get_by_index(1)?;
    Ok(Some(Refused {
        clb: found.try_get_by_index(2)?,
        pupil: found.try_get_by_index(0)?,
        withheld: withheld
            .split(' ')
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect(),
    }))
}

/// Asks for access to each of these classes, for one reason. Asked again with the same decision it is the first request.
pub async fn ask(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (decision, classes): (DecisionId, &[Class]),
    reason: &str,
) -> Result<(), DbError> {
    let tx = by.begin(secrets, Step::AskAccess).await?;
    let pupil = by.grant.pupil();
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    for class in classes {
        let id = AccessRequestId(ids.blind());
        let values: Vec<Value> = vec![
            id.into(),
            by.clb.into(),
            pupil.into(),
            (*class).into(),
            decision.into(),
            by.grant.viewer().into(),
            by.line.at.into(),
            keys::seal_afresh(&data_key, &place(by.clb, pupil, id), reason.as_bytes())?.into(),
            AccessState::Waiting.into(),
        ];
        execute(
            &tx,
            "insert into access_request (id, clb_id, pupil_id, class, decision_id, requested_by, requested_at, reason, state,
                 version)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) on conflict (clb_id, decision_id, class) do nothing",
            values,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// About whom and to what a request is: what is decided on.
pub async fn facts_of(secrets: &Secrets, clb: ClbId, id: AccessRequestId) -> Result<Option<(PupilId, Class)>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select pupil_id, class from access_request where clb_id = ? and id = ?";
    let found = row(&tx, text, vec![clb.into(), id.into()]).await?;
    tx.commit().await?;
    let facts = |row: QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    found.map(facts).transpose()
}

/// Writes the line, and opens the requests about a pupil that wait for whoever may answer them in these classes.
pub async fn waiting(
    secrets: &Secrets,
    (clb, pupil): (ClbId, PupilId),
    grants: &[Grant],
    line: &Line,
) -> Result<Vec<Request>, DbError> {
    let of_pupil = |grant: &&Grant| grant.pupil() == pupil;
    let classes = grants.iter().filter(of_pupil).filter_map(|grant| match grant.asked() {
        Asked::Do(Step::AnswerRequest, class) => Some(class),
        Asked::Do(..) | Asked::Read(_) => None,
    });
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    let text = "select id, class, requested_by, requested_at, version, reason from access_request
         where clb_id = ? and pupil_id = ? and state = ? and class in ? order by requested_at, id";
    let values: Vec<Value> = vec![
        clb.into(),
        pupil.into(),
        AccessState::Waiting.into(),
        list_from(classes),
    ];
    let found = rows(&tx, text, values).await?;
    let wrapped = key::of_pupils(&tx, clb, [pupil]).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut requests = Vec::with_capacity(found.len());
    for row in found {
        let id: AccessRequestId = row.try_get_by_index(0)?;
        let envelope: Vec<u8> = row.try_get_by_index(5)?;
        let data_key = data_keys.get(&pupil).ok_or(DbError::Unreadable {
            column: "dossier_key.id",
        })?;
        requests.push(Request {
            id,
            pupil,
            class: row.try_get_by_index(1)?,
            by: row.try_get_by_index(2)?,
            at: row.try_get_by_index(3)?,
            version: row.try_get_by_index(4)?,
            reason: text_in(data_key, &place(clb, pupil, id), &envelope)?,
        });
    }
    Ok(requests)
}

/// Answers a request: lends what this trajectory of the grant holds of its class until then, or says no.
pub async fn answer(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (id, read): (AccessRequestId, i32),
    lends: Option<(TrajectoryId, DateTime<Utc>)>,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AnswerRequest).await?;
    let (pupil, class) = (by.grant.pupil(), by.grant.asked().class());
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select state, version, requested_by from access_request
         where clb_id = ? and pupil_id = ? and class = ? and id = ? {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), pupil.into(), class.into(), id.into()];
    let Some(found) = row(&tx, &text, values).await? else {
        tx.commit().await?;
        return Ok(Changed::Unknown);
    };
    let (state, version): (AccessState, i32) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let asker: PrincipalId = found.try_get_by_index(2)?;
    let changed = match () {
        () if version != read => Changed::Stale(version),
        () if state != AccessState::Waiting => Changed::NotNow,
        () if !within(&tx, &by, lends.map(|(trajectory, _)| trajectory)).await? => Changed::Unknown,
        () => {
            let next = version.saturating_add(1);
            let state = if lends.is_some() {
                AccessState::Lent
            } else {
                AccessState::Refused
            };
            let values: Vec<Value> = vec![
                state.into(),
                by.grant.viewer().into(),
                by.line.at.into(),
                next.into(),
                by.clb.into(),
                id.into(),
            ];
            let text = "update access_request set state = ?, answered_by = ?, answered_at = ?, version = ?
                 where clb_id = ? and id = ?";
            execute(&tx, text, values).await?;
            if let Some((trajectory, until)) = lends {
                let values: Vec<Value> = vec![
                    ids.blind().into(),
                    by.clb.into(),
                    pupil.into(),
                    id.into(),
                    asker.into(),
                    class.into(),
                    trajectory.into(),
                    by.line.at.into(),
                    until.into(),
                    by.grant.viewer().into(),
                ];
                let text =
                    "insert into access_lent (id, clb_id, pupil_id, request_id, principal_id, class, trajectory_id,
                     from_at, until_at, lent_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
                execute(&tx, text, values).await?;
            }
            Changed::Done(next)
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Whether the grant reaches this trajectory of its pupil; nothing lent is always within.
async fn within(tx: &Transaction, by: &Stepping<'_>, trajectory: Option<TrajectoryId>) -> Result<bool, DbError> {
    let Some(trajectory) = trajectory else { return Ok(true) };
    if matches!(by.grant.rows(), Rows::Of(own) if !own.contains(&trajectory)) {
        return Ok(false);
    }
    let text = "select id from trajectory where clb_id = ? and pupil_id = ? and id = ?";
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), trajectory.into()];
    Ok(row(tx, text, values).await?.is_some())
}
