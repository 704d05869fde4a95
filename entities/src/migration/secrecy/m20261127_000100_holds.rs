//! Legal holds on dossiers: why each was put and lifted, sealed with the dossier.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::guard(manager, "legal_hold").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["legal_hold"]).await
    }
}

const UP: &[&str] = &[
    // One that is lifted stays, with who lifted it and why: it goes with the dossier alone.
    "create table if not exists legal_hold (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        ground text not null,
        reason {bytes} not null,
        put_by {id} not null,
        put_at {at} not null,
        lifted_by {id},
        lifted_at {at},
        lifted_why {bytes},
        version integer not null
    )",
    "create index if not exists legal_hold_by_pupil on legal_hold (clb_id, pupil_id)",
    "create index if not exists legal_hold_by_time on legal_hold (clb_id, put_at, id)",
];
