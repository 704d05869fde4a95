//! Connections to PostgreSQL of our own: for statements of their own, and for transactions.
//!
//! The driver's pool asks each connection whether it still lives as often as it is given back: a second way to the
//! database for every statement, a third of what a small question costs. Here a connection is kept when what was asked
//! over it came to its end. One that was cut off or failed is closed, so that nobody meets its answer, and the server
//! ends what it was at within a second (R58); one that lay idle is asked before it is used.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::PgConnectOptions;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Either, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::asked::Asking;
use super::db::Statements;

/// How long one waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without work a connection is asked whether it still lives.
const IDLE: Duration = Duration::from_secs(1);

/// How a transaction begins that only reads.
pub(super) const READS: &str = "begin read only";

/// On one connection so many questions stay prepared; the one prepared first makes room.
const PREPARED: usize = 128;

/// A connection with the numbers of what is prepared on it.
struct Live {
    connection: PgConnection,
    prepared: VecDeque<u32>,
}

/// Connections to PostgreSQL, at most so many at once.
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<(Live, Instant)>>,
    permits: Arc<Semaphore>,
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
            statements: Arc::clone(statements),
            permits: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Live, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection. Whoever is cut off before [`Taken::give_back`] leaves it to be closed.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, DbErr> {
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok);
        let permit = permit.ok_or(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout))?;
        let live = if let Some(kept) = self.kept().await {
            kept
        } else {
            let opened = PgConnection::connect_with(&self.options).await;
            Live {
                connection: opened.map_err(|fault| DbErr::Conn(RuntimeErr::SqlxError(fault.into())))?,
                prepared: VecDeque::new(),
            }
        };
        Ok(Taken {
            live,
            is_whole: true,
            has_failed: false,
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

    /// Asks each, all on one way: in a transaction that only reads, and each within what is to hold for it alone.
    ///
    /// A connection on which one of them is refused is closed: what is prepared on it is not known any more.
    pub(super) async fn each(&mut self, askings: &[&Asking]) -> Result<Vec<Vec<QueryResult>>, DbErr> {
        let Way { texts, answers } = self.live.way(askings)?;
        let mut found: Vec<Vec<QueryResult>> = askings.iter().map(|_| Vec::new()).collect();
        let begun = self.begins();
        let mut ended = 0_usize;
        let mut told = sqlx::raw_sql(AssertSqlSafe(texts)).fetch_many(&mut self.live.connection);
        let told = loop {
            match told.try_next().await {
                Ok(Some(Either::Left(_))) => ended = ended.saturating_add(1),
                Ok(Some(Either::Right(row))) => {
                    let of = answers.get(ended).copied().flatten();
                    let of = of.and_then(|nth| found.get_mut(nth)).ok_or_else(unasked)?;
                    of.push(row.into());
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        for _ in askings {
            self.of.statements.note(told.is_err(), begun.elapsed());
        }
        told.map_err(|fault| DbErr::Query(RuntimeErr::SqlxError(fault.into())))?;
        self.is_whole = ended == answers.len();
        if self.is_whole { Ok(found) } else { Err(unasked()) }
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

fn unasked() -> DbErr {
    DbErr::Custom("an answer to what was not asked".to_owned())
}

/// What goes on one way.
struct Way {
    /// Statement behind statement.
    texts: String,
    /// Which asking each of them answers, if it does.
    answers: Vec<Option<usize>>,
}

impl Way {
    fn go(&mut self, text: &str, of: Option<usize>) {
        self.texts.extend([text, "; "]);
        self.answers.push(of);
    }
}

impl Live {
    /// The way for these: each is prepared where it is not yet, and what holds for one does not hold for the next.
    fn way(&mut self, askings: &[&Asking]) -> Result<Way, DbErr> {
        let mut way = Way {
            texts: String::new(),
            answers: Vec::new(),
        };
        way.go(READS, None);
        let mut holds = None;
        for (nth, asking) in askings.iter().enumerate() {
            let number = asking.number().ok_or_else(unasked)?;
            if !self.prepared.contains(&number) {
                if self.prepared.len() >= PREPARED
                    && let Some(first) = self.prepared.pop_front()
                {
                    way.go(&format!("deallocate asked_{first}"), None);
                }
                way.go(&asking.prepare(number), None);
                self.prepared.push_back(number);
            }
            let with = asking.with.as_ref().ok_or_else(unasked)?;
            if holds != Some(with) {
                way.go(with, None);
                holds = Some(with);
            }
            way.go(&asking.execute(number), Some(nth));
        }
        way.go("commit", None);
        Ok(way)
    }
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}
