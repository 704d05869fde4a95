//! Schools, CLBs, what they agreed, and who may sign in.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["agreement", "principal", "clb", "school"]).await
    }
}

const UP: &[&str] = &[
    "create table if not exists school (
        id {id} primary key,
        institution_number text not null unique,
        name text not null,
        city text not null,
        days_off {json} not null
    )",
    "create table if not exists clb (
        id {id} primary key,
        institution_number text not null unique,
        name text not null
    )",
    "create table if not exists principal (
        id {id} primary key,
        issuer text not null,
        subject text not null,
        role text not null,
        school_id {id} references school,
        clb_id {id} references clb,
        pupil_id {id},
        discipline text,
        begins_at {at} not null,
        ends_at {at},
        unique (issuer, subject)
    )",
    "create table if not exists agreement (
        id {id} primary key,
        school_id {id} not null references school,
        clb_id {id} not null references clb,
        state text not null,
        categories integer not null,
        ground text,
        begins_on {day} not null,
        ends_on {day},
        school_first_days smallint not null,
        proposed_by {id} references principal,
        proposed_for text not null,
        proposed_at {at} not null,
        decided_by {id} references principal,
        decided_at {at},
        ended_by {id} references principal,
        ended_at {at},
        version integer not null
    )",
    "create index if not exists agreement_by_school on agreement (school_id)",
    "create index if not exists agreement_by_clb on agreement (clb_id)",
];
