//! The access log, read: by the person it tells of, and by the data protection officer of the controller. That it is read is
//! a line of it too, committed before anything leaves (R32, R33).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId, PrincipalId};
use hub_entities::operation::Discipline;
use hub_entities::policy::secret::{Class, Field, Grant, Part, Reader};
use sea_orm::Value;

use super::line::{self, Line};
use super::{NOBODY, Secrets, parents_log};
use crate::store::sql::{list, row, rows};
use crate::store::{Db, DbError};

/// Which lines of what a grant reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which {
    /// Not before this instant.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Behind this line, where the latest come first.
    pub after: Option<(DateTime<Utc>, DecisionId)>,
    /// At most so many, and one more that tells of a next page.
    pub first: u32,
    /// Whether all of them are counted too.
    pub count: bool,
}

/// A line, and its place among those that are linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The line.
    pub line: Line,
    /// Its number in the log of its CLB, from one on; none while it is not linked to the ones before it, as one that was just
    /// written is.
    pub position: Option<i64>,
}

/// What the grant reaches of the logs, as a condition on a line.
///
/// A person sees by whom something was seen or done; that somebody was refused tells of no look. A parent sees of that what
/// was reviewed. The officer of a controller sees refusals too; a grant about nobody reaches the whole log.
fn reached(grant: &Grant, clbs: &[ClbId]) -> Result<(&'static str, Vec<Value>), DbError> {
    if grant.field() != Field::new(Class::Audit, Part::Lines) {
        return Err(DbError::OutOfScope);
    }
    let of_pupil = vec![grant.pupil().into()];
    match grant.reader() {
        Reader::Person => Ok(("pupil_id = ? and granted <> ''", of_pupil)),
        Reader::Parent => Ok(parents_log::told(clbs, grant.pupil(), grant.viewer())),
        Reader::Officer if grant.pupil() == NOBODY => Ok(("1 = 1", Vec::new())),
        Reader::Officer => Ok(("pupil_id = ?", of_pupil)),
        _ => Err(DbError::OutOfScope),
    }
}

/// Writes the lines, one in the log of each of these CLBs, and reads what was granted of them, the latest first, with how
/// many there are if that was asked; all in one short transaction, and only when it is committed is anything there. Without
/// a grant nothing is read.
pub async fn read(
    secrets: &Secrets,
    clbs: &[ClbId],
    lines: &[Line],
    grant: Option<&Grant>,
    which: Which,
) -> Result<(Vec<Look>, Option<i64>), DbError> {
    let reached = grant.map(|grant| reached(grant, clbs)).transpose()?;
    let tx = secrets.apart.within(clbs).await?;
    line::write(&tx, lines).await?;
    let mut found = Vec::new();
    let mut total = None;
    if let Some((reached, of)) = reached {
        let mut all = format!("clb_id in ? and {reached}");
        let mut values: Vec<Value> = [vec![list(clbs)], of].concat();
        for (at, condition) in [(which.from, "at >= ?"), (which.until, "at < ?")] {
            if let Some(at) = at {
                all = format!("{all} and {condition}");
                values.push(at.into());
            }
        }
        if which.count {
            let text = format!("select count(*) from access_line where {all}");
            let counted = row(&tx, &text, values.clone()).await?;
            total = counted.map(|row| row.try_get_by_index(0)).transpose()?;
        }
        if let Some((at, id)) = which.after {
            all = format!("{all} and (at, id) < (?, ?)");
            values.extend([Value::from(at), id.into()]);
        }
        values.push(i64::from(which.first).saturating_add(1).into());
        let text = format!(
            "select {}, seq from access_line where {all} order by at desc, id desc limit ?",
            line::ALL
        );
        for row in rows(&tx, &text, values).await? {
            let seq: Option<i64> = row.try_get_by_index(line::COUNT)?;
            let line = line::read(&row)?;
            found.push(Look { line, position: seq });
        }
    }
    tx.commit().await?;
    Ok((found, total))
}

/// The disciplines of those whose looks an officer reads, as they are registered now.
pub async fn disciplines(
    db: &Db,
    grant: &Grant,
    of: &[PrincipalId],
) -> Result<HashMap<PrincipalId, Option<Discipline>>, DbError> {
    match grant.reader() {
        Reader::Officer => {}
        _ => return Err(DbError::OutOfScope),
    }
    let text = "select id, discipline from principal where id in ?";
    let found = rows(db.reader(), text, vec![list(of)]).await?;
    let one = |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    found.iter().map(one).collect()
}
