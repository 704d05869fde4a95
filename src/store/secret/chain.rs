//! The chain of the access log, per CLB: lines are committed unlinked and linked within a second, so that no reader waits
//! for another (one chain for all measured 956 lines/s, security.md §2.2).
//!
//! The row of the head is the lease: whoever has it locked links, any other replica waits and finds nothing left to do.

use chrono::{DateTime, Utc};
use hub_entities::id::ClbId;
use hub_entities::policy::{Reach, Scope};
use sea_orm::{QueryResult, Value};
use sha2::{Digest as _, Sha256};

use super::SecretDb;
use super::line::{self, Line};
use crate::keys::framed;
use crate::keys::heads::Head;
use crate::store::DbError;
use crate::store::sql::{bulk, execute, list, row, rows};

/// What the first line of a log is linked to.
pub const BEGINNING: [u8; 32] = [0; 32];

const CONTEXT: &[u8] = b"clb-hub access line 1";

/// Of a line that says what it was decided on; those of before keep their hash.
const WITH_FACTS: &[u8] = b"clb-hub access line 2";

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// The hash of a line behind another: of every one of its columns, each behind its length.
pub fn link(before: &[u8; 32], seq: i64, line: &Line) -> [u8; 32] {
    let has_facts = !line.facts.is_empty();
    let facts = has_facts.then_some(line.facts.as_bytes());
    let granted = line.granted.join(" ");
    let withheld = line.withheld.join(" ");
    let columns: [&[u8]; 15] = [
        if has_facts { WITH_FACTS } else { CONTEXT },
        before,
        &seq.to_be_bytes(),
        line.id.0.as_bytes(),
        line.clb.0.as_bytes(),
        &line.at.timestamp_micros().to_be_bytes(),
        line.by.0.as_bytes(),
        line.role.name().as_bytes(),
        line.purpose
            .map_or("", hub_entities::operation::Purpose::name)
            .as_bytes(),
        &[u8::from(line.assured)],
        line.pupil.0.as_bytes(),
        line.action.as_bytes(),
        granted.as_bytes(),
        withheld.as_bytes(),
        line.request.as_bytes(),
    ];
    let all: Vec<&[u8]> = columns.into_iter().chain(facts).collect();
    Sha256::digest(framed(&all)).into()
}

fn hash(row: &QueryResult, at: usize) -> Result<[u8; 32], DbError> {
    let bytes: Vec<u8> = row.try_get_by_index(at)?;
    bytes.try_into().map_err(|_length| DbError::Unreadable {
        column: "access_line.hash",
    })
}

/// Links some of the lines of one CLB that wait; says how many.
pub async fn link_some(apart: &SecretDb, scope: &Scope, clb: ClbId, most: u32) -> Result<usize, DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let first = "insert into chain_head (clb_id, seq, hash) values (?, 0, ?) on conflict (clb_id) do nothing";
    execute(&tx, first, vec![clb.into(), BEGINNING.to_vec().into()]).await?;
    let lock = apart.dialect.for_update();
    let text = format!("select seq, hash from chain_head where clb_id = ? {lock}");
    let head = row(&tx, &text, vec![clb.into()]).await?;
    let head = head.ok_or(DbError::Unreadable {
        column: "chain_head.seq",
    })?;
    let (mut seq, mut before): (i64, [u8; 32]) = (head.try_get_by_index(0)?, hash(&head, 1)?);
    let text = format!(
        "select {} from access_line where clb_id = ? and seq is null order by at, id limit ?",
        line::ALL
    );
    let found = rows(&tx, &text, vec![clb.into(), i64::from(most).into()]).await?;
    let mut links: Vec<Vec<Value>> = Vec::with_capacity(found.len());
    for row in &found {
        let line = line::read(row)?;
        seq = seq.saturating_add(1);
        before = link(&before, seq, &line);
        links.push(vec![line.id.into(), seq.into(), before.to_vec().into()]);
    }
    if !found.is_empty() {
        // By their ids alone. Asked for those without a number, the server may go through all that ever waited instead: the
        // index of these is small when it plans, and full of what is linked by now when it looks.
        let tail = ") update access_line set seq = linked.seq, hash = linked.hash from linked
             where access_line.id = linked.id and coalesce(access_line.seq, 0) = 0";
        bulk(&tx, "with linked (id, seq, hash) as (", 3, links.into_iter(), tail).await?;
        let text = "update chain_head set seq = ?, hash = ? where clb_id = ?";
        execute(&tx, text, vec![seq.into(), before.to_vec().into(), clb.into()]).await?;
    }
    tx.commit().await?;
    Ok(found.len())
}

/// Where the logs of these CLBs end.
pub async fn heads(apart: &SecretDb, scope: &Scope, clbs: &[ClbId]) -> Result<Vec<Head>, DbError> {
    may(scope)?;
    let tx = apart.reading(clbs).await?;
    let text = "select clb_id, seq, hash from chain_head where clb_id in ? and seq > 0 order by clb_id";
    let found = rows(&tx, text, vec![list(clbs)]).await?;
    tx.commit().await?;
    let head = |row: &QueryResult| {
        Ok(Head {
            clb: row.try_get_by_index(0)?,
            seq: row.try_get_by_index(1)?,
            hash: hash(row, 2)?,
        })
    };
    found.iter().map(head).collect()
}

/// Lines that are not linked yet: whose, how many, since when.
pub async fn waiting(
    apart: &SecretDb,
    scope: &Scope,
    clbs: &[ClbId],
) -> Result<Vec<(ClbId, i64, DateTime<Utc>)>, DbError> {
    may(scope)?;
    let tx = apart.reading(clbs).await?;
    let text = "select clb_id, count(*), min(at) from access_line where clb_id in ? and seq is null group by clb_id";
    let found = rows(&tx, text, vec![list(clbs)]).await?;
    tx.commit().await?;
    let one = |row: &QueryResult| {
        Ok((
            row.try_get_by_index(0)?,
            row.try_get_by_index(1)?,
            row.try_get_by_index(2)?,
        ))
    };
    found.iter().map(one).collect()
}

/// Linked lines of a CLB behind this number, in order, each with its number and hash as they stand.
pub async fn linked(
    apart: &SecretDb,
    scope: &Scope,
    clb: ClbId,
    (after, most): (i64, u32),
) -> Result<Vec<(i64, [u8; 32], Line)>, DbError> {
    may(scope)?;
    let tx = apart.reading(&[clb]).await?;
    let text = format!(
        "select {}, seq, hash from access_line where clb_id = ? and seq > ? order by seq limit ?",
        line::ALL
    );
    let values = vec![clb.into(), after.into(), i64::from(most).into()];
    let found = rows(&tx, &text, values).await?;
    tx.commit().await?;
    let one = |row: &QueryResult| {
        Ok((
            row.try_get_by_index(line::COUNT)?,
            hash(row, line::COUNT.saturating_add(1))?,
            line::read(row)?,
        ))
    };
    found.iter().map(one).collect()
}
