//! Intents: what the secrecy store has yet to follow, written in the transaction of what causes it, and read back for
//! whoever applies it there (design §4, across stores).
//!
//! Those about one pupil keep their order: each gets the next place of the pupil's queue under the pupil's lock, and none
//! is a head before all that stand before it are applied.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::{Mode, Post};
use hub_entities::id::{ClbId, Ids, IntentId, PrincipalId, PupilId, SchoolId, SignalId};
use hub_entities::intent::IntentKind;
use hub_entities::operation::Role;
use hub_entities::policy::{Reach, Scope};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::lease::Lease;
use super::secret::letterbox::Sealed;
use super::sql::{execute, list, row, rows};
use super::transaction::Transaction;
use super::{Db, DbError};
use crate::keys::KeyId;
use crate::keys::vault::Wrapped;

/// The name of the lease under which intents are applied.
pub const INTENTS: &str = "intents";

/// An intent that is the next of its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What applying it twice is known by.
    pub id: IntentId,
    /// In whose dossiers.
    pub clb: ClbId,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// What is to be done.
    pub what: What,
    /// Who caused it, in which role; none where the hub's own count did.
    pub by: Option<(PrincipalId, Role)>,
    /// Ties it to log and trace of the request that caused it.
    pub request: Uuid,
    /// When it was caused.
    pub at: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Guidance that cannot be refused begins.
    Begins(SignalOf),
    /// Nothing obliges to it any more.
    Lapses(SignalOf),
    /// A school asks for guidance.
    Asked(AskedFor),
}

/// The signal that an intent follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalOf {
    /// The signal.
    pub id: SignalId,
    /// What its generations share.
    pub key: String,
}

/// What a school asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedFor {
    /// Which school.
    pub school: SchoolId,
    /// What it asks, sealed.
    pub sealed: Sealed,
}

/// By whom, in which request, when something was caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caused {
    /// Who, in which role.
    pub by: (PrincipalId, Role),
    /// Ties it to log and trace of the request.
    pub request: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

/// The next place of a queue. The caller holds the lock of the pupil whose queue it is.
pub(super) async fn next_in_queue(tx: &Transaction, queue: Uuid) -> Result<i32, DbError> {
    let text = "select coalesce(max(seq), 0) + 1 from intent where queue = ?";
    let found = row(tx, text, vec![queue.into()]).await?;
    let next = found.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(next.unwrap_or(1))
}

/// A signal that a CLB took up.
#[derive(Debug, Clone, Copy)]
pub(super) struct TakenUp {
    pub(super) signal: SignalId,
    pub(super) pupil: PupilId,
    pub(super) clb: ClbId,
    pub(super) by: PrincipalId,
    pub(super) request: Uuid,
    pub(super) at: DateTime<Utc>,
}

/// Guidance that cannot be refused is to begin: where the hub keeps the dossiers of the CLB that took the signal up. The
/// caller holds the lock of the pupil.
pub(super) async fn obligation_begins(tx: &Transaction, ids: &dyn Ids, of: TakenUp) -> Result<(), DbError> {
    let values: Vec<Value> = vec![
        IntentId(ids.blind()).into(),
        of.pupil.0.into(),
        of.pupil.0.into(),
        IntentKind::ObligationBegins.into(),
        of.pupil.into(),
        of.signal.into(),
        of.request.into(),
        of.at.into(),
        of.by.into(),
        of.clb.into(),
        Mode::Hub.into(),
    ];
    let text =
        "insert into intent (id, queue, seq, kind, clb_id, pupil_id, signal_id, principal_id, role, request_id, at)
         select ?, ?, (select coalesce(max(o.seq), 0) + 1 from intent o where o.queue = ?), ?, m.clb_id, ?, ?, p.id, p.role, ?, ?
         from clb_dossiers m join principal p on p.id = ? where m.clb_id = ? and m.mode = ?";
    execute(tx, text, values).await?;
    Ok(())
}

/// Nothing obliges any more to what began of these signals: in the dossier in which it began, whomever that pupil is tied
/// to since. The caller holds the locks of the pupils that these are now.
pub(super) async fn obligations_lapse(
    tx: &Transaction,
    ids: &dyn Ids,
    withdrawn: &[SignalId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if withdrawn.is_empty() {
        return Ok(());
    }
    let text = "select id from intent where signal_id in ? and kind = ? order by queue, seq";
    let began = rows(tx, text, vec![list(withdrawn), IntentKind::ObligationBegins.into()]).await?;
    for began in began {
        let began: IntentId = began.try_get_by_index(0)?;
        let values: Vec<Value> = vec![
            IntentId(ids.blind()).into(),
            IntentKind::ObligationLapses.into(),
            Uuid::nil().into(),
            now.into(),
            began.into(),
        ];
        let text = "insert into intent (id, queue, seq, kind, clb_id, pupil_id, signal_id, request_id, at)
             select ?, b.queue, (select max(o.seq) + 1 from intent o where o.queue = b.queue), ?, b.clb_id, b.pupil_id,
             b.signal_id, ?, ? from intent b where b.id = ?";
        execute(tx, text, values).await?;
    }
    Ok(())
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// Whether anything is yet to be applied. Asks for no lock.
pub async fn waiting(db: &Db, scope: &Scope) -> Result<bool, DbError> {
    may(scope)?;
    let text = "select id from intent where applied_at is null limit 1";
    Ok(row(db.reader(), text, Vec::new()).await?.is_some())
}

/// The next of each queue: those first that were not tried yet, of each kind those that wait longest.
pub async fn heads(db: &Db, scope: &Scope, most: u32) -> Result<Vec<Intent>, DbError> {
    may(scope)?;
    let text =
        "select i.id, i.kind, i.clb_id, i.pupil_id, i.signal_id, s.key, i.principal_id, i.role, i.request_id, i.at,
                i.school_id, i.text_key, i.kek_version, i.wrapped, i.sealed
         from intent i left join signal s on s.id = i.signal_id
         where i.applied_at is null and not exists (
             select 1 from intent o where o.queue = i.queue and o.seq < i.seq and o.applied_at is null)
         order by i.tried_at is not null, coalesce(i.tried_at, i.at), i.id limit ?";
    let found = rows(db.reader(), text, vec![i64::from(most).into()]).await?;
    found.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Intent, DbError> {
    let by: Option<PrincipalId> = row.try_get_by_index(6)?;
    let signal = || {
        Ok::<_, DbError>(SignalOf {
            id: row.try_get_by_index(4)?,
            key: row.try_get_by_index(5)?,
        })
    };
    let what = match row.try_get_by_index(1)? {
        IntentKind::ObligationBegins => What::Begins(signal()?),
        IntentKind::ObligationLapses => What::Lapses(signal()?),
        IntentKind::GuidanceAsked => What::Asked(AskedFor {
            school: row.try_get_by_index(10)?,
            sealed: Sealed {
                key: KeyId(row.try_get_by_index(11)?),
                wrapped: Wrapped {
                    version: row.try_get_by_index(12)?,
                    bytes: row.try_get_by_index(13)?,
                },
                envelope: row.try_get_by_index(14)?,
            },
        }),
    };
    Ok(Intent {
        id: row.try_get_by_index(0)?,
        clb: row.try_get_by_index(2)?,
        pupil: row.try_get_by_index(3)?,
        what,
        by: by.zip(row.try_get_by_index(7)?),
        request: row.try_get_by_index(8)?,
        at: row.try_get_by_index(9)?,
    })
}

/// Notes that an intent is applied, in a transaction of the lease, and forgets what was sealed in it.
pub async fn applied(
    db: &Db,
    scope: &Scope,
    lease: &Lease,
    intent: IntentId,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    note(
        db,
        scope,
        lease,
        (intent, "wrapped = null, sealed = null, applied_at"),
        now,
    )
    .await
}

/// Notes that an intent could not be applied now: others go before it until it is tried again.
pub async fn tried(db: &Db, scope: &Scope, lease: &Lease, intent: IntentId, now: DateTime<Utc>) -> Result<(), DbError> {
    note(db, scope, lease, (intent, "tried_at"), now).await
}

async fn note(
    db: &Db,
    scope: &Scope,
    lease: &Lease,
    (intent, columns): (IntentId, &'static str),
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    may(scope)?;
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let text = format!("update intent set {columns} = ? where id = ?");
    execute(&tx, &text, vec![now.into(), intent.into()]).await?;
    tx.commit().await?;
    Ok(())
}

/// The anchors of this CLB, on this day, at the schools where the pupil is enrolled then.
pub async fn anchors(
    db: &Db,
    scope: &Scope,
    (clb, pupil): (ClbId, PupilId),
    day: NaiveDate,
) -> Result<Vec<PrincipalId>, DbError> {
    may(scope)?;
    let text = "select distinct p.principal_id from post p join enrolment e on e.school_id = p.school_id
         join pupil k on coalesce(k.merged_into, k.id) = e.pupil_id
         where p.clb_id = ? and p.post = ? and p.begins_on <= ? and (p.ends_on is null or p.ends_on > ?)
         and k.id = ? and e.begins_on <= ? and (e.ends_on is null or e.ends_on > ?) order by p.principal_id";
    let values: Vec<Value> = vec![
        clb.into(),
        Post::Anchor.into(),
        day.into(),
        day.into(),
        pupil.into(),
        day.into(),
        day.into(),
    ];
    let found = rows(db.reader(), text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
