//! Sources, runs, what they put aside, and what could not be taken over.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(
            manager,
            &[
                "lease",
                "conflict",
                "quarantine",
                "gap",
                "staged_half_days",
                "staged_row",
                "sync_run",
                "source",
            ],
        )
        .await
    }
}

const UP: &[&str] = &[
    "create table if not exists source (
        id {id} primary key,
        school_id {id} not null references school,
        name text not null,
        letters text not null,
        letter_overrides {json} not null,
        settings {json} not null,
        watermark {json} not null,
        unique (school_id, name)
    )",
    "create table if not exists sync_run (
        id {id} primary key,
        source_id {id} not null references source,
        kind text not null,
        state text not null,
        content_hash {bytes} not null,
        complete boolean not null,
        cursor text,
        staged bigint not null,
        changed bigint not null,
        unchanged bigint not null,
        quarantined bigint not null,
        ended bigint not null,
        raised bigint not null,
        withdrawn bigint not null,
        dropped {json} not null,
        report {json} not null,
        started_at {at} not null,
        finished_at {at},
        approved_by {id} references principal,
        approved_at {at}
    )",
    // One run of a kind is under way per source: the next waits for it, resumes it or is refused.
    "create unique index if not exists sync_run_under_way on sync_run (source_id, kind)
        where state in ('staging', 'held', 'merging')",
    "create index if not exists sync_run_by_time on sync_run (source_id, started_at)",
    "create table if not exists staged_row (
        run_id {id} not null,
        kind text not null,
        source_key text not null,
        body {json} not null,
        primary key (run_id, kind, source_key)
    ) {packed}",
    "create table if not exists staged_half_days (
        run_id {id} not null,
        pupil_id {id} not null,
        record_id {id} not null,
        sequence integer not null,
        pack {bytes} not null,
        primary key (run_id, pupil_id, record_id, sequence)
    ) {packed}",
    "create table if not exists gap (
        id {id} primary key,
        source_id {id} not null references source,
        rule text not null,
        detail text not null,
        occurrences bigint not null,
        run_id {id} not null,
        first_seen_at {at} not null,
        last_seen_at {at} not null,
        unique (source_id, rule, detail)
    )",
    "create table if not exists quarantine (
        id {id} primary key,
        source_id {id} not null references source,
        school_id {id} not null references school,
        kind text not null,
        source_key text not null,
        rows integer not null,
        body {bytes} not null,
        run_id {id} not null,
        since {at} not null,
        resolved_at {at}
    )",
    "create unique index if not exists quarantine_waiting on quarantine (source_id, kind, source_key)
        where resolved_at is null",
    "create table if not exists conflict (
        pupil_id {id} not null references pupil,
        day {day} not null,
        part smallint not null,
        since {at} not null,
        resolved_at {at},
        primary key (pupil_id, day, part)
    )",
    "create table if not exists lease (
        name text primary key,
        holder text not null,
        epoch bigint not null,
        expires_at {at} not null
    )",
];
