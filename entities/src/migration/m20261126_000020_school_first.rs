//! Whom a signal is held back from, where an agreement shows it to the school first.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_column(manager, "signal_audience", "held", "boolean not null default false").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column("signal_audience", "held").await? {
            // Older code tells whom it does not find here, and knows of no holding back.
            super::run(manager, &["delete from signal_audience where held"]).await?;
        }
        super::drop_column(manager, "signal_audience", "held").await
    }
}
