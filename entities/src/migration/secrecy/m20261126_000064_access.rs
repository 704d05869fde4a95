//! Access that colleagues ask for and teams give for a time.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["access_lent", "access_request"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        for table in TABLES {
            super::guard(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, TABLES).await
    }
}

const UP: &[&str] = &[
    // One for each class that was withheld by one decision: each has a team of its own to answer it.
    "create table if not exists access_request (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        class text not null,
        decision_id {id} not null,
        requested_by {id} not null,
        requested_at {at} not null,
        reason {bytes} not null,
        state text not null,
        answered_by {id},
        answered_at {at},
        version integer not null,
        unique (clb_id, decision_id, class)
    )",
    "create index if not exists access_request_by_pupil on access_request (clb_id, pupil_id, state)",
    "create table if not exists access_lent (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        request_id {id} not null references access_request,
        principal_id {id} not null,
        class text not null,
        trajectory_id {id} not null references trajectory,
        from_at {at} not null,
        until_at {at} not null,
        lent_by {id} not null
    )",
    "create index if not exists access_lent_by_worker on access_lent (clb_id, principal_id, pupil_id)",
];
