//! Pupils, the records of their schools, enrolments, classes, and the CLBs competent for them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(
            manager,
            &[
                "competence",
                "membership",
                "class_group",
                "enrolment",
                "record",
                "pupil",
            ],
        )
        .await
    }
}

const UP: &[&str] = &[
    "create table if not exists pupil (
        id {id} primary key,
        merged_into {id} references pupil,
        created_at {at} not null
    )",
    "create table if not exists record (
        id {id} primary key,
        pupil_id {id} not null references pupil,
        school_id {id} not null references school,
        source_key text not null,
        identifier text,
        stamnummer text,
        given_name text,
        family_name text,
        sex text,
        sort_name {sorted},
        birth_date {day},
        street text,
        postal_code text,
        city text,
        contacts {json},
        language text,
        national_index {bytes},
        content_hash {bytes} not null,
        revision integer not null,
        run_id {id} not null,
        changed_at {at} not null,
        unique (school_id, source_key)
    )",
    "create index if not exists record_by_pupil on record (pupil_id)",
    "create index if not exists record_by_name on record (school_id, sort_name, pupil_id)",
    "create index if not exists record_by_national_index on record (national_index) where national_index is not null",
    "create table if not exists enrolment (
        id {id} primary key,
        record_id {id} not null references record,
        pupil_id {id} not null references pupil,
        school_id {id} not null references school,
        begins_on {day} not null,
        ends_on {day},
        run_id {id} not null,
        unique (record_id, begins_on)
    )",
    "create index if not exists enrolment_by_pupil on enrolment (pupil_id)",
    "create index if not exists enrolment_by_school on enrolment (school_id, pupil_id)",
    "create table if not exists class_group (
        id {id} primary key,
        school_id {id} not null references school,
        school_year smallint not null,
        source_key text not null,
        name text not null,
        grade text,
        unique (school_id, school_year, source_key)
    )",
    "create table if not exists membership (
        id {id} primary key,
        class_id {id} not null references class_group,
        record_id {id} not null references record,
        pupil_id {id} not null references pupil,
        school_id {id} not null references school,
        source_key text not null,
        begins_on {day},
        ends_on {day},
        unique (class_id, record_id)
    )",
    "create index if not exists membership_by_class on membership (class_id, pupil_id)",
    "create index if not exists membership_by_pupil on membership (pupil_id)",
    "create index if not exists membership_by_record on membership (record_id)",
    "create table if not exists competence (
        id {id} primary key,
        pupil_id {id} not null references pupil,
        clb_id {id} not null references clb,
        ground text not null,
        begins_on {day} not null,
        ends_on {day}
    )",
    "create index if not exists competence_by_pupil on competence (pupil_id, clb_id)",
    "create index if not exists competence_by_clb on competence (clb_id, pupil_id)",
];
