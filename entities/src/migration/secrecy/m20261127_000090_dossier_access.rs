//! What persons ask of their own dossier, and what workers open of it to them after the talk.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["dossier_access", "dossier_request"];

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
    "create table if not exists dossier_request (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        requested_by {id} not null,
        asked_as text not null,
        requested_at {at} not null,
        answer_by {day},
        decision_id {id} not null,
        reason {bytes} not null,
        state text not null,
        answered_by {id},
        answered_at {at},
        answer {bytes},
        version integer not null
    )",
    // Of one person one waits at a time: asked again, it is the same.
    "create unique index if not exists dossier_request_waits on dossier_request (clb_id, requested_by, pupil_id)
     where state = 'waiting'",
    "create index if not exists dossier_request_by_state on dossier_request (clb_id, state, requested_at)",
    "create table if not exists dossier_access (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        request_id {id} not null references dossier_request,
        principal_id {id} not null,
        class text not null,
        trajectory_id {id} not null references trajectory,
        through_doctor boolean not null,
        in_interest boolean not null,
        pupil_objects boolean not null,
        talk_on {day} not null,
        begins_on {day} not null,
        ends_on {day} not null,
        opened_by {id} not null,
        opened_at {at} not null,
        changed_by {id},
        changed_at {at},
        version integer not null
    )",
    "create index if not exists dossier_access_by_person on dossier_access (clb_id, principal_id, pupil_id)",
    "create index if not exists dossier_access_by_request on dossier_access (clb_id, request_id)",
];
