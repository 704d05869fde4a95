//! What persons ask of entries that were opened to them, and what came of it: own words, and what was left out.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Whose own words they are, and to which entry they were added; and since when an entry is left out, text and all.
        super::add_column(manager, "entry", "own_words", "text").await?;
        super::add_column(manager, "entry", "adds_to", "{id}").await?;
        super::add_column(manager, "entry", "left_out_at", "{at}").await?;
        super::run(manager, UP).await?;
        super::guard(manager, "correction_request").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["correction_request"]).await?;
        for column in ["left_out_at", "adds_to", "own_words"] {
            super::drop_column(manager, "entry", column).await?;
        }
        Ok(())
    }
}

const UP: &[&str] = &[
    "create table if not exists correction_request (
        id {id} primary key,
        clb_id {id} not null,
        pupil_id {id} not null,
        entry_id {id} not null references entry,
        entry_version integer not null,
        trajectory_id {id} not null references trajectory,
        class text not null,
        requested_by {id} not null,
        asked_as text not null,
        requested_at {at} not null,
        answer_by {day},
        kind text not null,
        text {bytes} not null,
        state text not null,
        answered_by {id},
        answered_at {at},
        answer {bytes},
        version integer not null
    )",
    // Of one person one of a kind waits for an entry at a time: none is written over by the next.
    "create unique index if not exists correction_request_waits on correction_request (clb_id, requested_by, entry_id, kind)
     where state = 'waiting'",
    "create index if not exists correction_request_by_state on correction_request (clb_id, state, requested_at)",
    "create index if not exists correction_request_by_person on correction_request (clb_id, requested_by, pupil_id)",
];
