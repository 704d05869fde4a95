//! What the main store keeps of one pupil, for the person whose right it is to take it along (GDPR art. 15 and 20): behind a line
//! of the access log, committed with the read.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::absence::mark::Mark;
use hub_entities::access_line;
use hub_entities::competence::Ground;
use hub_entities::id::{ClbId, RecordId, SchoolId, SignalId};
use hub_entities::policy::secret::{Asked, Class, Grant, Reader, Step};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::absence::Tally;
use super::signal::{self, Signal};
use crate::store::access;
use crate::store::sql::rows;
use crate::store::transaction::Transaction;
use crate::store::{Db, DbError};

/// The most half-days that are read at once: more than any pupil has in a school career.
const MOST: usize = 20_000;

/// What one school says of the pupil.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// The school.
    pub school: SchoolId,
    /// The school's own number.
    pub identifier: Option<String>,
    /// The number in the register.
    pub stamnummer: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Sex.
    pub sex: Option<String>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Street and number.
    pub street: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Municipality.
    pub city: Option<String>,
    /// How the pupil, and those the school lists, are reached: nothing for a parent, who would read of the other one.
    pub contacts: Option<serde_json::Value>,
    /// Language at home.
    pub language: Option<String>,
    /// When it was last changed here.
    pub changed_at: DateTime<Utc>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("id", &self.id).finish_non_exhaustive()
    }
}

/// While the pupil was somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct While<T> {
    /// Where.
    pub at: T,
    /// The first day.
    pub begins_on: Option<NaiveDate>,
    /// The first day no longer.
    pub ends_on: Option<NaiveDate>,
}

/// A half-day, as a school has or had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Which half-day.
    pub at: HalfDay,
    /// What is registered.
    pub mark: Mark,
    /// The school that says so.
    pub school: SchoolId,
    /// When it said otherwise, of what it says no longer.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A number of half-days carried in from a former school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The school that carried it in.
    pub school: SchoolId,
    /// Of which school year.
    pub year: SchoolYear,
    /// How many.
    pub half_days: i16,
    /// From which day the pupil is at that school.
    pub begins_on: NaiveDate,
    /// The former school.
    pub former: Option<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Basic {
    /// What each school says.
    pub records: Vec<Record>,
    /// Enrolments, by school.
    pub enrolments: Vec<While<SchoolId>>,
    /// Classes: of which school, in which school year, under which name.
    pub classes: Vec<While<(SchoolId, SchoolYear, String)>>,
    /// Which CLB was competent, and why.
    pub competence: Vec<While<(ClbId, Ground)>>,
    /// Half-days.
    pub half_days: Vec<Registered>,
    /// What schools said of half-days before.
    pub formerly: Vec<Registered>,
    /// What was counted.
    pub tallies: Vec<(SchoolYear, Tally)>,
    /// What was carried in.
    pub carried: Vec<Carried>,
    /// Signals, with who did what about them.
    pub signals: Vec<Signal>,
    /// Whether all there is was read.
    pub is_whole: bool,
}

/// Writes the line, and reads what the grant reaches: nothing is there before both are committed.
///
/// # Errors
/// The grant is for something else, the line could not be written, or the store failed: then nothing was read.
pub async fn basic(db: &Db, grant: &Grant, line: &access_line::Model) -> Result<Basic, DbError> {
    let with_contacts = match (grant.asked(), grant.reader()) {
        (Asked::Do(Step::Export, Class::Case), Reader::Person) => true,
        (Asked::Do(Step::Export, Class::Case), Reader::Parent) => false,
        _ => return Err(DbError::OutOfScope),
    };
    let of = || -> Vec<Value> { vec![grant.pupil().into()] };
    let tx = db.begin().await?;
    access::write_first(&tx, line).await?;
    let mut basic = Basic {
        records: each(&tx, RECORDS, of(), |row| record(row, with_contacts)).await?,
        enrolments: each(&tx, ENROLMENTS, of(), |row| during(row, row.try_get_by_index(0)?, 1)).await?,
        classes: each(&tx, CLASSES, of(), |row| {
            let at = (
                row.try_get_by_index(0)?,
                row.try_get_by_index(1)?,
                row.try_get_by_index(2)?,
            );
            during(row, at, 3)
        })
        .await?,
        competence: each(&tx, COMPETENCE, of(), |row| {
            during(row, (row.try_get_by_index(0)?, row.try_get_by_index(1)?), 2)
        })
        .await?,
        half_days: each(&tx, HALF_DAYS, of(), |row| registered(row, None)).await?,
        formerly: each(&tx, FORMERLY, of(), |row| {
            registered(row, Some(row.try_get_by_index(4)?))
        })
        .await?,
        tallies: each(&tx, TALLIES, of(), tally).await?,
        carried: each(&tx, CARRIED, of(), carried).await?,
        signals: Vec::new(),
        is_whole: true,
    };
    let text = format!(
        "select {} from signal s where s.pupil_id = ? order by s.raised_at, s.id",
        signal::COLUMNS
    );
    basic.signals = each(&tx, &text, of(), signal::signal).await?;
    let text = "select t.signal_id, t.track, t.party, t.principal_id, t.at from signal_track t
         join signal s on s.id = t.signal_id where s.pupil_id = ? order by t.at, t.track";
    for row in rows(&tx, text, of()).await? {
        let of_signal: SignalId = row.try_get_by_index(0)?;
        let step = signal::Step {
            track: row.try_get_by_index(1)?,
            party: row.try_get_by_index::<Uuid>(2)?,
            by: row.try_get_by_index(3)?,
            at: row.try_get_by_index(4)?,
        };
        if let Some(one) = basic.signals.iter_mut().find(|one| one.id == of_signal) {
            one.steps.push(step);
        }
    }
    tx.commit().await?;
    for some in [&mut basic.half_days, &mut basic.formerly] {
        basic.is_whole &= some.len() <= MOST;
        some.truncate(MOST);
    }
    Ok(basic)
}

async fn each<T>(
    tx: &Transaction,
    text: &str,
    values: Vec<Value>,
    read: impl Fn(&QueryResult) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    rows(tx, text, values).await?.iter().map(read).collect()
}

// The legal minimum of a report, which is kept apart where no agreement lists it, is the person's all the same.
const RECORDS: &str = "select r.id, r.school_id, r.identifier, r.stamnummer, coalesce(r.given_name, q.given_name),
        coalesce(r.family_name, q.family_name), r.sex, coalesce(r.birth_date, q.birth_date), r.street, r.postal_code, r.city,
        r.contacts, r.language, r.changed_at
     from record r left join report_name q on q.record_id = r.id where r.pupil_id = ? order by r.id";

const ENROLMENTS: &str = "select e.school_id, e.begins_on, e.ends_on from enrolment e where e.pupil_id = ?
     order by e.begins_on, e.id";

const CLASSES: &str = "select m.school_id, c.school_year, c.name, m.begins_on, m.ends_on from membership m
     join class_group c on c.id = m.class_id where m.pupil_id = ? order by c.school_year, c.name, m.id";

const COMPETENCE: &str = "select c.clb_id, c.ground, c.begins_on, c.ends_on from competence c where c.pupil_id = ?
     order by c.begins_on, c.id";

const HALF_DAYS: &str = "select a.day, a.part, a.mark, r.school_id from absence a join record r on r.id = a.record_id
     where a.pupil_id = ? order by a.day, a.part, r.school_id limit 20001";

const FORMERLY: &str = "select a.day, a.part, a.mark, r.school_id, a.ended_at from absence_revision a
     join record r on r.id = a.record_id where r.pupil_id = ? order by a.day, a.part, a.revision, r.school_id limit 20001";

const TALLIES: &str = "select t.school_year, t.half_days, t.carried, t.pending, t.reached_5, t.reached_30 from tally t
     where t.pupil_id = ? order by t.school_year";

const CARRIED: &str =
    "select r.school_id, c.school_year, c.half_days, c.begins_on, c.former_institution from carried_in c
     join record r on r.id = c.record_id where c.pupil_id = ? order by c.school_year, c.id";

fn record(row: &QueryResult, with_contacts: bool) -> Result<Record, DbError> {
    let contacts: Option<serde_json::Value> = row.try_get_by_index(11)?;
    Ok(Record {
        id: row.try_get_by_index(0)?,
        school: row.try_get_by_index(1)?,
        identifier: row.try_get_by_index(2)?,
        stamnummer: row.try_get_by_index(3)?,
        given_name: row.try_get_by_index(4)?,
        family_name: row.try_get_by_index(5)?,
        sex: row.try_get_by_index(6)?,
        birth_date: row.try_get_by_index(7)?,
        street: row.try_get_by_index(8)?,
        postal_code: row.try_get_by_index(9)?,
        city: row.try_get_by_index(10)?,
        contacts: contacts.filter(|_| with_contacts),
        language: row.try_get_by_index(12)?,
        changed_at: row.try_get_by_index(13)?,
    })
}

fn during<T>(row: &QueryResult, at: T, from: usize) -> Result<While<T>, DbError> {
    Ok(While {
        at,
        begins_on: row.try_get_by_index(from)?,
        ends_on: row.try_get_by_index(from.saturating_add(1))?,
    })
}

fn registered(row: &QueryResult, ended_at: Option<DateTime<Utc>>) -> Result<Registered, DbError> {
    let (day, part): (NaiveDate, i16) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let part = Part::from_i16(part).ok_or(DbError::Unreadable { column: "absence.part" })?;
    let mark = Mark::from_i16(row.try_get_by_index(2)?).ok_or(DbError::Unreadable { column: "absence.mark" })?;
    Ok(Registered {
        at: HalfDay::new(day, part),
        mark,
        school: row.try_get_by_index(3)?,
        ended_at,
    })
}

fn tally(row: &QueryResult) -> Result<(SchoolYear, Tally), DbError> {
    let tally = Tally {
        half_days: row.try_get_by_index(1)?,
        carried: row.try_get_by_index(2)?,
        pending: row.try_get_by_index(3)?,
        reached_5: row.try_get_by_index(4)?,
        reached_30: row.try_get_by_index(5)?,
    };
    Ok((row.try_get_by_index(0)?, tally))
}

fn carried(row: &QueryResult) -> Result<Carried, DbError> {
    Ok(Carried {
        school: row.try_get_by_index(0)?,
        year: row.try_get_by_index(1)?,
        half_days: row.try_get_by_index(2)?,
        begins_on: row.try_get_by_index(3)?,
        former: row.try_get_by_index(4)?,
    })
}
