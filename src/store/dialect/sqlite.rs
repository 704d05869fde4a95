//! SQLite: the embedded default.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hub_entities::id::{ClbId, PupilId};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::{Dialect, Held, Listening, Reaches};
use crate::store::db::Statements;
use crate::store::reader::Reader;
use crate::store::sql::statement;
use crate::store::transaction::{Beginner, Transaction};
use crate::store::{DbError, Options};

/// WAL with `synchronous=FULL`: a commit that was answered is on the disk (design §4).
pub(in crate::store) fn connect_options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30))
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "memory")
}

#[derive(Debug)]
pub(super) struct Sqlite;

#[async_trait]
impl Dialect for Sqlite {
    async fn check_durable(&self, pool: &DatabaseConnection) -> Result<(), DbError> {
        let asked = statement(DatabaseBackend::Sqlite, "pragma synchronous", Vec::new());
        let row = pool
            .query_one_raw(asked)
            .await?
            .ok_or(DbError::Unreadable { column: "synchronous" })?;
        let level: i32 = row.try_get_by_index(0)?;
        if level < 2 {
            return Err(DbError::NotDurable {
                setting: "synchronous",
                value: level.to_string(),
            });
        }
        Ok(())
    }

    fn reader(
        &self,
        pool: &DatabaseConnection,
        options: &Options,
        _statements: &Arc<Statements>,
    ) -> Result<Reader, DbError> {
        Ok(Reader::Pool(pool.clone(), options.statement_timeout))
    }

    fn beginner(
        &self,
        pool: &DatabaseConnection,
        _options: &Options,
        _statements: &Arc<Statements>,
    ) -> Result<Beginner, DbError> {
        Ok(Beginner::Pool(pool.clone()))
    }

    async fn lock_migrations(&self, _pool: &DatabaseConnection, url: &str) -> Result<Box<dyn Held>, DbError> {
        let path = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
        let path = path.split('?').next().unwrap_or_default();
        if path.is_empty() || path == ":memory:" {
            return Ok(Box::new(Lock(None)));
        }
        let lock_path = format!("{path}.migrate.lock");
        let file = tokio::task::spawn_blocking(move || {
            let file = File::create(lock_path)?;
            file.lock()?;
            Ok::<File, std::io::Error>(file)
        });
        let file = file.await.map_err(std::io::Error::other)??;
        Ok(Box::new(Lock(Some(file))))
    }

    async fn let_in(&self, _pool: &DatabaseConnection, _serving: &Options) -> Result<(), DbError> {
        Ok(())
    }

    async fn make_schema(&self, _pool: &DatabaseConnection) -> Result<(), DbError> {
        Ok(())
    }

    async fn check_role(&self, _pool: &DatabaseConnection, _reaches: Reaches) -> Result<(), DbError> {
        // Files have no roles: the second one is apart, and every statement names its CLB.
        Ok(())
    }

    fn name_clbs(&self, _clbs: &[ClbId]) -> Option<String> {
        None
    }

    async fn lock_pupils(&self, _tx: &Transaction, _sorted: &[PupilId]) -> Result<(), DbError> {
        // BEGIN IMMEDIATE took the one write lock there is.
        Ok(())
    }

    async fn lock_indexes(&self, _tx: &Transaction) -> Result<(), DbError> {
        Ok(())
    }

    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_no_key_update(&self) -> &'static str {
        ""
    }

    fn for_key_share(&self) -> &'static str {
        ""
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    }

    fn now_plus_seconds(&self) -> &'static str {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+' || ? || ' seconds')"
    }

    fn wake(&self) -> Option<&'static str> {
        None
    }

    async fn listen(&self, _url: &str) -> Result<Option<Box<dyn Listening>>, DbError> {
        Ok(None)
    }
}

struct Lock(Option<File>);

#[async_trait]
impl Held for Lock {
    async fn release(self: Box<Self>) -> Result<(), DbError> {
        if let Some(file) = self.0 {
            file.unlock()?;
        }
        Ok(())
    }
}
