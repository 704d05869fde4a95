//! Warnings earlier than the law's, where both parties of an agreement want them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_column(manager, "agreement", "early_warning", "smallint").await?;
        super::add_column(manager, "signal", "warned_at", "smallint").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_column(manager, "signal", "warned_at").await?;
        super::drop_column(manager, "agreement", "early_warning").await
    }
}
