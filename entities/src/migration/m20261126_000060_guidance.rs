//! What guidance rests on outside the secrecy store: where a CLB keeps its dossiers, and who is posted at which school.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["post", "clb_dossiers"]).await
    }
}

const UP: &[&str] = &[
    // A CLB without a row has none here.
    "create table if not exists clb_dossiers (
        clb_id {id} primary key references clb,
        mode text not null
    )",
    "create table if not exists post (
        id {id} primary key,
        clb_id {id} not null references clb,
        principal_id {id} not null references principal,
        school_id {id} not null references school,
        post text not null,
        begins_on {day} not null,
        ends_on {day},
        assigned_by {id} not null references principal
    )",
    "create index if not exists post_by_worker on post (principal_id, school_id)",
];
