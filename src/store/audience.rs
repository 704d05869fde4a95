//! Who has been told of a signal, kept in step with who may be.
//!
//! Whether an event is told is decided when it is read, for each reader ([`super::read`]). What a reader cannot be
//! told in that way is that nothing more will come: its pupil has left. So the schools and CLBs that a signal concerns
//! are written down when it is raised, and compared each time an enrolment, a competence or an agreement changes, in
//! the same transaction and under the lock of the pupil. Who has lost the pupil is told so by one last event, ids only
//! (design §6); who has gained it is told of what stands, since the signal goes to the CLB that serves the pupil now
//! (R44). Both events are for that one party alone.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::AgreementState;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{Ids, PupilId, SignalId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::signal::{EventKind, SignalState};
use hub_entities::time::{SchoolYear, brussels_day};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};
use uuid::Uuid;

use super::lease::Lease;
use super::ledger::{Event, tell};
use super::sql::{bulk, execute, list, list_from, rows};
use super::{Db, DbError};

/// The name of the lease under which [`settle_those_due`] works.
pub const AUDIENCE: &str = "audience";

/// Pupils settled in one transaction.
const CHUNK: u32 = 200;

/// A relation in force on a day.
fn in_force(alias: &str) -> String {
    format!("{alias}.begins_on <= ? and ({alias}.ends_on is null or {alias}.ends_on > ?)")
}

/// The schools and CLBs that these signals concern on a day, and the values of the statement. It is
/// [`super::read::told`] for all readers at once: a signal that obliges is its competent CLB's, another where `truancy`
/// was agreed with a school of the pupil, by the agreement that began last.
fn concerned(which: &str, signals: &Value, day: NaiveDate) -> (String, Vec<Value>) {
    let days = || [Value::from(day), Value::from(day)];
    let text = format!(
        "select s.id, e.school_id from signal s join enrolment e on e.pupil_id = s.pupil_id
         where s.{which} in ? and {}
         union
         select s.id, c.clb_id from signal s join competence c on c.pupil_id = s.pupil_id
         where s.{which} in ? and {} and (s.kind in ? or exists (
             select 1 from record k join agreement a on a.school_id = k.school_id
             where k.pupil_id = s.pupil_id and a.clb_id = c.clb_id and a.state in (?, ?) and a.decided_at is not null
             and {} and (a.categories & ?) <> 0 and not exists (
                 select 1 from agreement b where b.school_id = a.school_id and b.clb_id = a.clb_id
                 and b.state in (?, ?) and b.decided_at is not null and {}
                 and (b.begins_on, b.decided_at) > (a.begins_on, a.decided_at))))",
        in_force("e"),
        in_force("c"),
        in_force("a"),
        in_force("b"),
    );
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let obligatory = list_from(obligatory.map(|kind| kind.name().to_owned()));
    let states = || [AgreementState::Accepted, AgreementState::Ended].map(Value::from);
    let truancy = Categories::NONE.with(Category::Truancy).bits();
    let mut values = vec![signals.clone()];
    values.extend(days());
    values.push(signals.clone());
    values.extend(days());
    values.push(obligatory);
    values.extend(states());
    values.extend(days());
    values.push(truancy.into());
    values.extend(states());
    values.extend(days());
    (text, values)
}

/// Writes down whom these signals concern, which have just been raised. Their own event tells them.
pub(super) async fn begin<C: ConnectionTrait>(tx: &C, signals: &[SignalId], now: DateTime<Utc>) -> Result<(), DbError> {
    if signals.is_empty() {
        return Ok(());
    }
    let (text, values) = concerned("id", &list(signals), brussels_day(now));
    let text = format!("insert into signal_audience (signal_id, party) {text} on conflict do nothing");
    execute(tx, &text, values).await?;
    Ok(())
}

/// A signal as far as its event tells of it.
struct Told {
    id: SignalId,
    kind: String,
    pupil: PupilId,
    state: SignalState,
    year: SchoolYear,
    half_days: i32,
    version: i32,
}

impl Told {
    fn event(&self, kind: EventKind, party: Uuid) -> Event {
        Event {
            kind,
            signal: self.id,
            signal_kind: self.kind.clone(),
            pupil: self.pupil,
            year: self.year,
            half_days: self.half_days,
            version: self.version,
            party: Some(party),
        }
    }
}

/// Tells those who lost one of these pupils, and those who gained one with a signal that stands this school year. The
/// caller holds the locks of the pupils, and has changed their relations.
pub(super) async fn settle(
    tx: &DatabaseTransaction,
    ids: &dyn Ids,
    pupils: &[PupilId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if pupils.is_empty() {
        return Ok(());
    }
    let text = "select id, kind, pupil_id, state, school_year, half_days, version from signal
                where pupil_id in ? order by raised_at, id";
    let mut signals = Vec::new();
    for row in rows(tx, text, vec![list(pupils)]).await? {
        signals.push(Told {
            id: row.try_get_by_index(0)?,
            kind: row.try_get_by_index(1)?,
            pupil: row.try_get_by_index(2)?,
            state: row.try_get_by_index(3)?,
            year: row.try_get_by_index(4)?,
            half_days: row.try_get_by_index(5)?,
            version: row.try_get_by_index(6)?,
        });
    }
    if signals.is_empty() {
        return Ok(());
    }
    let of = list_from(signals.iter().map(|signal| signal.id));
    let today = brussels_day(now);
    let (text, values) = concerned("id", &of, today);
    let should = pairs(tx, &text, values).await?;
    let text = "select signal_id, party from signal_audience where signal_id in ?";
    let has = pairs(tx, text, vec![of]).await?;

    let mut gained: Vec<Vec<Value>> = Vec::new();
    for signal in &signals {
        let of_signal = |all: &BTreeSet<(SignalId, Uuid)>| -> Vec<Uuid> {
            let own = all.range((signal.id, Uuid::nil())..=(signal.id, Uuid::max()));
            own.map(|(_, party)| *party).collect()
        };
        for party in of_signal(&has) {
            if !should.contains(&(signal.id, party)) {
                let text = "delete from signal_audience where signal_id = ? and party = ?";
                execute(tx, text, vec![signal.id.into(), party.into()]).await?;
                let event = signal.event(EventKind::NoLongerYours, party);
                tell(tx, ids.next(now), event, now).await?;
            }
        }
        if signal.state != SignalState::Raised || signal.year != SchoolYear::of(today) {
            continue;
        }
        for party in of_signal(&should) {
            if !has.contains(&(signal.id, party)) {
                gained.push(vec![signal.id.into(), party.into()]);
                tell(tx, ids.next(now), signal.event(EventKind::NowYours, party), now).await?;
            }
        }
    }
    let head = "insert into signal_audience (signal_id, party)";
    bulk(tx, head, 2, gained.into_iter(), "").await
}

async fn pairs(
    tx: &DatabaseTransaction,
    text: &str,
    values: Vec<Value>,
) -> Result<BTreeSet<(SignalId, Uuid)>, DbError> {
    let found = rows(tx, text, values).await?;
    found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

/// Settles the pupils whose relations began or ended by themselves, as days do that were known before they came. Says
/// how many there were.
pub async fn settle_those_due(db: &Db, lease: &Lease, ids: &dyn Ids, now: DateTime<Utc>) -> Result<u64, DbError> {
    let mut settled = 0_u64;
    let mut after = PupilId(Uuid::nil());
    loop {
        let pupils = due(db, after, brussels_day(now)).await?;
        let Some(last) = pupils.last().copied() else {
            return Ok(settled);
        };
        let tx = db.begin().await?;
        lease.fence(db, &tx).await?;
        db.dialect().lock_pupils(&tx, &pupils).await?;
        settle(&tx, ids, &pupils, now).await?;
        tx.commit().await?;
        settled = settled.saturating_add(u64::try_from(pupils.len()).unwrap_or_default());
        after = last;
    }
}

/// The next pupils behind this one of whom a signal is told to someone who has no relation with them on that day, or
/// stands this school year and was not told to someone who has.
async fn due(db: &Db, after: PupilId, day: NaiveDate) -> Result<Vec<PupilId>, DbError> {
    let related = |relation: &str, column: &str, party: &str| {
        format!(
            "select 1 from {relation} r where r.pupil_id = s.pupil_id and {} and r.{column} = {party}",
            in_force("r")
        )
    };
    let untold = |relation: &str, column: &str| {
        format!(
            "exists (select 1 from {relation} r where r.pupil_id = s.pupil_id and {} and not exists (
                 select 1 from signal_audience a where a.signal_id = s.id and a.party = r.{column}))",
            in_force("r")
        )
    };
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let text = format!(
        "select distinct s.pupil_id from signal s
         where s.pupil_id > ? and (
             exists (select 1 from signal_audience a where a.signal_id = s.id
                     and not exists ({}) and not exists ({}))
             or s.state = ? and s.school_year = ? and s.kind in ? and ({} or {}))
         order by s.pupil_id limit ?",
        related("enrolment", "school_id", "a.party"),
        related("competence", "clb_id", "a.party"),
        untold("enrolment", "school_id"),
        untold("competence", "clb_id"),
    );
    let days = || [Value::from(day), Value::from(day)];
    let mut values: Vec<Value> = vec![after.into()];
    values.extend(days());
    values.extend(days());
    values.push(SignalState::Raised.into());
    values.push(SchoolYear::of(day).into());
    values.push(list_from(obligatory.map(|kind| kind.name().to_owned())));
    values.extend(days());
    values.extend(days());
    values.push(CHUNK.into());
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
