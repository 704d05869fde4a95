//! The access log of a CLB is read by time: what its data protection officer asks for.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["drop index if exists access_line_by_time"]).await
    }
}

const UP: &[&str] = &["create index if not exists access_line_by_time on access_line (clb_id, at, id)"];
