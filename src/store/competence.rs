//! Keeps the ties between pupils and CLBs in step with enrolments and agreements.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::AgreementState;
use hub_entities::competence::{Derived, Enrolled, Ground, Serves, derive};
use hub_entities::dossier::Mode;
use hub_entities::id::{ClbId, Ids, PupilId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::Period;
use sea_orm::Value;
use uuid::Uuid;

use super::clb_tally::follow;
use super::sql::{bulk, execute, list, list_from, rows};
use super::transaction::Transaction;
use super::{Db, DbError, audience};

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// All ties of each of these pupils, whatever their ground; of whom has none, nothing.
pub async fn of_pupils(db: &Db, scope: &Scope, pupils: &[PupilId]) -> Result<BTreeMap<PupilId, Vec<Derived>>, DbError> {
    may(scope)?;
    let text = "select pupil_id, clb_id, ground, begins_on, ends_on from competence where pupil_id in ?";
    let mut ties: BTreeMap<PupilId, Vec<Derived>> = BTreeMap::new();
    for row in rows(db.reader(), text, vec![list(pupils)]).await? {
        let period = Period {
            begins: row.try_get_by_index(3)?,
            ends: row.try_get_by_index(4)?,
        };
        let tie = Derived {
            clb: row.try_get_by_index(1)?,
            period,
            ground: row.try_get_by_index(2)?,
        };
        ties.entry(row.try_get_by_index(0)?).or_default().push(tie);
    }
    Ok(ties)
}

/// The CLBs whose dossiers the hub keeps.
pub async fn kept_here(db: &Db, scope: &Scope) -> Result<Vec<ClbId>, DbError> {
    may(scope)?;
    let text = "select clb_id from clb_dossiers where mode = ? order by clb_id";
    let found = rows(db.reader(), text, vec![Mode::Hub.into()]).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Derives the ties of these pupils again and writes the difference, and tells whoever lost or gained one of them. The
/// caller holds their locks, and has changed their enrolments or the agreements of their schools.
pub(super) async fn derive_again(
    tx: &Transaction,
    ids: &dyn Ids,
    pupils: &[PupilId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    derive_untold(tx, ids, pupils, now).await?;
    audience::settle(tx, ids, pupils, now).await
}

/// As [`derive_again`], and tells nobody yet: for who changes their signals too, and settles then.
pub(super) async fn derive_untold(
    tx: &Transaction,
    ids: &dyn Ids,
    pupils: &[PupilId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if pupils.is_empty() {
        return Ok(());
    }
    let mut enrolled: BTreeMap<PupilId, Vec<Enrolled>> = BTreeMap::new();
    let mut schools: BTreeSet<SchoolId> = BTreeSet::new();
    let of_pupils = list(pupils);
    let text = "select pupil_id, school_id, begins_on, ends_on from enrolment where pupil_id in ?";
    for row in rows(tx, text, vec![of_pupils.clone()]).await? {
        let school = row.try_get_by_index(1)?;
        schools.insert(school);
        let period = Period {
            begins: row.try_get_by_index(2)?,
            ends: row.try_get_by_index(3)?,
        };
        enrolled
            .entry(row.try_get_by_index(0)?)
            .or_default()
            .push(Enrolled { school, period });
    }

    let text = "select school_id, clb_id, begins_on, ends_on from agreement
         where state in (?, ?) and decided_at is not null and school_id in ?";
    let values = vec![
        AgreementState::Accepted.into(),
        AgreementState::Ended.into(),
        list_from(schools),
    ];
    let mut serves = Vec::new();
    for row in rows(tx, text, values).await? {
        let period = Period {
            begins: row.try_get_by_index(2)?,
            ends: row.try_get_by_index(3)?,
        };
        serves.push(Serves {
            school: row.try_get_by_index(0)?,
            clb: row.try_get_by_index(1)?,
            period,
        });
    }

    // Only what follows from enrolments is derived; home education and own requests stay as they are.
    let mut stored: BTreeMap<PupilId, Vec<(Uuid, Derived)>> = BTreeMap::new();
    let text = "select pupil_id, id, clb_id, ground, begins_on, ends_on from competence
         where ground in (?, ?) and pupil_id in ?";
    let values = vec![Ground::Enrolment.into(), Ground::LastEnrolment.into(), of_pupils];
    for row in rows(tx, text, values).await? {
        let clb: ClbId = row.try_get_by_index(2)?;
        let ground: Ground = row.try_get_by_index(3)?;
        let begins: NaiveDate = row.try_get_by_index(4)?;
        let period = Period {
            begins,
            ends: row.try_get_by_index(5)?,
        };
        stored
            .entry(row.try_get_by_index(0)?)
            .or_default()
            .push((row.try_get_by_index(1)?, Derived { clb, period, ground }));
    }

    let mut gone: Vec<Uuid> = Vec::new();
    let mut new: Vec<Vec<Value>> = Vec::new();
    for pupil in pupils {
        let should = derive(enrolled.get(pupil).map(Vec::as_slice).unwrap_or_default(), &serves);
        let has = stored.remove(pupil).unwrap_or_default();
        gone.extend(has.iter().filter(|(_, tie)| !should.contains(tie)).map(|(id, _)| *id));
        for tie in should.iter().filter(|tie| !has.iter().any(|(_, one)| one == *tie)) {
            new.push(vec![
                ids.next(now).into(),
                (*pupil).into(),
                tie.clb.into(),
                tie.ground.into(),
                tie.period.begins.into(),
                tie.period.ends.into(),
            ]);
        }
    }
    for some in gone.chunks(1_000) {
        let text = "delete from competence where id in ?";
        execute(tx, text, vec![list(some)]).await?;
    }
    let head = "insert into competence (id, pupil_id, clb_id, ground, begins_on, ends_on)";
    let changed = !gone.is_empty() || !new.is_empty();
    bulk(tx, head, 6, new.into_iter(), "").await?;
    if changed {
        follow(tx, pupils).await?;
    }
    Ok(())
}
