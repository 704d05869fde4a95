//! What workers opened in an emergency: to whom, of whom, why, and until when.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::guard(manager, "emergency").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["emergency"]).await
    }
}

const UP: &[&str] = &[
    // Its instants are those of the database: whichever host asks, it is over at the same moment.
    "create table if not exists emergency (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        principal_id {id} not null,
        classes text not null,
        ground text not null,
        reason {bytes} not null,
        from_at {at} not null,
        until_at {at} not null,
        decision_id {id} not null
    )",
    "create index if not exists emergency_by_worker on emergency (clb_id, principal_id, pupil_id)",
    "create index if not exists emergency_by_time on emergency (clb_id, from_at, id)",
];
