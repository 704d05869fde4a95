//! The sequencer at work: one holder of the lease gives committed events their positions.

use std::sync::Arc;
use std::time::Duration;

use hub_entities::id::Ids;
use hub_entities::time::Clock;
use tokio::sync::Notify;

use crate::store::lease::Lease;
use crate::store::outbox::{SEQUENCER, sequence, waiting};
use crate::store::{Db, DbError};

/// How long it rests when nobody wakes it: what another process committed is told this much later at most.
const REST: Duration = Duration::from_millis(250);

/// How long it rests when something waits and another process holds the lease: that one may have looked before.
const SOON: Duration = Duration::from_millis(20);

/// How long its lease lasts; each batch lengthens it.
const LEASE: Duration = Duration::from_secs(5);

/// Gives positions to committed events.
#[derive(Clone)]
pub struct Sequencer {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    holder: String,
    wake: Arc<Notify>,
    given: Arc<Notify>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Sequencer {
    /// A sequencer of this process.
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        let holder = ids.next(clock.now()).to_string();
        Self {
            db,
            clock,
            ids,
            holder,
            wake: Arc::new(Notify::new()),
            given: Arc::new(Notify::new()),
        }
    }

    /// What to wake after a commit, so that nobody waits for the rest to end.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// What is woken when positions were given here.
    pub fn given(&self) -> Arc<Notify> {
        Arc::clone(&self.given)
    }

    /// Gives positions to all that is committed, if no other process does. Says how many.
    pub async fn once(&self) -> Result<u64, DbError> {
        Ok(self.work().await?.unwrap_or_default())
    }

    /// As [`Self::once`]; `None` when something waits that another process has to give a position to.
    async fn work(&self) -> Result<Option<u64>, DbError> {
        // Looking costs no lock and no write: most of the time nothing waits.
        if !waiting(&self.db).await? {
            return Ok(Some(0));
        }
        let Some(lease) = Lease::acquire(&self.db, SEQUENCER, &self.holder, LEASE).await? else {
            return Ok(None);
        };
        let epoch = self.ids.next(self.clock.now());
        let given = sequence(&self.db, &lease, epoch).await;
        // Before the lease goes back: whoever waits for what was given waits no longer than it must.
        self.given.notify_one();
        lease.release(&self.db).await?;
        given.map(Some)
    }

    /// Works until told to stop, and then once more. A fault of the database is logged and tried again: positions are
    /// never guessed.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        loop {
            let rest = match self.work().await {
                Ok(Some(_given)) => REST,
                Ok(None) => SOON,
                Err(fault) => {
                    tracing::error!(error = fault.kind(), "the sequencer could not work and tries again");
                    REST
                }
            };
            if stopping {
                return;
            }
            tokio::select! {
                () = &mut stop => stopping = true,
                _woken_or_rested = tokio::time::timeout(rest, self.wake.notified()) => {}
            }
        }
    }
}
