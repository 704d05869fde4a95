//! Referrals to partners outside, of which no version is lost.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &["referral_said", "referral"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        for table in TABLES {
            super::guard(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, TABLES).await
    }
}

const UP: &[&str] = &[
    "create table if not exists referral (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        trajectory_id {id} not null references trajectory,
        version integer not null
    )",
    "create index if not exists referral_by_pupil on referral (clb_id, pupil_id, trajectory_id)",
    // Every version in which a referral ever stood: the one that counts has the version of the referral.
    "create table if not exists referral_said (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        referral_id {id} not null references referral,
        version integer not null,
        sector text not null,
        state text not null,
        partner {bytes} not null,
        reason {bytes} not null,
        outcome {bytes},
        author {id} not null,
        written_at {at} not null,
        unique (referral_id, version)
    )",
];
