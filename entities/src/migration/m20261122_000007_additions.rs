//! How the files of a source are read; the run that brought a mark that was corrected; the kind of key a waiting row
//! has; an index of the half-days that weigh something.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, of_type) in COLUMNS {
            super::add_column(manager, table, column, of_type).await?;
        }
        super::run(
            manager,
            &[
                "drop index if exists quarantine_waiting",
                "create unique index if not exists quarantine_waiting_for
                 on quarantine (source_id, kind, key_kind, source_key) where resolved_at is null",
                // Of all half-days one in twenty is B, unresolved or unknown: what a count is made of.
                "create index if not exists absence_that_weighs
                 on absence (school_year, pupil_id, day, part, record_id, mark, revision) where mark in (2, 20, 22)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "drop index if exists absence_that_weighs",
                "drop index if exists quarantine_waiting_for",
                "create unique index if not exists quarantine_waiting
                 on quarantine (source_id, kind, source_key) where resolved_at is null",
            ],
        )
        .await?;
        for (table, column, _) in COLUMNS {
            super::drop_column(manager, table, column).await?;
        }
        Ok(())
    }
}

/// What rows of before do not know is null; their files were read by the usual settings.
const COLUMNS: [(&str, &str, &str); 3] = [
    ("absence_revision", "brought_by", "{id}"),
    ("quarantine", "key_kind", "text"),
    ("source", "settings", "{json} not null default '{}'"),
];
