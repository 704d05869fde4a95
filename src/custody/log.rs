//! The access log of the secrecy store: linked while the hub serves, and verified by whoever doubts it (R21).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hub_entities::id::ClbId;

use super::Custody;
use crate::keys::heads::{Head, HeadError, Heads};
use crate::store::DbError;
use crate::store::secret::chain::{self, BEGINNING, link};

/// How often it is looked for lines that wait: far within the second in which each is to be linked.
const EVERY: Duration = Duration::from_millis(500);

/// How many lines of a log are linked in one transaction.
const AT_ONCE: u32 = 500;

/// The lines of so many logs are linked in one transaction.
const LOGS: usize = 16;

/// How many lines are read at once when they are verified.
const PAGE: u32 = 5_000;

/// What is wrong with a log, at its first bad line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A line was changed, or put in the place of another, or in between.
    Changed,
    /// A line is missing.
    Missing,
    /// The end was cut: a line that is gone was signed, or stood as the last one.
    Cut,
    /// What was signed is another line than the one that stands there.
    NotSigned,
}

/// What was found in the log of one CLB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose log.
    pub clb: ClbId,
    /// How many lines were found whole, from the first on.
    pub whole: i64,
    /// The number of the first line that is not, and why.
    pub wrong: Option<(i64, Wrong)>,
    /// Lines that are not linked yet, and since when.
    pub waiting: Option<(i64, DateTime<Utc>)>,
    /// Up to which line the log was signed in the second place.
    pub signed: i64,
}

/// Links what waits, for as long as the hub serves.
#[derive(Debug)]
pub struct Sealer {
    custody: Custody,
    heads: Arc<Heads>,
    put: HashMap<ClbId, Head>,
}

impl Sealer {
    /// Over this store, with its second place.
    pub fn new(custody: Custody, heads: Heads) -> Self {
        Self {
            custody,
            heads: Arc::new(heads),
            put: HashMap::new(),
        }
    }

    /// Links everything that waits now, and signs where each log ends; says how many lines.
    pub async fn round(&mut self) -> Result<usize, DbError> {
        let clbs = self.custody.clbs().await?;
        let Custody { apart, scope, .. } = &self.custody;
        let mut lines = 0_usize;
        let waiting = chain::waiting(apart, scope, &clbs).await?;
        let mut waiting: Vec<ClbId> = waiting.into_iter().map(|(clb, _, _)| clb).collect();
        while !waiting.is_empty() {
            let mut more = Vec::new();
            for some in waiting.chunks(LOGS) {
                for (clb, linked) in chain::link_some(apart, scope, some, AT_ONCE).await? {
                    lines = lines.saturating_add(linked);
                    // Those that come meanwhile have time until the next round.
                    if u32::try_from(linked).is_ok_and(|linked| linked >= AT_ONCE) {
                        more.push(clb);
                    }
                }
            }
            waiting = more;
        }
        // Also what another replica linked, or this one before it was cut off.
        let all = chain::heads(apart, scope, &clbs).await?;
        let new = all.into_iter().filter(|head| self.put.get(&head.clb) != Some(head));
        let new: Vec<Head> = new.collect();
        if !new.is_empty() {
            let (heads, signed) = (Arc::clone(&self.heads), new.clone());
            // Files are written down, each to the disk: nobody else of this thread waits for that.
            let put = tokio::task::spawn_blocking(move || heads.put(&signed)).await;
            put.map_err(std::io::Error::from).map_err(HeadError::from)??;
            self.put.extend(new.into_iter().map(|head| (head.clb, head)));
        }
        Ok(lines)
    }

    /// Goes on until it is told to stop; then once more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let over = tokio::select! {
                () = &mut stop => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            if let Err(fault) = self.round().await {
                tracing::error!(
                    error = fault.kind(),
                    "the access log could not be linked and is tried again"
                );
            }
            if over {
                return;
            }
        }
    }
}

impl Custody {
    /// Goes through the log of every CLB from its first line, and compares its end with what was signed.
    pub async fn verify(&self, heads: &Heads) -> Result<Vec<Verified>, DbError> {
        let clbs = self.clbs().await?;
        let ends = chain::heads(&self.apart, &self.scope, &clbs).await?;
        let waiting = chain::waiting(&self.apart, &self.scope, &clbs).await?;
        let mut all = Vec::new();
        for clb in &clbs {
            let end = ends.iter().find(|end| end.clb == *clb).copied();
            let signed = heads.last(*clb)?;
            let wait = waiting.iter().find(|(one, _, _)| one == clb);
            if end.is_none() && signed.is_none() && wait.is_none() {
                continue;
            }
            let (whole, wrong) = self.walk(*clb, end, signed).await?;
            all.push(Verified {
                clb: *clb,
                whole,
                wrong,
                waiting: wait.map(|(_, count, since)| (*count, *since)),
                signed: signed.map_or(0, |head| head.seq),
            });
        }
        Ok(all)
    }

    /// How many lines are whole from the first on, and the first that is not.
    async fn walk(
        &self,
        clb: ClbId,
        end: Option<Head>,
        signed: Option<Head>,
    ) -> Result<(i64, Option<(i64, Wrong)>), DbError> {
        let (mut seq, mut before) = (0_i64, BEGINNING);
        loop {
            let page = chain::linked(&self.apart, &self.scope, clb, (seq, PAGE)).await?;
            if page.is_empty() {
                break;
            }
            for (number, hash, line) in page {
                let next = seq.saturating_add(1);
                if number != next {
                    return Ok((seq, Some((next, Wrong::Missing))));
                }
                before = link(&before, next, &line);
                if hash != before || line.clb != clb {
                    return Ok((seq, Some((next, Wrong::Changed))));
                }
                if signed.is_some_and(|head| head.seq == next && head.hash != before) {
                    return Ok((seq, Some((next, Wrong::NotSigned))));
                }
                seq = next;
            }
        }
        let next = seq.saturating_add(1);
        let last = end.map_or(0, |head| head.seq).max(signed.map_or(0, |head| head.seq));
        let wrong = match end {
            _ if last > seq => Some((next, Wrong::Cut)),
            // A line behind the end: put there past the chain.
            Some(head) if head.seq < seq => Some((head.seq.saturating_add(1), Wrong::Changed)),
            Some(head) if head.hash != before => Some((seq, Wrong::Changed)),
            None if seq > 0 => Some((1, Wrong::Changed)),
            _ => None,
        };
        Ok((seq, wrong))
    }
}
