//! Half-days about which schools contradict each other: pending, and a gap of each of those schools for as long as they do.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::evaluation::Outcome;
use hub_entities::id::{GapId, PupilId, SchoolId};
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::{DatabaseTransaction, Value};

use super::state::half_day;
use super::{Judge, State};
use crate::store::DbError;
use crate::store::sql::{bulk, execute, rows};

/// Writes which contradictions there are now, and who is told of them. The caller holds the locks of the pupils.
pub(super) async fn write_conflicts(
    tx: &DatabaseTransaction,
    judge: &Judge<'_>,
    state: &State,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
) -> Result<(), DbError> {
    let place = |pupil: PupilId, at: HalfDay| -> Vec<Value> {
        vec![pupil.into(), at.day.into(), at.part.to_i16().into(), judge.now.into()]
    };
    let (mut new, mut resolved) = (Vec::new(), Vec::new());
    for ((pupil, year), outcome) in outcomes {
        write_sides(tx, judge, state, (*pupil, *year), &outcome.conflicts).await?;
        let fresh = outcome.conflicts.iter();
        let fresh = fresh.filter(|at| !state.open_conflicts.contains(&(*pupil, **at)));
        new.extend(fresh.map(|at| place(*pupil, *at)));
        let open = state.open_conflicts.iter();
        let gone = open.filter(|(of, at)| of == pupil && year.contains(at.day) && !outcome.conflicts.contains(at));
        resolved.extend(gone.map(|(_, at)| place(*pupil, *at)));
    }
    let head = "insert into conflict (pupil_id, day, part, since)";
    let tail = "on conflict (pupil_id, day, part) do update set since = excluded.since, resolved_at = null";
    bulk(tx, head, 4, new.into_iter(), tail).await?;
    let head = "with said (pupil_id, day, part, resolved_at) as (";
    let tail = ") update conflict set resolved_at = said.resolved_at from said
        where conflict.pupil_id = said.pupil_id and conflict.day = said.day and conflict.part = said.part";
    bulk(tx, head, 4, resolved.into_iter(), tail).await
}

/// Lets each school that is a side of one of these contradictions know, and those no more that were one. A gap that
/// stands keeps its id.
async fn write_sides(
    tx: &DatabaseTransaction,
    judge: &Judge<'_>,
    state: &State,
    (pupil, year): (PupilId, SchoolYear),
    conflicts: &[HalfDay],
) -> Result<(), DbError> {
    let was_open = |(of, at): &(PupilId, HalfDay)| *of == pupil && year.contains(at.day);
    if conflicts.is_empty() && !state.open_conflicts.iter().any(was_open) {
        return Ok(());
    }
    let text = "select id, day, part, school_id from conflict_side where pupil_id = ? and day >= ? and day <= ?";
    let values: Vec<Value> = vec![pupil.into(), year.first_day().into(), year.last_day().into()];
    let mut standing: BTreeMap<(HalfDay, SchoolId), GapId> = BTreeMap::new();
    for row in rows(tx, text, values).await? {
        let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
        standing.insert((at, row.try_get_by_index(3)?), row.try_get_by_index(0)?);
    }
    let sides: BTreeSet<(HalfDay, SchoolId)> = state
        .half_days(pupil, year)
        .filter(|one| conflicts.contains(&one.at))
        .filter_map(|one| Some((one.at, state.school_of(one.record)?)))
        .collect();
    for (at, school) in &sides {
        if standing.remove(&(*at, *school)).is_some() {
            continue;
        }
        let values: Vec<Value> = vec![
            GapId(judge.ids.next(judge.now)).into(),
            pupil.into(),
            at.day.into(),
            at.part.to_i16().into(),
            (*school).into(),
            judge.now.into(),
        ];
        let text = "insert into conflict_side (id, pupil_id, day, part, school_id, since) values (?, ?, ?, ?, ?, ?)";
        execute(tx, text, values).await?;
    }
    for gone in standing.into_values() {
        execute(tx, "delete from conflict_side where id = ?", vec![gone.into()]).await?;
    }
    Ok(())
}
