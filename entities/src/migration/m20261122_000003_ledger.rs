//! The ledger of absences, partitioned by school year on PostgreSQL.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let partitioned = manager.get_database_backend() == DatabaseBackend::Postgres;
        let tail = if partitioned {
            "partition by list (school_year)"
        } else {
            "without rowid"
        };
        super::run(manager, &[&format!("{ABSENCE} {tail}")]).await?;
        if partitioned {
            for year in FIRST_YEAR..=LAST_YEAR {
                let partition =
                    format!("create table if not exists absence_{year} partition of absence for values in ({year})");
                super::run(manager, &[&partition]).await?;
            }
            // A year outside the range still has a place: nothing is refused for want of a partition.
            super::run(
                manager,
                &["create table if not exists absence_other partition of absence default"],
            )
            .await?;
        }
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(
            manager,
            &["carried_in", "tally", "absence_count", "absence_revision", "absence"],
        )
        .await
    }
}

const FIRST_YEAR: i16 = 2018;
const LAST_YEAR: i16 = 2035;

const ABSENCE: &str = "create table if not exists absence (
        school_year smallint not null,
        pupil_id {id} not null,
        day {day} not null,
        part smallint not null,
        record_id {id} not null,
        mark smallint not null,
        revision integer not null,
        run_id {id} not null,
        primary key (pupil_id, day, part, record_id, school_year)
    )";

const UP: &[&str] = &[
    "create table if not exists absence_revision (
        record_id {id} not null,
        day {day} not null,
        part smallint not null,
        revision integer not null,
        mark smallint not null,
        run_id {id} not null,
        ended_at {at} not null,
        primary key (record_id, day, part, run_id)
    ) {packed}",
    "create table if not exists absence_count (
        pupil_id {id} not null,
        school_year smallint not null,
        school_id {id} not null,
        mark smallint not null,
        half_days integer not null,
        primary key (pupil_id, school_year, school_id, mark)
    ) {packed}",
    "create table if not exists tally (
        pupil_id {id} not null,
        school_year smallint not null,
        half_days integer not null,
        carried integer not null,
        pending integer not null,
        reached_5 {day},
        reached_30 {day},
        primary key (pupil_id, school_year)
    ) {packed}",
    "create index if not exists tally_by_half_days on tally (school_year, half_days desc, pupil_id) where half_days > 0",
    "create table if not exists carried_in (
        id {id} primary key,
        record_id {id} not null references record,
        pupil_id {id} not null references pupil,
        school_year smallint not null,
        half_days smallint not null,
        begins_on {day} not null,
        former_institution text,
        run_id {id} not null,
        unique (record_id, school_year)
    )",
    "create index if not exists carried_in_by_pupil on carried_in (pupil_id)",
];
