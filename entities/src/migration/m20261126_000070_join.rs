//! How many pupils a run names, and how many of them the roster knows: the join of a school's two sources.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            super::add_column(manager, "sync_run", column, "bigint").await?;
        }
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["drop index if exists sync_run_joined"]).await?;
        for column in COLUMNS {
            super::drop_column(manager, "sync_run", column).await?;
        }
        Ok(())
    }
}

/// Null where no pupil is matched by a key: rosters, and runs of before it was measured.
const COLUMNS: [&str; 2] = ["named", "found"];

const UP: &[&str] =
    &["create index if not exists sync_run_joined on sync_run (source_id, started_at) where named is not null"];
