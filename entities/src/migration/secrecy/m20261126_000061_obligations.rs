//! What was done here of the intents of the main store; and of a trajectory, by which signal it was begun, and since when
//! nothing obliges any more.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_column(manager, "trajectory", "signal_id", "{id}").await?;
        super::add_column(manager, "trajectory", "signal_key", "text").await?;
        super::add_column(manager, "trajectory", "lapsed_at", "{at}").await?;
        super::run(manager, UP).await?;
        super::guard(manager, "intent_done").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["intent_done"]).await?;
        super::run(manager, &["drop index if exists trajectory_by_signal"]).await?;
        for column in ["lapsed_at", "signal_key", "signal_id"] {
            super::drop_column(manager, "trajectory", column).await?;
        }
        Ok(())
    }
}

const UP: &[&str] = &[
    "create table if not exists intent_done (
        id {id} primary key,
        clb_id {id} not null,
        done_at {at} not null
    )",
    "create unique index if not exists trajectory_by_signal on trajectory (clb_id, signal_id) where signal_id is not null",
];
