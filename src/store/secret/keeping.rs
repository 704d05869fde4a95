//! For how long dossiers are kept: what the term of each hangs on and what keeps it, and erasing one. Nothing is opened here.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::access::DossierRequestState;
use hub_entities::dossier::correction::CorrectionState;
use hub_entities::dossier::request::{AccessState, RequestState};
use hub_entities::dossier::trajectory::TrajectoryState;
use hub_entities::dossier::transfer::Custody;
use hub_entities::id::{ClbId, PupilId};
use hub_entities::law::retention::Stays;
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::brussels_day;
use sea_orm::Value;

use super::key::ERASED;
use super::line::{self, Line};
use super::{NOBODY, SecretDb, release};
use crate::keys::KeyId;
use crate::store::DbError;
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;

/// What in a dossier has a date of its own: the last of them is the last contact. The hub knows systematic contacts by what
/// people wrote of them, so whatever a person or a worker did counts, and nothing goes sooner by it.
pub const CONTACTS: [(&str, &str); 20] = [
    ("trajectory", "opened_at"),
    ("trajectory", "closed_at"),
    ("entry_text", "written_at"),
    ("consent_said", "written_at"),
    ("capability", "written_at"),
    ("referral_said", "written_at"),
    ("access_request", "requested_at"),
    ("access_request", "answered_at"),
    ("access_lent", "from_at"),
    ("emergency", "from_at"),
    ("guidance_request", "requested_at"),
    ("guidance_request", "answered_at"),
    ("dossier_request", "requested_at"),
    ("dossier_request", "answered_at"),
    ("dossier_access", "opened_at"),
    ("dossier_access", "changed_at"),
    ("correction_request", "requested_at"),
    ("correction_request", "answered_at"),
    ("school_release", "released_at"),
    ("transfer", "over_at"),
];

/// What has a date and is no contact: what the hub did by itself or what ends of itself, what stands with a contact anyway, and
/// holding a dossier or its log back, or reviewing that, which is not to prolong its term.
pub const NO_CONTACTS: [(&str, &str); 11] = [
    ("trajectory", "lapsed_at"),
    ("entry", "left_out_at"),
    ("access_lent", "until_at"),
    ("emergency", "until_at"),
    ("school_release", "over_at"),
    ("legal_hold", "put_at"),
    ("legal_hold", "lifted_at"),
    ("log_hold", "held_at"),
    ("log_hold", "lifted_at"),
    ("log_review", "reviewed_at"),
    ("transfer", "announced_at"),
];

/// What is known of a dossier here: the day of the last contact, and what keeps it whatever its term.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The day of the last contact, if anything in it has a date.
    pub last_contact: Option<NaiveDate>,
    /// What keeps it.
    pub standing: Vec<Stays>,
}

/// A dossier that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Whose.
    pub pupil: PupilId,
    /// Its key.
    pub key: KeyId,
    /// What is known of it.
    pub found: Found,
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// The next dossiers of a CLB behind this pupil's, and what is known of each now. Before the first stands [`NOBODY`]: what
/// schools asked for themselves is about nobody, and no dossier.
pub async fn some(
    apart: &SecretDb,
    scope: &Scope,
    clb: ClbId,
    (after, most): (PupilId, u32),
    now: DateTime<Utc>,
) -> Result<Vec<There>, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let text = "select pupil_id, id from dossier_key where clb_id = ? and pupil_id > ? and pupil_id <> ?
         order by pupil_id limit ?";
    let values: Vec<Value> = vec![clb.into(), after.into(), NOBODY.into(), i64::from(most).into()];
    let there: Result<Vec<(PupilId, KeyId)>, DbError> = rows(&tx, text, values)
        .await?
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, KeyId(row.try_get_by_index(1)?))))
        .collect();
    let there = there?;
    let pupils: Vec<PupilId> = there.iter().map(|(pupil, _)| *pupil).collect();
    let mut of = found(&tx, clb, &pupils, now).await?;
    tx.commit().await?;
    let one = |(pupil, key)| There {
        pupil,
        key,
        found: of.remove(&pupil).unwrap_or_default(),
    };
    Ok(there.into_iter().map(one).collect())
}

/// What is known of the dossiers of these pupils, as far as there is anything.
async fn found(
    tx: &Transaction,
    clb: ClbId,
    pupils: &[PupilId],
    now: DateTime<Utc>,
) -> Result<HashMap<PupilId, Found>, DbError> {
    let mut all: HashMap<PupilId, Found> = HashMap::new();
    if pupils.is_empty() {
        return Ok(all);
    }
    let dated = CONTACTS.map(|(table, column)| match table {
        // A text stands in an entry, and that is a pupil's.
        "entry_text" => format!(
            "select e.pupil_id as pupil_id, x.{column} as at from entry_text x join entry e on e.id = x.entry_id and e.clb_id = x.clb_id
             where e.clb_id = ? and e.pupil_id in ?"
        ),
        _ => format!("select pupil_id, {column} as at from {table} where clb_id = ? and pupil_id in ?"),
    });
    let text = format!(
        "select d.pupil_id, max(d.at) from ({}) d where d.at is not null group by d.pupil_id",
        dated.join(" union all ")
    );
    let values = CONTACTS.iter().flat_map(|_| [Value::from(clb), list(pupils)]).collect();
    for row in rows(tx, &text, values).await? {
        let last: DateTime<Utc> = row.try_get_by_index(1)?;
        all.entry(row.try_get_by_index(0)?).or_default().last_contact = Some(brussels_day(last));
    }
    let (text, values) = standing(clb, pupils, now);
    for row in rows(tx, &text, values).await? {
        let stays: String = row.try_get_by_index(1)?;
        let stays = stays
            .parse()
            .map_err(|_unknown| DbError::Unreadable { column: "stays" })?;
        all.entry(row.try_get_by_index(0)?).or_default().standing.push(stays);
    }
    Ok(all)
}

/// What keeps the dossiers of these pupils, reason by reason.
fn standing(clb: ClbId, pupils: &[PupilId], now: DateTime<Utc>) -> (String, Vec<Value>) {
    let day = brussels_day(now);
    let reasons: [(&str, &str, Vec<Value>, Stays); 12] = [
        ("legal_hold r", "r.lifted_at is null", Vec::new(), Stays::LegalHold),
        (
            "trajectory r",
            "r.state = ?",
            vec![TrajectoryState::Open.into()],
            Stays::RunningTrajectory,
        ),
        (
            "access_request r",
            "r.state = ?",
            vec![AccessState::Waiting.into()],
            Stays::OpenRequest,
        ),
        (
            "guidance_request r",
            "r.state = ?",
            vec![RequestState::Received.into()],
            Stays::OpenRequest,
        ),
        (
            "dossier_request r",
            "r.state = ?",
            vec![DossierRequestState::Waiting.into()],
            Stays::OpenRequest,
        ),
        (
            "correction_request r",
            "r.state = ?",
            vec![CorrectionState::Waiting.into()],
            Stays::OpenRequest,
        ),
        ("access_lent r", "r.until_at > ?", vec![now.into()], Stays::OpenAccess),
        ("emergency r", "r.until_at > ?", vec![now.into()], Stays::OpenAccess),
        ("dossier_access r", "r.ends_on > ?", vec![day.into()], Stays::OpenAccess),
        (
            "school_release r",
            "r.over_for is null",
            Vec::new(),
            Stays::ReleaseInForce,
        ),
        (
            "school_release r join release_intent i on i.release_id = r.id and i.clb_id = r.clb_id",
            "i.applied_at is null",
            Vec::new(),
            Stays::WaitingIntent,
        ),
        (
            "transfer r",
            "r.custody = ? and not r.arrives",
            vec![Custody::Announced.into()],
            Stays::PendingTransfer,
        ),
    ];
    let (mut texts, mut all) = (Vec::with_capacity(reasons.len()), Vec::new());
    for (from, that, values, stays) in reasons {
        texts.push(format!(
            "select r.pupil_id, '{stays}' from {from} where r.clb_id = ? and r.pupil_id in ? and {that}"
        ));
        all.extend([Value::from(clb), list(pupils)]);
        all.extend(values);
    }
    // Each reason once, however many rows say it.
    (texts.join(" union "), all)
}

/// A dossier under lock: until this ends nobody else writes in it, holds it back or erases it. Let go of, it is as it was.
pub struct Locked {
    tx: Transaction,
    clb: ClbId,
    pupil: PupilId,
    key: KeyId,
}

impl std::fmt::Debug for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locked").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Locks the dossier of a pupil at a CLB; nothing where there is none. Whoever is writing in it is waited for.
pub async fn lock(apart: &SecretDb, scope: &Scope, clb: ClbId, pupil: PupilId) -> Result<Option<Locked>, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let Some(key) = locked(apart, &tx, (clb, pupil)).await? else {
        tx.commit().await?;
        return Ok(None);
    };
    Ok(Some(Locked { tx, clb, pupil, key }))
}

/// The key of the dossier, under lock until the transaction ends.
async fn locked(apart: &SecretDb, tx: &Transaction, (clb, pupil): (ClbId, PupilId)) -> Result<Option<KeyId>, DbError> {
    let lock = apart.dialect.for_update();
    let text = format!("select id from dossier_key where clb_id = ? and pupil_id = ? {lock}");
    let found = row(tx, &text, vec![clb.into(), pupil.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?.map(KeyId))
}

/// Locks the dossier in a transaction that goes on, and says whether a legal hold stands on it.
pub(super) async fn is_held_under_lock(
    apart: &SecretDb,
    tx: &Transaction,
    (clb, pupil): (ClbId, PupilId),
) -> Result<bool, DbError> {
    locked(apart, tx, (clb, pupil)).await?;
    is_held(tx, (clb, pupil)).await
}

async fn is_held(tx: &Transaction, (clb, pupil): (ClbId, PupilId)) -> Result<bool, DbError> {
    let text = "select id from legal_hold where clb_id = ? and pupil_id = ? and lifted_at is null limit 1";
    Ok(row(tx, text, vec![clb.into(), pupil.into()]).await?.is_some())
}

impl Locked {
    /// Its key.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// Whether a legal hold stands on it.
    pub async fn is_held(&self) -> Result<bool, DbError> {
        is_held(&self.tx, (self.clb, self.pupil)).await
    }

    /// What is known of it now: whatever was written before it was locked is seen.
    pub async fn found(&self, now: DateTime<Utc>) -> Result<Found, DbError> {
        let mut of = found(&self.tx, self.clb, &[self.pupil], now).await?;
        Ok(of.remove(&self.pupil).unwrap_or_default())
    }

    /// Leaves it as it is.
    pub async fn leave(self) -> Result<(), DbError> {
        Ok(self.tx.rollback().await?)
    }

    /// Forgets it: its key, which is on the list of destroyed ones by now, and every row of what that sealed. The access log
    /// stays, with a line that tells of this; copies at schools go by intents.
    pub async fn forget(self, line: &Line) -> Result<(), DbError> {
        let Self { tx, clb, pupil, key } = self;
        line::write(&tx, std::slice::from_ref(line)).await?;
        let texts = "delete from entry_text where clb_id = ?
             and entry_id in (select e.id from entry e where e.clb_id = ? and e.pupil_id = ?)";
        execute(&tx, texts, vec![clb.into(), clb.into(), pupil.into()]).await?;
        release::erased(&tx, (clb, pupil), line.at).await?;
        for table in ERASED {
            let text = format!("delete from {table} where clb_id = ? and pupil_id = ?");
            execute(&tx, &text, vec![clb.into(), pupil.into()]).await?;
        }
        let text = "delete from dossier_key where clb_id = ? and pupil_id = ? and id = ?";
        execute(&tx, text, vec![clb.into(), pupil.into(), key.0.into()]).await?;
        tx.commit().await?;
        Ok(())
    }
}
