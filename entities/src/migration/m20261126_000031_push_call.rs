//! The calls of software that brings in by itself: each under the name that the sender gave it, with its answer.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "create table if not exists push_call (
                    source_id {id} not null references source,
                    idempotency_key text not null,
                    content_hash {bytes} not null,
                    run_id {id} not null,
                    run_state text not null,
                    client_id {id} references principal,
                    received_at {at} not null,
                    reference_date {day},
                    answer {json} not null,
                    primary key (source_id, idempotency_key)
                )",
                "create index if not exists push_call_by_run on push_call (run_id)",
                // A roster of an earlier day than the latest is no news.
                "create index if not exists push_call_by_reference on push_call (source_id, reference_date)
                 where reference_date is not null",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["push_call"]).await
    }
}
