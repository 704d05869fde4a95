//! What was released to schools: what was told, sealed with the dossier; and the copies on their way to the main store, each
//! sealed with a key of its own.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["release_intent", "school_release"];

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
    "create table if not exists school_release (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        school_id {id} not null,
        health boolean not null,
        title {bytes} not null,
        advice {bytes} not null,
        purpose {bytes} not null,
        author {id} not null,
        released_at {at} not null,
        ends_on {day} not null,
        over_for text,
        over_by {id},
        over_at {at},
        version integer not null
    )",
    "create index if not exists school_release_by_pupil on school_release (clb_id, pupil_id, trajectory_id)",
    // Shown once and taken back once: in whichever order the main store follows, it ends the same.
    "create table if not exists release_intent (
        release_id {id} not null,
        kind text not null,
        clb_id {id} not null,
        pupil_id {id},
        school_id {id},
        ends_on {day},
        text_key {id},
        kek_version integer,
        wrapped {bytes},
        sealed {bytes},
        at {at} not null,
        tried_at {at},
        applied_at {at},
        primary key (release_id, kind)
    )",
    "create index if not exists release_intent_waiting on release_intent (clb_id, at) where applied_at is null",
];
