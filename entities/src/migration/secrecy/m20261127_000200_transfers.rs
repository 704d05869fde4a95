//! Transfers of dossiers to other CLBs: at the CLB from which one goes, and, once it is there, at the one to which it went.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // From which CLB guidance came.
        super::add_column(manager, "trajectory", "from_clb_id", "{id}").await?;
        super::run(manager, UP).await?;
        super::guard(manager, "transfer").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["transfer"]).await?;
        super::drop_column(manager, "trajectory", "from_clb_id").await
    }
}

const UP: &[&str] = &[
    "create table if not exists transfer (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        other_clb_id {id} not null,
        arrives boolean not null,
        custody text not null,
        enrolled_on {day} not null,
        announced_at {at} not null,
        objection_until {day} not null,
        goes_on {day} not null,
        waits text,
        objected_by text,
        objected_on {day},
        recorded_by {id},
        objection {bytes},
        over_at {at},
        version integer not null
    )",
    // A dossier goes to one CLB at a time.
    "create unique index if not exists transfer_announced on transfer (clb_id, pupil_id) where custody = 'announced'",
    "create index if not exists transfer_by_pupil on transfer (clb_id, pupil_id, announced_at)",
];
