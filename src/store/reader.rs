//! What statements of their own go over: reading, and what is committed by one statement.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, Statement};

use super::connections::Connections;
use super::watch;

/// What statements of their own go over.
#[derive(Debug, Clone)]
pub(super) enum Reader {
    /// The driver's pool, on SQLite; and how long a statement may take.
    Pool(DatabaseConnection, Duration),
    /// Connections of our own, on PostgreSQL.
    Own(Arc<Connections>),
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
                let done = on.execute(statement).await;
                on.give_back();
                done
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
                let found = on.one(statement).await;
                on.give_back();
                found
            }
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Pool(pool, limit) => watch::statement(*limit, pool.query_all_raw(statement)).await,
            Self::Own(own) => {
                let mut on = own.take().await?;
                let found = on.all(statement).await;
                on.give_back();
                found
            }
        }
    }
}
