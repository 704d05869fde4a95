//! The way from a CLB to its highest counts: a list sorted by count need not walk the counts of all CLBs.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["clb_tally"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists clb_tally (
        pupil_id {id} not null,
        clb_id {id} not null,
        school_year smallint not null,
        half_days integer not null,
        primary key (pupil_id, clb_id, school_year)
    ) {packed}",
    "create index if not exists clb_tally_by_half_days on clb_tally (clb_id, school_year, half_days desc, pupil_id)",
    // What was counted before this step.
    "insert into clb_tally (pupil_id, clb_id, school_year, half_days)
     select distinct t.pupil_id, c.clb_id, t.school_year, t.half_days
     from tally t join competence c on c.pupil_id = t.pupil_id where t.half_days > 0
     on conflict (pupil_id, clb_id, school_year) do nothing",
];
