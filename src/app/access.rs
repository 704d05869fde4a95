//! The access log of basic pupil data: one line per request, written behind the answer.

use std::collections::BTreeSet;

use hub_entities::access_line;
use hub_entities::category::Categories;
use hub_entities::id::{AccessLineId, Ids, PupilId, QuarantineId};
use hub_entities::operation::{Actor, Operation};
use tokio::sync::mpsc;

use crate::store::{Db, access};

/// How many lines may wait before a request does.
const WAITING: usize = 10_000;

/// How long the writer gathers lines: one commit then holds those of several requests, and never so many that others find
/// the database busy with them for long. Where commits are slow, more gather meanwhile. Far within the second that a line may
/// come behind its answer (design §3).
const GATHER: std::time::Duration = std::time::Duration::from_millis(5);

/// How many lines are written at once at most.
const AT_ONCE: usize = 128;

/// What left in one request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) categories: Categories,
    pub(super) pupils: BTreeSet<PupilId>,
    /// Keys that name nobody, by what waits under them.
    pub(super) waiting: BTreeSet<QuarantineId>,
}

/// Where lines are put.
#[derive(Debug, Clone)]
pub struct Lines(mpsc::Sender<access_line::Model>);

/// The place of one line. A request takes it before it reads anything, so that its line always fits: while the
/// log cannot be written and its queue is full, requests wait, and nothing is read.
#[derive(Debug)]
pub(super) struct Place(mpsc::OwnedPermit<access_line::Model>);

impl Lines {
    /// Takes a place; `None` when nobody writes the log any more.
    pub(super) async fn place(&self) -> Option<Place> {
        self.0.clone().reserve_owned().await.ok().map(Place)
    }
}

impl Place {
    /// Puts the line of a request, if anything of a pupil left.
    pub(super) fn put(self, operation: &Operation, seen: Seen, ids: &dyn Ids) {
        let Actor::Principal { id, role, .. } = &operation.actor else {
            return;
        };
        if seen.pupils.is_empty() && seen.waiting.is_empty() {
            return;
        }
        let waiting = seen.waiting.into_iter().map(|id| id.to_string());
        let pupils: Vec<String> = seen
            .pupils
            .into_iter()
            .map(|id| id.to_string())
            .chain(waiting)
            .collect();
        let line = access_line::Model {
            id: AccessLineId(ids.next(operation.now)),
            at: operation.now,
            principal_id: *id,
            role: *role,
            realm: role.realm(),
            purpose: operation.purpose,
            categories: seen.categories,
            pupils: i32::try_from(pupils.len()).unwrap_or(i32::MAX),
            pupil_ids: serde_json::json!(pupils),
            shared: None,
            request_id: operation.request,
        };
        self.0.send(line);
    }
}

/// The writer of the access log.
#[derive(Debug)]
pub struct AccessLog {
    db: Db,
    lines: mpsc::Receiver<access_line::Model>,
}

/// The two ends of the access log.
pub fn access_log(db: Db) -> (Lines, AccessLog) {
    let (sender, lines) = mpsc::channel(WAITING);
    (Lines(sender), AccessLog { db, lines })
}

impl AccessLog {
    /// Writes lines as they come, until no request can put one any more. What could not be written is tried again.
    pub async fn run(mut self) {
        let mut some = Vec::new();
        while self.lines.recv_many(&mut some, AT_ONCE).await > 0 {
            // Nobody puts a line any more once the channel is closed: nothing to wait for.
            if some.len() < AT_ONCE && !self.lines.is_closed() {
                tokio::time::sleep(GATHER).await;
                while some.len() < AT_ONCE
                    && let Ok(line) = self.lines.try_recv()
                {
                    some.push(line);
                }
            }
            while let Err(fault) = access::write(&self.db, &some).await {
                tracing::error!(
                    error = fault.kind(),
                    "the access log could not be written and is tried again"
                );
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            some.clear();
        }
    }
}
