//! The access log of basic pupil data.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["access_line"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists access_line (
        id {id} primary key,
        at {at} not null,
        principal_id {id} not null references principal,
        role text not null,
        realm text not null,
        purpose text,
        categories integer not null,
        pupils integer not null,
        pupil_ids {json} not null,
        request_id {id} not null
    )",
    "create index if not exists access_line_by_time on access_line (at)",
];
