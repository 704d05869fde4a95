//! Intents: what the secrecy store has yet to follow, written in the transaction of what causes it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["intent"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists intent (
        id {id} primary key,
        queue {id} not null,
        seq integer not null,
        kind text not null,
        clb_id {id} not null references clb,
        pupil_id {id} references pupil,
        signal_id {id} references signal,
        principal_id {id} references principal,
        role text,
        request_id {id} not null,
        at {at} not null,
        tried_at {at},
        applied_at {at},
        unique (queue, seq)
    )",
    "create index if not exists intent_waiting on intent (queue, seq) where applied_at is null",
    // A signal begins and lapses once for each CLB that took it up.
    "create unique index if not exists intent_of_signal on intent (signal_id, clb_id, kind) where signal_id is not null",
];
