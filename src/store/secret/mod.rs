//! The secrecy store: dossiers, apart from all else (design §3).
//!
//! On PostgreSQL it is a schema with a role of its own, under forced row-level security; on SQLite a second file. The
//! code that serves a school never holds it. Every transaction names the CLBs whose rows it may touch before anything
//! else, one that several ask in names one anew before each question of another, and every statement names them again: the one
//! line holds where the other fails.

pub mod access;
pub mod basic;
pub mod brought_out;
pub mod carrying;
pub mod chain;
pub mod consent;
pub mod correction;
pub mod emergency;
mod following;
pub mod hold;
pub mod keeping;
pub mod key;
pub mod letterbox;
pub mod line;
pub mod log;
pub mod obligation;
pub mod opening;
pub mod parents_log;
pub mod referral;
pub mod release;
pub mod release_intent;
pub mod request;
pub mod rights;
mod several;
pub mod showcase;
pub mod ties;
pub mod transfer;
pub mod wrapped;
pub mod writing;

use std::sync::Arc;

use hub_entities::id::{
    ClbId, ConsentId, DossierAccessId, EntryId, LogHoldId, PupilId, ReferralId, ReleaseId, TrajectoryId,
};
use hub_entities::migration::secrecy::Migrator;
use sea_orm::{DatabaseConnection, QueryResult};

use self::line::Line;
use super::asked::{Asking, Shape, Shapes, Values};
use super::db::{self, Statements};
use super::dialect::{Dialect, Reaches};
use super::together::Together;
use super::transaction::{Beginner, Transaction};
use super::{DbError, Options};
use crate::keys::KeyVault;

/// No pupil has this id: what is decided of a pupil who may be unknown goes the same way, and what a school asks for
/// itself is about nobody.
pub const NOBODY: PupilId = PupilId(uuid::Uuid::nil());

/// The secrecy store, open.
#[derive(Clone)]
pub struct SecretDb {
    pool: DatabaseConnection,
    beginner: Beginner,
    dialect: &'static dyn Dialect,
    url: String,
    statements: Arc<Statements>,
    /// Lines of the access log that wait to be committed.
    lines: Arc<Together<Vec<Line>, ()>>,
    /// Questions about one dossier that wait to be asked.
    asked: Arc<Together<Asking, Vec<QueryResult>>>,
    shapes: Arc<Shapes>,
}

/// The secrecy store with the keys of what is sealed in it: what dossiers are read and written with.
#[derive(Clone)]
pub struct Secrets {
    apart: SecretDb,
    vault: Arc<dyn KeyVault>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("apart", &self.apart)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// This store, with these keys.
    pub fn new(apart: SecretDb, vault: Arc<dyn KeyVault>) -> Self {
        Self { apart, vault }
    }

    /// Whether its schema is the one this version knows.
    pub async fn is_current(&self) -> Result<bool, DbError> {
        self.apart.is_current().await
    }

    /// The store without its keys.
    pub const fn apart(&self) -> &SecretDb {
        &self.apart
    }
}

/// Something in a dossier, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A trajectory.
    Trajectory(TrajectoryId),
    /// An entry.
    Entry(EntryId),
    /// A consent or a refusal.
    Consent(ConsentId),
    /// A referral.
    Referral(ReferralId),
    /// A release to the school.
    Release(ReleaseId),
    /// What was opened to a person.
    Access(DossierAccessId),
    /// That the access log is held back from parents.
    LogHold(LogHoldId),
}

impl std::fmt::Debug for SecretDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The url may carry a password.
        f.debug_struct("SecretDb")
            .field("backend", &self.pool.get_database_backend())
            .finish_non_exhaustive()
    }
}

impl SecretDb {
    /// How it is opened.
    pub fn options(url: impl Into<String>) -> Options {
        Options {
            schema: "secrecy",
            ..Options::new(url)
        }
    }

    /// Opens it, and refuses a database that would forget what it acknowledged.
    pub async fn open(options: &Options) -> Result<Self, DbError> {
        let (pool, dialect, statements) = db::connect(options).await?;
        let beginner = dialect.beginner(&pool, options, &statements)?;
        Ok(Self {
            pool,
            beginner,
            dialect,
            url: options.url.clone(),
            statements,
            lines: Arc::default(),
            // The others are for what is written meanwhile.
            asked: Arc::new(Together::at_once(options.connections.div_ceil(2))),
            shapes: Arc::default(),
        })
    }

    /// Brings its schema up to date. Any number of replicas may do so at once.
    pub async fn migrate(&self) -> Result<(), DbError> {
        db::migrate::<Migrator>(&self.pool, self.dialect, &self.url).await
    }

    /// Takes its schema down again: for tests of the migrations, and for an operator who means it.
    pub async fn migrate_down(&self) -> Result<(), DbError> {
        db::migrate_down::<Migrator>(&self.pool, self.dialect, &self.url).await
    }

    /// Whether its schema is the one this version knows.
    pub async fn is_current(&self) -> Result<bool, DbError> {
        db::is_current::<Migrator>(&self.pool).await
    }

    /// Lets the role that serves from these options in.
    pub async fn let_in(&self, serving: &Options) -> Result<(), DbError> {
        self.dialect.let_in(&self.pool, serving).await
    }

    /// Refuses a role that row-level security does not hold, and a table that is not under it (R25).
    pub async fn check_role(&self) -> Result<(), DbError> {
        self.dialect.check_role(&self.pool, Reaches::Secrets).await
    }

    /// How many statements were asked of it since it was opened (R59).
    pub fn statements(&self) -> u64 {
        self.statements.count()
    }

    /// Closes every connection.
    pub async fn close(self) -> Result<(), DbError> {
        self.beginner.close().await;
        Ok(self.pool.close().await?)
    }

    /// A transaction that reaches the rows of these CLBs and of no other.
    async fn within(&self, clbs: &[ClbId]) -> Result<Transaction, DbError> {
        self.beginner.begin(self.dialect.name_clbs(clbs)).await
    }

    /// The same, of a transaction that changes nothing.
    async fn reading(&self, clbs: &[ClbId]) -> Result<Transaction, DbError> {
        self.beginner.begin_reading(self.dialect.name_clbs(clbs)).await
    }

    /// What is asked of one CLB, in a transaction that reaches its rows and no other.
    async fn ask(&self, clb: ClbId, (shape, values): (Arc<Shape>, Values)) -> Result<Vec<QueryResult>, DbError> {
        let asking = Asking {
            with: self.dialect.name_clbs(&[clb]),
            shape,
            values,
        };
        if asking.number().is_none() {
            return asking.alone(&self.beginner).await;
        }
        self.asked.ask(&self.beginner, asking).await
    }
}
