//! How far the sequencer is, as this process knows it: one look for all who follow here.
//!
//! It looks when the sequencer of this process has given positions, when another process wakes it, and by itself. Being
//! woken says only that there may be something; what there is, is read (R39). So a wake-up that is lost costs the time
//! until the next look, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::outbox::{Head, head};
use crate::store::wake::Listener;
use crate::store::{Db, DbError};

/// How long it rests when nobody wakes it.
const REST: Duration = Duration::from_millis(250);

/// How long it waits before it listens again, after it could not.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows the sequencer.
#[derive(Debug)]
pub struct Follower {
    db: Db,
    head: watch::Sender<Option<Head>>,
    /// Woken when the sequencer of this process has given positions.
    given: Arc<Notify>,
    /// Wakes the sequencer of this process: another process may have committed what has no position yet.
    sequencer: Arc<Notify>,
}

impl Follower {
    /// Follows on this database; `given` wakes it, and it wakes the `sequencer`.
    pub fn new(db: Db, given: Arc<Notify>, sequencer: Arc<Notify>) -> Self {
        Self {
            db,
            head: watch::Sender::new(None),
            given,
            sequencer,
        }
    }

    /// Where the head is told; nothing before the first look.
    pub fn head(&self) -> watch::Receiver<Option<Head>> {
        self.head.subscribe()
    }

    /// Looks once.
    pub async fn look(&self) -> Result<(), DbError> {
        let now = head(&self.db).await?;
        self.head.send_if_modified(|known| {
            let new = *known != now;
            *known = now;
            new
        });
        Ok(())
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.follow() => {}
            () = self.listen() => {}
        }
    }

    async fn follow(&self) {
        loop {
            if let Err(fault) = self.look().await {
                tracing::error!(
                    error = fault.kind(),
                    "the sequencer cannot be followed and is looked at again"
                );
            }
            let woken = tokio::time::timeout(REST, self.given.notified()).await;
            let by = if woken.is_ok() { "woken" } else { "itself" };
            metrics::counter!("clb_hub_looks_total", "by" => by).increment(1);
        }
    }

    async fn listen(&self) {
        loop {
            match Listener::new(&self.db).await {
                Ok(Some(listener)) => self.hear(listener).await,
                // Nobody wakes on this database.
                Ok(None) => std::future::pending().await,
                Err(fault) => {
                    tracing::warn!(error = fault.kind(), "nobody can wake this process; it looks by itself");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn hear(&self, mut listener: Listener) {
        // What was sent before is not heard.
        self.given.notify_one();
        while listener.woken().await.is_ok() {
            self.sequencer.notify_one();
            self.given.notify_one();
        }
    }
}
