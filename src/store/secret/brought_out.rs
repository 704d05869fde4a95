//! The access log of a CLB, brought out of the hub by whoever works on its machine: that it is, is a line of it, committed
//! before the first of the others is read (R33).

use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId};
use hub_entities::policy::{Reach, Scope};

use super::SecretDb;
use super::line::{self, Line};
use crate::store::DbError;
use crate::store::sql::rows;

/// A log of which it is noted that it is brought out. Only [`note`] makes one.
#[derive(Debug)]
pub struct Noted {
    clb: ClbId,
}

/// Which lines: not before the first instant, and before the second.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// Writes the line that tells of it into the log.
pub async fn note(apart: &SecretDb, scope: &Scope, line: &Line) -> Result<Noted, DbError> {
    may(scope)?;
    let tx = apart.within(&[line.clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    tx.commit().await?;
    Ok(Noted { clb: line.clb })
}

/// Some of the lines, the oldest first, behind this one: each with its number in the chain, if it is linked.
pub async fn some(
    apart: &SecretDb,
    scope: &Scope,
    noted: &Noted,
    (from, until): Span,
    (after, most): (Option<(DateTime<Utc>, DecisionId)>, u32),
) -> Result<Vec<(Line, Option<i64>)>, DbError> {
    may(scope)?;
    let tx = apart.within(&[noted.clb]).await?;
    let mut behind = "";
    let mut values: Vec<sea_orm::Value> = vec![noted.clb.into(), from.into(), until.into()];
    if let Some((at, id)) = after {
        behind = "and (at, id) > (?, ?)";
        values.extend([at.into(), id.into()]);
    }
    values.push(i64::from(most).into());
    let text = format!(
        "select {}, seq from access_line where clb_id = ? and at >= ? and at < ? {behind} order by at, id limit ?",
        line::ALL
    );
    let found = rows(&tx, &text, values).await?;
    tx.commit().await?;
    let one = |row: &sea_orm::QueryResult| Ok((line::read(row)?, row.try_get_by_index(line::COUNT)?));
    found.iter().map(one).collect()
}
