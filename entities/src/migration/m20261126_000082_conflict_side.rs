//! The schools that contradict each other about a half-day: what each of them is told by, as long as they do.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["conflict_side"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists conflict_side (
        id {id} primary key,
        pupil_id {id} not null references pupil,
        day {day} not null,
        part smallint not null,
        school_id {id} not null references school,
        since {at} not null,
        unique (pupil_id, day, part, school_id)
    )",
    "create index if not exists conflict_side_by_school on conflict_side (school_id, since)",
];
