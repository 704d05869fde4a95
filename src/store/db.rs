//! The pool: opening a database, checking that it keeps what it says it keeps, migrating it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hub_entities::migration::Migrator;
use hub_entities::policy::secret::TieRows;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sea_orm_migration::MigratorTrait;

use super::dialect::{Dialect, Reaches, of_backend};
use super::known::SignIns;
use super::reader::Reader;
use super::relations::Version;
use super::secret::basic::OfOne;
use super::secret::ties::Known;
use super::together::Together;
use super::transaction::{Beginner, Transaction};
use super::watch;
use crate::keys::heads::HeadError;
use crate::keys::{SealError, VaultError};

/// Why the database could not do what was asked. Its text is for operators and never leaves by the API.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database said no, or could not be reached.
    #[error("the database failed: {0}")]
    Db(#[from] DbErr),
    /// The driver said no.
    #[error("the database failed: {0}")]
    Driver(#[from] sqlx::Error),
    /// The keys outside the database said no.
    #[error("a key failed: {0}")]
    Keys(#[from] VaultError),
    /// The second place of the access log.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A sealed value was not opened.
    #[error("a sealed value failed: {0}")]
    Sealed(#[from] SealError),
    /// A role of the database could look past what holds it: the store is not served with it.
    #[error("the role `{role}` of the database {may}: nothing under secrecy is served with it")]
    Role {
        /// The role.
        role: String,
        /// What it may, and must not.
        may: &'static str,
    },
    /// A setting of the database would lose what was acknowledged (design §4).
    #[error("the database setting `{setting}` is `{value}`: a signal could be lost after it was acknowledged")]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// What it is set to.
        value: String,
    },
    /// A stored value is not one this version knows.
    #[error("the stored value of `{column}` is not one this version knows")]
    Unreadable {
        /// Where it stands.
        column: &'static str,
    },
    /// The lease under which the work was done is another's by now; nothing was changed.
    #[error("the lease `{name}` was lost: another holder has taken over")]
    LeaseLost {
        /// The job.
        name: String,
    },
    /// A legal hold stands on the dossier: it is not erased.
    #[error("a legal hold stands on the dossier: it is kept until the director of the CLB lifts it (`liftLegalHold`)")]
    Held,
    /// The scope does not reach what was asked: a bug of the caller, refused here all the same.
    #[error("the scope does not reach what was asked")]
    OutOfScope,
    /// The lock file beside an SQLite database could not be taken.
    #[error("the lock beside the database could not be taken: {0}")]
    Lock(#[from] std::io::Error),
}

impl DbError {
    /// What kind of fault it is, in words of ours: for logs, where the words of a database may repeat a value (R61).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Db(fault) => match fault {
                DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => "the database cannot be reached",
                DbErr::Type(_) | DbErr::Json(_) => "a stored value has another type than expected",
                DbErr::RecordNotFound(_) => "a row is missing",
                fault if fault.sql_err().is_some() => "a constraint of the database refused it",
                _ => "the database refused a statement",
            },
            Self::Driver(_) => "the driver of the database failed",
            Self::Keys(_) => "a key outside the database failed",
            Self::Head(_) => "the head of an access log was not kept, or is not what was signed",
            Self::Sealed(_) => "a sealed value was altered, or is not in its place",
            Self::Role { .. } => "a role of the database could look past what holds it",
            Self::NotDurable { .. } => "the database would forget what it acknowledged",
            Self::Unreadable { .. } => "a stored value is not one this version knows",
            Self::LeaseLost { .. } => "another holder has taken over the lease",
            Self::Held => "a legal hold stands on the dossier",
            Self::OutOfScope => "the scope does not reach what was asked",
            Self::Lock(_) => "the lock beside the database could not be taken",
        }
    }
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://…` or `sqlite://path`.
    pub url: String,
    /// The most connections at once: so many for single statements, and so many for transactions.
    pub connections: u32,
    /// The schema on PostgreSQL in which its tables are.
    pub schema: &'static str,
    /// How long a statement may take (R58). On SQLite that is one of its own; a transaction there has the time of the
    /// request that waits for it.
    pub statement_timeout: Duration,
    /// Whether PostgreSQL plans a statement once per connection: for a server, whose statements are short and always
    /// the same. An import fills the very tables that its statements are planned for.
    pub plans_once: bool,
}

impl Options {
    /// The options of a server: 8 connections, statements cut after 8 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 8,
            schema: "public",
            statement_timeout: Duration::from_secs(8),
            plans_once: false,
        }
    }
}

/// A pool over what is named, and what is known of it; refuses a database that would forget what it acknowledged.
pub(super) async fn connect(
    options: &Options,
) -> Result<(DatabaseConnection, &'static dyn Dialect, Arc<Statements>), DbError> {
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(options.connections)
        .acquire_timeout(Duration::from_secs(5))
        // Asking each time whether a connection still lives would double the ways to the database.
        .test_before_acquire_if_idle_for(Duration::from_secs(1))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(super::dialect::sqlite_options)
        .map_sqlx_sqlite_pool_opts(watch::watched);
    let asked = options.clone();
    connect.map_sqlx_postgres_opts(move |postgres| super::dialect::postgres_options(postgres, &asked));
    let mut pool = Database::connect(connect).await?;
    let statements = Arc::new(Statements::default());
    let counted = Arc::clone(&statements);
    pool.set_metric_callback(move |asked| counted.note(asked.failed, asked.elapsed));
    let dialect = of_backend(pool.get_database_backend());
    dialect.check_durable(&pool).await?;
    Ok((pool, dialect, statements))
}

/// Brings a schema up to date. Any number of replicas may do so at once: one works, the others wait.
pub(super) async fn migrate<M: MigratorTrait>(
    pool: &DatabaseConnection,
    dialect: &dyn Dialect,
    url: &str,
) -> Result<(), DbError> {
    let held = dialect.lock_migrations(pool, url).await?;
    let outcome = match dialect.make_schema(pool).await {
        Ok(()) => M::up(pool, None).await.map_err(DbError::from),
        refused => refused,
    };
    held.release().await?;
    outcome
}

/// Takes a schema down again.
pub(super) async fn migrate_down<M: MigratorTrait>(
    pool: &DatabaseConnection,
    dialect: &dyn Dialect,
    url: &str,
) -> Result<(), DbError> {
    let held = dialect.lock_migrations(pool, url).await?;
    let outcome = M::down(pool, None).await;
    held.release().await?;
    Ok(outcome?)
}

/// Whether a schema is the one that this version knows, without rights to change it.
pub(super) async fn is_current<M: MigratorTrait>(pool: &DatabaseConnection) -> Result<bool, DbError> {
    let applied = M::get_applied_migrations_read_only(pool).await?;
    Ok(applied.len() == M::migrations().len())
}

/// How many statements were asked, and how long they took; never what: a statement's values are a pupil's.
#[derive(Debug, Default)]
pub(super) struct Statements(AtomicU64);

impl Statements {
    /// How many came to their end.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One came to its end.
    pub(super) fn note(&self, failed: bool, took: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let outcome = if failed { "failed" } else { "ok" };
        metrics::counter!("clb_hub_statements_total", "outcome" => outcome).increment(1);
        metrics::histogram!("clb_hub_statement_seconds").record(took.as_secs_f64());
    }
}

/// An open database.
#[derive(Clone)]
pub struct Db {
    pool: DatabaseConnection,
    reader: Reader,
    beginner: Beginner,
    sign_ins: Arc<SignIns>,
    authority: Arc<Together<Version, i64>>,
    basics: Arc<Together<OfOne, (TieRows, Known)>>,
    dialect: &'static dyn Dialect,
    url: String,
    statements: Arc<Statements>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The url may carry a password.
        f.debug_struct("Db")
            .field("backend", &self.pool.get_database_backend())
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the database and refuses one that would forget what it acknowledged.
    pub async fn open(options: &Options) -> Result<Self, DbError> {
        let (pool, dialect, statements) = connect(options).await?;
        let reader = dialect.reader(&pool, options, &statements)?;
        let beginner = dialect.beginner(&pool, options, &statements)?;
        Ok(Self {
            pool,
            reader,
            beginner,
            sign_ins: Arc::default(),
            authority: Arc::default(),
            basics: Arc::default(),
            dialect,
            url: options.url.clone(),
            statements,
        })
    }

    /// Brings the schema up to date. Any number of replicas may do so at once: one works, the others wait.
    pub async fn migrate(&self) -> Result<(), DbError> {
        migrate::<Migrator>(&self.pool, self.dialect, &self.url).await
    }

    /// Takes the schema down again: for tests of the migrations, and for an operator who means it.
    pub async fn migrate_down(&self) -> Result<(), DbError> {
        migrate_down::<Migrator>(&self.pool, self.dialect, &self.url).await
    }

    /// Lets the role that serves from these options read and write, where it is not the one that owns the tables.
    pub async fn let_in(&self, serving: &Options) -> Result<(), DbError> {
        self.dialect.let_in(&self.pool, serving).await
    }

    /// Refuses a role that could look past what keeps secrets apart, or into the store under secrecy.
    pub async fn check_role(&self) -> Result<(), DbError> {
        self.dialect.check_role(&self.pool, Reaches::BasicData).await
    }

    /// Whether the schema is the one this version knows: what a readiness probe asks, without rights to change it.
    pub async fn is_current(&self) -> Result<bool, DbError> {
        is_current::<Migrator>(&self.pool).await
    }

    /// How many statements were asked of it since it was opened. Two questions that must look the same from outside
    /// ask the same number (R59); what is refused by a limit asks none (R15).
    pub fn statements(&self) -> u64 {
        self.statements.count()
    }

    /// Closes every connection.
    pub async fn close(self) -> Result<(), DbError> {
        self.reader.close().await;
        self.beginner.close().await;
        Ok(self.pool.close().await?)
    }

    /// For reading: each statement sees what is committed.
    pub(super) const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Who is known to have signed in.
    pub(super) fn sign_ins(&self) -> &SignIns {
        &self.sign_ins
    }

    /// Where the number that moves with every change of authority is asked for.
    pub(super) const fn authority(&self) -> &Arc<Together<Version, i64>> {
        &self.authority
    }

    /// Where the half of the relations that is not under secrecy is asked for.
    pub(super) const fn basics(&self) -> &Arc<Together<OfOne, (TieRows, Known)>> {
        &self.basics
    }

    /// For writing. What nobody waits for any more is cut off.
    pub(super) async fn begin(&self) -> Result<Transaction, DbError> {
        self.beginner.begin(None).await
    }

    /// Where it is. May hold a password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What differs between the databases.
    pub(super) const fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_schema_goes_up_down_and_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("hub.db").display());
        let db = Db::open(&Options::new(url)).await.unwrap();
        assert!(!db.is_current().await.unwrap());
        db.migrate().await.unwrap();
        db.migrate().await.unwrap();
        assert!(db.is_current().await.unwrap());
        db.migrate_down().await.unwrap();
        db.migrate().await.unwrap();
        assert!(db.is_current().await.unwrap());
    }
}
