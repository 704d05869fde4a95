//! Pupils that a person tied into one, with what went along and who said so.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["pupil_merge"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists pupil_merge (
        id {id} primary key,
        from_pupil {id} not null references pupil,
        into_pupil {id} not null references pupil,
        moved {json} not null,
        reason text not null,
        merged_by {id} not null references principal,
        merged_at {at} not null,
        undone_reason text,
        undone_by {id} references principal,
        undone_at {at},
        version integer not null
    )",
    "create index if not exists pupil_merge_by_pupil on pupil_merge (into_pupil)",
    // A pupil gives way once at a time.
    "create unique index if not exists pupil_merge_standing on pupil_merge (from_pupil) where undone_at is null",
];
