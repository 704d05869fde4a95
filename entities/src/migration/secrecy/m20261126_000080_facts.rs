//! The access log keeps what a decision rested on, so that it can be decided again by other rules. Lines of before say
//! nothing of it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_column(manager, "access_line", "facts", "text not null default ''").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_column(manager, "access_line", "facts").await
    }
}
