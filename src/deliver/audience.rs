//! Relations begin and end by themselves, on days that were known before: who gained and who lost a pupil in the night
//! is told in the morning, and so is who was to hear of a signal later. An agreement that wants early warnings brings
//! those that are due already.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::evaluation::LawBook;
use hub_entities::id::Ids;
use hub_entities::time::{Clock, brussels_day};
use tokio::sync::Notify;

use crate::store::audience::{AUDIENCE, settle_those_due};
use crate::store::early::warn_those_due;
use crate::store::lease::Lease;
use crate::store::ledger::Judge;
use crate::store::{Db, DbError, relations};

/// How often it looks what day it is, and whether an agreement has changed.
const TICK: Duration = Duration::from_secs(1);

/// How long its lease lasts; each transaction lengthens it.
const LEASE: Duration = Duration::from_secs(30);

/// Settles what a new day or a new agreement brings.
#[derive(Clone)]
pub struct Days {
    db: Db,
    book: Arc<LawBook>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    holder: String,
    sequencer: Arc<Notify>,
}

impl std::fmt::Debug for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Days")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Days {
    /// The one of this process; it wakes the `sequencer` when there is something to tell.
    pub fn new(db: Db, book: Arc<LawBook>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, sequencer: Arc<Notify>) -> Self {
        let holder = ids.next(clock.now()).to_string();
        Self {
            db,
            book,
            clock,
            ids,
            holder,
            sequencer,
        }
    }

    /// Settles what is due today, and says which day that was; `None` while another process does so.
    pub async fn once(&self) -> Result<Option<NaiveDate>, DbError> {
        let now = self.clock.now();
        let Some(lease) = Lease::acquire(&self.db, AUDIENCE, &self.holder, LEASE).await? else {
            return Ok(None);
        };
        let done = self.settle(&lease, now).await;
        lease.release(&self.db).await?;
        if done? {
            self.sequencer.notify_one();
        }
        Ok(Some(brussels_day(now)))
    }

    /// Says whether there was anything to do.
    async fn settle(&self, lease: &Lease, now: DateTime<Utc>) -> Result<bool, DbError> {
        let settled = settle_those_due(&self.db, lease, &*self.ids, now).await?;
        let judge = Judge {
            book: &self.book,
            ids: &*self.ids,
            now,
        };
        Ok(warn_those_due(&self.db, lease, &judge).await? > 0 || settled > 0)
    }

    /// As [`Self::once`], unless nothing has come since it was done last.
    async fn look(&self, done: &mut Option<(NaiveDate, i64)>) -> Result<(), DbError> {
        // Read before: what changes meanwhile is looked at again.
        let agreed = relations::version(&self.db).await?;
        if *done != Some((brussels_day(self.clock.now()), agreed)) {
            *done = self.once().await?.map(|day| (day, agreed));
        }
        Ok(())
    }

    /// Works until told to stop: at once, and then each time a day begins in Brussels or an agreement has changed.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut done = None;
        loop {
            if let Err(fault) = self.look(&mut done).await {
                tracing::error!(error = fault.kind(), "what a new day brings could not be settled");
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }
}
