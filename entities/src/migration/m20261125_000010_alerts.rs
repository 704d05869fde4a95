//! Events that are told to one school or CLB alone, and who has been told of which signal.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_column(manager, "outbox", "party", "{id}").await?;
        super::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::drop_tables(manager, &["signal_audience"]).await?;
        // Older code would tell everyone what was meant for one.
        super::run(
            manager,
            &["delete from outbox where kind in ('signal.now_yours', 'signal.no_longer_yours')"],
        )
        .await?;
        super::drop_column(manager, "outbox", "party").await
    }
}

/// Signals of before: those are their readers who have them today. The obligatory one is everyone's who is related;
/// another is taken to be so as well, for a signal that is no longer yours is told by its id alone.
const UP: &[&str] = &[
    "create table if not exists signal_audience (
        signal_id {id} not null references signal,
        party {id} not null,
        primary key (signal_id, party)
    ) {packed}",
    "insert into signal_audience (signal_id, party)
     select s.id, e.school_id from signal s join enrolment e on e.pupil_id = s.pupil_id
     where e.begins_on <= current_date and (e.ends_on is null or e.ends_on > current_date)
     union
     select s.id, c.clb_id from signal s join competence c on c.pupil_id = s.pupil_id
     where c.begins_on <= current_date and (c.ends_on is null or c.ends_on > current_date)
     on conflict do nothing",
];
