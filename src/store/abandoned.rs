//! What becomes of a step when whoever waits for it has gone: its statement ends, and with it its transaction (R58).
//!
//! A question goes over a connection of its own, which is closed with it; the server sees that within a second. A
//! transaction goes over one of a pool, which would wait for the end of a statement that nobody waits for: so it is told to
//! stop. SQLite, which has no server, is told so itself ([`super::watch`]).

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, Value};

use super::sql::{row, rows};
use super::watch::Word;
use super::{Db, DbError};

/// A transaction as the server knows it: its process, and when it began. The next one of that process began later.
type Known = (i32, DateTime<Utc>);

/// The transactions of one request.
#[derive(Debug, Default)]
struct Begun {
    known: Vec<Known>,
    words: Vec<Arc<Word>>,
}

tokio::task_local! {
    /// Those of the request that is worked on.
    static BEGUN: Arc<Mutex<Begun>>;
}

/// Works for as long as somebody waits for it. Let go of before its end, the statements that its transactions are at are
/// cancelled, where the database has a way.
pub async fn while_waited_for<T>(db: &Db, work: impl Future<Output = T>) -> T {
    let mut waited_for = WaitedFor {
        db,
        begun: Arc::default(),
        is_over: false,
    };
    let done = BEGUN.scope(Arc::clone(&waited_for.begun), work).await;
    waited_for.is_over = true;
    done
}

struct WaitedFor<'a> {
    db: &'a Db,
    begun: Arc<Mutex<Begun>>,
    is_over: bool,
}

impl Drop for WaitedFor<'_> {
    fn drop(&mut self) {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        if self.is_over {
            return;
        }
        for word in begun.words {
            word.leave();
        }
        if begun.known.is_empty() {
            return;
        }
        let db = self.db.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(fault) = cancel(&db, begun.known).await {
                    tracing::warn!(error = fault.kind(), "an abandoned step could not be told to stop");
                }
            });
        }
    }
}

/// Notes a transaction that has just begun, where somebody waits for what it does.
pub(super) async fn note(db: &Db, tx: &DatabaseTransaction) -> Result<(), DbError> {
    let (Ok(begun), Some((which, _))) = (BEGUN.try_with(Arc::clone), db.dialect().cancelling()) else {
        return Ok(());
    };
    let found = row(tx, which, Vec::new()).await?;
    let found = found.ok_or(DbError::Unreadable { column: "pid" })?;
    let known = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    begun.lock().unwrap_or_else(PoisonError::into_inner).known.push(known);
    Ok(())
}

/// The word with which a transaction takes its connection: left as soon as nobody waits for the request that it is of.
pub(super) fn word() -> Arc<Word> {
    let word = Arc::<Word>::default();
    if let Ok(begun) = BEGUN.try_with(Arc::clone) {
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.words.push(Arc::clone(&word));
    }
    word
}

async fn cancel(db: &Db, begun: Vec<Known>) -> Result<(), DbError> {
    let Some((_, stop)) = db.dialect().cancelling() else {
        return Ok(());
    };
    for (process, at) in begun {
        let values: Vec<Value> = vec![process.into(), at.into()];
        rows(db.reader(), stop, values).await?;
    }
    Ok(())
}
