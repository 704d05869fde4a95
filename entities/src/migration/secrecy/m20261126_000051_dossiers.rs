//! Dossiers: trajectories with their teams, sealed entries of which no version is lost, and the access log of all of it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["access_line", "entry_text", "entry", "team_member", "trajectory"];

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
    "create table if not exists trajectory (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        domain text not null,
        phase text not null,
        state text not null,
        asked_by text not null,
        obligation text,
        opened_by {id} not null,
        opened_at {at} not null,
        closed_at {at},
        version integer not null
    )",
    "create index if not exists trajectory_by_pupil on trajectory (clb_id, pupil_id)",
    "create table if not exists team_member (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        principal_id {id} not null,
        begins_on {day} not null,
        ends_on {day},
        assigned_by {id} not null
    )",
    "create index if not exists team_member_by_worker on team_member (clb_id, principal_id, pupil_id)",
    "create index if not exists team_member_by_trajectory on team_member (trajectory_id)",
    "create table if not exists entry (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        medical boolean not null,
        about text not null,
        closed integer not null,
        version integer not null
    )",
    "create index if not exists entry_by_pupil on entry (clb_id, pupil_id, trajectory_id)",
    // Every version in which an entry ever stood: the one that counts has the version of the entry.
    "create table if not exists entry_text (
        id {id} primary key,
        clb_id {id} not null,
        entry_id {id} not null references entry,
        version integer not null,
        author {id} not null,
        written_at {at} not null,
        text {bytes} not null,
        unique (entry_id, version)
    )",
    "create table if not exists access_line (
        id {id} primary key,
        clb_id {id} not null,
        at {at} not null,
        principal_id {id} not null,
        role text not null,
        purpose text,
        assured boolean not null,
        pupil_id {id} not null,
        action text not null,
        granted text not null,
        withheld text not null,
        request_id {id} not null
    )",
    "create index if not exists access_line_by_pupil on access_line (clb_id, pupil_id, at)",
];
