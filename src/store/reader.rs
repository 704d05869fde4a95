//! The connections that statements of their own go over: reading, and what is committed by one statement.
//!
//! On PostgreSQL they are kept here and not in the driver's pool, which asks each connection whether it still lives as
//! often as it is given back: a second way to the database for every statement, a third of what a small question costs.
//! Here a connection is kept when its statement came to its end. One that was cut off or failed is closed, so that
//! nobody meets its answer; one that lay idle is asked before it is used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::PgConnectOptions;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::db::Statements;
use super::watch;

/// How long a statement waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without work a connection is asked whether it still lives.
const IDLE: Duration = Duration::from_secs(1);

/// What statements of their own go over.
#[derive(Debug)]
pub(super) enum Reader {
    /// The driver's pool, on SQLite; and how long a statement may take.
    Pool(DatabaseConnection, Duration),
    /// Connections of our own.
    Own(Box<Connections>),
}

/// Connections to PostgreSQL, at most so many at once.
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    permits: Semaphore,
    statements: Arc<Statements>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options may carry a password.
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// None is opened yet.
    pub(super) fn new(options: PgConnectOptions, most: u32, statements: &Arc<Statements>) -> Self {
        Self {
            options,
            idle: Mutex::default(),
            statements: Arc::clone(statements),
            permits: Semaphore::new(
                usize::try_from(most)
                    .unwrap_or(usize::MAX)
                    .clamp(1, Semaphore::MAX_PERMITS),
            ),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(PgConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for one statement. Whoever is cut off before [`Taken::settle`] leaves it to be closed.
    async fn take(&self) -> Result<Taken<'_>, DbErr> {
        let waited = tokio::time::timeout(PATIENCE, self.permits.acquire()).await;
        let permit = waited
            .ok()
            .and_then(Result::ok)
            .ok_or(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout))?;
        let connection = if let Some(kept) = self.kept().await {
            kept
        } else {
            let opened = PgConnection::connect_with(&self.options).await;
            opened.map_err(|fault| DbErr::Conn(RuntimeErr::SqlxError(fault.into())))?
        };
        Ok(Taken {
            connection,
            of: self,
            since: Instant::now(),
            _permit: permit,
        })
    }

    /// One at rest that lives: the one used last, so that the others may rest.
    async fn kept(&self) -> Option<PgConnection> {
        let (mut connection, since) = self.idle().pop()?;
        let lives = since.elapsed() < IDLE || connection.ping().await.is_ok();
        lives.then_some(connection)
    }

    /// Closes those at rest. One at work closes when its statement ends, as nobody is there to take it.
    async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for (connection, _) in idle {
            // It ends either way; a server that is gone already needs no goodbye.
            let _gone = connection.close().await;
        }
    }
}

/// A connection at work.
struct Taken<'a> {
    connection: PgConnection,
    of: &'a Connections,
    since: Instant,
    _permit: SemaphorePermit<'a>,
}

impl Taken<'_> {
    /// The statement came to its end: a connection that is whole goes back.
    fn settle<T>(self, answer: Result<T, sqlx::Error>) -> Result<T, DbErr> {
        self.of.statements.note(answer.is_err(), self.since.elapsed());
        // What the database itself says is an answer too.
        let is_whole = answer
            .as_ref()
            .err()
            .is_none_or(|fault| fault.as_database_error().is_some());
        if is_whole {
            self.of.idle().push((self.connection, Instant::now()));
        }
        answer.map_err(|fault| DbErr::Query(RuntimeErr::SqlxError(fault.into())))
    }
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

impl Reader {
    /// Closes what it holds of its own.
    pub(super) async fn close(&self) {
        if let Self::Own(connections) = self {
            connections.close().await;
        }
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DatabaseBackend {
        match self {
            Self::Pool(pool, _) => pool.get_database_backend(),
            Self::Own(_) => DatabaseBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Pool(pool, limit) => watch::statement(*limit, pool.execute_raw(statement)).await,
            Self::Own(own) => {
                let mut on = own.take().await?;
                let done = query(statement).execute(&mut on.connection).await;
                let done = on.settle(done)?;
                Ok(done.into())
            }
        }
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Pool(pool, limit) => watch::statement(*limit, pool.execute_unprepared(text)).await,
            Self::Own(_) => {
                self.execute_raw(Statement::from_string(DatabaseBackend::Postgres, text))
                    .await
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Pool(pool, limit) => watch::statement(*limit, pool.query_one_raw(statement)).await,
            Self::Own(own) => {
                let mut on = own.take().await?;
                let found = query(statement).fetch_optional(&mut on.connection).await;
                let found = on.settle(found)?;
                Ok(found.map(Into::into))
            }
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Pool(pool, limit) => watch::statement(*limit, pool.query_all_raw(statement)).await,
            Self::Own(own) => {
                let mut on = own.take().await?;
                let found = query(statement).fetch_all(&mut on.connection).await;
                let found = on.settle(found)?;
                Ok(found.into_iter().map(Into::into).collect())
            }
        }
    }
}
