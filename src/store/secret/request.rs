//! Requests for guidance (aanmeldingen) in the secrecy store: they arrive sealed, wait for the anchor of the school, and
//! are taken in or declined. Nobody's are those that a school asks for itself (consultation, phase 1).

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::entry::{About, ClosedGrounds};
use hub_entities::dossier::request::RequestState;
use hub_entities::dossier::trajectory::AskedBy;
use hub_entities::id::{
    ClbId, EntryId, GuidanceRequestId, Ids, IntentId, PrincipalId, PupilId, SchoolId, TrajectoryId,
};
use hub_entities::operation::Purpose;
use hub_entities::policy::Scope;
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Step};
use sea_orm::{QueryResult, Value};

use super::letterbox::Address;
use super::line::{self, Line};
use super::opening::text_in;
use super::writing::{self, Changed, NewTrajectory, Stepping, Written};
use super::{NOBODY, Secrets, following, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::intent::{AskedFor, Intent};
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;

/// The most requests of one school that wait and are shown at once: the oldest.
const MOST: i64 = 200;

/// What is decided on: about whom, and which school asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Which.
    pub id: GuidanceRequestId,
    /// About whom; [`NOBODY`] where the school asks for itself.
    pub pupil: PupilId,
    /// The school whose anchor takes it in.
    pub school: SchoolId,
}

/// A request as it stands, opened as far as it was granted.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: GuidanceRequestId,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// The school whose anchor takes it in.
    pub school: SchoolId,
    /// Who asks.
    pub asked_by: AskedBy,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Rises with every change.
    pub version: i32,
    /// What was asked; none where it was not granted.
    pub text: Option<String>,
}

/// A request that is to be written.
#[derive(Clone, PartialEq, Eq)]
pub struct New {
    /// What the asker calls it: asked twice under one name, it is one.
    pub key: String,
    /// The school whose anchor takes it in.
    pub school: SchoolId,
    /// Who asks.
    pub asked_by: AskedBy,
    /// What is asked.
    pub text: String,
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
secret!(Request, New);

const fn place(clb: ClbId, pupil: PupilId, id: GuidanceRequestId, column: &'static str) -> Place {
    Place {
        clb,
        dossier: pupil,
        table: "guidance_request",
        column,
        row: id.0,
    }
}

/// `None` for nobody.
fn about(pupil: PupilId) -> Option<PupilId> {
    Some(pupil).filter(|pupil| *pupil != NOBODY)
}

/// Who asked, when, and under which name.
struct By {
    who: PrincipalId,
    at: DateTime<Utc>,
    key: Option<String>,
}

async fn put(
    tx: &Transaction,
    data_key: &DataKey,
    (clb, pupil, id): (ClbId, PupilId, GuidanceRequestId),
    (school, asked_by, by): (SchoolId, AskedBy, By),
    text: &str,
) -> Result<(), DbError> {
    let sealed = keys::seal_afresh(data_key, &place(clb, pupil, id, "text"), text.as_bytes())?;
    let values: Vec<Value> = vec![
        id.into(),
        clb.into(),
        about(pupil).into(),
        school.into(),
        asked_by.into(),
        by.who.into(),
        by.at.into(),
        by.key.into(),
        sealed.into(),
        RequestState::Received.into(),
    ];
    execute(
        tx,
        "insert into guidance_request (id, clb_id, pupil_id, school_id, asked_by, requested_by, requested_at, asked_key, text,
             state, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    Ok(())
}

/// A school's request arrives from the main store. Says whether it did now.
pub async fn arrives(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    intent: &Intent,
    asked: &AskedFor,
) -> Result<bool, DbError> {
    let granted = format!("{}=anyone-may-ask-for-guidance", Class::Case);
    let what = (Step::RequestGuidance.name(), Purpose::Guidance, granted);
    let Some(tx) = following::begin(secrets, scope, ids, intent, what).await? else {
        return Ok(false);
    };
    let by = intent.by.ok_or(DbError::Unreadable {
        column: "intent.principal_id",
    })?;
    let at = Address {
        clb: intent.clb,
        pupil: intent.pupil.unwrap_or(NOBODY),
        intent: intent.id,
    };
    let text = secrets.take_out(at, &asked.sealed).await?;
    let data_key = key::make(&tx, &*secrets.vault, ids, at.clb, at.pupil).await?;
    let of = (at.clb, at.pupil, id_of(intent.id));
    let by = By {
        who: by.0,
        at: intent.at,
        key: None,
    };
    put(&tx, &data_key, of, (asked.school, AskedBy::School, by), &text).await?;
    tx.commit().await?;
    Ok(true)
}

/// The request that an intent brings: what the school was told as its number.
pub const fn id_of(intent: IntentId) -> GuidanceRequestId {
    GuidanceRequestId(intent.0)
}

/// Someone of the CLB asks, for whoever asked the CLB. Asked again under one name it is the first: when that was.
pub async fn ask(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: New,
) -> Result<(GuidanceRequestId, DateTime<Utc>), DbError> {
    let tx = by.begin(secrets, Step::RequestGuidance).await?;
    let pupil = by.grant.pupil();
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select id, requested_at from guidance_request where clb_id = ? and requested_by = ? and asked_key = ? {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), by.grant.viewer().into(), new.key.clone().into()];
    if let Some(first) = row(&tx, &text, values).await? {
        tx.commit().await?;
        return Ok((first.try_get_by_index(0)?, first.try_get_by_index(1)?));
    }
    let id = GuidanceRequestId(ids.blind());
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let who = By {
        who: by.grant.viewer(),
        at: by.line.at,
        key: Some(new.key),
    };
    put(
        &tx,
        &data_key,
        (by.clb, pupil, id),
        (new.school, new.asked_by, who),
        &new.text,
    )
    .await?;
    tx.commit().await?;
    Ok((id, by.line.at))
}

fn facts(row: &QueryResult) -> Result<Facts, DbError> {
    let pupil: Option<PupilId> = row.try_get_by_index(1)?;
    Ok(Facts {
        id: row.try_get_by_index(0)?,
        pupil: pupil.unwrap_or(NOBODY),
        school: row.try_get_by_index(2)?,
    })
}

/// What waits for the anchor of a school, the oldest first: what is decided on, and nothing of what was said.
pub async fn waiting(secrets: &Secrets, clb: ClbId, school: SchoolId) -> Result<Vec<Facts>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select id, pupil_id, school_id from guidance_request
         where clb_id = ? and school_id = ? and state = ? order by requested_at, id limit ?";
    let values: Vec<Value> = vec![clb.into(), school.into(), RequestState::Received.into(), MOST.into()];
    let found = rows(&tx, text, values).await?;
    tx.commit().await?;
    found.iter().map(facts).collect()
}

/// The same of one, in whatever state.
pub async fn facts_of(secrets: &Secrets, clb: ClbId, id: GuidanceRequestId) -> Result<Option<Facts>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select id, pupil_id, school_id from guidance_request where clb_id = ? and id = ?";
    let found = row(&tx, text, vec![clb.into(), id.into()]).await?;
    tx.commit().await?;
    found.as_ref().map(facts).transpose()
}

/// A request that was granted: that it is there, and what was said in it where that was granted too.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Which.
    pub id: GuidanceRequestId,
    /// The right to see that it is there.
    pub seen: Grant,
    /// The right to read it.
    pub read: Option<Grant>,
}

impl Granted {
    fn is_of(&self, pupil: PupilId) -> bool {
        let is = |grant: &Grant, part: Part| grant.pupil() == pupil && grant.field() == Field::new(Class::Intake, part);
        let read = self.read.as_ref();
        is(&self.seen, Part::Requests) && read.is_none_or(|read| is(read, Part::Entries))
    }
}

/// Writes the lines and opens what was granted, in one short transaction; only when it is committed is any value there.
pub async fn open(secrets: &Secrets, clb: ClbId, granted: &[Granted], lines: &[Line]) -> Result<Vec<Request>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, lines).await?;
    let ids: Vec<GuidanceRequestId> = granted.iter().map(|one| one.id).collect();
    let text = "select id, pupil_id, school_id, asked_by, requested_at, version, text from guidance_request
         where clb_id = ? and id in ? order by requested_at, id";
    let found = rows(&tx, text, vec![clb.into(), list(&ids)]).await?;
    let mut sealed: Vec<(Request, Option<Vec<u8>>)> = Vec::new();
    for row in &found {
        let Facts { id, pupil, school } = facts(row)?;
        let Some(grant) = granted.iter().find(|one| one.id == id && one.is_of(pupil)) else {
            continue;
        };
        let envelope: Vec<u8> = row.try_get_by_index(6)?;
        let request = Request {
            id,
            pupil: about(pupil),
            school,
            asked_by: row.try_get_by_index(3)?,
            requested_at: row.try_get_by_index(4)?,
            version: row.try_get_by_index(5)?,
            text: None,
        };
        sealed.push((request, grant.read.as_ref().map(|_| envelope)));
    }
    let read = sealed.iter().filter(|(_, envelope)| envelope.is_some());
    let wrapped = key::of_pupils(&tx, clb, read.map(|(request, _)| request.pupil.unwrap_or(NOBODY))).await?;
    tx.commit().await?;

    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut requests = Vec::with_capacity(sealed.len());
    for (mut request, envelope) in sealed {
        if let Some(envelope) = envelope {
            let pupil = request.pupil.unwrap_or(NOBODY);
            let data_key = data_keys.get(&pupil).ok_or(DbError::Unreadable {
                column: "dossier_key.id",
            })?;
            request.text = Some(text_in(data_key, &place(clb, pupil, request.id, "text"), &envelope)?);
        }
        requests.push(request);
    }
    Ok(requests)
}

/// A request that waits in this version, under lock: who asked for whom, and what, sealed.
struct Waiting {
    asked_by: AskedBy,
    requested_by: PrincipalId,
    envelope: Vec<u8>,
}

async fn locked(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (GuidanceRequestId, i32),
) -> Result<Result<Waiting, Changed>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select pupil_id, state, version, asked_by, requested_by, text from guidance_request
         where clb_id = ? and id = ? {lock}"
    );
    let Some(found) = row(tx, &text, vec![by.clb.into(), id.into()]).await? else {
        return Ok(Err(Changed::Unknown));
    };
    let (pupil, state): (Option<PupilId>, RequestState) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let version: i32 = found.try_get_by_index(2)?;
    Ok(match () {
        () if pupil.unwrap_or(NOBODY) != by.grant.pupil() => Err(Changed::Unknown),
        () if version != read => Err(Changed::Stale(version)),
        () if state != RequestState::Received => Err(Changed::NotNow),
        () => Ok(Waiting {
            asked_by: found.try_get_by_index(3)?,
            requested_by: found.try_get_by_index(4)?,
            envelope: found.try_get_by_index(5)?,
        }),
    })
}

/// Answers a request that waits.
async fn answer(
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (GuidanceRequestId, i32),
    (state, trajectory, reason): (RequestState, Option<TrajectoryId>, Option<Vec<u8>>),
) -> Result<Changed, DbError> {
    let next = read.saturating_add(1);
    let values: Vec<Value> = vec![
        state.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        trajectory.into(),
        reason.into(),
        next.into(),
        by.clb.into(),
        id.into(),
    ];
    let text = "update guidance_request set state = ?, answered_by = ?, answered_at = ?, trajectory_id = ?, reason = ?,
         version = ? where clb_id = ? and id = ?";
    execute(tx, text, values).await?;
    Ok(Changed::Done(next))
}

/// What begins with a request that is taken in.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// The right to begin it.
    pub by: Stepping<'a>,
    /// Where.
    pub new: NewTrajectory,
    /// From which day.
    pub day: NaiveDate,
}

/// Takes a request in: about a pupil a trajectory begins, whose first entry is what was asked, by whoever asked it; all of
/// it in one transaction. Says which trajectory began.
pub async fn take_in(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    begins: Option<Beginning<'_>>,
    of: (GuidanceRequestId, i32),
) -> Result<(Changed, Option<TrajectoryId>), DbError> {
    let tx = by.begin(secrets, Step::AnswerGuidance).await?;
    let waits = match locked(secrets, &tx, &by, of).await? {
        Ok(waits) => waits,
        Err(changed) => {
            tx.commit().await?;
            return Ok((changed, None));
        }
    };
    let pupil = by.grant.pupil();
    let mut began = None;
    if let Some(Beginning { by: opens, new, day }) = begins {
        let fits = opens.grant.asked() == Asked::Do(Step::OpenTrajectory, Class::of(new.domain));
        if !fits || opens.grant.pupil() != pupil || opens.clb != by.clb {
            return Err(DbError::OutOfScope);
        }
        line::write(&tx, std::slice::from_ref(opens.line)).await?;
        let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
        let text = text_in(&data_key, &place(by.clb, pupil, of.0, "text"), &waits.envelope)?;
        let new = NewTrajectory {
            asked_by: waits.asked_by,
            ..new
        };
        let trajectory = writing::begin_trajectory(&tx, secrets, ids, &opens, new, day).await?;
        let written = Written {
            closed: ClosedGrounds::NONE,
            about: About::Pupil,
            text,
        };
        let author = waits.requested_by;
        let _entry: EntryId = writing::first_entry(&tx, secrets, ids, &opens, (trajectory, author), &written).await?;
        began = Some(trajectory);
    } else if pupil != NOBODY {
        return Err(DbError::OutOfScope);
    }
    let changed = answer(&tx, &by, of, (RequestState::TakenIn, began, None)).await?;
    tx.commit().await?;
    Ok((changed, began))
}

/// Declines a request, for a reason that stays.
pub async fn decline(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    of: (GuidanceRequestId, i32),
    reason: &str,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AnswerGuidance).await?;
    let changed = if let Err(changed) = locked(secrets, &tx, &by, of).await? {
        changed
    } else {
        let pupil = by.grant.pupil();
        let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
        let place = place(by.clb, pupil, of.0, "reason");
        let reason = keys::seal_afresh(&data_key, &place, reason.as_bytes())?;
        answer(&tx, &by, of, (RequestState::Declined, None, Some(reason))).await?
    };
    tx.commit().await?;
    Ok(changed)
}
