//! What waits because no roster names its pupil, for the school that can put it right.

use chrono::{DateTime, Utc};
use hub_entities::id::{QuarantineId, SchoolId, SourceId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{KeyKind, RunKind};
use sea_orm::{QueryResult, Value};

use crate::store::sql::{row, rows};
use crate::store::{Db, DbError};

/// All that waits under one key of one source; the rows themselves stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: QuarantineId,
    /// The source that said it.
    pub source: SourceId,
    /// What waits.
    pub kind: RunKind,
    /// The key.
    pub key: String,
    /// Which number of a pupil it is.
    pub key_kind: Option<KeyKind>,
    /// How many rows.
    pub rows: i32,
    /// Since when.
    pub since: DateTime<Utc>,
}

fn school_of(scope: &Scope) -> Result<SchoolId, DbError> {
    match scope.reach() {
        Reach::School(school) => Ok(*school),
        _ => Err(DbError::OutOfScope),
    }
}

/// A page of what waits for the scope's school, the longest first; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, QuarantineId)>,
    first: u32,
) -> Result<Vec<Waiting>, DbError> {
    let mut text = "select id, source_id, kind, source_key, key_kind, rows, since from quarantine
         where school_id = ? and resolved_at is null"
        .to_owned();
    let mut values: Vec<Value> = vec![school_of(scope)?.into()];
    if let Some((since, id)) = after {
        text.push_str(" and (since > ? or (since = ? and id > ?))");
        values.extend([since.into(), since.into(), id.into()]);
    }
    text.push_str(" order by since, id limit ?");
    values.push(first.saturating_add(1).into());
    let read = |row: &QueryResult| {
        Ok(Waiting {
            id: row.try_get_by_index(0)?,
            source: row.try_get_by_index(1)?,
            kind: row.try_get_by_index(2)?,
            key: row.try_get_by_index(3)?,
            key_kind: row.try_get_by_index(4)?,
            rows: row.try_get_by_index(5)?,
            since: row.try_get_by_index(6)?,
        })
    };
    rows(db.reader(), &text, values).await?.iter().map(read).collect()
}

/// Under how many keys something waits.
pub async fn count(db: &Db, scope: &Scope) -> Result<i64, DbError> {
    let text = "select count(*) from quarantine where school_id = ? and resolved_at is null";
    let counted = row(db.reader(), text, vec![school_of(scope)?.into()]).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}
