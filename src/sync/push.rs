//! What software brings in by itself: the way of everything else, in one transaction a call (design §5).

mod roster;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hub_connectors::absences::AbsenceRow;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Category;
use hub_entities::delivery::{Outcome, RecordKind, Told, Why};
use hub_entities::evaluation::Said;
use hub_entities::id::{RecordId, RunId};
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind, RunState};
use hub_entities::time::{HalfDay, Part};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::absences::letters;
use super::staging::{Staging, Taken};
use super::{Source, Sync, SyncError};
use crate::store::intake::{Begun, Call, Intake, Record};
use crate::store::run as runs;
pub use roster::{MOST_OF_SNAPSHOT, MOST_ROWS, Mode, PushedRoster};

/// The longest key of a record, in characters.
pub const LONGEST_KEY: usize = 128;

/// The most half-days of one call.
pub const MOST_ABSENCES: usize = 500;

/// How a call names itself.
#[derive(Debug, Clone)]
pub struct Named {
    /// The sender's name of the call.
    pub key: String,
    /// Institution number of the school it speaks for.
    pub institution_number: String,
}

/// A half-day as software says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushedAbsence {
    /// The pupil.
    pub pupil: String,
    /// The half-day.
    pub at: HalfDay,
    /// The code, by the table of the connection; empty where none was given.
    pub code: String,
    /// Whether it is taken back.
    pub deleted: bool,
}

/// What came of a call.
#[derive(Debug)]
pub enum Pushed {
    /// It is committed, now or before: the run that it is or belongs to, how far that had come, and what became of each
    /// record.
    Answered(RunId, RunState, Vec<Told>),
    /// Its name stands for another call, of then.
    NameTaken(chrono::DateTime<chrono::Utc>),
    /// It speaks for another school.
    AnotherSchool,
    /// It tells of an earlier day than a roster that came before, or a part of its snapshot before it is missing.
    Stale,
    /// Its snapshot would hold more rows than one may.
    TooMuch,
    /// Another process is working on the connection.
    Busy,
}

/// The transaction of a new call; of any other, what it is answered.
macro_rules! begun_or {
    ($begun:expr) => {
        match $begun {
            Begun::Fresh(intake) => intake,
            Begun::Answered(run, state, told) => return Ok(Pushed::Answered(run, state, told)),
            Begun::NameTaken(at) => return Ok(Pushed::NameTaken(at)),
            Begun::AnotherSchool => return Ok(Pushed::AnotherSchool),
            Begun::Busy => return Ok(Pushed::Busy),
        }
    };
}
use begun_or;

impl Sync {
    /// Takes in half-days of absence that software brings: all of the call or nothing.
    pub async fn push_absences(
        &self,
        scope: &Scope,
        named: &Named,
        by: KeyKind,
        rows: &[PushedAbsence],
    ) -> Result<Pushed, SyncError> {
        let rows: Vec<PushedAbsence> = rows.iter().map(|row| self.keyed_absence(row)).collect();
        let rows = rows.as_slice();
        let content = rows.iter().map(|row| {
            let part = row.at.part.to_i16();
            (&row.pupil, row.at.day, part, &row.code, row.deleted)
        });
        let content: Vec<_> = content.collect();
        let hash = hash_of(&("absences", &named.institution_number, by, content))?;
        loop {
            let intake = begun_or!(Intake::begin(&self.db, scope, self.call(named, RunKind::Absences, &hash)).await?);
            let among: BTreeSet<&str> = rows.iter().map(|row| row.pupil.trim()).collect();
            let by_key = intake
                .keys(scope, by, among.into_iter().map(str::to_owned).collect())
                .await?;
            let known: Vec<&String> = by_key.keys().collect();
            if intake.has_older(by, &known).await? {
                let source = Source {
                    id: intake.connection().id,
                    school: intake.connection().school_id,
                };
                drop(intake);
                match self.catch_up(scope, source).await {
                    Ok(()) => continue,
                    Err(SyncError::Busy) => return Ok(Pushed::Busy),
                    Err(fault) => return Err(fault),
                }
            }
            let letters = letters(self, intake.connection())?;
            let mut staging = Staging::new(self, scope, &letters, &by_key);
            let taken = take_all(&mut staging, rows);
            let said: Vec<Said> = rows
                .iter()
                .zip(&taken)
                .filter_map(|(row, taken)| said(row, taken))
                .collect();
            let join = staging.join();
            let (gaps, unmatched) = staging.losses(by);
            let run = intake.run();
            let lease = intake.lease().clone();
            let work = self.work(scope, &lease, run);
            intake.lose(&work, gaps, unmatched).await?;
            let (progress, changes) = intake.merge_half_days(&work, &said).await?;
            let changed: HashSet<(RecordId, HalfDay)> =
                changes.iter().map(|(_, change)| (change.record, change.at)).collect();
            let told = rows
                .iter()
                .zip(&taken)
                .map(|(row, taken)| told(row, taken, &changed))
                .collect();
            let records = rows.iter().map(record).collect();
            let told = intake.finish(scope, progress, join, records, told).await?;
            return Ok(Pushed::Answered(run, RunState::Done, told));
        }
    }

    /// The same under the key by which it is kept: by its hash a call is known again, and from a hash over a national
    /// number, which has few digits, it could be found.
    fn keyed_absence(&self, row: &PushedAbsence) -> PushedAbsence {
        PushedAbsence {
            pupil: self.pupil_key(&row.pupil).into_owned(),
            ..row.clone()
        }
    }

    fn call(&self, named: &Named, kind: RunKind, hash: &[u8]) -> Call {
        let now = self.clock.now();
        Call {
            key: named.key.clone(),
            content_hash: hash.to_vec(),
            kind,
            institution_number: named.institution_number.clone(),
            reference: None,
            run: RunId(self.ids.next(now)),
            now,
        }
    }

    /// What this connection has said before comes first.
    async fn catch_up(&self, scope: &Scope, source: Source) -> Result<(), SyncError> {
        let lease = self.lease(source).await?;
        let caught_up = async {
            if let Some(run) = runs::latest(&self.db, scope, RunKind::Roster).await?
                && run.state == RunState::Merging
            {
                // A snapshot that a person let go on is at hand, places in classes and all; of a file that was cut off
                // that is not known any more.
                let whole = runs::is_pushed(&self.db, scope, run.id).await?;
                self.merge_roster(scope, &lease, run, whole).await?;
            }
            self.finish_cut_off(scope, &lease, source).await?;
            self.work_off(scope, &lease, source).await
        };
        let caught_up = caught_up.await;
        lease.release(&self.db).await?;
        caught_up
    }
}

impl Sync {
    /// Goes on with what a person let go on, where it lies ready.
    ///
    /// # Errors
    /// When the store fails, or another process works on the connection: then its next call goes on with it.
    pub async fn go_on(&self, source: Source) -> Result<(), SyncError> {
        let scope = self.scope(source).await?;
        self.catch_up(&scope, source).await
    }
}

fn hash_of<T: Serialize>(content: &T) -> Result<Vec<u8>, SyncError> {
    let bytes = serde_json::to_vec(content).map_err(std::io::Error::other)?;
    Ok(Sha256::digest(bytes).to_vec())
}

/// What became of a row, before anything is written.
enum Row {
    Refused(Why),
    Taken(Taken),
}

/// Filters and matches the rows, in their order. What a call says twice it may not mean: the first word stands.
fn take_all(staging: &mut Staging<'_>, rows: &[PushedAbsence]) -> Vec<Row> {
    let mut seen = BTreeMap::new();
    let taken = rows.iter().enumerate().map(|(place, row)| {
        let key = row.pupil.trim();
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Row::Refused(Why::Key);
        }
        if *seen.entry((key, row.at)).or_insert(place) != place {
            return Row::Refused(Why::Repeated);
        }
        let row = AbsenceRow {
            line: u64::try_from(place).unwrap_or(u64::MAX),
            pupil_key: key,
            at: row.at,
            letter: row.code.trim(),
            deleted: row.deleted,
        };
        staging.take(&row).map_or(Row::Refused(Why::NotAgreed), Row::Taken)
    });
    taken.collect()
}

/// A half-day by the sender's own key.
fn record(row: &PushedAbsence) -> Record {
    let pupil = row.pupil.trim();
    let part = match row.at.part {
        Part::Am => "AM",
        Part::Pm => "PM",
    };
    Record {
        kind: RecordKind::Absence,
        key: format!("{pupil}/{}/{part}", row.at.day),
        pupil: pupil.to_owned(),
    }
}

fn said(row: &PushedAbsence, taken: &Row) -> Option<Said> {
    let Row::Taken(taken) = taken else { return None };
    Some(Said {
        record: taken.record?,
        at: row.at,
        reading: taken.reading,
    })
}

fn told(row: &PushedAbsence, taken: &Row, changed: &HashSet<(RecordId, HalfDay)>) -> Told {
    let taken = match taken {
        Row::Taken(taken) => taken,
        Row::Refused(why) => {
            let dropped = (*why == Why::NotAgreed).then_some(Category::Truancy);
            return Told {
                outcome: Outcome::Refused,
                why: Some(*why),
                dropped: dropped.into_iter().collect(),
            };
        }
    };
    let dropped = taken.is_narrowed.then_some(Category::Attendance).into_iter().collect();
    let Some(record) = taken.record else {
        return Told {
            outcome: Outcome::Quarantined,
            why: Some(Why::UnknownPupil),
            dropped,
        };
    };
    let outcome = if changed.contains(&(record, row.at)) {
        Outcome::Accepted
    } else {
        Outcome::Unchanged
    };
    let why = match taken.reading {
        Reading::Unknown => Some(Why::UnknownCode),
        _ if !taken.is_lesson => Some(Why::NotALesson),
        _ => None,
    };
    Told { outcome, why, dropped }
}
