//! What persons ask of their own dossier, and what workers open of it to them after the talk (inzage): each step with its line.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::Domain;
use hub_entities::dossier::access::DossierRequestState;
use hub_entities::id::{ClbId, DecisionId, DossierAccessId, DossierRequestId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Access, Asked, Class, Grant, Step};
use hub_entities::time::Period;
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::text_in;
use super::writing::{Changed, Stepping};
use super::{Secrets, correction, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, list_from, row, rows};
use crate::store::transaction::Transaction;

/// The most requests of one CLB that are shown at once: the oldest.
const MOST: i64 = 200;

/// A request waits, or something that was opened for it is still open; with the state and the day.
const STANDS: &str = "(r.state = ? or exists (select 1 from dossier_access a
    where a.clb_id = r.clb_id and a.request_id = r.id and a.ends_on > ?))";

/// A request that is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct New<'a> {
    /// As pupil or as parent.
    pub asked_as: Role,
    /// The decision that withheld something.
    pub decision: DecisionId,
    /// The last day on which it is answered in time, where a term is known.
    pub answer_by: Option<NaiveDate>,
    /// In the words of the person.
    pub reason: &'a str,
}

/// A request, for the person who made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Own {
    /// Its id.
    pub id: DossierRequestId,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// How far it has come.
    pub state: DossierRequestState,
    /// When it was first answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused, if it was.
    pub answer: Option<String>,
}

/// A request, for who answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: DossierRequestId,
    /// About whom.
    pub pupil: PupilId,
    /// Who asks.
    pub by: PrincipalId,
    /// As pupil or as parent.
    pub asked_as: Role,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// How far it has come.
    pub state: DossierRequestState,
    /// Rises with every change.
    pub version: i32,
    /// In the words of the person.
    pub reason: String,
    /// What was opened for it and still is, as far as it is the reader's own.
    pub opened: Vec<Opened>,
}

/// What was opened to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its id.
    pub id: DossierAccessId,
    /// Of which class.
    pub class: Class,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Who opened it.
    pub by: PrincipalId,
    /// The day of the talk.
    pub talk_on: NaiveDate,
    /// From which day.
    pub begins_on: NaiveDate,
    /// The first day no longer.
    pub ends_on: NaiveDate,
    /// Whether the pupil objects.
    pub pupil_objects: bool,
    /// Rises with every change.
    pub version: i32,
}

/// What is opened to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// The day of the talk.
    pub talk_on: NaiveDate,
    /// From which day.
    pub begins_on: NaiveDate,
    /// The first day no longer.
    pub ends_on: NaiveDate,
    /// Whether a doctor opens it.
    pub through_doctor: bool,
    /// Whether it is in the pupil's interest, where that was asked.
    pub in_interest: bool,
}

macro_rules! secret {
    ($($name:ty),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(New<'_>, Own, Standing);

const fn place(clb: ClbId, dossier: PupilId, id: DossierRequestId, column: &'static str) -> Place {
    Place {
        clb,
        dossier,
        table: "dossier_request",
        column,
        row: id.0,
    }
}

const KEY_GONE: DbError = DbError::Unreadable {
    column: "dossier_key.id",
};

/// A person asks to read the own dossier at a CLB. While one waits, asking again is the same request; the last day on which
/// it is answered in time is the first one's.
pub async fn ask(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: New<'_>,
) -> Result<(DossierRequestId, Option<NaiveDate>), DbError> {
    let tx = by.begin(secrets, Step::AskAccess).await?;
    let (pupil, who) = (by.grant.pupil(), by.grant.viewer());
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let id = DossierRequestId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        who.into(),
        new.asked_as.into(),
        by.line.at.into(),
        new.answer_by.into(),
        new.decision.into(),
        keys::seal_afresh(&data_key, &place(by.clb, pupil, id, "reason"), new.reason.as_bytes())?.into(),
        DossierRequestState::Waiting.into(),
    ];
    execute(
        &tx,
        "insert into dossier_request (id, clb_id, pupil_id, requested_by, asked_as, requested_at, answer_by, decision_id,
             reason, state, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) on conflict do nothing",
        values,
    )
    .await?;
    let text = "select id, answer_by from dossier_request where clb_id = ? and requested_by = ? and pupil_id = ? and state = ?";
    let values: Vec<Value> = vec![
        by.clb.into(),
        who.into(),
        pupil.into(),
        DossierRequestState::Waiting.into(),
    ];
    let waits = row(&tx, text, values).await?.ok_or(DbError::Unreadable {
        column: "dossier_request.state",
    })?;
    tx.commit().await?;
    Ok((waits.try_get_by_index(0)?, waits.try_get_by_index(1)?))
}

/// Writes the line, and opens what the person of the grant asked of this CLB, the oldest first: to read, and of entries.
pub async fn own(
    secrets: &Secrets,
    clb: ClbId,
    grant: &Grant,
    line: &Line,
) -> Result<(Vec<Own>, Vec<correction::Own>), DbError> {
    if grant.asked() != Asked::Do(Step::FollowRequest, Class::Intake) {
        return Err(DbError::OutOfScope);
    }
    let pupil = grant.pupil();
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    let text = "select id, requested_at, answer_by, state, answered_at, answer from dossier_request
         where clb_id = ? and requested_by = ? and pupil_id = ? order by requested_at, id";
    let found = rows(&tx, text, vec![clb.into(), grant.viewer().into(), pupil.into()]).await?;
    let corrections = correction::own(&tx, clb, grant).await?;
    let wrapped = key::of_pupils(&tx, clb, [pupil]).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let id: DossierRequestId = row.try_get_by_index(0)?;
        let envelope: Option<Vec<u8>> = row.try_get_by_index(5)?;
        let answer = envelope.map(|envelope| {
            let data_key = data_keys.get(&pupil).ok_or(KEY_GONE)?;
            text_in(data_key, &place(clb, pupil, id, "answer"), &envelope)
        });
        all.push(Own {
            id,
            at: row.try_get_by_index(1)?,
            answer_by: row.try_get_by_index(2)?,
            state: row.try_get_by_index(3)?,
            answered_at: row.try_get_by_index(4)?,
            answer: answer.transpose()?,
        });
    }
    let opened = corrections.into_iter();
    let opened = opened.map(|one| one.open(clb, pupil, data_keys.get(&pupil)));
    Ok((all, opened.collect::<Result<_, _>>()?))
}

/// About whom a request is, and as what it was made: what is decided on.
pub async fn asked(secrets: &Secrets, clb: ClbId, id: DossierRequestId) -> Result<Option<(PupilId, Role)>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select pupil_id, asked_as from dossier_request where clb_id = ? and id = ?";
    let found = row(&tx, text, vec![clb.into(), id.into()]).await?;
    tx.commit().await?;
    let facts = |row: QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    found.map(facts).transpose()
}

/// About whom requests of a CLB stand on this day, whoever waits longest first: what is decided on.
pub async fn standing(secrets: &Secrets, clb: ClbId, day: NaiveDate) -> Result<Vec<PupilId>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = format!(
        "select r.pupil_id from dossier_request r where r.clb_id = ? and {STANDS}
         group by r.pupil_id order by min(r.requested_at), r.pupil_id limit ?"
    );
    let values: Vec<Value> = vec![clb.into(), DossierRequestState::Waiting.into(), day.into(), MOST.into()];
    let found = rows(&tx, &text, values).await?;
    tx.commit().await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Writes the lines, and opens the requests that stand about the pupils of these grants, the oldest first: with what was
/// opened for each in the trajectories that the grants reach, and in no other.
pub async fn open_standing(
    secrets: &Secrets,
    (clb, day): (ClbId, NaiveDate),
    grants: &[Grant],
    lines: &[Line],
) -> Result<Vec<Standing>, DbError> {
    let answers = |grant: &&Grant| matches!(grant.asked(), Asked::Do(Step::AnswerRequest, _));
    let grants: Vec<&Grant> = grants.iter().filter(answers).collect();
    let pupils: BTreeSet<PupilId> = grants.iter().map(|grant| grant.pupil()).collect();
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, lines).await?;
    let text = format!(
        "select r.id, r.pupil_id, r.requested_by, r.asked_as, r.requested_at, r.answer_by, r.state, r.version, r.reason
         from dossier_request r where r.clb_id = ? and r.pupil_id in ? and {STANDS} order by r.requested_at, r.id limit ?"
    );
    let values: Vec<Value> = vec![
        clb.into(),
        list_from(pupils.iter().copied()),
        DossierRequestState::Waiting.into(),
        day.into(),
        MOST.into(),
    ];
    let found = rows(&tx, &text, values).await?;
    let text =
        "select id, class, trajectory_id, opened_by, talk_on, begins_on, ends_on, pupil_objects, version, request_id,
             pupil_id
         from dossier_access where clb_id = ? and pupil_id in ? and ends_on > ? order by opened_at, id";
    let values: Vec<Value> = vec![clb.into(), list_from(pupils.iter().copied()), day.into()];
    let open = rows(&tx, text, values).await?;
    let wrapped = key::of_pupils(&tx, clb, pupils).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let (id, pupil): (DossierRequestId, PupilId) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let envelope: Vec<u8> = row.try_get_by_index(8)?;
        let data_key = data_keys.get(&pupil).ok_or(KEY_GONE)?;
        all.push(Standing {
            id,
            pupil,
            by: row.try_get_by_index(2)?,
            asked_as: row.try_get_by_index(3)?,
            at: row.try_get_by_index(4)?,
            answer_by: row.try_get_by_index(5)?,
            state: row.try_get_by_index(6)?,
            version: row.try_get_by_index(7)?,
            reason: text_in(data_key, &place(clb, pupil, id, "reason"), &envelope)?,
            opened: Vec::new(),
        });
    }
    for row in &open {
        let (one, request, pupil): (Opened, DossierRequestId, PupilId) =
            (opened(row)?, row.try_get_by_index(9)?, row.try_get_by_index(10)?);
        // Another team's trajectory is not even told to be there.
        let own = grants
            .iter()
            .any(|grant| grant.pupil() == pupil && grant.asked().class() == one.class && grant.reaches(one.trajectory));
        if let Some(standing) = all.iter_mut().find(|standing| own && standing.id == request) {
            standing.opened.push(one);
        }
    }
    Ok(all)
}

fn opened(row: &QueryResult) -> Result<Opened, DbError> {
    Ok(Opened {
        id: row.try_get_by_index(0)?,
        class: row.try_get_by_index(1)?,
        trajectory: row.try_get_by_index(2)?,
        by: row.try_get_by_index(3)?,
        talk_on: row.try_get_by_index(4)?,
        begins_on: row.try_get_by_index(5)?,
        ends_on: row.try_get_by_index(6)?,
        pupil_objects: row.try_get_by_index(7)?,
        version: row.try_get_by_index(8)?,
    })
}

/// A request of the grant's pupil in this version, locked until the transaction ends: who asks, and how far it has come.
async fn locked(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (DossierRequestId, i32),
) -> Result<Result<(PrincipalId, DossierRequestState), Changed>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select requested_by, state, version from dossier_request where clb_id = ? and pupil_id = ? and id = ? {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), id.into()];
    let Some(found) = row(tx, &text, values).await? else {
        return Ok(Err(Changed::Unknown));
    };
    let version: i32 = found.try_get_by_index(2)?;
    Ok(if version == read {
        Ok((found.try_get_by_index(0)?, found.try_get_by_index(1)?))
    } else {
        Err(Changed::Stale(version))
    })
}

/// It is answered: so, for this reason. When it was first answered stays.
async fn answered(
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (DossierRequestId, i32),
    (state, answer): (DossierRequestState, Option<Vec<u8>>),
) -> Result<Changed, DbError> {
    let next = read.saturating_add(1);
    let values: Vec<Value> = vec![
        state.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        answer.into(),
        next.into(),
        by.clb.into(),
        id.into(),
    ];
    let text = "update dossier_request set state = ?, answered_by = coalesce(answered_by, ?),
         answered_at = coalesce(answered_at, ?), answer = ?, version = ? where clb_id = ? and id = ?";
    execute(tx, text, values).await?;
    Ok(Changed::Done(next))
}

/// Whether there is such a trajectory of the grant's pupil within the grant: of its domain, or any where health data are
/// opened.
async fn reaches(tx: &Transaction, by: &Stepping<'_>, trajectory: TrajectoryId) -> Result<bool, DbError> {
    let text = "select domain from trajectory where clb_id = ? and pupil_id = ? and id = ?";
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), trajectory.into()];
    let Some(found) = row(tx, text, values).await? else {
        return Ok(false);
    };
    let (domain, class): (Domain, Class) = (found.try_get_by_index(0)?, by.grant.asked().class());
    Ok(by.reaches(trajectory) && (class == Class::Medical || class == Class::of(domain)))
}

/// Opens a trajectory of the grant to who asked, for a time; the request has its next version then.
pub async fn open(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    of: (DossierRequestId, i32),
    new: Opening,
) -> Result<(DossierAccessId, Changed), DbError> {
    let tx = by.begin(secrets, Step::OpenAccess).await?;
    let id = DossierAccessId(ids.blind());
    let changed = match locked(secrets, &tx, &by, of).await? {
        Err(changed) => changed,
        Ok((_, DossierRequestState::Refused)) => Changed::NotNow,
        Ok(_) if !reaches(&tx, &by, new.trajectory).await? => Changed::Unknown,
        Ok((asker, _)) => {
            let values: Vec<Value> = vec![
                id.into(),
                by.clb.into(),
                by.grant.pupil().into(),
                of.0.into(),
                asker.into(),
                by.grant.asked().class().into(),
                new.trajectory.into(),
                new.through_doctor.into(),
                new.in_interest.into(),
                false.into(),
                new.talk_on.into(),
                new.begins_on.into(),
                new.ends_on.into(),
                by.grant.viewer().into(),
                by.line.at.into(),
            ];
            execute(
                &tx,
                "insert into dossier_access (id, clb_id, pupil_id, request_id, principal_id, class, trajectory_id,
                     through_doctor, in_interest, pupil_objects, talk_on, begins_on, ends_on, opened_by, opened_at, version)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
                values,
            )
            .await?;
            answered(&tx, &by, of, (DossierRequestState::Opened, None)).await?
        }
    };
    tx.commit().await?;
    Ok((id, changed))
}

/// Refuses a request that waits, for a reason that the person reads.
pub async fn refuse(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    of: (DossierRequestId, i32),
    reason: &str,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AnswerRequest).await?;
    let changed = match locked(secrets, &tx, &by, of).await? {
        Err(changed) => changed,
        Ok((_, DossierRequestState::Opened | DossierRequestState::Refused)) => Changed::NotNow,
        Ok((_, DossierRequestState::Waiting)) => {
            let pupil = by.grant.pupil();
            let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
            let place = place(by.clb, pupil, of.0, "answer");
            let reason = keys::seal_afresh(&data_key, &place, reason.as_bytes())?;
            answered(&tx, &by, of, (DossierRequestState::Refused, Some(reason))).await?
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Ends what was opened from this day on; or notes that the pupil objects, and then no parent reads it while parents decide.
pub async fn end(
    secrets: &Secrets,
    by: Stepping<'_>,
    (id, read): (DossierAccessId, i32),
    (objects, day): (bool, NaiveDate),
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::OpenAccess).await?;
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select version, trajectory_id, ends_on, pupil_objects from dossier_access
         where clb_id = ? and pupil_id = ? and class = ? and id = ? {lock}"
    );
    let class = by.grant.asked().class();
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), class.into(), id.into()];
    let Some(found) = row(&tx, &text, values).await? else {
        tx.commit().await?;
        return Ok(Changed::Unknown);
    };
    let (version, trajectory): (i32, TrajectoryId) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let (ends_on, objected): (NaiveDate, bool) = (found.try_get_by_index(2)?, found.try_get_by_index(3)?);
    let changed = match () {
        () if !by.reaches(trajectory) => Changed::Unknown,
        () if version != read => Changed::Stale(version),
        () if ends_on <= day || (objects && objected) => Changed::NotNow,
        () => {
            let next = version.saturating_add(1);
            let ends_on = if objects { ends_on } else { day };
            let values: Vec<Value> = vec![
                ends_on.into(),
                (objects || objected).into(),
                by.grant.viewer().into(),
                by.line.at.into(),
                next.into(),
                by.clb.into(),
                id.into(),
            ];
            let text =
                "update dossier_access set ends_on = ?, pupil_objects = ?, changed_by = ?, changed_at = ?, version = ?
                 where clb_id = ? and id = ?";
            execute(&tx, text, values).await?;
            Changed::Done(next)
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// What was opened to a person, CLB by CLB; whether the pupil consents is not looked at yet.
pub(super) async fn opened_to(
    tx: &Transaction,
    clbs: &[ClbId],
    (person, pupil): (PrincipalId, PupilId),
) -> Result<Vec<(ClbId, Access)>, DbError> {
    let text =
        "select clb_id, class, trajectory_id, through_doctor, pupil_objects, begins_on, ends_on from dossier_access
         where clb_id in ? and principal_id = ? and pupil_id = ? order by opened_at, id";
    let found = rows(tx, text, vec![list(clbs), person.into(), pupil.into()]).await?;
    let access = |row: &QueryResult| {
        let access = Access {
            class: row.try_get_by_index(1)?,
            trajectory: row.try_get_by_index(2)?,
            through_doctor: row.try_get_by_index(3)?,
            pupil_consents: false,
            pupil_objects: row.try_get_by_index(4)?,
            period: Period {
                begins: row.try_get_by_index(5)?,
                ends: row.try_get_by_index(6)?,
            },
        };
        Ok((row.try_get_by_index(0)?, access))
    };
    found.iter().map(access).collect()
}
