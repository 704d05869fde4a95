//! Half-days as rows: what is new, what is corrected and what it was before, and how many there are.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::absence::mark::Mark;
use hub_entities::category::{Categories, Category};
use hub_entities::evaluation::Change;
use hub_entities::id::{PupilId, SchoolId};
use hub_entities::time::SchoolYear;
use sea_orm::Value;

use super::Work;
use crate::store::DbError;
use crate::store::sql::{bulk, execute, list_from};
use crate::store::transaction::Transaction;

/// Writes what changed: rows, revisions, counts.
pub(super) async fn write_changes(
    tx: &Transaction,
    work: &Work<'_>,
    school: SchoolId,
    agreed: Categories,
    changes: &[(PupilId, Change)],
) -> Result<(), DbError> {
    if changes.is_empty() {
        return Ok(());
    }
    let fresh: Vec<&(PupilId, Change)> = changes.iter().filter(|(_, change)| change.before.is_none()).collect();
    let tuples = fresh.iter().map(|(pupil, change)| {
        let mut row = place(*pupil, change);
        let mark = change.after.map_or(0, Mark::to_i16);
        row.extend([mark.into(), 1_i32.into(), work.run.into()]);
        row
    });
    let head = "insert into absence (school_year, pupil_id, day, part, record_id, mark, revision, run_id)";
    bulk(tx, head, 8, tuples, "").await?;
    write_corrections(tx, work, agreed, changes).await?;
    write_counts(tx, school, changes).await
}

/// Where a half-day stands: `school_year, pupil_id, day, part, record_id`.
fn place(pupil: PupilId, change: &Change) -> Vec<Value> {
    let year = SchoolYear::of(change.at.day);
    let part = change.at.part.to_i16();
    let place: [Value; 5] = [
        year.into(),
        pupil.into(),
        change.at.day.into(),
        part.into(),
        change.record.into(),
    ];
    place.into()
}

const IS_THERE: &str = "absence.school_year = said.school_year and absence.pupil_id = said.pupil_id
    and absence.day = said.day and absence.part = said.part and absence.record_id = said.record_id";

/// What stood there goes to the revisions, with the run that had brought it; then the row is changed or goes.
async fn write_corrections(
    tx: &Transaction,
    work: &Work<'_>,
    agreed: Categories,
    changes: &[(PupilId, Change)],
) -> Result<(), DbError> {
    // A code that is agreed no more is not copied: what stands there goes with the purge.
    let may_be_kept = |mark: Mark| agreed.has(Category::Attendance) || mark.is_about_truancy();
    let mut kept = Vec::new();
    let mut changed = Vec::new();
    let mut gone = Vec::new();
    for (pupil, change) in changes {
        let Some((before, _)) = change.before else { continue };
        let mut row = place(*pupil, change);
        if may_be_kept(before) {
            let mut row = row.clone();
            row.extend([work.run.into(), work.now.into()]);
            kept.push(row);
        }
        match change.after {
            Some(mark) => {
                row.extend([mark.to_i16().into(), work.run.into()]);
                changed.push(row);
            }
            None => gone.push(row),
        }
    }
    let tail = format!(
        ") insert into absence_revision (record_id, day, part, revision, mark, run_id, brought_by, ended_at)
         select absence.record_id, absence.day, absence.part, absence.revision, absence.mark, said.run_id,
         absence.run_id, said.ended_at from said join absence on {IS_THERE}"
    );
    let head = "with said (school_year, pupil_id, day, part, record_id, run_id, ended_at) as (";
    bulk(tx, head, 7, kept.into_iter(), &tail).await?;
    let tail = format!(
        ") update absence set mark = said.mark, revision = absence.revision + 1, run_id = said.run_id
         from said where {IS_THERE}"
    );
    let head = "with said (school_year, pupil_id, day, part, record_id, mark, run_id) as (";
    bulk(tx, head, 7, changed.into_iter(), &tail).await?;
    let tail = format!(") delete from absence where exists (select 1 from said where {IS_THERE})");
    let head = "with said (school_year, pupil_id, day, part, record_id) as (";
    bulk(tx, head, 5, gone.into_iter(), &tail).await
}

/// Keeps the numbers beside the rows in step with them.
async fn write_counts(tx: &Transaction, school: SchoolId, changes: &[(PupilId, Change)]) -> Result<(), DbError> {
    let mut by: BTreeMap<(PupilId, SchoolYear, i16), i32> = BTreeMap::new();
    for (pupil, change) in changes {
        let year = SchoolYear::of(change.at.day);
        if let Some((mark, _)) = change.before {
            let less = by.entry((*pupil, year, mark.to_i16())).or_default();
            *less = less.saturating_sub(1);
        }
        if let Some(mark) = change.after {
            let more = by.entry((*pupil, year, mark.to_i16())).or_default();
            *more = more.saturating_add(1);
        }
    }
    let tuples: Vec<Vec<Value>> = by
        .into_iter()
        .filter(|(_, by)| *by != 0)
        .map(|((pupil, year, mark), by)| vec![pupil.into(), year.into(), school.into(), mark.into(), by.into()])
        .collect();
    let head = "insert into absence_count (pupil_id, school_year, school_id, mark, half_days)";
    let tail = "on conflict (pupil_id, school_year, school_id, mark)
                do update set half_days = absence_count.half_days + excluded.half_days";
    bulk(tx, head, 5, tuples.into_iter(), tail).await?;
    // A number of none would still tell that there once was one.
    let corrected: BTreeSet<PupilId> = changes
        .iter()
        .filter(|(_, change)| change.before.is_some())
        .map(|(pupil, _)| *pupil)
        .collect();
    if !corrected.is_empty() {
        let text = "delete from absence_count where half_days = 0 and pupil_id in ?";
        execute(tx, text, vec![list_from(corrected)]).await?;
    }
    Ok(())
}
