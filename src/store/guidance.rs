//! Who asks a CLB for guidance, of whom, and where it goes: read from the main store alone, so that whoever serves a
//! school needs nothing else.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::{Mode, Post};
use hub_entities::id::{ClbId, IntentId, PrincipalId, PupilId, SchoolId};
use hub_entities::intent::IntentKind;
use hub_entities::policy::secret::{Asked, Class, Grant, Posted, Step, TieRows, Ties};
use hub_entities::time::Period;
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::agreement::{binding, in_force};
use super::intent::{Caused, next_in_queue};
use super::secret::NOBODY;
use super::secret::letterbox::Sealed;
use super::sql::{execute, list_from, row, rows};
use super::{Db, DbError};

/// For whom is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A school.
    School(SchoolId),
    /// A CLB, for a school of it.
    Clb(ClbId, Option<SchoolId>),
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The CLB that is asked.
    pub clb: ClbId,
    /// The school whose anchor takes it in.
    pub school: SchoolId,
}

fn periods(found: &[QueryResult], at: usize) -> Result<Vec<Period>, DbError> {
    let one = |row: &QueryResult| {
        Ok(Period {
            begins: row.try_get_by_index(at)?,
            ends: row.try_get_by_index(at.saturating_add(1))?,
        })
    };
    found.iter().map(one).collect()
}

/// The relations by which a party asks about this pupil. Of a school that asks for itself the relation is to itself, of a
/// CLB that asks for a school the agreement with it.
pub async fn ties(db: &Db, party: Party, pupil: Option<PupilId>, day: NaiveDate) -> Result<Ties, DbError> {
    let mut of = TieRows::none();
    let today = Period {
        begins: day,
        ends: None,
    };
    match (party, pupil) {
        (Party::School(school), Some(pupil)) => {
            let text = "select begins_on, ends_on from enrolment where school_id = ? and pupil_id = ?";
            let found = rows(db.reader(), text, vec![school.into(), pupil.into()]).await?;
            of.enrolled = periods(&found, 0)?;
        }
        (Party::School(_), None) => of.enrolled.push(today),
        (Party::Clb(clb, _), Some(pupil)) => {
            let text = "select begins_on, ends_on from competence where clb_id = ? and pupil_id = ?";
            let found = rows(db.reader(), text, vec![clb.into(), pupil.into()]).await?;
            of.competent = periods(&found, 0)?;
        }
        (Party::Clb(..), None) => {
            let serves = way(db, party, None, day).await?.is_some();
            of.competent.extend(serves.then_some(today));
        }
    }
    Ok(Ties::of_rows(pupil.unwrap_or(NOBODY), of))
}

/// Where a request goes: to a CLB whose dossiers the hub keeps, by the agreement in force today; about a pupil to the one
/// that is competent. `None` when there is none.
pub async fn way(db: &Db, party: Party, pupil: Option<PupilId>, day: NaiveDate) -> Result<Option<Way>, DbError> {
    let (binding, of_binding) = binding(day);
    let mut text = format!(
        "select a.clb_id, a.school_id from agreement a join clb_dossiers m on m.clb_id = a.clb_id and m.mode = ?
         where {binding}"
    );
    let mut values: Vec<Value> = vec![Mode::Hub.into()];
    values.extend(of_binding);
    let (school, clb) = match party {
        Party::School(school) => (Some(school), None),
        Party::Clb(clb, school) => (school, Some(clb)),
    };
    if let Some(school) = school {
        text.push_str(" and a.school_id = ?");
        values.push(school.into());
    }
    if let Some(clb) = clb {
        text.push_str(" and a.clb_id = ?");
        values.push(clb.into());
    }
    match (pupil, school) {
        (Some(pupil), _) => {
            for (table, column) in [("competence", "clb_id"), ("enrolment", "school_id")] {
                let of_pupil = format!("t.{column} = a.{column} and t.pupil_id = ? and {}", in_force("t"));
                text = format!("{text} and exists (select 1 from {table} t where {of_pupil})");
                values.extend([Value::from(pupil), day.into(), day.into()]);
            }
        }
        (None, Some(_)) => {}
        // A CLB that names neither pupil nor school asks for nobody.
        (None, None) => return Ok(None),
    }
    text.push_str(" order by a.begins_on desc, a.clb_id, a.school_id limit 1");
    let found = row(db.reader(), &text, values).await?;
    let way = |found: QueryResult| {
        Ok(Way {
            clb: found.try_get_by_index(0)?,
            school: found.try_get_by_index(1)?,
        })
    };
    found.map(way).transpose()
}

/// A school's request on its way.
#[derive(Debug, Clone)]
pub struct Sending<'a> {
    /// What the asker calls it: asked twice under one name, it is one.
    pub key: &'a str,
    /// By which intent it goes.
    pub intent: IntentId,
    /// Where it goes.
    pub way: Way,
    /// What was asked, sealed.
    pub sealed: Sealed,
    /// Of which request of whom, when.
    pub caused: Caused,
}

/// Sends a school's request on its way: in one transaction all that the main store keeps of it. Sent again under one name
/// it is the first one, and when that was.
pub async fn send(db: &Db, grant: &Grant, of: Sending<'_>) -> Result<(IntentId, DateTime<Utc>), DbError> {
    if grant.asked() != Asked::Do(Step::RequestGuidance, Class::Case) {
        return Err(DbError::OutOfScope);
    }
    let pupil = Some(grant.pupil()).filter(|pupil| *pupil != NOBODY);
    let queue: Uuid = pupil.map_or(of.intent.0, |pupil| pupil.0);
    let tx = db.begin().await?;
    if let Some(pupil) = pupil {
        db.dialect().lock_pupils(&tx, &[pupil]).await?;
    }
    let seq = next_in_queue(&tx, queue).await?;
    let (by, role) = of.caused.by;
    let values: Vec<Value> = vec![
        of.intent.into(),
        queue.into(),
        seq.into(),
        IntentKind::GuidanceAsked.into(),
        of.way.clb.into(),
        pupil.into(),
        by.into(),
        role.into(),
        of.caused.request.into(),
        of.caused.at.into(),
        of.way.school.into(),
        of.key.into(),
        of.sealed.key.0.into(),
        of.sealed.wrapped.version.into(),
        of.sealed.wrapped.bytes.into(),
        of.sealed.envelope.into(),
    ];
    let text =
        "insert into intent (id, queue, seq, kind, clb_id, pupil_id, principal_id, role, request_id, at, school_id,
             asked_key, text_key, kek_version, wrapped, sealed)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (principal_id, asked_key) where asked_key is not null do nothing";
    execute(&tx, text, values).await?;
    let text = "select id, at from intent where principal_id = ? and asked_key = ?";
    let first = row(&tx, text, vec![by.into(), of.key.into()]).await?;
    let first = first.ok_or(DbError::Unreadable { column: "intent.id" })?;
    let sent = (first.try_get_by_index(0)?, first.try_get_by_index(1)?);
    tx.commit().await?;
    Ok(sent)
}

/// The relations of a worker of a CLB to requests that it was asked: about each of these pupils, for each of these
/// schools. As many statements whatever there is.
pub async fn ties_of_requests(
    db: &Db,
    (worker, clb): (PrincipalId, ClbId),
    of: &[(PupilId, SchoolId)],
    day: NaiveDate,
) -> Result<Vec<Ties>, DbError> {
    let text = "select pupil_id, begins_on, ends_on from competence where clb_id = ? and pupil_id in ?";
    let pupils = list_from(of.iter().map(|(pupil, _)| *pupil));
    let competent = rows(db.reader(), text, vec![clb.into(), pupils]).await?;
    let text =
        "select school_id, post, begins_on, ends_on from post where clb_id = ? and principal_id = ? and school_id in ?";
    let schools = list_from(of.iter().map(|(_, school)| *school));
    let posted = rows(db.reader(), text, vec![clb.into(), worker.into(), schools]).await?;
    let mut all = Vec::with_capacity(of.len());
    for (pupil, school) in of {
        let mut ties = TieRows::none();
        for row in &competent {
            if row.try_get_by_index::<PupilId>(0)? == *pupil {
                ties.competent.extend(periods(std::slice::from_ref(row), 1)?);
            }
        }
        // A school that asks for itself asks this CLB: about nobody it is always the one.
        if *pupil == NOBODY {
            ties.competent.push(Period {
                begins: day,
                ends: None,
            });
        }
        for row in &posted {
            if row.try_get_by_index::<SchoolId>(0)? != *school {
                continue;
            }
            let post: Post = row.try_get_by_index(1)?;
            let held = periods(std::slice::from_ref(row), 2)?;
            ties.posts
                .extend(held.into_iter().map(|period| Posted { post, period }));
        }
        all.push(Ties::of_rows(*pupil, ties));
    }
    Ok(all)
}
