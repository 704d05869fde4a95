//! The chain of the access log, per CLB: lines are committed unlinked and linked within a second, so that no reader waits
//! for another (one chain for all measured 956 lines/s, security.md §2.2).
//!
//! The row of the head is the lease: whoever has it locked links, any other replica waits and finds nothing left to do.

use chrono::{DateTime, Utc};
use hub_entities::id::ClbId;
use hub_entities::policy::{Reach, Scope};
use sea_orm::QueryResult;
use sha2::{Digest as _, Sha256};

use super::SecretDb;
use super::line::{self, Line};
use crate::keys::framed;
use crate::keys::heads::Head;
use crate::store::DbError;
use crate::store::sql::{bulk, list, rows};
use crate::store::transaction::Transaction;

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

/// Where the logs of these CLBs end, each locked until the transaction ends: in the order of their ids, so that two replicas
/// cannot wait for each other. One without an end is given one.
async fn locked(apart: &SecretDb, tx: &Transaction, clbs: &[ClbId]) -> Result<Vec<Head>, DbError> {
    let lock = apart.dialect.for_update();
    let text = format!("select clb_id, seq, hash from chain_head where clb_id in ? order by clb_id {lock}");
    let mut found = rows(tx, &text, vec![list(clbs)]).await?;
    if found.len() < clbs.len() {
        let first = clbs
            .iter()
            .map(|clb| vec![(*clb).into(), 0_i64.into(), BEGINNING.to_vec().into()]);
        let kept = "on conflict (clb_id) do nothing";
        bulk(tx, "insert into chain_head (clb_id, seq, hash)", 3, first, kept).await?;
        found = rows(tx, &text, vec![list(clbs)]).await?;
    }
    found.iter().map(head).collect()
}

/// Links some of the lines that wait in the logs of these CLBs, so many of each at most; says how many of each.
///
/// One transaction for all of them: apart from reading the lines, it costs as many ways whatever their number.
pub async fn link_some(
    apart: &SecretDb,
    scope: &Scope,
    clbs: &[ClbId],
    most: u32,
) -> Result<Vec<(ClbId, usize)>, DbError> {
    may(scope)?;
    let tx = apart.within(clbs).await?;
    let text = format!(
        "select {} from access_line where clb_id = ? and seq is null order by at, id limit ?",
        line::ALL
    );
    let (mut links, mut ends, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for Head { clb, mut seq, hash } in locked(apart, &tx, clbs).await? {
        let mut before = hash;
        let found = rows(&tx, &text, vec![clb.into(), i64::from(most).into()]).await?;
        for row in &found {
            let line = line::read(row)?;
            seq = seq.saturating_add(1);
            before = link(&before, seq, &line);
            links.push(vec![line.id.into(), seq.into(), before.to_vec().into()]);
        }
        if !found.is_empty() {
            ends.push(vec![clb.into(), seq.into(), before.to_vec().into()]);
        }
        done.push((clb, found.len()));
    }
    if !links.is_empty() {
        // By their ids alone. Asked for those without a number, the server may go through all that ever waited instead: the
        // index of these is small when it plans, and full of what is linked by now when it looks.
        let tail = ") update access_line set seq = linked.seq, hash = linked.hash from linked
             where access_line.id = linked.id and coalesce(access_line.seq, 0) = 0";
        bulk(&tx, "with linked (id, seq, hash) as (", 3, links.into_iter(), tail).await?;
        let tail = ") update chain_head set seq = ended.seq, hash = ended.hash from ended
             where chain_head.clb_id = ended.clb_id";
        bulk(&tx, "with ended (clb_id, seq, hash) as (", 3, ends.into_iter(), tail).await?;
    }
    tx.commit().await?;
    Ok(done)
}

/// A row of a CLB, a number and a hash.
fn head(row: &QueryResult) -> Result<Head, DbError> {
    Ok(Head {
        clb: row.try_get_by_index(0)?,
        seq: row.try_get_by_index(1)?,
        hash: hash(row, 2)?,
    })
}

/// Where the logs of these CLBs end.
pub async fn heads(apart: &SecretDb, scope: &Scope, clbs: &[ClbId]) -> Result<Vec<Head>, DbError> {
    may(scope)?;
    let tx = apart.reading(clbs).await?;
    let text = "select clb_id, seq, hash from chain_head where clb_id in ? and seq > 0 order by clb_id";
    let found = rows(&tx, text, vec![list(clbs)]).await?;
    tx.commit().await?;
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
