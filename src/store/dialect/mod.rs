//! Everything that differs between PostgreSQL and SQLite, behind one trait.

mod postgres;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use hub_entities::id::{ClbId, PupilId};
use sea_orm::{DatabaseBackend, DatabaseConnection};

pub(super) use postgres::connect_options as postgres_options;
pub(super) use sqlite::connect_options as sqlite_options;

use super::db::Statements;
use super::reader::Reader;
use super::transaction::{Beginner, Transaction};
use super::{DbError, Options};

/// What one database does its own way.
#[async_trait]
pub(super) trait Dialect: Send + Sync {
    /// Refuses a database that would forget what it acknowledged.
    async fn check_durable(&self, pool: &DatabaseConnection) -> Result<(), DbError>;

    /// What statements of their own go over.
    fn reader(
        &self,
        pool: &DatabaseConnection,
        options: &Options,
        statements: &Arc<Statements>,
    ) -> Result<Reader, DbError>;

    /// What transactions begin on.
    fn beginner(
        &self,
        pool: &DatabaseConnection,
        options: &Options,
        statements: &Arc<Statements>,
    ) -> Result<Beginner, DbError>;

    /// Waits until no other replica migrates.
    async fn lock_migrations(&self, pool: &DatabaseConnection, url: &str) -> Result<Box<dyn Held>, DbError>;

    /// Lets the role of these options read and write the tables of its schema, and nothing else.
    async fn let_in(&self, pool: &DatabaseConnection, serving: &Options) -> Result<(), DbError>;

    /// Makes the schema in which the tables of this pool are to be, unless it is there.
    async fn make_schema(&self, pool: &DatabaseConnection) -> Result<(), DbError>;

    /// Refuses a role that could look past row-level security, or into the store that is not its own.
    async fn check_role(&self, pool: &DatabaseConnection, reaches: Reaches) -> Result<(), DbError>;

    /// What names in a transaction the CLBs whose rows it may touch, where the database holds it to that.
    fn name_clbs(&self, clbs: &[ClbId]) -> Option<String>;

    /// Locks the pupils until the transaction ends, in the order of their ids so that two writers cannot
    /// wait for each other.
    async fn lock_pupils(&self, tx: &Transaction, sorted: &[PupilId]) -> Result<(), DbError>;

    /// Until the transaction ends, no other one looks up blind indexes to tie records by.
    async fn lock_indexes(&self, tx: &Transaction) -> Result<(), DbError>;

    /// What ends a query whose rows are to be locked until the transaction ends.
    fn for_update(&self) -> &'static str;

    /// The same for rows whose key does not change: it waits for who changes them, and for none who only keeps them.
    fn for_no_key_update(&self) -> &'static str;

    /// What ends a query whose row is to be kept, and not deleted by anyone else, until the transaction ends. Any number of
    /// transactions keep one row.
    fn for_key_share(&self) -> &'static str;

    /// The database's own present, as an expression: leases go by it, so hosts need not agree on the time.
    fn now(&self) -> &'static str;

    /// The same, later by the next value in seconds.
    fn now_plus_seconds(&self) -> &'static str;

    /// What wakes every process that listens, once it is committed; none where nobody can listen.
    fn wake(&self) -> Option<&'static str>;

    /// Listens for what [`Dialect::wake`] sends; `None` where nobody can.
    async fn listen(&self, url: &str) -> Result<Option<Box<dyn Listening>>, DbError>;
}

/// Which store a role is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaches {
    /// All but what is under secrecy.
    BasicData,
    /// What is under secrecy.
    Secrets,
}

/// A connection on which others wake this process.
#[async_trait]
pub(super) trait Listening: Send {
    /// Until it is woken. That the connection was lost wakes as well: what was sent meanwhile is not heard.
    async fn woken(&mut self) -> Result<(), DbError>;
}

/// Something held until released.
#[async_trait]
pub(super) trait Held: Send {
    /// Lets go.
    async fn release(self: Box<Self>) -> Result<(), DbError>;
}

/// The dialect of a database.
pub(super) fn of_backend(backend: DatabaseBackend) -> &'static dyn Dialect {
    match backend {
        DatabaseBackend::Postgres => &postgres::Postgres,
        _ => &sqlite::Sqlite,
    }
}
