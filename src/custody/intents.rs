//! Intents at work: one holder of the lease applies them in the secrecy store and then notes that they are applied, while
//! the hub serves (design §4, across stores).
//!
//! The two notes are of two stores, so either may be missing after a crash. Nothing is noted in the main store before it
//! is done in the other; and what is done there is noted there in the same transaction, so that doing it again does
//! nothing: once in effect, wherever it was cut off.

use std::sync::Arc;
use std::time::Duration;

use hub_entities::id::Ids;
use hub_entities::policy::Scope;
use hub_entities::time::{Clock, brussels_day};

use crate::register::operator;
use crate::store::intent::{self, INTENTS, Intent, What};
use crate::store::lease::Lease;
use crate::store::secret::{obligation, request};
use crate::store::{Db, DbError, Secrets};

/// How often it is looked for intents that wait.
const EVERY: Duration = Duration::from_millis(300);

/// How long its lease lasts; each intent lengthens it.
const LEASE: Duration = Duration::from_secs(30);

/// How many are read at once.
pub(super) const AT_ONCE: u32 = 100;

/// Applies intents.
pub struct Applier {
    pub(super) db: Db,
    pub(super) secrets: Secrets,
    pub(super) scope: Scope,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    holder: String,
}

impl std::fmt::Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Applier {
    /// One of this process, from this main store to this secrecy store.
    pub async fn open(db: &Db, secrets: Secrets, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, DbError> {
        Ok(Self {
            db: db.clone(),
            secrets,
            scope: operator(db, clock.now()).await?,
            holder: ids.next(clock.now()).to_string(),
            clock,
            ids,
        })
    }

    /// Applies all that waits, if no other process does, in either store; says how many were applied now.
    ///
    /// # Errors
    /// The first that could not be applied: it goes behind the others, so that it keeps none from the next round but
    /// those of its own queue.
    pub async fn round(&self) -> Result<usize, DbError> {
        // Looking costs no lock and no write: most of the time nothing waits.
        if !intent::waiting(&self.db, &self.scope).await? && !self.copies_wait().await? {
            return Ok(0);
        }
        let Some(lease) = Lease::acquire(&self.db, INTENTS, &self.holder, LEASE).await? else {
            return Ok(0);
        };
        // Neither way keeps the other waiting.
        let copies = self.bring_copies(&lease).await;
        let worked = self.work(&lease).await;
        lease.release(&self.db).await?;
        Ok(worked?.saturating_add(copies?))
    }

    async fn work(&self, lease: &Lease) -> Result<usize, DbError> {
        let (db, scope) = (&self.db, &self.scope);
        let mut count = 0_usize;
        loop {
            let heads = intent::heads(db, scope, AT_ONCE).await?;
            if heads.is_empty() {
                return Ok(count);
            }
            for head in heads {
                match self.apply(&head).await {
                    Ok(now) => count = count.saturating_add(usize::from(now)),
                    Err(fault) => {
                        intent::tried(db, scope, lease, head.id, self.clock.now()).await?;
                        return Err(fault);
                    }
                }
                intent::applied(db, scope, lease, head.id, self.clock.now()).await?;
            }
        }
    }

    /// Does what an intent is about; says whether it was not done before.
    async fn apply(&self, intent: &Intent) -> Result<bool, DbError> {
        let (secrets, scope, ids) = (&self.secrets, &self.scope, &*self.ids);
        match &intent.what {
            What::Begins(signal) => {
                let day = brussels_day(intent.at);
                let team = match intent.pupil {
                    Some(pupil) => intent::anchors(&self.db, scope, (intent.clb, pupil), day).await?,
                    None => Vec::new(),
                };
                obligation::begins(secrets, scope, ids, (intent, signal), &team).await
            }
            What::Lapses(signal) => obligation::lapses(secrets, scope, ids, (intent, signal)).await,
            What::Asked(asked) => request::arrives(secrets, scope, ids, intent, asked).await,
        }
    }

    /// Goes on until it is told to stop; then once more.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let over = tokio::select! {
                () = &mut stop => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            if let Err(fault) = self.round().await {
                metrics::counter!("clb_hub_intents_failed_total").increment(1);
                tracing::error!(
                    error = fault.kind(),
                    "an intent could not be applied and is tried again"
                );
            }
            if over {
                return;
            }
        }
    }
}
