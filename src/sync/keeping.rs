//! Forgetting on time: what is kept for a report alone goes also where no roster comes any more.

use std::time::Duration;

use hub_entities::policy::Action;

use super::{Source, Sync, SyncError};
use crate::store::read::operations;
use crate::store::roster::{forget_reports, schools_with_reports};

/// How often it is looked at. An agreement ends with a day, so an hour is soon.
const EVERY: Duration = Duration::from_hours(1);

/// Sources looked at in one go.
const PAGE: u32 = 200;

impl Sync {
    /// Forgets, of every school, what no obligatory report can need any more. Says of how many records.
    ///
    /// # Errors
    /// When the store fails. What was forgotten by then stays so.
    pub async fn forget_reports(&self) -> Result<usize, SyncError> {
        let all = self.hub_scope(Action::ReadOperations).await?;
        let held = schools_with_reports(&self.db, &all).await?;
        let mut forgotten = 0_usize;
        let mut after = None;
        loop {
            let page = operations::sources(&self.db, &all, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(forgotten);
            };
            after = Some(last.id);
            for source in page.iter().filter(|source| held.contains(&source.school_id)) {
                let scope = self
                    .scope(Source {
                        id: source.id,
                        school: source.school_id,
                    })
                    .await?;
                forgotten = forgotten.saturating_add(forget_reports(&self.db, &scope).await?);
            }
        }
    }

    /// Does so now and every hour, for as long as it is let.
    pub async fn keep(self) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            match self.forget_reports().await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "forgot what no report can need any more"),
                Err(fault) => {
                    let error = match &fault {
                        SyncError::Store(fault) => fault.kind(),
                        _ => "it was not allowed",
                    };
                    tracing::error!(error, "what no report can need any more could not be forgotten");
                }
            }
        }
    }
}
