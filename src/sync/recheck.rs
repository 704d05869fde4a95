//! Looking over all pupils of a school year, and settling those whose count or signals are not what follows from
//! their half-days: after a law, a setting or a local day off has changed.

use hub_entities::id::SchoolId;
use hub_entities::policy::Action;
use hub_entities::time::SchoolYear;

use super::{Sync, SyncError};
use crate::store::ledger::{Judge, check, settle_again};

/// Pupils settled in one transaction.
const CHUNK: usize = 200;

/// What a look over all pupils found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// Pupils looked over.
    pub pupils: usize,
    /// Pupils of whom something else was stored.
    pub unsettled: usize,
    /// Signals raised.
    pub raised: i64,
    /// Signals withdrawn.
    pub withdrawn: i64,
}

impl Sync {
    /// Looks over the pupils of one school, or of all, in one school year. With `settle` what is found is put right,
    /// each pupil under its lock; without, nothing is changed.
    ///
    /// # Errors
    /// When the store fails. What was put right by then stays so; to begin again does no harm.
    pub async fn recheck(
        &self,
        year: SchoolYear,
        school: Option<SchoolId>,
        settle: bool,
    ) -> Result<Rechecked, SyncError> {
        let scope = self.hub_scope(Action::Administer).await?;
        let judge = Judge {
            book: &self.book,
            ids: &*self.ids,
            now: self.clock.now(),
        };
        let mut all = Rechecked::default();
        let mut after = None;
        while let Some(checked) = check(&self.db, &scope, &judge, (year, school), after).await? {
            all.pupils = all.pupils.saturating_add(checked.pupils);
            all.unsettled = all.unsettled.saturating_add(checked.unsettled.len());
            for some in checked.unsettled.chunks(CHUNK).filter(|_| settle) {
                let progress = settle_again(&self.db, &scope, &judge, some).await?;
                all.raised = all.raised.saturating_add(progress.raised);
                all.withdrawn = all.withdrawn.saturating_add(progress.withdrawn);
            }
            after = Some(checked.last);
        }
        Ok(all)
    }
}
