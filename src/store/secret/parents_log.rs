//! What parents are told of the access log: as far as the data protection officer of the controller reviewed it for them, and
//! nothing while a team holds it back for the pupil's safety.
//!
//! How far it was reviewed is the number of a line in the chain, and never a time: a line that is committed after a review has
//! a higher number, whatever its time says. A number only rises, so nothing is un-reviewed; a hold is what closes it again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use hub_entities::dossier::Domain;
use hub_entities::id::{ClbId, Ids, LogHoldId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Asked, Class, Grant, Reader, Step};
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::text_in;
use super::ties::Person;
use super::writing::{self, Changed, Stepping};
use super::{Secrets, consent, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;

/// The most reviews, and the most holds, that are told at once: the latest.
const MOST: i64 = 200;

/// A review of the log of one pupil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// Up to which line of the log, by its number there.
    pub up_to: i64,
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub at: DateTime<Utc>,
}

/// That the log of a pupil is or was held back, without the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// By whom.
    pub by: PrincipalId,
    /// Since when.
    pub at: DateTime<Utc>,
    /// By whom and when it was let go, if it was.
    pub lifted: Option<(PrincipalId, DateTime<Utc>)>,
}

/// The same, for the team of its trajectory.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: LogHoldId,
    /// Under which trajectory.
    pub trajectory: TrajectoryId,
    /// Who, and from when until when.
    pub held: Held,
    /// Why.
    pub reason: String,
    /// Rises with every change.
    pub version: i32,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("Hold").field("id", &self.id).finish_non_exhaustive()
    }
}

const fn place(clb: ClbId, dossier: PupilId, id: LogHoldId) -> Place {
    Place {
        clb,
        dossier,
        table: "log_hold",
        column: "reason",
        row: id.0,
    }
}

/// What a parent is told of the logs of these CLBs, as a condition on a line. Besides what was not reviewed, these are left
/// out: what the child did, as it may have been in confidence; what the other parent did; and every step that held the log
/// back, also long after. While one CLB holds it back, none of them tells anything: where danger is, it is not of one log.
pub(super) fn told(clbs: &[ClbId], pupil: PupilId, parent: PrincipalId) -> (&'static str, Vec<Value>) {
    let text = "pupil_id = ? and granted <> '' and action <> ? and role <> ? and (role <> ? or principal_id = ?)
         and seq <= (select max(r.up_to) from log_review r
                     where r.clb_id = access_line.clb_id and r.pupil_id = access_line.pupil_id)
         and not exists (select 1 from log_hold h where h.clb_id in ? and h.pupil_id = ? and h.lifted_at is null)";
    let values: Vec<Value> = vec![
        pupil.into(),
        Step::HoldLog.name().into(),
        Role::Pupil.into(),
        Role::Parent.into(),
        parent.into(),
        list(clbs),
        pupil.into(),
    ];
    (text, values)
}

/// Whether this parent is told of any line: one who would read an empty log reads that it is closed, as anyone for whom
/// nothing was reviewed.
pub(super) async fn is_told(tx: &Transaction, clbs: &[ClbId], parent: &Person) -> Result<bool, DbError> {
    let (told, of) = told(clbs, parent.pupil, parent.principal);
    let text = format!("select 1 from access_line where clb_id in ? and {told} limit 1");
    let values = [vec![list(clbs)], of].concat();
    Ok(row(tx, &text, values).await?.is_some())
}

/// Opens the log of the grant's pupil to parents, up to the line of this number. Done, with that number; stale, with the one
/// that was reached before, where it would go back; not now, where the log does not reach that far yet; unknown, where no line
/// up to there is about this pupil.
pub async fn review(secrets: &Secrets, ids: &dyn Ids, by: Stepping<'_>, up_to: i32) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::ReviewLog).await?;
    let pupil = by.grant.pupil();
    let text = "select coalesce((select h.seq from chain_head h where h.clb_id = ?), 0),
             coalesce((select max(r.up_to) from log_review r where r.clb_id = ? and r.pupil_id = ?), 0),
             (select count(*) from access_line l where l.clb_id = ? and l.pupil_id = ? and l.seq <= ?)";
    let position = i64::from(up_to);
    let values: Vec<Value> = vec![
        by.clb.into(),
        by.clb.into(),
        pupil.into(),
        by.clb.into(),
        pupil.into(),
        position.into(),
    ];
    let found = row(&tx, text, values).await?.ok_or(DbError::Unreadable {
        column: "chain_head.seq",
    })?;
    let (head, reached): (i64, i64) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let lines: i64 = found.try_get_by_index(2)?;
    let changed = if position > head {
        Changed::NotNow
    } else if position < reached {
        Changed::Stale(i32::try_from(reached).unwrap_or(i32::MAX))
    } else if lines == 0 {
        Changed::Unknown
    } else {
        let values: Vec<Value> = vec![
            ids.blind().into(),
            by.clb.into(),
            pupil.into(),
            position.into(),
            by.grant.viewer().into(),
            by.line.at.into(),
        ];
        let text =
            "insert into log_review (id, clb_id, pupil_id, up_to, reviewed_by, reviewed_at) values (?, ?, ?, ?, ?, ?)";
        execute(&tx, text, values).await?;
        Changed::Done(up_to)
    };
    tx.commit().await?;
    Ok(changed)
}

fn held(row: &QueryResult) -> Result<Held, DbError> {
    let by: Option<PrincipalId> = row.try_get_by_index(2)?;
    Ok(Held {
        by: row.try_get_by_index(0)?,
        at: row.try_get_by_index(1)?,
        lifted: by.zip(row.try_get_by_index(3)?),
    })
}

/// Writes the line, and tells the officer of the grant how far the log of that pupil was reviewed and when it was held back,
/// the latest first. Without a grant nothing is read.
pub async fn facts(
    secrets: &Secrets,
    clb: ClbId,
    grant: Option<&Grant>,
    line: &Line,
) -> Result<(Vec<Review>, Vec<Held>), DbError> {
    let asked = Asked::Do(Step::ReviewLog, Class::Audit);
    if grant.is_some_and(|grant| grant.asked() != asked || grant.reader() != Reader::Officer) {
        return Err(DbError::OutOfScope);
    }
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    let (mut reviews, mut holds) = (Vec::new(), Vec::new());
    if let Some(grant) = grant {
        let values = || -> Vec<Value> { vec![clb.into(), grant.pupil().into(), MOST.into()] };
        let text = "select up_to, reviewed_by, reviewed_at from log_review
             where clb_id = ? and pupil_id = ? order by reviewed_at desc, id limit ?";
        for row in rows(&tx, text, values()).await? {
            reviews.push(Review {
                up_to: row.try_get_by_index(0)?,
                by: row.try_get_by_index(1)?,
                at: row.try_get_by_index(2)?,
            });
        }
        let text = "select held_by, held_at, lifted_by, lifted_at from log_hold
             where clb_id = ? and pupil_id = ? order by held_at desc, id limit ?";
        for row in rows(&tx, text, values()).await? {
            holds.push(held(&row)?);
        }
    }
    tx.commit().await?;
    Ok((reviews, holds))
}

/// Holds the log back from parents, for a reason that the team of this trajectory reads; nothing where the grant does not reach
/// it.
pub async fn hold(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    trajectory: TrajectoryId,
    reason: &str,
) -> Result<Option<LogHoldId>, DbError> {
    let tx = by.begin(secrets, Step::HoldLog).await?;
    if consent::within(&tx, &by, trajectory, false).await?.is_none() {
        tx.commit().await?;
        return Ok(None);
    }
    let (pupil, id) = (by.grant.pupil(), LogHoldId(ids.blind()));
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        trajectory.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        keys::seal_afresh(&data_key, &place(by.clb, pupil, id), reason.as_bytes())?.into(),
    ];
    execute(
        &tx,
        "insert into log_hold (id, clb_id, pupil_id, trajectory_id, held_by, held_at, reason, version)
         values (?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Lets it go, in the version that was read; that it was held, and why, stays.
pub async fn lift(secrets: &Secrets, by: Stepping<'_>, (id, read): (LogHoldId, i32)) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::HoldLog).await?;
    let of = ("log_hold", id.0);
    let locked = writing::locked(secrets, &tx, &by, of, read).await?;
    let changed = if let Err(changed) = locked {
        changed
    } else {
        let values: Vec<Value> = vec![by.grant.viewer().into(), by.line.at.into(), by.clb.into(), id.into()];
        let text = "update log_hold set lifted_by = ?, lifted_at = ? where clb_id = ? and id = ? and lifted_at is null";
        if execute(&tx, text, values).await? == 0 {
            Changed::NotNow
        } else {
            writing::raised(&tx, &by, of, read).await?
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Writes the line, and opens the holds on the log of this pupil under the trajectories that the grants reach, the latest first,
/// and under no other.
pub async fn holds(
    secrets: &Secrets,
    (clb, pupil): (ClbId, PupilId),
    grants: &[Grant],
    line: &Line,
) -> Result<Vec<Hold>, DbError> {
    let own = |grant: &&Grant| grant.pupil() == pupil && matches!(grant.asked(), Asked::Do(Step::HoldLog, _));
    let grants: Vec<&Grant> = grants.iter().filter(own).collect();
    let pupils: BTreeSet<PupilId> = grants.iter().map(|grant| grant.pupil()).collect();
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    let text =
        "select h.held_by, h.held_at, h.lifted_by, h.lifted_at, h.id, h.trajectory_id, t.domain, h.version, h.reason
         from log_hold h join trajectory t on t.id = h.trajectory_id and t.clb_id = h.clb_id
         where h.clb_id = ? and h.pupil_id = ? order by h.held_at desc, h.id limit ?";
    let found = rows(&tx, text, vec![clb.into(), pupil.into(), MOST.into()]).await?;
    let wrapped = key::of_pupils(&tx, clb, pupils).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let (id, trajectory): (LogHoldId, TrajectoryId) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        let domain: Domain = row.try_get_by_index(6)?;
        let reached = |grant: &&Grant| grant.asked().class() == Class::of(domain) && grant.reaches(trajectory);
        // Of another team's trajectory nothing is even unsealed.
        if !grants.iter().any(reached) {
            continue;
        }
        let data_key = data_keys.get(&pupil).ok_or(DbError::Unreadable {
            column: "dossier_key.id",
        })?;
        let envelope: Vec<u8> = row.try_get_by_index(8)?;
        all.push(Hold {
            id,
            trajectory,
            held: held(&row)?,
            reason: text_in(data_key, &place(clb, pupil, id), &envelope)?,
            version: row.try_get_by_index(7)?,
        });
    }
    Ok(all)
}
