//! What came of each record that software brought, by the sender's own key: the latest word on it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "create table if not exists delivery (
                    source_id {id} not null references source,
                    kind text not null,
                    record_key {sorted} not null,
                    pupil_key text not null,
                    outcome text not null,
                    why text not null,
                    dropped integer not null,
                    run_id {id} not null,
                    received_at {at} not null,
                    primary key (source_id, kind, record_key)
                ) {packed}",
                // What waits is found again by what it waits for.
                "create index if not exists delivery_held on delivery (run_id) where outcome = 'held'",
                "create index if not exists delivery_quarantined on delivery (source_id, pupil_key)
                 where outcome = 'quarantined'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["delivery"]).await
    }
}
