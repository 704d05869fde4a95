//! The one transaction in which absences change: lock the pupils, write, tally after the lock,
//! signals, outbox (design §4, transactions table).
//!
//! Whatever else happens, a signal is committed with the half-day that caused it or not at all.

mod changes;
mod conflicts;
mod recheck;
mod signals;
mod standing;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::evaluation::{Change, LawBook, Outcome, Said, merge};
use hub_entities::id::{Ids, PupilId, RecordId, RunId, SchoolId};
use hub_entities::law::compulsory::turns_five;
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::{HalfDay, SchoolYear, brussels_day};
use sea_orm::Value;

use super::clb_tally::follow;
use super::lease::Lease;
use super::run::{Progress, advance};
use super::sql::{bulk, list, rows};
use super::{Db, DbError};
use crate::store::transaction::Transaction;
use changes::write_changes;
use conflicts::write_conflicts;
pub use recheck::{Checked, check, settle_again};
use signals::write_signals;
pub(super) use signals::{Event, tell, tell_those_told};
pub use standing::standing;
pub(super) use state::State;

/// What a transaction of the ledger needs besides its data.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// The right to write: a source's, of its own school.
    pub scope: &'a Scope,
    /// The lease under which the run works.
    pub lease: &'a Lease,
    /// The run.
    pub run: RunId,
    /// The laws.
    pub book: &'a LawBook,
    /// Where ids come from.
    pub ids: &'a dyn Ids,
    /// When the transaction began.
    pub now: DateTime<Utc>,
}

impl<'a> Work<'a> {
    /// What an evaluation needs of it.
    pub(super) fn judge(&self) -> Judge<'a> {
        Judge {
            book: self.book,
            ids: self.ids,
            now: self.now,
        }
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("run", &self.run).finish_non_exhaustive()
    }
}

/// What an evaluation needs besides its data.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The laws.
    pub book: &'a LawBook,
    /// Where ids come from.
    pub ids: &'a dyn Ids,
    /// When it is.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Merges half-days of one school's records and evaluates their pupils, in one transaction.
///
/// `cursor` is where the run stands once this is committed.
pub async fn merge_half_days(
    db: &Db,
    work: Work<'_>,
    said: &[Said],
    cursor: Option<String>,
) -> Result<Progress, DbError> {
    let tx = db.begin().await?;
    work.lease.fence(db, &tx).await?;
    let (progress, _) = merge_said(db, &tx, &work, said).await?;
    advance(&tx, work.run, cursor, progress).await?;
    tx.commit().await?;
    Ok(progress)
}

/// The same within a transaction that holds the lease of the source already; says what changed.
pub(super) async fn merge_said(
    db: &Db,
    tx: &Transaction,
    work: &Work<'_>,
    said: &[Said],
) -> Result<(Progress, Vec<(PupilId, Change)>), DbError> {
    let Reach::Source { school, agreed, .. } = work.scope.reach() else {
        return Err(DbError::OutOfScope);
    };
    let records: BTreeSet<RecordId> = said.iter().map(|one| one.record).collect();
    let records: Vec<RecordId> = records.into_iter().collect();
    let pupil_of = lock_pupils_of(db, tx, *school, &records).await?;

    let mut per_pupil: BTreeMap<PupilId, Vec<Said>> = BTreeMap::new();
    for one in said {
        // A record that left the school since it was staged has no pupil here any more.
        if let Some(pupil) = pupil_of.get(&one.record) {
            per_pupil.entry(*pupil).or_default().push(*one);
        }
    }
    let pupils: Vec<PupilId> = per_pupil.keys().copied().collect();
    let years: BTreeSet<SchoolYear> = said.iter().map(|one| SchoolYear::of(one.at.day)).collect();
    let years: Vec<SchoolYear> = years.into_iter().collect();

    let mut state = State::load(tx, &pupils, &years, brussels_day(work.now)).await?;
    let mut changes: Vec<(PupilId, Change)> = Vec::new();
    let mut progress = Progress::default();
    for (pupil, said) in &per_pupil {
        let known = state.known.entry(*pupil).or_default();
        let changed = merge(known, said, *agreed);
        let distinct: BTreeSet<(HalfDay, RecordId)> = said.iter().map(|one| (one.at, one.record)).collect();
        progress.changed = progress.changed.saturating_add(count(changed.len()));
        progress.unchanged = progress
            .unchanged
            .saturating_add(count(distinct.len().saturating_sub(changed.len())));
        changes.extend(changed.into_iter().map(|change| (*pupil, change)));
    }
    write_changes(tx, work, *school, *agreed, &changes).await?;

    let changed: BTreeSet<(PupilId, SchoolYear)> = changes
        .iter()
        .map(|(pupil, change)| (*pupil, SchoolYear::of(change.at.day)))
        .collect();
    evaluate_all(tx, &work.judge(), &state, &changed, &mut progress).await?;
    Ok((progress, changes))
}

/// Evaluates pupils again whose half-days did not change but whose birth date, carried-in number, records
/// or agreements did. The caller holds the locks.
pub(super) async fn reevaluate(
    tx: &Transaction,
    judge: &Judge<'_>,
    pupils: &[PupilId],
    progress: &mut Progress,
) -> Result<(), DbError> {
    let known = known_years(tx, pupils).await?;
    evaluate_years(tx, judge, &known, progress).await
}

/// The same of pupils whose enrolments or places in classes changed, as far as it can matter: of whom several records are
/// known, one may contradict the other on other days now; and in the year in which a pupil turns five, the class decides
/// what counts. The caller holds the locks.
pub(super) async fn reevaluate_placed(
    tx: &Transaction,
    judge: &Judge<'_>,
    pupils: &[PupilId],
    progress: &mut Progress,
) -> Result<(), DbError> {
    if pupils.is_empty() {
        return Ok(());
    }
    let mut births: BTreeMap<PupilId, Vec<Option<NaiveDate>>> = BTreeMap::new();
    let text = "select pupil_id, birth_date from record where pupil_id in ?";
    for row in rows(tx, text, vec![list(pupils)]).await? {
        let of_pupil = births.entry(row.try_get_by_index(0)?).or_default();
        of_pupil.push(row.try_get_by_index(1)?);
    }
    let matters = |(pupil, year): &(PupilId, SchoolYear)| {
        births
            .get(pupil)
            .is_some_and(|births| births.len() > 1 || births.iter().flatten().any(|born| turns_five(*born, *year)))
    };
    let mut known = known_years(tx, pupils).await?;
    known.retain(matters);
    evaluate_years(tx, judge, &known, progress).await
}

async fn evaluate_years(
    tx: &Transaction,
    judge: &Judge<'_>,
    which: &BTreeSet<(PupilId, SchoolYear)>,
    progress: &mut Progress,
) -> Result<(), DbError> {
    if which.is_empty() {
        return Ok(());
    }
    let pupils: BTreeSet<PupilId> = which.iter().map(|(pupil, _)| *pupil).collect();
    let pupils: Vec<PupilId> = pupils.into_iter().collect();
    let years: BTreeSet<SchoolYear> = which.iter().map(|(_, year)| *year).collect();
    let years: Vec<SchoolYear> = years.into_iter().collect();
    let state = State::load(tx, &pupils, &years, brussels_day(judge.now)).await?;
    evaluate_all(tx, judge, &state, which, progress).await
}

/// The school years in which anything is known of these pupils.
async fn known_years(tx: &Transaction, pupils: &[PupilId]) -> Result<BTreeSet<(PupilId, SchoolYear)>, DbError> {
    let mut known = BTreeSet::new();
    for table in ["absence_count", "carried_in", "tally", "signal"] {
        let text = format!("select distinct pupil_id, school_year from {table} where pupil_id in ?");
        for row in rows(tx, &text, vec![list(pupils)]).await? {
            known.insert((row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?)));
        }
    }
    Ok(known)
}

/// Locks the canonical pupils of these records in id order, and says which record is whose.
///
/// A record may be tied to another pupil between reading and locking, so it is read again after the lock.
pub(super) async fn lock_pupils_of(
    db: &Db,
    tx: &Transaction,
    school: SchoolId,
    records: &[RecordId],
) -> Result<BTreeMap<RecordId, PupilId>, DbError> {
    let mut before = pupils_of(tx, school, records).await?;
    loop {
        let pupils: BTreeSet<PupilId> = before.values().copied().collect();
        let pupils: Vec<PupilId> = pupils.into_iter().collect();
        db.dialect().lock_pupils(tx, &pupils).await?;
        let after = pupils_of(tx, school, records).await?;
        if after == before {
            return Ok(after);
        }
        before = after;
    }
}

async fn pupils_of(
    tx: &Transaction,
    school: SchoolId,
    records: &[RecordId],
) -> Result<BTreeMap<RecordId, PupilId>, DbError> {
    let text = "select id, pupil_id from record where school_id = ? and id in ?";
    let found = rows(tx, text, vec![school.into(), list(records)]).await?;
    found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// Tallies each pupil and year and writes what follows.
async fn evaluate_all(
    tx: &Transaction,
    judge: &Judge<'_>,
    state: &State,
    which: &BTreeSet<(PupilId, SchoolYear)>,
    progress: &mut Progress,
) -> Result<(), DbError> {
    let outcome = |(pupil, year): &(PupilId, SchoolYear)| ((*pupil, *year), state.outcome(judge, *pupil, *year));
    let outcomes: Vec<((PupilId, SchoolYear), Outcome)> = which.iter().map(outcome).collect();
    write_totals(tx, state, &outcomes).await?;
    write_conflicts(tx, judge, state, &outcomes).await?;
    write_signals(tx, judge, &outcomes, progress).await
}

async fn write_totals(
    tx: &Transaction,
    state: &State,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
) -> Result<(), DbError> {
    let other = outcomes
        .iter()
        .filter(|(key, outcome)| state.totals.get(key).copied().unwrap_or_default() != outcome.totals);
    let pupils: BTreeSet<PupilId> = other.clone().map(|((pupil, _), _)| *pupil).collect();
    let tuples: Vec<Vec<Value>> = other
        .map(|((pupil, year), outcome)| {
            let totals = outcome.totals;
            vec![
                (*pupil).into(),
                (*year).into(),
                totals.half_days.into(),
                totals.carried.into(),
                totals.pending.into(),
                totals.reached_5.into(),
                totals.reached_30.into(),
            ]
        })
        .collect();
    let head = "insert into tally (pupil_id, school_year, half_days, carried, pending, reached_5, reached_30)";
    let tail = "on conflict (pupil_id, school_year) do update set half_days = excluded.half_days,
                carried = excluded.carried, pending = excluded.pending,
                reached_5 = excluded.reached_5, reached_30 = excluded.reached_30";
    bulk(tx, head, 7, tuples.into_iter(), tail).await?;
    follow(tx, &pupils.into_iter().collect::<Vec<_>>()).await
}
