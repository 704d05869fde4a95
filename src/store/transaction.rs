//! Transactions, on both databases.
//!
//! On PostgreSQL one goes over a connection of our own ([`super::connections`]): it begins with one way to the database
//! and leaves with one, and when whoever waits for it has gone, its connection is closed with it, so the server ends its
//! statement and rolls it back (R58). On SQLite it goes over the driver's pool.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use tokio::sync::Mutex;

use super::DbError;
use super::connections::{Connections, READS, Taken};
use super::{abandoned, watch};

/// What transactions begin on.
#[derive(Debug, Clone)]
pub(super) enum Beginner {
    /// The driver's pool, on SQLite.
    Pool(DatabaseConnection),
    /// Connections of our own, on PostgreSQL.
    Own(Arc<Connections>),
}

impl Beginner {
    /// Begins a transaction. What is to hold in it from its beginning, in statements without values, goes with it where
    /// there are such.
    pub(super) async fn begin(&self, with: Option<String>) -> Result<Transaction, DbError> {
        self.begun(false, with).await
    }

    /// The same, of one that only reads: PostgreSQL refuses whatever writes in it.
    pub(super) async fn begin_reading(&self, with: Option<String>) -> Result<Transaction, DbError> {
        self.begun(true, with).await
    }

    async fn begun(&self, reads: bool, with: Option<String>) -> Result<Transaction, DbError> {
        match self {
            Self::Pool(pool) => Ok(Transaction(Kind::Pool(begin_on_pool(pool).await?))),
            Self::Own(own) => {
                let mut taken = own.take().await?;
                taken.told(beginning(reads, with)).await?;
                Ok(Transaction(Kind::Own(Open(Mutex::new(Some(taken))))))
            }
        }
    }

    /// Closes what it holds of its own.
    pub(super) async fn close(&self) {
        if let Self::Own(connections) = self {
            connections.close().await;
        }
    }
}

/// What begins one, with what is to hold in it from its beginning.
fn beginning(reads: bool, with: Option<String>) -> String {
    let begin = if reads { READS } else { "begin" };
    with.map_or_else(|| begin.to_owned(), |with| format!("{begin}; {with}"))
}

/// On SQLite. The write lock is taken at once: an upgrade half-way would fail.
async fn begin_on_pool(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    // Whoever waits here may be cut off: a client hangs up, a pull is stopped. A `BEGIN` that nobody waits
    // for any more would leave its connection to the next one in an open transaction, in which a
    // statement of its own is never committed; so it always comes to its end, and is rolled back there.
    let (pool, word) = (pool.clone(), abandoned::word());
    let begun = tokio::spawn(watch::taken_with(word, async move {
        pool.begin_with_options(options).await
    }))
    .await;
    Ok(begun.map_err(|stopped| DbErr::Custom(stopped.to_string()))??)
}

/// A transaction. Let go of without a commit, it is rolled back.
#[derive(Debug)]
pub(super) struct Transaction(Kind);

#[derive(Debug)]
enum Kind {
    Pool(DatabaseTransaction),
    Own(Open),
}

/// One on a connection of our own.
struct Open(Mutex<Option<Taken>>);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

fn over() -> DbErr {
    DbErr::Custom("the transaction is over".to_owned())
}

impl Open {
    /// Makes it so; a connection of which that is not certain is closed.
    async fn commit(&mut self) -> Result<(), DbErr> {
        let mut taken = self.0.get_mut().take().ok_or_else(over)?;
        // PostgreSQL rolls back here, and answers as if it had not.
        if taken.has_failed() {
            return Err(DbErr::Custom("a statement of the transaction failed".to_owned()));
        }
        taken.told("commit".to_owned()).await?;
        taken.give_back();
        Ok(())
    }

    async fn rollback(mut taken: Taken) -> Result<(), DbErr> {
        taken.told("rollback".to_owned()).await?;
        taken.give_back();
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // One whose statement was cut off is closed, and rolled back by that.
        let taken = self.0.get_mut().take().filter(Taken::is_whole);
        if let Some((taken, runtime)) = taken.zip(tokio::runtime::Handle::try_current().ok()) {
            runtime.spawn(Self::rollback(taken));
        }
    }
}

impl Transaction {
    /// Makes it so.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        match self.0 {
            Kind::Pool(tx) => tx.commit().await,
            Kind::Own(mut open) => open.commit().await,
        }
    }

    /// Leaves everything as it was.
    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        match self.0 {
            Kind::Pool(tx) => tx.rollback().await,
            Kind::Own(mut open) => Open::rollback(open.0.get_mut().take().ok_or_else(over)?).await,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        match &self.0 {
            Kind::Pool(tx) => tx.get_database_backend(),
            Kind::Own(_) => DatabaseBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.0 {
            Kind::Pool(tx) => tx.execute_raw(statement).await,
            Kind::Own(open) => open.0.lock().await.as_mut().ok_or_else(over)?.execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        match &self.0 {
            Kind::Pool(tx) => tx.execute_unprepared(text).await,
            Kind::Own(_) => {
                let statement = Statement::from_string(DatabaseBackend::Postgres, text);
                self.execute_raw(statement).await
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.0 {
            Kind::Pool(tx) => tx.query_one_raw(statement).await,
            Kind::Own(open) => open.0.lock().await.as_mut().ok_or_else(over)?.one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.0 {
            Kind::Pool(tx) => tx.query_all_raw(statement).await,
            Kind::Own(open) => open.0.lock().await.as_mut().ok_or_else(over)?.all(statement).await,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::error::Error;

    use super::super::Options;
    use super::super::db::Statements;
    use super::super::dialect::postgres_options;
    use super::super::sql::{execute, row};
    use super::*;

    /// One connection to the PostgreSQL of the tests; where there is none they must not be asked for.
    pub(in crate::store) fn alone() -> Result<Option<Beginner>, Box<dyn Error>> {
        let Ok(url) = std::env::var("CLB_HUB_TEST_POSTGRES") else {
            assert!(std::env::var_os("CLB_HUB_TEST_REQUIRE").is_none(), "no PostgreSQL");
            return Ok(None);
        };
        let options = postgres_options(url.parse()?, &Options::new(url));
        let connections = Connections::new(options, 1, &Arc::<Statements>::default());
        Ok(Some(Beginner::Own(Arc::new(connections))))
    }

    async fn number(tx: &Transaction, text: &str) -> Result<i32, Box<dyn Error>> {
        let found = row(tx, text, Vec::new()).await?.ok_or("no row")?;
        Ok(found.try_get_by_index(0)?)
    }

    const WHO: &str = "select pg_backend_pid()";

    #[tokio::test]
    async fn let_go_of_it_is_rolled_back_and_leaves_its_connection() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let set = "set local clb_hub.clbs = 'of the first'".to_owned();
        let one = beginner.begin(Some(set)).await?;
        let first = number(&one, WHO).await?;
        let key = i64::from(first);
        execute(&one, "select pg_advisory_xact_lock(?)", vec![key.into()]).await?;
        drop(one);
        let next = beginner.begin(None).await?;
        assert_eq!(number(&next, WHO).await?, first, "the connection goes on");
        let text = "select current_setting('clb_hub.clbs', true), count(*) from pg_locks
             where locktype = 'advisory' and pid = pg_backend_pid() group by 1";
        assert!(
            row(&next, text, Vec::new()).await?.is_none(),
            "nothing is locked any more"
        );
        let named = row(&next, "select current_setting('clb_hub.clbs', true)", Vec::new()).await?;
        let named: Option<String> = named.ok_or("no row")?.try_get_by_index(0)?;
        assert_eq!(named.unwrap_or_default(), "", "what it named it named for itself");
        Ok(next.commit().await?)
    }

    /// An advisory lock of the transaction, which nobody else has while it is open.
    const LOCK: &str = "select pg_advisory_xact_lock(?)";

    /// Locks that this connection has, and what is named on it.
    async fn held(tx: &Transaction) -> Result<(i64, String), Box<dyn Error>> {
        let text = "select (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
             coalesce(current_setting('clb_hub.clbs', true), '')";
        let found = row(tx, text, Vec::new()).await?.ok_or("no row")?;
        Ok((found.try_get_by_index(0)?, found.try_get_by_index(1)?))
    }

    #[tokio::test]
    async fn one_that_only_reads_writes_nothing_and_is_over_when_it_is_said_to_be() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let set = || Some("set local clb_hub.clbs = 'of the first'".to_owned());
        let one = beginner.begin_reading(set()).await?;
        let table = "create table of_a_reader (a int)";
        assert!(execute(&one, table, Vec::new()).await.is_err(), "it only reads");
        drop(one);
        let one = beginner.begin_reading(set()).await?;
        let first = number(&one, WHO).await?;
        execute(&one, LOCK, vec![i64::from(first).into()]).await?;
        one.commit().await?;
        let next = beginner.begin(None).await?;
        assert_eq!(number(&next, WHO).await?, first, "over the same connection");
        assert_eq!(held(&next).await?, (0, String::new()));
        Ok(next.commit().await?)
    }

    #[tokio::test]
    async fn what_was_refused_within_is_never_committed() -> Result<(), Box<dyn Error>> {
        let Some(beginner) = alone()? else { return Ok(()) };
        let one = beginner.begin(None).await?;
        let first = number(&one, WHO).await?;
        let refused = execute(&one, "select 1 / ?", vec![0.into()]).await;
        assert!(refused.is_err());
        // PostgreSQL would say yes to it.
        assert!(one.commit().await.is_err());
        let next = beginner.begin(None).await?;
        assert_ne!(
            number(&next, WHO).await?,
            first,
            "whose connection is not trusted any more"
        );
        Ok(next.commit().await?)
    }
}
