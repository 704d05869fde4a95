//! Half-days about which schools contradict each other: pending, and a gap of each of those schools for as long as they do.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::evaluation::Outcome;
use hub_entities::id::{GapId, PupilId, SchoolId};
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::Value;

use super::state::half_day;
use super::{Judge, State};
use crate::store::DbError;
use crate::store::sql::{bulk, execute, list, list_from, rows};
use crate::store::transaction::Transaction;

/// Writes which contradictions there are now, and who is told of them. The caller holds the locks of the pupils.
pub(super) async fn write_conflicts(
    tx: &Transaction,
    judge: &Judge<'_>,
    state: &State,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
) -> Result<(), DbError> {
    let place = |pupil: PupilId, at: HalfDay| -> Vec<Value> {
        vec![pupil.into(), at.day.into(), at.part.to_i16().into(), judge.now.into()]
    };
    let (mut new, mut resolved) = (Vec::new(), Vec::new());
    for ((pupil, year), outcome) in outcomes {
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
    bulk(tx, head, 4, resolved.into_iter(), tail).await?;
    write_sides(tx, judge, state, outcomes).await
}

/// Lets each school that is a side of one of these contradictions know, and those no more that were one. A gap that
/// stands keeps its id.
async fn write_sides(
    tx: &Transaction,
    judge: &Judge<'_>,
    state: &State,
    outcomes: &[((PupilId, SchoolYear), Outcome)],
) -> Result<(), DbError> {
    let was_open = |pupil: PupilId, year: SchoolYear| {
        let mut open = state.open_conflicts.iter();
        open.any(|(of, at)| *of == pupil && year.contains(at.day))
    };
    let mut years: BTreeMap<PupilId, Vec<SchoolYear>> = BTreeMap::new();
    let mut sides: BTreeSet<Side> = BTreeSet::new();
    for ((pupil, year), outcome) in outcomes {
        if outcome.conflicts.is_empty() && !was_open(*pupil, *year) {
            continue;
        }
        years.entry(*pupil).or_default().push(*year);
        let said = state.half_days(*pupil, *year);
        let said = said.filter(|one| one.enrolled && outcome.conflicts.contains(&one.at));
        sides.extend(said.filter_map(|one| Some((*pupil, one.at, state.school_of(one.record)?))));
    }
    if years.is_empty() {
        return Ok(());
    }
    let of_pupils = list_from(years.keys().copied());
    let text = "select id, pupil_id, day, part, school_id from conflict_side where pupil_id in ?";
    let mut gone: Vec<GapId> = Vec::new();
    for row in rows(tx, text, vec![of_pupils]).await? {
        let pupil: PupilId = row.try_get_by_index(1)?;
        let at = half_day(row.try_get_by_index(2)?, row.try_get_by_index(3)?)?;
        let looked_at = years
            .get(&pupil)
            .is_some_and(|all| all.iter().any(|year| year.contains(at.day)));
        if !sides.remove(&(pupil, at, row.try_get_by_index(4)?)) && looked_at {
            gone.push(row.try_get_by_index(0)?);
        }
    }
    let new = sides.into_iter().map(|(pupil, at, school)| {
        let id = GapId(judge.ids.next(judge.now));
        let row: [Value; 6] = [
            id.into(),
            pupil.into(),
            at.day.into(),
            at.part.to_i16().into(),
            school.into(),
            judge.now.into(),
        ];
        row.to_vec()
    });
    let new: Vec<Vec<Value>> = new.collect();
    let head = "insert into conflict_side (id, pupil_id, day, part, school_id, since)";
    bulk(tx, head, 6, new.into_iter(), "").await?;
    if !gone.is_empty() {
        execute(tx, "delete from conflict_side where id in ?", vec![list(&gone)]).await?;
    }
    Ok(())
}

/// A school that says something of a half-day that another contradicts.
type Side = (PupilId, HalfDay, SchoolId);
