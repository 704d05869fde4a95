//! Connections to PostgreSQL of our own: for statements of their own, and for transactions.
//!
//! The driver's pool asks each connection whether it still lives as often as it is given back: a second way to the
//! database for every statement, a third of what a small question costs. Here a connection is kept when what was asked
//! over it came to its end. One that was cut off or failed is closed, so that nobody meets its answer, and the server
//! ends what it was at within a second (R58); one that lay idle is asked before it is used.
//!
//! The end of a transaction that only read is a way of its own too. Where somebody waits for a connection it is handed on
//! as it is, and ends on the way on which the next one begins; where nobody waits it ends at once. And what such a
//! transaction asks first can go on the way on which it begins.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::PgConnectOptions;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use super::db::Statements;

/// How long one waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without work a connection is asked whether it still lives.
const IDLE: Duration = Duration::from_secs(1);

/// A question that is prepared on each connection under its name, so that it can be asked by words alone. Its values are ids,
/// of which nothing can be read but what they are.
pub(super) struct Prepared<'a, const IDS: usize> {
    /// Under which name.
    pub(super) name: &'static str,
    /// What is asked; `$1` and so on are the ids.
    pub(super) text: &'a (dyn Fn() -> String + Sync),
    /// The ids.
    pub(super) ids: [Uuid; IDS],
}

/// A connection with what is prepared on it.
struct Live {
    connection: PgConnection,
    prepared: Vec<&'static str>,
}

/// Connections to PostgreSQL, at most so many at once.
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<(Live, Instant)>>,
    permits: Arc<Semaphore>,
    /// Who waits for one, in the order they came.
    waiting: Mutex<VecDeque<oneshot::Sender<Taken>>>,
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
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self {
            options,
            idle: Mutex::default(),
            waiting: Mutex::default(),
            statements: Arc::clone(statements),
            permits: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Live, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Taken>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection. Whoever is cut off before [`Taken::give_back`] leaves it to be closed.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, DbErr> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return self.opened(permit).await;
        }
        let (hand, handed) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            // Those who wait no more, so that none but those who do are kept.
            while waiting.front().is_some_and(oneshot::Sender::is_closed) {
                waiting.pop_front();
            }
            waiting.push_back(hand);
        }
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned());
        tokio::select! {
            biased;
            Ok(taken) = handed => Ok(taken),
            permit = permit => {
                let permit = permit.ok().and_then(Result::ok);
                self.opened(permit.ok_or(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout))?).await
            }
        }
    }

    async fn opened(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Result<Taken, DbErr> {
        let live = if let Some(kept) = self.kept().await {
            kept
        } else {
            let opened = PgConnection::connect_with(&self.options).await;
            Live {
                connection: opened.map_err(|fault| DbErr::Conn(RuntimeErr::SqlxError(fault.into())))?,
                prepared: Vec::new(),
            }
        };
        Ok(Taken {
            live,
            is_whole: true,
            has_failed: false,
            is_open: false,
            of: Arc::clone(self),
            _permit: permit,
        })
    }

    /// One at rest that lives: the one used last, so that the others may rest.
    async fn kept(&self) -> Option<Live> {
        let (mut live, since) = self.idle().pop()?;
        let lives = since.elapsed() < IDLE || live.connection.ping().await.is_ok();
        lives.then_some(live)
    }

    /// Closes those at rest. One at work closes when its work ends, as nobody is there to take it.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for (live, _) in idle {
            // It ends either way; a server that is gone already needs no goodbye.
            let _gone = live.connection.close().await;
        }
    }
}

/// A connection at work.
pub(super) struct Taken {
    live: Live,
    /// Whether what was asked over it came to its end.
    is_whole: bool,
    /// Whether the database refused something of it.
    has_failed: bool,
    /// Whether a transaction that only read is open on it, which the next one has to end.
    is_open: bool,
    of: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Taken {
    /// Whether what was asked over it came to its end: then others may have it.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether the database refused something that was asked over it since it was taken.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// For others, if it is whole.
    pub(super) fn give_back(self) {
        if self.is_whole {
            self.of.idle().push((self.live, Instant::now()));
        }
    }

    /// Hands it on to who waits, as it is: with a transaction open that only read. Nobody does, and it comes back.
    pub(super) fn hand_on(mut self) -> Option<Self> {
        let of = Arc::clone(&self.of);
        self.is_open = true;
        while self.is_whole {
            let Some(next) = of.waiting().pop_front() else { break };
            match next.send(self) {
                Ok(()) => return None,
                // That one waits no more.
                Err(back) => self = back,
            }
        }
        self.is_open = false;
        Some(self)
    }

    /// Begins a transaction, in one way to the database; what the one before left open is ended on it.
    pub(super) async fn begun(&mut self, begin: &str) -> Result<(), DbErr> {
        let texts = format!("{}{begin}", self.end());
        self.told(texts).await
    }

    /// The same; and this is asked in it, on the same way.
    pub(super) async fn begun_with<const IDS: usize>(
        &mut self,
        begin: &str,
        Prepared { name, text, ids }: &Prepared<'_, IDS>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let end = self.end();
        let prepare = if self.live.prepared.contains(name) {
            String::new()
        } else {
            format!("prepare {name} ({}) as {}; ", ["uuid"; IDS].join(", "), text())
        };
        let ids = ids.map(|id| format!("'{id}'")).join(", ");
        let texts = format!("{end}{prepare}{begin}; execute {name} ({ids})");
        let begun = self.begins();
        let found = sqlx::raw_sql(AssertSqlSafe(texts));
        let found = found.fetch_all(&mut self.live.connection).await;
        let found = self.ended(begun, found)?;
        if !prepare.is_empty() {
            self.live.prepared.push(name);
        }
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// What ends the transaction that the one before left open.
    const fn end(&mut self) -> &'static str {
        if std::mem::replace(&mut self.is_open, false) {
            "commit; "
        } else {
            ""
        }
    }

    /// What was asked has come to its end.
    fn settle<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, DbErr> {
        let fault = answer.as_ref().err();
        self.has_failed |= fault.is_some();
        // What the database itself says is an answer too.
        self.is_whole = fault.is_none_or(|fault| fault.as_database_error().is_some());
        answer.map_err(|fault| DbErr::Query(RuntimeErr::SqlxError(fault.into())))
    }

    fn begins(&mut self) -> Instant {
        self.is_whole = false;
        Instant::now()
    }

    fn ended<T>(&mut self, begun: Instant, answer: Result<T, sqlx::Error>) -> Result<T, DbErr> {
        self.of.statements.note(answer.is_err(), begun.elapsed());
        self.settle(answer)
    }

    /// Runs a statement.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let begun = self.begins();
        let done = query(statement).execute(&mut self.live.connection).await;
        self.ended(begun, done).map(Into::into)
    }

    /// The first row of a statement.
    pub(super) async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let begun = self.begins();
        let found = query(statement).fetch_optional(&mut self.live.connection).await;
        Ok(self.ended(begun, found)?.map(Into::into))
    }

    /// All rows of a statement.
    pub(super) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let begun = self.begins();
        let found = query(statement).fetch_all(&mut self.live.connection).await;
        let found = self.ended(begun, found)?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Begins or ends a transaction, in one way to the database; that is no statement that is counted.
    pub(super) async fn told(&mut self, texts: String) -> Result<(), DbErr> {
        self.is_whole = false;
        let done = sqlx::raw_sql(AssertSqlSafe(texts))
            .execute(&mut self.live.connection)
            .await;
        self.settle(done).map(drop)
    }
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}
