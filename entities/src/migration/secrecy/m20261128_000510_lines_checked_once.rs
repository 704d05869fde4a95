//! Lines of several CLBs are written by one statement: whose lines it may write is read once, and not for each line.

use sea_orm_migration::prelude::*;

use super::CLBS;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let named = named();
        checked(manager, &format!("(select {named})::uuid[]")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        checked(manager, &named()).await
    }
}

/// The CLBs that a transaction names, as an array.
fn named() -> String {
    format!("string_to_array(current_setting('{CLBS}', true), ',')::uuid[]")
}

async fn checked(manager: &SchemaManager<'_>, of: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != sea_orm::DatabaseBackend::Postgres {
        return Ok(());
    }
    let text = format!("alter policy of_clb on access_line with check (clb_id = any ({of}))");
    super::run(manager, &[&text]).await
}
