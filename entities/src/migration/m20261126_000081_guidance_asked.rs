//! A request for guidance on its way into the secrecy store: what was asked lies here sealed, until it is there.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: &[(&str, &str)] = &[
    ("school_id", "{id} references school"),
    ("asked_key", "text"),
    ("text_key", "{id}"),
    ("kek_version", "integer"),
    ("wrapped", "{bytes}"),
    ("sealed", "{bytes}"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, of_type) in COLUMNS {
            super::add_column(manager, "intent", column, of_type).await?;
        }
        let once = "create unique index if not exists intent_asked_once on intent (principal_id, asked_key)
             where asked_key is not null";
        super::run(manager, &[once]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["drop index if exists intent_asked_once"]).await?;
        for (column, _) in COLUMNS.iter().rev() {
            super::drop_column(manager, "intent", column).await?;
        }
        Ok(())
    }
}
