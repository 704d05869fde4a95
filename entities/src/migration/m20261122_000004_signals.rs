//! Signals, their tracks, and the outbox with its sequence.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["sequence", "outbox", "signal_track", "signal"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists signal (
        id {id} primary key,
        kind text not null,
        subject text not null,
        pupil_id {id} references pupil,
        school_year smallint not null,
        key text not null,
        generation integer not null,
        state text not null,
        half_days integer not null,
        reached_on {day},
        raised_at {at} not null,
        withdrawn_at {at},
        backfill boolean not null,
        version integer not null,
        unique (key, generation)
    )",
    // Never two standing signals of one key, whatever the code above believes.
    "create unique index if not exists signal_standing on signal (key) where state = 'raised'",
    "create index if not exists signal_by_pupil on signal (pupil_id)",
    "create index if not exists signal_by_time on signal (raised_at, id)",
    "create table if not exists signal_track (
        signal_id {id} not null references signal,
        track text not null,
        party {id} not null,
        principal_id {id} not null references principal,
        at {at} not null,
        primary key (signal_id, track, party)
    )",
    "create table if not exists outbox (
        id {id} primary key,
        position bigint unique,
        kind text not null,
        signal_id {id} not null references signal,
        signal_kind text not null,
        pupil_id {id},
        school_year smallint not null,
        half_days integer not null,
        version integer not null,
        occurred_at {at} not null
    )",
    "create index if not exists outbox_waiting on outbox (id) where position is null",
    "create table if not exists sequence (
        name text primary key,
        epoch {id} not null,
        position bigint not null
    )",
];
