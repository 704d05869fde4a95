//! When each stream of a live source is pulled next, and since when and why that has failed.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["pull_turn"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists pull_turn (
        source_id {id} not null references source,
        kind text not null,
        due_at {at} not null,
        failures integer not null,
        failing_since {at},
        fault text,
        primary key (source_id, kind)
    )",
    "create index if not exists pull_turn_due on pull_turn (due_at)",
];
