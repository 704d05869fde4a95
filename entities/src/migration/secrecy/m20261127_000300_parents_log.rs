//! What parents may be told of the access log: how far it was reviewed for them, and while what it is held back.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::guard(manager, "log_review").await?;
        super::guard(manager, "log_hold").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["log_hold", "log_review"]).await
    }
}

const UP: &[&str] = &[
    // Each review stays; what counts is the highest number of a line that any of them reached.
    "create table if not exists log_review (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        up_to bigint not null,
        reviewed_by {id} not null,
        reviewed_at {at} not null
    )",
    "create index if not exists log_review_of_pupil on log_review (clb_id, pupil_id, up_to)",
    // Under a trajectory, as its reason is for the team of that one alone.
    "create table if not exists log_hold (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        held_by {id} not null,
        held_at {at} not null,
        reason {bytes} not null,
        lifted_by {id},
        lifted_at {at},
        version integer not null
    )",
    "create index if not exists log_hold_of_pupil on log_hold (clb_id, pupil_id)",
];
