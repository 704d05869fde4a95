//! Time and chance as arguments of the client.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

/// Time and chance as the client needs them.
#[async_trait]
pub trait Pause: fmt::Debug + Send + Sync {
    /// Waits.
    async fn wait(&self, time: Duration);

    /// Some time from nothing to `most`, each as likely as the other.
    fn up_to(&self, most: Duration) -> Duration;

    /// The time since a moment that stays the same; it never goes back.
    fn since(&self) -> Duration;

    /// The moment on the clock of this machine, and a number that no call had before.
    fn stamp(&self) -> Stamp;
}

/// What makes a call that is signed this one call and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since the beginning of 1970, UTC.
    pub seconds: i64,
    /// A number of one use.
    pub nonce: u128,
}

/// For tests: waits for nothing, draws half, and notes what it would have waited. Its time stands still but for that.
#[derive(Debug, Default)]
pub struct Hurried {
    waited: Mutex<Vec<Duration>>,
    stamped: AtomicU64,
}

impl Hurried {
    /// What would have been waited, in order.
    pub fn waited(&self) -> Vec<Duration> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).push(time);
    }
}

#[async_trait]
impl Pause for Hurried {
    async fn wait(&self, time: Duration) {
        self.pass(time);
    }

    fn up_to(&self, most: Duration) -> Duration {
        most / 2
    }

    fn since(&self) -> Duration {
        self.waited().into_iter().sum()
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            seconds: 0_i64.saturating_add_unsigned(self.since().as_secs()),
            nonce: self.stamped.fetch_add(1, Ordering::Relaxed).into(),
        }
    }
}
