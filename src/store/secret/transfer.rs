//! Transfers of dossiers to other CLBs (overdracht): announced, objected to, withdrawn. How one is carried out stands in
//! [`super::carrying`].
//!
//! A transfer is a row of the CLB from which the dossier goes. It is the intent too: what the main store says of enrolments is
//! compared with it again and again, and each step is one transaction with its line.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::consent::Giver;
use hub_entities::dossier::transfer::{Custody, SHOWN_DAYS, Waits};
use hub_entities::id::{ClbId, DecisionId, Ids, PrincipalId, PupilId, TransferId};
use hub_entities::law::transfer::Term;
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Reader, Step};
use hub_entities::policy::{Reach, Scope};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::line::{self, Line};
use super::opening::text_in;
use super::writing::{Changed, Stepping};
use super::{SecretDb, Secrets, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, list_from, row, rows};
use crate::store::transaction::Transaction;

/// So many transfers of one CLB are looked at at once.
const AT_ONCE: i64 = 200;

/// A transfer, for who may hear of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id, at this CLB.
    pub id: TransferId,
    /// Whose dossier.
    pub pupil: PupilId,
    /// From which CLB.
    pub from: ClbId,
    /// To which one.
    pub to: ClbId,
    /// In whose keeping the dossier is.
    pub custody: Custody,
    /// Since when the pupil is enrolled where the other CLB is competent.
    pub enrolled_on: NaiveDate,
    /// When it was announced.
    pub announced_at: DateTime<Utc>,
    /// The last day on which an objection is in time.
    pub objection_until: NaiveDate,
    /// The day on which the dossier goes.
    pub goes_on: NaiveDate,
    /// Why it waits although that day has come.
    pub waits: Option<Waits>,
    /// Who objected, and when.
    pub objected: Option<(Giver, NaiveDate)>,
    /// What was said, where it may be read.
    pub objection: Option<String>,
    /// When it was carried out, or withdrawn.
    pub over_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
}

/// What stands of a pupil's dossier at a CLB: the transfer that was announced, or else the latest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: TransferId,
    /// To which CLB.
    pub to: ClbId,
    /// In whose keeping.
    pub custody: Custody,
    /// Since when the pupil is enrolled there.
    pub enrolled_on: NaiveDate,
    /// The day on which it goes.
    pub goes_on: NaiveDate,
    /// Why it waits.
    pub waits: Option<Waits>,
    /// Whether somebody objected.
    pub objected: bool,
    /// Whether a legal hold stands on the dossier.
    pub held: bool,
    /// When it was carried out, or withdrawn.
    pub over_at: Option<DateTime<Utc>>,
}

/// What is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// To which CLB it goes.
    pub to: ClbId,
    /// Since when the pupil is enrolled there.
    pub enrolled_on: NaiveDate,
    /// The days.
    pub term: Term,
}

/// An objection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Objection<'a> {
    /// Whose.
    pub by: Giver,
    /// The day it came.
    pub on: NaiveDate,
    /// In which words.
    pub text: Option<&'a str>,
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
secret!(Transfer, Objection<'_>);

pub(super) const fn place(clb: ClbId, dossier: PupilId, id: TransferId) -> Place {
    Place {
        clb,
        dossier,
        table: "transfer",
        column: "objection",
        row: id.0,
    }
}

pub(super) const KEY_GONE: DbError = DbError::Unreadable {
    column: "dossier_key.id",
};

pub(super) fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// A line about what the hub does by itself: whoever works on this machine is no principal.
pub(super) fn line(ids: &dyn Ids, (clb, pupil): (ClbId, PupilId), action: &str, why: &str, now: DateTime<Utc>) -> Line {
    Line {
        id: DecisionId(ids.blind()),
        clb,
        at: now,
        by: PrincipalId(Uuid::nil()),
        role: Role::Operator,
        purpose: None,
        assured: false,
        pupil,
        action: action.to_owned(),
        granted: vec![format!("{}={why}", Class::Intake)],
        withheld: Vec::new(),
        facts: String::new(),
        request: Uuid::nil(),
    }
}

// ------------------------------------------------------------------------------------------- what the hub does by itself

/// Pupils of whom this CLB keeps guidance, in the order of their ids, after this one.
pub async fn kept(
    apart: &SecretDb,
    scope: &Scope,
    clb: ClbId,
    (after, most): (Option<PupilId>, u32),
) -> Result<Vec<PupilId>, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let text = "select distinct pupil_id from trajectory where clb_id = ? and pupil_id > ? order by pupil_id limit ?";
    let after = after.unwrap_or(super::NOBODY);
    let found = rows(&tx, text, vec![clb.into(), after.into(), i64::from(most).into()]).await?;
    tx.commit().await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// What stands of each of these pupils' dossiers at this CLB, from which they go.
pub async fn standing(
    apart: &SecretDb,
    scope: &Scope,
    clb: ClbId,
    pupils: &[PupilId],
) -> Result<HashMap<PupilId, Standing>, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let text = "select pupil_id, id, other_clb_id, custody, enrolled_on, goes_on, waits, over_at,
                objected_by is not null,
                exists (select 1 from legal_hold h where h.clb_id = transfer.clb_id and h.pupil_id = transfer.pupil_id
                        and h.lifted_at is null)
         from transfer
         where clb_id = ? and pupil_id in ? and not arrives order by announced_at, id";
    let found = rows(&tx, text, vec![clb.into(), list(pupils)]).await?;
    tx.commit().await?;
    let mut all: HashMap<PupilId, Standing> = HashMap::new();
    for row in found {
        let standing = Standing {
            id: row.try_get_by_index(1)?,
            to: row.try_get_by_index(2)?,
            custody: row.try_get_by_index(3)?,
            enrolled_on: row.try_get_by_index(4)?,
            goes_on: row.try_get_by_index(5)?,
            waits: row.try_get_by_index(6)?,
            over_at: row.try_get_by_index(7)?,
            objected: row.try_get_by_index(8)?,
            held: row.try_get_by_index(9)?,
        };
        let pupil = row.try_get_by_index(0)?;
        let announced = all.get(&pupil).is_some_and(|one| one.custody == Custody::Announced);
        if !announced {
            all.insert(pupil, standing);
        }
    }
    Ok(all)
}

/// How many transfers are announced at these CLBs, and of these how many wait for a receiver, for one of several, and
/// for a legal hold to be lifted.
pub async fn count(apart: &SecretDb, scope: &Scope, clbs: &[ClbId]) -> Result<[i64; 4], DbError> {
    may(scope)?;
    let tx = apart.within(clbs).await?;
    let text = "select count(*), coalesce(sum(case when waits = ? then 1 else 0 end), 0),
                coalesce(sum(case when waits = ? then 1 else 0 end), 0),
                coalesce(sum(case when waits = ? then 1 else 0 end), 0)
         from transfer where clb_id in ? and custody = ?";
    let values: Vec<Value> = vec![
        Waits::Receiver.into(),
        Waits::SeveralClbs.into(),
        Waits::LegalHold.into(),
        list(clbs),
        Custody::Announced.into(),
    ];
    let found = row(&tx, text, values).await?;
    tx.commit().await?;
    let Some(found) = found else { return Ok([0; 4]) };
    Ok([
        found.try_get_by_index(0)?,
        found.try_get_by_index(1)?,
        found.try_get_by_index(2)?,
        found.try_get_by_index(3)?,
    ])
}

/// Announces a transfer, with its line; says whether it was not announced before.
pub async fn announce(
    apart: &SecretDb,
    scope: &Scope,
    ids: &dyn Ids,
    (clb, pupil): (ClbId, PupilId),
    (new, now): (Announced, DateTime<Utc>),
) -> Result<bool, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let values: Vec<Value> = vec![
        TransferId(ids.blind()).into(),
        clb.into(),
        pupil.into(),
        new.to.into(),
        false.into(),
        Custody::Announced.into(),
        new.enrolled_on.into(),
        now.into(),
        new.term.objection_until.into(),
        new.term.goes_on.into(),
    ];
    let text = "insert into transfer (id, clb_id, pupil_id, other_clb_id, arrives, custody, enrolled_on, announced_at,
             objection_until, goes_on, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) on conflict do nothing";
    let is_new = execute(&tx, text, values).await? > 0;
    if is_new {
        let line = line(ids, (clb, pupil), "transfer_announced", "enrolled-elsewhere", now);
        line::write(&tx, std::slice::from_ref(&line)).await?;
    }
    tx.commit().await?;
    Ok(is_new)
}

/// What was announced goes to another CLB, as the pupil moved on: announced anew, with a term of its own. An objection stands:
/// what is kept back can still go, the other way round it cannot.
pub async fn readdress(
    apart: &SecretDb,
    scope: &Scope,
    ids: &dyn Ids,
    (clb, pupil, id): (ClbId, PupilId, TransferId),
    (new, now): (Announced, DateTime<Utc>),
) -> Result<bool, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let values: Vec<Value> = vec![
        new.to.into(),
        new.enrolled_on.into(),
        now.into(),
        new.term.objection_until.into(),
        new.term.goes_on.into(),
        clb.into(),
        id.into(),
        Custody::Announced.into(),
    ];
    let text =
        "update transfer set other_clb_id = ?, enrolled_on = ?, announced_at = ?, objection_until = ?, goes_on = ?,
             waits = null, version = version + 1
         where clb_id = ? and id = ? and custody = ?";
    let changed = execute(&tx, text, values).await? > 0;
    if changed {
        let line = line(ids, (clb, pupil), "transfer_announced", "enrolled-elsewhere", now);
        line::write(&tx, std::slice::from_ref(&line)).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Withdraws what was announced: the dossier stays, as this CLB is competent again or no other is. With its line.
pub async fn withdraw(
    apart: &SecretDb,
    scope: &Scope,
    ids: &dyn Ids,
    (clb, pupil, id): (ClbId, PupilId, TransferId),
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let values: Vec<Value> = vec![
        Custody::Held.into(),
        now.into(),
        clb.into(),
        id.into(),
        Custody::Announced.into(),
    ];
    let text = "update transfer set custody = ?, over_at = ?, waits = null, version = version + 1
         where clb_id = ? and id = ? and custody = ?";
    let changed = execute(&tx, text, values).await? > 0;
    if changed {
        let line = line(ids, (clb, pupil), "transfer_withdrawn", "stays", now);
        line::write(&tx, std::slice::from_ref(&line)).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Notes why what was announced waits although its day has come.
pub async fn note_waits(
    apart: &SecretDb,
    scope: &Scope,
    (clb, id): (ClbId, TransferId),
    waits: Waits,
) -> Result<(), DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let text = "update transfer set waits = ?, version = version + 1 where clb_id = ? and id = ? and custody = ?";
    let values: Vec<Value> = vec![waits.into(), clb.into(), id.into(), Custody::Announced.into()];
    execute(&tx, text, values).await?;
    tx.commit().await?;
    Ok(())
}

// ------------------------------------------------------------------------------------------------- who hears of it

/// Those of these pupils whose dossier goes from this CLB, or came to it.
pub(super) async fn of_these(secrets: &Secrets, clb: ClbId, pupils: &[PupilId]) -> Result<Vec<PupilId>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select distinct pupil_id from transfer where clb_id = ? and pupil_id in ?";
    let found = rows(&tx, text, vec![clb.into(), list(pupils)]).await?;
    tx.commit().await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// What is shown at a CLB: what was announced, and for some time what is over.
const SHOWN: &str = "(custody = ? or over_at >= ?)";

fn shown_since(now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_sub_signed(chrono::TimeDelta::days(SHOWN_DAYS))
        .unwrap_or(now)
}

/// A transfer that may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Its id, at this CLB.
    pub id: TransferId,
    /// When it was announced: the last one stands first.
    pub at: DateTime<Utc>,
    /// Whose dossier it is about.
    pub pupil: PupilId,
}

/// Some of the transfers that are shown at this CLB, behind this one: what is decided on.
pub async fn shown(
    secrets: &Secrets,
    (clb, now): (ClbId, DateTime<Utc>),
    behind: Option<(DateTime<Utc>, TransferId)>,
) -> Result<Vec<Shown>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let mut values: Vec<Value> = vec![clb.into(), Custody::Announced.into(), shown_since(now).into()];
    let mut further = "";
    if let Some((at, id)) = behind {
        further = "and (announced_at, id) < (?, ?)";
        values.extend([Value::from(at), id.into()]);
    }
    values.push(AT_ONCE.into());
    let text = format!(
        "select id, announced_at, pupil_id from transfer where clb_id = ? and {SHOWN} {further}
         order by announced_at desc, id desc limit ?"
    );
    let found = rows(&tx, &text, values).await?;
    tx.commit().await?;
    let one = |row: &QueryResult| {
        Ok(Shown {
            id: row.try_get_by_index(0)?,
            at: row.try_get_by_index(1)?,
            pupil: row.try_get_by_index(2)?,
        })
    };
    found.iter().map(one).collect()
}

/// Whether the objection itself is for this reader: who plans sees that somebody objected, and not in which words.
const fn reads_objections(grant: &Grant) -> bool {
    matches!(grant.reader(), Reader::Team | Reader::Anchor)
}

/// Writes the lines, and opens what the grants reach of the transfers of this CLB, all that are shown or these alone; of a
/// person's own those alone that go from it, as each stands at the other CLB too.
pub async fn open(
    secrets: &Secrets,
    (clb, now): (ClbId, DateTime<Utc>),
    grants: &[Grant],
    these: Option<&[TransferId]>,
    lines: &[Line],
) -> Result<Vec<Transfer>, DbError> {
    let custody = Field::new(Class::Intake, Part::Custody).map(Asked::Read);
    let reads = |grant: &&Grant| Some(grant.asked()) == custody;
    let grants: HashMap<PupilId, &Grant> = grants
        .iter()
        .filter(reads)
        .map(|grant| (grant.pupil(), grant))
        .collect();
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, lines).await?;
    let mut values: Vec<Value> = vec![
        clb.into(),
        list_from(grants.keys().copied()),
        Custody::Announced.into(),
        shown_since(now).into(),
    ];
    let mut alone = "";
    if let Some(these) = these {
        alone = "and id in ?";
        values.push(list(these));
    }
    let text = format!(
        "select id, pupil_id, other_clb_id, arrives, custody, enrolled_on, announced_at, objection_until, goes_on, waits,
                objected_by, objected_on, over_at, version, objection
         from transfer where clb_id = ? and pupil_id in ? and {SHOWN} {alone} order by announced_at desc, id desc"
    );
    let found = rows(&tx, &text, values).await?;
    let objected = grants.values().filter(|grant| reads_objections(grant));
    let wrapped = key::of_pupils(&tx, clb, objected.map(|grant| grant.pupil())).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in &found {
        let (mut one, arrives, envelope) = read(row, clb)?;
        let Some(grant) = grants.get(&one.pupil) else { continue };
        if arrives && grant.reader() == Reader::Asker {
            continue;
        }
        if let Some(envelope) = envelope.filter(|_| reads_objections(grant)) {
            let data_key: &DataKey = data_keys.get(&one.pupil).ok_or(KEY_GONE)?;
            one.objection = Some(text_in(data_key, &place(clb, one.pupil, one.id), &envelope)?);
        }
        all.push(one);
    }
    Ok(all)
}

/// A transfer, whether it came to this CLB, and what was said, sealed.
fn read(row: &QueryResult, clb: ClbId) -> Result<(Transfer, bool, Option<Vec<u8>>), DbError> {
    let (other, arrives): (ClbId, bool) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
    let (from, to) = if arrives { (other, clb) } else { (clb, other) };
    let by: Option<Giver> = row.try_get_by_index(10)?;
    let transfer = Transfer {
        id: row.try_get_by_index(0)?,
        pupil: row.try_get_by_index(1)?,
        from,
        to,
        custody: row.try_get_by_index(4)?,
        enrolled_on: row.try_get_by_index(5)?,
        announced_at: row.try_get_by_index(6)?,
        objection_until: row.try_get_by_index(7)?,
        goes_on: row.try_get_by_index(8)?,
        waits: row.try_get_by_index(9)?,
        objected: by.zip(row.try_get_by_index(11)?),
        objection: None,
        over_at: row.try_get_by_index(12)?,
        version: row.try_get_by_index(13)?,
    };
    Ok((transfer, arrives, row.try_get_by_index(14)?))
}

/// At which of these CLBs this transfer is, and whose dossier it is: what is decided on. Only where the dossier goes from.
pub async fn place_of(secrets: &Secrets, clbs: &[ClbId], id: TransferId) -> Result<Option<(ClbId, PupilId)>, DbError> {
    let tx = secrets.apart.within(clbs).await?;
    let text = "select clb_id, pupil_id from transfer where clb_id in ? and id = ? and not arrives";
    let found = row(&tx, text, vec![list(clbs), id.into()]).await?;
    tx.commit().await?;
    let place = |row: QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    found.map(place).transpose()
}

/// Notes an objection to what is announced, if it came within the term and is the first.
pub async fn object(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (step, id): (Step, TransferId),
    objection: Objection<'_>,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, step).await?;
    let changed = noted(secrets, ids, &tx, &by, (id, objection)).await?;
    tx.commit().await?;
    Ok(changed)
}

async fn noted(
    secrets: &Secrets,
    ids: &dyn Ids,
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, objection): (TransferId, Objection<'_>),
) -> Result<Changed, DbError> {
    let (clb, pupil) = (by.clb, by.grant.pupil());
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select custody, enrolled_on, objection_until, objected_by, version from transfer
         where clb_id = ? and pupil_id = ? and id = ? and not arrives {lock}"
    );
    let Some(found) = row(tx, &text, vec![clb.into(), pupil.into(), id.into()]).await? else {
        return Ok(Changed::Unknown);
    };
    let (custody, before): (Custody, Option<Giver>) = (found.try_get_by_index(0)?, found.try_get_by_index(3)?);
    let (from, until): (NaiveDate, NaiveDate) = (found.try_get_by_index(1)?, found.try_get_by_index(2)?);
    let in_time = from <= objection.on && objection.on <= until;
    if custody != Custody::Announced || before.is_some() || !in_time {
        return Ok(Changed::NotNow);
    }
    let sealed = match objection.text {
        None => None,
        Some(text) => {
            let data_key = key::make(tx, &*secrets.vault, ids, clb, pupil).await?;
            Some(keys::seal_afresh(&data_key, &place(clb, pupil, id), text.as_bytes())?)
        }
    };
    let version: i32 = found.try_get_by_index(4)?;
    let next = version.saturating_add(1);
    let values: Vec<Value> = vec![
        objection.by.into(),
        objection.on.into(),
        by.grant.viewer().into(),
        sealed.into(),
        next.into(),
        clb.into(),
        id.into(),
    ];
    let text = "update transfer set objected_by = ?, objected_on = ?, recorded_by = ?, objection = ?, version = ?
         where clb_id = ? and id = ?";
    execute(tx, text, values).await?;
    Ok(Changed::Done(next))
}
