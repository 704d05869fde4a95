//! Lines of the access log that wait to be linked lie in the order in which they are linked. Where they lay by time alone the
//! server had to sort them by id as well, and read the whole log of a CLB, which has that order, to be spared it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "create index if not exists access_line_waiting on access_line (clb_id, at, id) where seq is null",
    "drop index if exists access_line_unlinked",
];

const DOWN: &[&str] = &[
    "create index if not exists access_line_unlinked on access_line (clb_id, at) where seq is null",
    "drop index if exists access_line_waiting",
];
