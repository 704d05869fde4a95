//! What becomes of a step when whoever waits for it has gone: its statement ends, and with it its transaction (R58).
//!
//! On PostgreSQL its connection is closed with it, and the server sees that within a second. SQLite has no server: the
//! words with which its transactions took their connections are left ([`super::watch`]).

use std::sync::{Arc, Mutex, PoisonError};

use super::watch::Word;

type Words = Arc<Mutex<Vec<Arc<Word>>>>;

tokio::task_local! {
    /// Those of the transactions of the request that is worked on.
    static BEGUN: Words;
}

/// Works for as long as somebody waits for it. Let go of before its end, the statements that its transactions are at end.
pub async fn while_waited_for<T>(work: impl Future<Output = T>) -> T {
    let begun = Words::default();
    let mut waited_for = WaitedFor {
        begun: Arc::clone(&begun),
        is_over: false,
    };
    let done = BEGUN.scope(begun, work).await;
    waited_for.is_over = true;
    done
}

struct WaitedFor {
    begun: Words,
    is_over: bool,
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        for word in self.begun.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            word.leave();
        }
    }
}

/// The word with which a transaction takes its connection: left as soon as nobody waits for the request that it is of.
pub(super) fn word() -> Arc<Word> {
    let word = Arc::<Word>::default();
    if let Ok(begun) = BEGUN.try_with(Arc::clone) {
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(Arc::clone(&word));
    }
    word
}
