//! Copies of what was released to schools, on their way: the main store follows the secrecy store, once in effect (design §4,
//! across stores, the other way round than intents of the main store).
//!
//! Nothing is noted in the secrecy store before it is done in the main store. Doing it again does nothing there, and what was
//! taken back leaves its id behind: whichever of the two comes first, and wherever it was cut off, a copy that was taken back
//! is gone.

use hub_entities::time::brussels_day;

use super::intents::{AT_ONCE, Applier};
use crate::store::lease::Lease;
use crate::store::secret::release_intent::{self, Intent, What};
use crate::store::{DbError, released, setup};

impl Applier {
    /// Whether the main store has anything to follow, or holds what is over. Asks for no lease.
    pub(super) async fn copies_wait(&self) -> Result<bool, DbError> {
        let (db, scope) = (&self.db, &self.scope);
        if !released::over(db, scope, brussels_day(self.clock.now()), 1)
            .await?
            .is_empty()
        {
            return Ok(true);
        }
        let clbs = setup::clbs(db, scope).await?;
        let waiting = release_intent::waiting(self.secrets.apart(), scope, &clbs, 1).await?;
        Ok(!waiting.is_empty())
    }

    /// Brings over all that waits; says how many copies came or went.
    ///
    /// # Errors
    /// The first that could not be brought over: it goes behind the others, so that it keeps none from the next round.
    pub(super) async fn bring_copies(&self, lease: &Lease) -> Result<usize, DbError> {
        let (db, scope, apart) = (&self.db, &self.scope, self.secrets.apart());
        let now = self.clock.now();
        for (clb, release, why) in released::over(db, scope, brussels_day(now), AT_ONCE).await? {
            release_intent::ends(apart, scope, &*self.ids, (clb, release), (why, now)).await?;
        }
        let clbs = setup::clbs(db, scope).await?;
        let mut count = 0_usize;
        loop {
            let waiting = release_intent::waiting(apart, scope, &clbs, AT_ONCE).await?;
            if waiting.is_empty() {
                return Ok(count);
            }
            for intent in waiting {
                if let Err(fault) = self.bring(lease, &intent).await {
                    release_intent::tried(apart, scope, &intent, self.clock.now()).await?;
                    return Err(fault);
                }
                release_intent::applied(apart, scope, &intent, self.clock.now()).await?;
                count = count.saturating_add(1);
            }
        }
    }

    async fn bring(&self, lease: &Lease, intent: &Intent) -> Result<(), DbError> {
        let (db, scope) = (&self.db, &self.scope);
        match &intent.what {
            What::Show {
                pupil,
                school,
                ends_on,
                sealed,
            } => released::show(db, scope, lease, intent, (*pupil, *school, *ends_on), sealed).await,
            What::TakeBack => released::take_back(db, scope, lease, intent, self.clock.now()).await,
        }
    }
}
