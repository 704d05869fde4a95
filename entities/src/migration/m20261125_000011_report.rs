//! The legal minimum of an obligatory report, where no agreement lists it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["report_place", "report_class", "report_name"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists report_name (
        record_id {id} primary key references record,
        given_name text,
        family_name text,
        birth_date {day}
    )",
    "create table if not exists report_class (
        school_id {id} not null references school,
        source_key text not null,
        school_year smallint not null,
        name text not null,
        primary key (school_id, source_key)
    )",
    "create table if not exists report_place (
        school_id {id} not null references school,
        source_key text not null,
        class_key text not null,
        pupil_key text not null,
        begins_on {day},
        ends_on {day},
        primary key (school_id, source_key)
    )",
    "create index if not exists report_place_by_pupil on report_place (school_id, pupil_key)",
];
