//! Consents and refusals of which no version is lost, and what teams decided of who is able to judge.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["consent_said", "consent", "capability"];

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
    "create table if not exists consent (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        version integer not null
    )",
    "create index if not exists consent_by_pupil on consent (clb_id, pupil_id, trajectory_id)",
    // Every version in which an answer ever stood: the one that counts has the version of the consent.
    "create table if not exists consent_said (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        consent_id {id} not null references consent,
        version integer not null,
        consents_to text not null,
        given_by text not null,
        form text not null,
        reply text not null,
        given_on {day} not null,
        ends_on {day},
        revoked_on {day},
        author {id} not null,
        written_at {at} not null,
        note {bytes},
        unique (consent_id, version)
    )",
    "create table if not exists capability (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        judged text not null,
        judged_on {day} not null,
        author {id} not null,
        written_at {at} not null,
        reason {bytes} not null
    )",
    "create index if not exists capability_by_pupil on capability (clb_id, pupil_id)",
];
