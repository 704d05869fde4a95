//! Relations begin and end by themselves, on days that were known before: who gained and who lost a pupil in the night
//! is told in the morning.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use hub_entities::id::Ids;
use hub_entities::time::{Clock, brussels_day};
use tokio::sync::Notify;

use crate::store::audience::{AUDIENCE, settle_those_due};
use crate::store::lease::Lease;
use crate::store::{Db, DbError};

/// How often it looks what day it is.
const TICK: Duration = Duration::from_secs(1);

/// How long its lease lasts; each transaction lengthens it.
const LEASE: Duration = Duration::from_secs(30);

/// Settles what a new day brings.
#[derive(Clone)]
pub struct Days {
    db: Db,
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
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, sequencer: Arc<Notify>) -> Self {
        let holder = ids.next(clock.now()).to_string();
        Self {
            db,
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
        let settled = settle_those_due(&self.db, &lease, &*self.ids, now).await;
        lease.release(&self.db).await?;
        if settled? > 0 {
            self.sequencer.notify_one();
        }
        Ok(Some(brussels_day(now)))
    }

    /// Works until told to stop: at once, and then each time a day begins in Brussels.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut settled = None;
        loop {
            if settled != Some(brussels_day(self.clock.now())) {
                match self.once().await {
                    Ok(done) => settled = done,
                    Err(fault) => {
                        tracing::error!(error = fault.kind(), "what a new day brings could not be settled");
                    }
                }
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }
}
