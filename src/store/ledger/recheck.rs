//! A look over all pupils of a school year: whether what was counted and signalled of each is what follows from its
//! half-days. Evaluation hangs on no message, so this finds only what changed beside them: a law, a setting, a local
//! day off, a fault of an older version.

use std::collections::BTreeSet;

use hub_entities::id::{PupilId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::{SchoolYear, brussels_day};

use super::state::Of;
use super::{Judge, State, reevaluate};
use crate::store::run::Progress;
use crate::store::sql::rows;
use crate::store::{Db, DbError};

/// Pupils looked over in one go: what is in memory at once.
const PAGE: u32 = 5_000;

/// One go of a look over all pupils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The last pupil it came to: where the next go begins.
    pub last: PupilId,
    /// How many pupils it looked over.
    pub pupils: usize,
    /// Those of whom something else is stored than follows from their half-days.
    pub unsettled: Vec<PupilId>,
}

/// Looks over the next pupils after this one, of one school or of all. Nothing is locked and nothing changed; `None`
/// when there are no more.
pub async fn check(
    db: &Db,
    scope: &Scope,
    judge: &Judge<'_>,
    (year, school): (SchoolYear, Option<SchoolId>),
    after: Option<PupilId>,
) -> Result<Option<Checked>, DbError> {
    may(scope)?;
    let after = after.unwrap_or(PupilId(uuid::Uuid::nil()));
    let found = if let Some(school) = school {
        let text = "select distinct pupil_id from record where school_id = ? and pupil_id > ?
                    order by pupil_id limit ?";
        rows(db.reader(), text, vec![school.into(), after.into(), PAGE.into()]).await?
    } else {
        let text = "select id from pupil where merged_into is null and id > ? order by id limit ?";
        rows(db.reader(), text, vec![after.into(), PAGE.into()]).await?
    };
    let pupils: Result<Vec<PupilId>, _> = found.iter().map(|row| row.try_get_by_index(0)).collect();
    let pupils = pupils?;
    let Some(last) = pupils.last().copied() else {
        return Ok(None);
    };
    let of = match school {
        Some(_) => Of::These(&pupils),
        None => Of::Between(after, last),
    };
    let state = State::weighed(db.reader(), of, year, brussels_day(judge.now)).await?;
    let unsettled = pupils
        .iter()
        .copied()
        .filter(|pupil| !state.is_settled(*pupil, year, &state.outcome(judge, *pupil, year)))
        .collect();
    Ok(Some(Checked {
        last,
        pupils: pupils.len(),
        unsettled,
    }))
}

/// Evaluates pupils again, under their locks, and writes what follows.
pub async fn settle_again(db: &Db, scope: &Scope, judge: &Judge<'_>, pupils: &[PupilId]) -> Result<Progress, DbError> {
    may(scope)?;
    let sorted: BTreeSet<PupilId> = pupils.iter().copied().collect();
    let sorted: Vec<PupilId> = sorted.into_iter().collect();
    let tx = db.begin().await?;
    db.dialect().lock_pupils(&tx, &sorted).await?;
    let mut progress = Progress::default();
    reevaluate(&tx, judge, &sorted, &mut progress).await?;
    tx.commit().await?;
    Ok(progress)
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}
