//! The data keys of dossiers, each wrapped by a key that lies outside the database.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::guard(manager, "dossier_key").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["dossier_key"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists dossier_key (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        kek_version integer not null,
        wrapped {bytes} not null,
        unique (clb_id, pupil_id)
    )",
    // What a rotation has yet to do.
    "create index if not exists dossier_key_by_version on dossier_key (kek_version, id)",
];
