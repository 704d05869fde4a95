//! What CLBs released to schools, each copy sealed with a key of its own; who looked at it; and whether both parties of an
//! agreement want software to read it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, UP).await?;
        super::add_column(manager, "access_line", "shared", "{json}").await?;
        super::add_column(
            manager,
            "agreement",
            "releases_to_software",
            "boolean not null default false",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_column(manager, "agreement", "releases_to_software").await?;
        super::drop_column(manager, "access_line", "shared").await?;
        super::drop_tables(manager, &["released"]).await
    }
}

const UP: &[&str] = &[
    // A copy that was taken back leaves its id behind, and nothing else: one that comes late does not come back.
    "create table if not exists released (
        id {id} primary key,
        clb_id {id} not null references clb,
        pupil_id {id} references pupil,
        school_id {id} references school,
        released_at {at},
        ends_on {day},
        text_key {id},
        kek_version integer,
        wrapped {bytes},
        sealed {bytes},
        gone_at {at}
    )",
    "create index if not exists released_by_school on released (school_id, released_at, id) where gone_at is null",
    "create index if not exists released_standing on released (ends_on) where gone_at is null",
];
