//! What waits because no roster names its pupil, for those who can put it right.

use chrono::{DateTime, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{QuarantineId, SchoolId, SourceId};
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind};
use sea_orm::QueryResult;

use super::{Piece, agreed};
use crate::store::sql::{row, rows};
use crate::store::{Db, DbError};

/// All that waits under one key of one source; the rows themselves stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: QuarantineId,
    /// The source that said it.
    pub source: SourceId,
    /// Its school.
    pub school: SchoolId,
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

/// What waits within the scope: half-days and numbers where truancy was agreed, places in classes where enrolment was.
fn within(scope: &Scope) -> Piece {
    let with = |category| agreed(scope, "school_id", Categories::NONE.with(category));
    let (places, counted) = (with(Category::Enrolment), with(Category::Truancy));
    let text = format!(
        "resolved_at is null and (kind = 'roster' and {} or kind <> 'roster' and {})",
        places.text, counted.text
    );
    Piece::new(text, [places.values, counted.values].concat())
}

/// A page of what waits within the scope, the longest first; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, QuarantineId)>,
    first: u32,
) -> Result<Vec<Waiting>, DbError> {
    let within = within(scope);
    let mut text = format!(
        "select id, source_id, school_id, kind, source_key, key_kind, rows, since from quarantine where {}",
        within.text
    );
    let mut values = within.values;
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
            school: row.try_get_by_index(2)?,
            kind: row.try_get_by_index(3)?,
            key: row.try_get_by_index(4)?,
            key_kind: row.try_get_by_index(5)?,
            rows: row.try_get_by_index(6)?,
            since: row.try_get_by_index(7)?,
        })
    };
    rows(db.reader(), &text, values).await?.iter().map(read).collect()
}

/// Under how many keys something waits.
pub async fn count(db: &Db, scope: &Scope) -> Result<i64, DbError> {
    let within = within(scope);
    let text = format!("select count(*) from quarantine where {}", within.text);
    let counted = row(db.reader(), &text, within.values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}
