//! Half-days of absence and what was counted from them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::absence::code::Code;
use hub_entities::absence::mark::Mark;
use hub_entities::category::{Categories, Category};
use hub_entities::evaluation::LawBook;
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::policy::Scope;
use hub_entities::time::{HalfDay, Part, SchoolYear};
use sea_orm::{QueryResult, Value};

use super::{EACH, Piece, agreed, categories_of, related};
use crate::store::ledger::State;
use crate::store::sql::{list, rows};
use crate::store::{Db, DbError};

const ATTENDANCE: Categories = Categories::NONE.with(Category::Attendance);
const TRUANCY: Categories = Categories::NONE.with(Category::Truancy);

/// One half-day, as one school has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// The pupil.
    pub pupil: PupilId,
    /// Which half-day.
    pub at: HalfDay,
    /// What is registered.
    pub mark: Mark,
    /// The school that says so.
    pub school: SchoolId,
}

/// How many half-days of one mark one school registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What is registered.
    pub mark: Mark,
    /// The school that says so.
    pub school: SchoolId,
    /// In half-days.
    pub half_days: i64,
}

/// The category under which this reader gets a mark of this school: what is about truancy as `truancy` where
/// that was agreed, everything else as `attendance`.
pub fn category(scope: &Scope, school: SchoolId, mark: Mark) -> Category {
    if mark.is_about_truancy() && categories_of(scope, school).has(Category::Truancy) {
        Category::Truancy
    } else {
        Category::Attendance
    }
}

/// That a row may be read: any mark where `attendance` was agreed with its school, and what is about truancy
/// where `truancy` was.
fn readable(scope: &Scope, school: &str, mark: &str) -> Piece {
    let all = agreed(scope, school, ATTENDANCE);
    let some = agreed(scope, school, TRUANCY);
    let text = format!("({} or ({} and {mark} in ?))", all.text, some.text);
    let mut values = all.values;
    values.extend(some.values);
    values.push(about_truancy());
    Piece::new(text, values)
}

/// The marks that are about truancy.
fn about_truancy() -> Value {
    let about_truancy = [
        Mark::Code(Code::B),
        Mark::Unresolved,
        Mark::NoLongerB,
        Mark::UnknownLetter,
    ];
    list(&about_truancy.map(Mark::to_i16))
}

/// A row of [`page`]; whose it is stands in it where several pupils were asked for.
fn absence(row: &QueryResult, only: Option<PupilId>) -> Result<Absence, DbError> {
    let (day, part): (NaiveDate, i16) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let part = Part::from_i16(part).ok_or(DbError::Unreadable { column: "absence.part" })?;
    let mark = Mark::from_i16(row.try_get_by_index(2)?).ok_or(DbError::Unreadable { column: "absence.mark" })?;
    Ok(Absence {
        pupil: match only {
            Some(pupil) => pupil,
            None => row.try_get_by_index(4)?,
        },
        at: HalfDay::new(day, part),
        mark,
        school: row.try_get_by_index(3)?,
    })
}

/// The half-days of these pupils in a school year, in the order of time: of each one more than asked for tells
/// of a next. `after` is the half-day and school of the last row.
pub async fn page(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
    year: SchoolYear,
    after: Option<(HalfDay, SchoolId)>,
    first: u32,
) -> Result<BTreeMap<PupilId, Vec<Absence>>, DbError> {
    let related = related(scope, "r.pupil_id");
    let (every, some) = (
        agreed(scope, "r.school_id", ATTENDANCE),
        agreed(scope, "r.school_id", TRUANCY),
    );
    let go_on = if after.is_some() {
        "and (a.day, a.part, r.school_id) > (?, ?, ?)"
    } else {
        ""
    };
    // The relation and what was agreed are a matter of the few records, not of each of their half-days. The year stands in
    // the text, so that the one partition is chosen when the statement is planned and not each time it runs.
    let absences = format!(
        "from r join absence a on a.pupil_id = r.pupil_id and a.record_id = r.id
         where a.school_year = {} {go_on} and (r.every or a.mark in ?)",
        year.0
    );
    let only = match pupils {
        [only] => Some(*only),
        _ => None,
    };
    let page = if only.is_some() {
        format!(
            "select a.day, a.part, a.mark, r.school_id {absences}
             order by a.day, a.part, r.school_id limit ?"
        )
    } else {
        format!(
            "select day, part, mark, school_id, pupil_id from (
               select a.pupil_id, a.day, a.part, a.mark, r.school_id,
                      row_number() over (partition by a.pupil_id order by a.day, a.part, r.school_id) as place
               {absences}
             ) of_pupil where place <= ? order by pupil_id, day, part, school_id"
        )
    };
    let text = format!(
        "with r as materialized (
           select r.id, r.pupil_id, r.school_id, {every} as every
           from record r where r.pupil_id in ? and {} and ({every} or {})
         ) {page}",
        related.text,
        some.text,
        every = every.text,
    );
    let mut values = every.values.clone();
    values.push(list(pupils));
    values.extend(related.values);
    values.extend(every.values);
    values.extend(some.values);
    if let Some((at, school)) = after {
        values.extend([Value::from(at.day), at.part.to_i16().into(), school.into()]);
    }
    values.push(about_truancy());
    values.push(i64::from(first).saturating_add(1).into());
    let mut found: BTreeMap<PupilId, Vec<Absence>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let one = absence(&row, only)?;
        found.entry(one.pupil).or_default().push(one);
    }
    Ok(found)
}

/// How many half-days of each mark these pupils have in a school year at each school, in the order of the marks,
/// as far as the reader may see them.
pub async fn counts(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
    year: SchoolYear,
) -> Result<BTreeMap<PupilId, Vec<Count>>, DbError> {
    let readable = readable(scope, "c.school_id", "c.mark");
    let related = related(scope, "c.pupil_id");
    let mut values = vec![list(pupils)];
    let text = format!(
        "select c.pupil_id, c.mark, c.school_id, c.half_days from absence_count c
         where c.pupil_id in ? and c.school_year = ? and c.half_days > 0 and {} and {}
         order by c.pupil_id, c.mark, c.school_id",
        readable.text, related.text
    );
    values.push(year.into());
    values.extend(readable.values);
    values.extend(related.values);
    let mut found: BTreeMap<PupilId, Vec<Count>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let mark = Mark::from_i16(row.try_get_by_index(1)?).ok_or(DbError::Unreadable {
            column: "absence_count.mark",
        })?;
        let half_days: i32 = row.try_get_by_index(3)?;
        let count = Count {
            mark,
            school: row.try_get_by_index(2)?,
            half_days: half_days.into(),
        };
        found.entry(row.try_get_by_index(0)?).or_default().push(count);
    }
    Ok(found)
}

/// What a pupil's half-days add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// B half-days that count, carried-in included.
    pub half_days: i32,
    /// Of these, carried in without dates.
    pub carried: i32,
    /// Not yet explained.
    pub pending: i32,
    /// When the fifth was reached.
    pub reached_5: Option<NaiveDate>,
    /// When the thirtieth was reached.
    pub reached_30: Option<NaiveDate>,
}

/// That the reader may see the truancy of the pupil in this column: `truancy` was agreed with one of its schools.
pub(super) fn truancy_agreed(scope: &Scope, pupil: &str) -> Piece {
    let may = agreed(scope, "k.school_id", TRUANCY);
    // Not every record of the reader's schools, to join them: one look per pupil.
    Piece::new(
        format!(
            "exists (select 1 from record k where k.pupil_id = {pupil} and {} {EACH})",
            may.text
        ),
        may.values,
    )
}

/// The tallies of these pupils in a school year. The number runs over all schools (domain facts §2.1); whose
/// half-days they are is told as evidence only.
pub async fn tallies(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
    year: SchoolYear,
) -> Result<BTreeMap<PupilId, Tally>, DbError> {
    let agreed = truancy_agreed(scope, "p.id");
    let related = related(scope, "p.id");
    let text = format!(
        "select p.id, coalesce(t.half_days, 0), coalesce(t.carried, 0), coalesce(t.pending, 0), t.reached_5, t.reached_30
         from pupil p left join tally t on t.pupil_id = p.id and t.school_year = ?
         where p.id in ? and {} and {}",
        agreed.text,
        related.text
    );
    let mut values: Vec<Value> = vec![year.into()];
    values.push(list(pupils));
    values.extend(agreed.values);
    values.extend(related.values);
    let mut found = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let tally = Tally {
            half_days: row.try_get_by_index(1)?,
            carried: row.try_get_by_index(2)?,
            pending: row.try_get_by_index(3)?,
            reached_5: row.try_get_by_index(4)?,
            reached_30: row.try_get_by_index(5)?,
        };
        found.insert(row.try_get_by_index(0)?, tally);
    }
    Ok(found)
}

/// Of these pupils, the records whose truancy this reader may see: a school its own, a CLB those of schools
/// with which `truancy` was agreed.
async fn readable_records(
    db: &Db,
    scope: &Scope,
    pupils: &[PupilId],
) -> Result<BTreeMap<PupilId, Vec<RecordId>>, DbError> {
    let may = agreed(scope, "r.school_id", TRUANCY);
    let related = related(scope, "r.pupil_id");
    let mut values = vec![list(pupils)];
    let text = format!(
        "select r.pupil_id, r.id from record r where r.pupil_id in ? and {} and {}",
        may.text, related.text
    );
    values.extend(may.values);
    values.extend(related.values);
    let mut found: BTreeMap<PupilId, Vec<RecordId>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        found
            .entry(row.try_get_by_index(0)?)
            .or_default()
            .push(row.try_get_by_index(1)?);
    }
    Ok(found)
}

/// The half-days that count and that this reader may see dated: exactly those of the tally, cut to the reader's
/// records.
///
/// What another school says decides what counts (a conflict does not), so all records of a pupil are counted;
/// only the dates of the reader's own leave here.
pub async fn evidence(
    db: &Db,
    scope: &Scope,
    book: &LawBook,
    pupils: &[PupilId],
    year: SchoolYear,
) -> Result<BTreeMap<PupilId, Vec<HalfDay>>, DbError> {
    let own = readable_records(db, scope, pupils).await?;
    let of: Vec<PupilId> = own.keys().copied().collect();
    let state = State::counted(db.reader(), &of, &[year]).await?;
    let dated = |(pupil, records): (PupilId, Vec<RecordId>)| {
        let evidence = state.tally(book, pupil, year).evidence(&records);
        (pupil, evidence.own_dated)
    };
    Ok(own.into_iter().map(dated).collect())
}
