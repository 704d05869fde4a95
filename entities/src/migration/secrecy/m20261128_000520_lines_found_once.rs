//! Lines of several CLBs are linked by one statement: whose lines are there for it is read once, and not for each line.

use sea_orm_migration::prelude::*;

use super::m20261128_000510_lines_checked_once::named;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let named = named();
        found(manager, &format!("(select {named})::uuid[]")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        found(manager, &named()).await
    }
}

async fn found(manager: &SchemaManager<'_>, of: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != sea_orm::DatabaseBackend::Postgres {
        return Ok(());
    }
    let text = format!("alter policy of_clb on access_line using (clb_id = any ({of}))");
    super::run(manager, &[&text]).await
}
