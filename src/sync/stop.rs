//! The word to stop: an import that is under way is given up where it is, and goes on when it is begun again (R48).

use tokio::sync::watch;

use super::{Sync, SyncError};
use crate::store::abandoned::while_waited_for;

/// Whether the process was told to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Nobody tells.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// This one tells.
    pub fn by(who: &watch::Sender<bool>) -> Self {
        Self(who.subscribe())
    }

    async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Sync {
    /// Works until it is done, or told to stop: then no further than it has come. Whoever calls gives the lease back, so
    /// that nobody waits for it to end by itself; the statement that was under way is cancelled, for it holds that lease.
    pub(super) async fn until_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, SyncError>>,
    ) -> Result<T, SyncError> {
        tokio::select! {
            outcome = while_waited_for(work) => outcome,
            () = self.stop.told() => Err(SyncError::Stopped),
        }
    }

    /// For what reads a file without waiting for anything: refuses to go on once it was told to stop.
    pub(super) fn heed_stop(&self) -> Result<(), SyncError> {
        if *self.stop.0.borrow() {
            Err(SyncError::Stopped)
        } else {
            Ok(())
        }
    }
}
