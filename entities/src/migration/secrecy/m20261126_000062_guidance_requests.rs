//! Requests for guidance: what a CLB was asked, sealed, and what became of it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::guard(manager, "guidance_request").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["guidance_request"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists guidance_request (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id},
        school_id {id} not null,
        asked_by text not null,
        requested_by {id} not null,
        requested_at {at} not null,
        asked_key text,
        text {bytes} not null,
        state text not null,
        answered_by {id},
        answered_at {at},
        trajectory_id {id},
        reason {bytes},
        version integer not null
    )",
    "create index if not exists guidance_request_by_school on guidance_request (clb_id, school_id, state, requested_at)",
    "create unique index if not exists guidance_request_once on guidance_request (clb_id, requested_by, asked_key)
     where asked_key is not null",
];
