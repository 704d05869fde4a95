//! Tamper evidence of the access log: each line linked to the one before it in the log of its CLB.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A line is committed before it is linked: then both are null.
        super::add_column(manager, "access_line", "seq", "bigint").await?;
        super::add_column(manager, "access_line", "hash", "{bytes}").await?;
        super::run(manager, UP).await?;
        super::guard(manager, "chain_head").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["chain_head"]).await?;
        super::run(
            manager,
            &[
                "drop index if exists access_line_in_chain",
                "drop index if exists access_line_unlinked",
            ],
        )
        .await?;
        super::drop_column(manager, "access_line", "hash").await?;
        super::drop_column(manager, "access_line", "seq").await
    }
}

const UP: &[&str] = &[
    "create table if not exists chain_head (
        clb_id {id} primary key,
        seq bigint not null,
        hash {bytes} not null
    )",
    "create unique index if not exists access_line_in_chain on access_line (clb_id, seq)",
    "create index if not exists access_line_unlinked on access_line (clb_id, at) where seq is null",
];
