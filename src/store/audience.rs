//! Who has been told of a signal, kept in step with who may be.
//!
//! Whether an event is told is decided when it is read, for each reader ([`super::read`]). What a reader cannot be
//! told in that way is that nothing more will come: its pupil has left. So the schools and CLBs that a signal concerns
//! are written down when it is raised, and compared each time an enrolment, a competence or an agreement changes, in
//! the same transaction and under the lock of the pupil. Who has lost the pupil is told so by one last event, ids only
//! (design §6); who has gained it is told of what stands, since the signal goes to the CLB that serves the pupil now
//! (R44). Both events are for that one party alone.
//!
//! An agreement may show a signal to the school first (design §4). Its CLB is then written down as held back: it finds
//! the signal nowhere, and every event of it goes to those who were told, one by one. When the days are over, the
//! school reports it or the agreement changes, the CLB is told by an event of its own, which gets its position then:
//! one at the first position would be behind every cursor.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{Ids, PupilId, SignalId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::signal::{EventKind, SignalState};
use hub_entities::time::{SchoolYear, brussels_day};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::agreement::{binding, in_force};
use super::lease::Lease;
use super::ledger::{Event, tell};
use super::sql::{bulk, execute, list, list_from, rows};
use super::transaction::Transaction;
use super::{Db, DbError};

/// The name of the lease under which [`settle_those_due`] works.
pub const AUDIENCE: &str = "audience";

/// Pupils settled in one transaction.
const CHUNK: u32 = 200;

/// The schools and CLBs that these signals concern on a day, and the values of the statement. It is
/// [`super::read::told`] for all readers at once: a signal that obliges is its competent CLB's, another where `truancy`
/// was agreed with a school of the pupil, by the agreement that began last. An early warning is of those alone whose
/// agreement wants one today, or wanted one when they were told.
fn concerned(which: &str, signals: &Value, day: NaiveDate) -> (String, Vec<Value>) {
    let days = || [Value::from(day), Value::from(day)];
    let (binding, of_binding) = binding(day);
    let told = |party: &str| {
        format!("exists (select 1 from signal_audience t where t.signal_id = s.id and t.party = {party})")
    };
    let text = format!(
        "select s.id, e.school_id from signal s join enrolment e on e.pupil_id = s.pupil_id
         where s.{which} in ? and {} and (s.kind <> ? or {} or exists (
             select 1 from agreement a where a.school_id = e.school_id and a.early_warning is not null and {binding}))
         union
         select s.id, c.clb_id from signal s join competence c on c.pupil_id = s.pupil_id
         where s.{which} in ? and {} and (s.kind in ? or exists (
             select 1 from record k join agreement a on a.school_id = k.school_id
             where k.pupil_id = s.pupil_id and a.clb_id = c.clb_id and (a.categories & ?) <> 0
             and (s.kind <> ? or a.early_warning is not null or {}) and {binding}))",
        in_force("e"),
        told("e.school_id"),
        in_force("c"),
        told("c.clb_id"),
    );
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let obligatory = list_from(obligatory.map(|kind| kind.name().to_owned()));
    let truancy = Categories::NONE.with(Category::Truancy).bits();
    let early = || Value::from(SignalKind::TruancyEarly.name());
    let mut values = vec![signals.clone()];
    values.extend(days());
    values.push(early());
    values.extend(of_binding.clone());
    values.push(signals.clone());
    values.extend(days());
    values.extend([obligatory, truancy.into(), early()]);
    values.extend(of_binding);
    (text, values)
}

/// For how many days each CLB waits for these signals, where it does: by its agreement with a school where the pupil is
/// enrolled on a day, by the shortest of several.
async fn first_days<C: ConnectionTrait>(
    tx: &C,
    signals: &Value,
    day: NaiveDate,
) -> Result<BTreeMap<(SignalId, Uuid), i16>, DbError> {
    let (binding, of_binding) = binding(day);
    let text = format!(
        "select s.id, a.clb_id, min(a.school_first_days) from signal s
         join enrolment e on e.pupil_id = s.pupil_id join agreement a on a.school_id = e.school_id
         where s.id in ? and {} and {binding} group by s.id, a.clb_id having min(a.school_first_days) > 0",
        in_force("e"),
    );
    let mut values = vec![signals.clone(), day.into(), day.into()];
    values.extend(of_binding);
    let found = rows(tx, &text, values).await?;
    let read = |row: &QueryResult| {
        let signal = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok((signal, row.try_get_by_index(2)?))
    };
    found.iter().map(read).collect()
}

/// Writes down whom these signals concern, which have just been raised. Their own event tells them.
pub(super) async fn begin<C: ConnectionTrait>(tx: &C, signals: &[SignalId], now: DateTime<Utc>) -> Result<(), DbError> {
    if signals.is_empty() {
        return Ok(());
    }
    let (of, today) = (list(signals), brussels_day(now));
    let (text, values) = concerned("id", &of, today);
    let text = format!("insert into signal_audience (signal_id, party) {text} on conflict do nothing");
    execute(tx, &text, values).await?;
    let mut waiting: BTreeMap<Uuid, Vec<SignalId>> = BTreeMap::new();
    for ((signal, clb), _days) in first_days(tx, &of, today).await? {
        waiting.entry(clb).or_default().push(signal);
    }
    for (clb, signals) in waiting {
        let text = "update signal_audience set held = true where signal_id in ? and party = ?";
        execute(tx, text, vec![list(&signals), clb.into()]).await?;
    }
    Ok(())
}

/// Of those of these signals that are held back from someone, who was told: what happens to them is told to those, one
/// by one. What happens to another is told to everyone by one event.
pub(super) async fn told_apart<C: ConnectionTrait>(
    tx: &C,
    signals: &[SignalId],
) -> Result<BTreeMap<SignalId, Vec<Uuid>>, DbError> {
    let mut apart: BTreeMap<SignalId, Vec<Uuid>> = BTreeMap::new();
    if signals.is_empty() {
        return Ok(apart);
    }
    let text = "select a.signal_id, a.party, a.held from signal_audience a where a.signal_id in ? and exists (
                    select 1 from signal_audience h where h.signal_id = a.signal_id and h.held)
                order by a.signal_id, a.party";
    for row in rows(tx, text, vec![list(signals)]).await? {
        let told = apart.entry(row.try_get_by_index(0)?).or_default();
        if !row.try_get_by_index::<bool>(2)? {
            told.push(row.try_get_by_index(1)?);
        }
    }
    Ok(apart)
}

/// Tells this event to those from whom its signal was held back, which it is no longer. The caller holds the lock of
/// the pupil.
pub(super) async fn release(tx: &Transaction, ids: &dyn Ids, event: &Event, now: DateTime<Utc>) -> Result<(), DbError> {
    let text = "select party from signal_audience where signal_id = ? and held order by party";
    let (mut shown, mut events) = (Vec::new(), Vec::new());
    for row in rows(tx, text, vec![event.signal.into()]).await? {
        let party: Uuid = row.try_get_by_index(0)?;
        shown.push((event.signal, party));
        events.push(Event {
            party: Some(party),
            ..event.clone()
        });
    }
    show(tx, shown).await?;
    tell(tx, ids, events, now).await
}

/// Signals are held back from these parties no longer.
async fn show(tx: &Transaction, shown: Vec<(SignalId, Uuid)>) -> Result<(), DbError> {
    let tail = format!(") update signal_audience set held = false from said where {IS_TOLD}");
    of_parties(tx, shown, &tail).await
}

const IS_TOLD: &str = "signal_audience.signal_id = said.signal_id and signal_audience.party = said.party";

/// A statement about these signals of these parties, which are `said` in it.
async fn of_parties(tx: &Transaction, which: Vec<(SignalId, Uuid)>, tail: &str) -> Result<(), DbError> {
    let rows = which
        .into_iter()
        .map(|(signal, party)| vec![signal.into(), party.into()]);
    bulk(tx, "with said (signal_id, party) as (", 2, rows, tail).await
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
    raised_at: DateTime<Utc>,
}

impl Told {
    /// Whether one who waits for so many days after the one on which it was raised still does.
    fn waits(&self, days: i16, today: NaiveDate) -> bool {
        let days = Days::new(u64::try_from(days).unwrap_or_default());
        let due = brussels_day(self.raised_at).checked_add_days(days);
        due.is_some_and(|due| today < due)
    }

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

/// Tells those who lost one of these pupils, those who gained one with a signal that stands this school year, and those
/// from whom one that stands was held back until today. The caller holds the locks of the pupils, and has changed their relations.
pub(super) async fn settle(
    tx: &Transaction,
    ids: &dyn Ids,
    pupils: &[PupilId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if pupils.is_empty() {
        return Ok(());
    }
    let text = "select id, kind, pupil_id, state, school_year, half_days, version, raised_at from signal
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
            raised_at: row.try_get_by_index(7)?,
        });
    }
    if signals.is_empty() {
        return Ok(());
    }
    let of = list_from(signals.iter().map(|signal| signal.id));
    let today = brussels_day(now);
    let (text, values) = concerned("id", &of, today);
    let should: BTreeSet<(SignalId, Uuid)> = pairs(tx, &text, values).await?;
    let waiting = first_days(tx, &of, today).await?;
    let waits = |signal: &Told, party: Uuid| {
        let days = waiting.get(&(signal.id, party));
        days.is_some_and(|days| signal.waits(*days, today))
    };
    let text = "select signal_id, party from signal_audience where signal_id in ? and held = ?";
    let told = pairs(tx, text, vec![of.clone(), false.into()]).await?;
    let held = pairs(tx, text, vec![of, true.into()]).await?;

    let mut gained: Vec<Vec<Value>> = Vec::new();
    let (mut forgotten, mut shown, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for signal in &signals {
        let of_signal = |all: &BTreeSet<(SignalId, Uuid)>| -> Vec<Uuid> {
            let own = all.range((signal.id, Uuid::nil())..=(signal.id, Uuid::max()));
            own.map(|(_, party)| *party).collect()
        };
        for party in of_signal(&told) {
            if !should.contains(&(signal.id, party)) {
                forgotten.push((signal.id, party));
                events.push(signal.event(EventKind::NoLongerYours, party));
            }
        }
        for party in of_signal(&held) {
            if !should.contains(&(signal.id, party)) {
                // It was told nothing, and has nothing to hear.
                forgotten.push((signal.id, party));
            } else if signal.state == SignalState::Raised && !waits(signal, party) {
                shown.push((signal.id, party));
                events.push(signal.event(EventKind::Raised, party));
            }
        }
        if signal.state != SignalState::Raised || signal.year != SchoolYear::of(today) {
            continue;
        }
        for party in of_signal(&should) {
            if told.contains(&(signal.id, party)) || held.contains(&(signal.id, party)) {
                continue;
            }
            let waits = waits(signal, party);
            gained.push(vec![signal.id.into(), party.into(), waits.into()]);
            if !waits {
                events.push(signal.event(EventKind::NowYours, party));
            }
        }
    }
    // Those whom a signal concerns no longer.
    let tail = format!(") delete from signal_audience where exists (select 1 from said where {IS_TOLD})");
    of_parties(tx, forgotten, &tail).await?;
    show(tx, shown).await?;
    let head = "insert into signal_audience (signal_id, party, held)";
    bulk(tx, head, 3, gained.into_iter(), "").await?;
    tell(tx, ids, events, now).await
}

async fn pairs(tx: &Transaction, text: &str, values: Vec<Value>) -> Result<BTreeSet<(SignalId, Uuid)>, DbError> {
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
/// stands this school year and was not told to someone who has, or stands and is held back from someone.
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
             or s.state = ? and exists (select 1 from signal_audience h where h.signal_id = s.id and h.held)
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
    values.extend([SignalState::Raised, SignalState::Raised].map(Value::from));
    values.push(SchoolYear::of(day).into());
    values.push(list_from(obligatory.map(|kind| kind.name().to_owned())));
    values.extend(days());
    values.extend(days());
    values.push(CHUNK.into());
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
