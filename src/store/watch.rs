//! SQLite ends what takes too long, or what nobody waits for any more (R58).
//!
//! It works in this process, on a thread for each connection, and knows no time: left alone, a statement goes on to its
//! end, and keeps its connection from the others, though whoever asked has hung up. But every so many steps of its
//! machine it asks whether to go on. What it is told is the word of whoever took the connection out of the pool, and ends
//! with that: no word is ever said to the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};
use sqlx::{Connection as _, Error};

/// After so many steps of its machine SQLite asks: well within a millisecond of work.
const STEPS: i32 = 10_000;

tokio::task_local! {
    /// The word of whoever takes a connection.
    static TAKEN_WITH: Arc<Word>;
}

/// What a connection is told for as long as it is out of the pool.
#[derive(Debug, Default)]
pub(super) struct Word {
    limit: Option<Duration>,
    begun: OnceLock<Instant>,
    left: AtomicBool,
}

impl Word {
    /// Nobody waits any more for what it is at.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        let in_time = || {
            let limit = self.limit.zip(self.begun.get());
            limit.is_none_or(|(limit, begun)| begun.elapsed() < limit)
        };
        !self.left.load(Ordering::Relaxed) && in_time()
    }
}

/// Nobody waits any more once this is dropped.
struct WaitedFor(Arc<Word>);

impl Drop for WaitedFor {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A statement of its own: over after so long, and as soon as this is let go of.
pub(super) async fn statement<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let word = Arc::new(Word {
        limit: Some(limit),
        ..Word::default()
    });
    let _waited_for = WaitedFor(Arc::clone(&word));
    TAKEN_WITH.scope(word, work).await
}

/// Takes a connection with this word.
pub(super) async fn taken_with<T>(word: Arc<Word>, work: impl Future<Output = T>) -> T {
    TAKEN_WITH.scope(word, work).await
}

/// Connections that are told the word of each who takes them.
pub(super) fn watched(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.after_connect(|connection, _| Box::pin(tell(connection)))
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // SQLite rolls back by itself when it ends a write, and the driver does not know: it is closed.
                if connection.is_in_transaction() {
                    return Ok(false);
                }
                tell(connection).await?;
                Ok(true)
            })
        })
}

/// In the task of whoever takes the connection. Who says no word, as a migration does, has all the time there is.
async fn tell(connection: &mut SqliteConnection) -> Result<(), Error> {
    let word = TAKEN_WITH.try_with(Arc::clone).ok();
    let mut handle = connection.lock_handle().await?;
    match word {
        Some(word) => {
            word.begun.get_or_init(Instant::now);
            handle.set_progress_handler(STEPS, move || word.goes_on());
        }
        None => handle.remove_progress_handler(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    /// SQLite rolled back by itself, and the driver believes that it is still in that transaction.
    #[tokio::test]
    async fn whoever_comes_behind_a_write_that_was_ended_can_begin() {
        let folder = tempfile::tempdir().unwrap();
        let file = SqliteConnectOptions::new()
            .filename(folder.path().join("hub.db"))
            .create_if_missing(true);
        let pool = watched(SqlitePoolOptions::new().max_connections(1))
            .connect_with(file)
            .await
            .unwrap();
        sqlx::query("create table noted (number integer)")
            .execute(&pool)
            .await
            .unwrap();
        let word = Arc::new(Word::default());
        let ended = taken_with(Arc::clone(&word), async {
            let mut tx = pool.begin_with("begin immediate").await?;
            sqlx::query("insert into noted values (1)").execute(&mut *tx).await?;
            word.leave();
            let endless =
                "insert into noted with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
            sqlx::query(endless).execute(&mut *tx).await
        });
        assert!(ended.await.is_err());
        let mut tx = pool.begin_with("begin immediate").await.unwrap();
        sqlx::query("insert into noted values (2)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let kept: Vec<i64> = sqlx::query_scalar("select number from noted")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(kept, [2]);
    }
}
