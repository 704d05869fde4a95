//! What a read of a dossier costs: the team of a trajectory is found by its pupil, as all that hangs on one is, and a line
//! of the access log that is not linked yet is in no index of those that are.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "create index if not exists team_member_by_pupil on team_member (clb_id, pupil_id, trajectory_id)",
    "create unique index if not exists access_line_linked on access_line (clb_id, seq) where seq is not null",
    "drop index if exists access_line_in_chain",
];

const DOWN: &[&str] = &[
    "create unique index if not exists access_line_in_chain on access_line (clb_id, seq)",
    "drop index if exists access_line_linked",
    "drop index if exists team_member_by_pupil",
];
