//! Gaps: what sources said and could not be taken over, and, as long as it lasts, that a school contradicts another about a
//! half-day. Of all schools for operators, of one for who may let its runs go on; the contradictions alone for the CLB of the
//! pupil.

use chrono::{DateTime, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{GapId, PupilId, SchoolId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::{HalfDay, Part};
use sea_orm::{QueryResult, Value};

use super::{Piece, agreed, related};
use crate::store::sql::{row, rows};
use crate::store::{Db, DbError};

/// The rule of a contradiction.
pub const CONFLICT: &str = "absence.conflict";

/// A gap as it is seen. It names no person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: GapId,
    /// The connection; of a contradiction the one by which the school last told of half-days.
    pub source: SourceId,
    /// The rule that could not be met.
    pub rule: String,
    /// What the rule was about.
    pub detail: String,
    /// In how many rows, over all runs.
    pub occurrences: i64,
    /// First met.
    pub first_seen_at: DateTime<Utc>,
    /// Last met.
    pub last_seen_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, source_id, rule, detail, occurrences, first_seen_at, last_seen_at";

/// The gaps that the scope reaches, as a table, and its values. Of a contradiction operators are not told the day: it is
/// one of a pupil.
fn reached(scope: &Scope) -> Result<(String, Vec<Value>), DbError> {
    let (day, school) = match scope.reach() {
        Reach::Operations => ("''", None),
        Reach::School(own) => ("cast(c.day as text)", Some(*own)),
        _ => return Err(DbError::OutOfScope),
    };
    let of_school = |column: &str| match school {
        Some(_) => format!("where {column} = ?"),
        None => String::new(),
    };
    let text = format!(
        "(select g.id, g.source_id, g.rule, g.detail, g.occurrences, g.first_seen_at, g.last_seen_at
          from gap g join source s on s.id = g.source_id {}
          union all
          select c.id, (select s.id from source s
                        left join sync_run r on r.source_id = s.id and r.kind = 'absences'
                        where s.school_id = c.school_id
                        order by case when r.id is null then 1 else 0 end, r.started_at desc, s.id limit 1),
          '{CONFLICT}', {day}, cast(1 as bigint), c.since, c.since from conflict_side c {}) as gaps",
        of_school("s.school_id"),
        of_school("c.school_id")
    );
    let values = school.iter().chain(&school).map(|school| (*school).into());
    Ok((text, values.collect()))
}

fn seen(row: &QueryResult) -> Result<Seen, DbError> {
    Ok(Seen {
        id: row.try_get_by_index(0)?,
        source: row.try_get_by_index(1)?,
        rule: row.try_get_by_index(2)?,
        detail: row.try_get_by_index(3)?,
        occurrences: row.try_get_by_index(4)?,
        first_seen_at: row.try_get_by_index(5)?,
        last_seen_at: row.try_get_by_index(6)?,
    })
}

/// One gap, if the scope reaches it.
pub async fn gap(db: &Db, scope: &Scope, id: GapId) -> Result<Option<Seen>, DbError> {
    let (gaps, mut values) = reached(scope)?;
    values.push(id.into());
    let text = format!("select {COLUMNS} from {gaps} where id = ?");
    let found = row(db.reader(), &text, values).await?;
    found.as_ref().map(seen).transpose()
}

/// A page of gaps, latest met first and of those at the same time the lowest id; one more than asked for tells of a
/// next.
pub async fn gaps(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, GapId)>,
    first: u32,
) -> Result<Vec<Seen>, DbError> {
    let (gaps, mut values) = reached(scope)?;
    let mut later = "";
    if let Some((at, last)) = after {
        later = "where last_seen_at < ? or (last_seen_at = ? and id > ?)";
        values.extend([at.into(), at.into(), last.into()]);
    }
    values.push(i64::from(first.saturating_add(1)).into());
    let text = format!("select {COLUMNS} from {gaps} {later} order by last_seen_at desc, id limit ?");
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(seen).collect()
}

/// How many gaps there are.
pub async fn count_gaps(db: &Db, scope: &Scope) -> Result<u64, DbError> {
    let (gaps, values) = reached(scope)?;
    let text = format!("select count(*) from {gaps}");
    let counted = row(db.reader(), &text, values).await?;
    let counted: i64 = counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default();
    Ok(u64::try_from(counted).unwrap_or_default())
}

/// A half-day about which a school contradicts another, as the CLB of the pupil sees it: not what either of them said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disputed {
    /// Its id.
    pub id: GapId,
    /// Of whom.
    pub pupil: PupilId,
    /// Which half-day.
    pub at: HalfDay,
    /// The school.
    pub school: SchoolId,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// That a contradiction is of a pupil of the reader, and said by a school that agreed on `truancy` with it.
fn readable(scope: &Scope) -> Piece {
    let related = related(scope, "c.pupil_id");
    let agreed = agreed(scope, "c.school_id", Categories::NONE.with(Category::Truancy));
    let text = format!("from conflict_side c where {} and {}", related.text, agreed.text);
    Piece::new(text, [related.values, agreed.values].concat())
}

fn dispute(row: &QueryResult) -> Result<Disputed, DbError> {
    let part = Part::from_i16(row.try_get_by_index(3)?).ok_or(DbError::Unreadable {
        column: "conflict_side.part",
    })?;
    Ok(Disputed {
        id: row.try_get_by_index(0)?,
        pupil: row.try_get_by_index(1)?,
        at: HalfDay::new(row.try_get_by_index(2)?, part),
        school: row.try_get_by_index(4)?,
        since: row.try_get_by_index(5)?,
    })
}

/// A page of contradictions about the reader's pupils, the latest first and of those at the same time the lowest id; one
/// more than asked for tells of a next.
pub async fn disputed(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, GapId)>,
    first: u32,
) -> Result<Vec<Disputed>, DbError> {
    let Piece { text, mut values } = readable(scope);
    let mut go_on = "";
    if let Some((at, last)) = after {
        go_on = "and (c.since < ? or (c.since = ? and c.id > ?))";
        values.extend([Value::from(at), at.into(), last.into()]);
    }
    values.push(i64::from(first.saturating_add(1)).into());
    let columns = "c.id, c.pupil_id, c.day, c.part, c.school_id, c.since";
    let text = format!("select {columns} {text} {go_on} order by c.since desc, c.id limit ?");
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(dispute).collect()
}

/// How many there are.
pub async fn count_disputed(db: &Db, scope: &Scope) -> Result<i64, DbError> {
    let Piece { text, values } = readable(scope);
    let counted = row(db.reader(), &format!("select count(*) {text}"), values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}
