//! How far each live source was read, and how many of those whom it names were found.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["pull"]).await
    }
}

/// `state` is the connector's own: it is written once everything that was read with it is merged.
const UP: &[&str] = &["create table if not exists pull (
        source_id {id} not null references source,
        kind text not null,
        state {json} not null,
        pulled_at {at} not null,
        records bigint not null,
        named bigint not null,
        found bigint not null,
        primary key (source_id, kind)
    )"];
