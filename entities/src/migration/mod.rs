//! The schema, one concern per file, expand before contract: old code must run against the new schema.
//!
//! Statements are written once for both databases; the words in braces stand for the types that
//! differ. Everything is `if not exists`, so a step cut off half-way can be repeated.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

mod m20261122_000001_parties;
mod m20261122_000002_pupils;
mod m20261122_000003_ledger;
mod m20261122_000004_signals;
mod m20261122_000005_sources;
mod m20261122_000006_access;
mod m20261122_000007_additions;
mod m20261125_000010_alerts;
mod m20261125_000011_report;
mod m20261125_000013_clb_tally;
mod m20261125_000014_authority;
mod m20261126_000020_school_first;
mod m20261126_000021_early_warnings;
mod m20261126_000030_client_grant;
mod m20261126_000031_push_call;
mod m20261126_000032_delivery;
mod m20261126_000040_pulls;
mod m20261126_000041_turns;
mod m20261126_000060_guidance;
mod m20261126_000070_join;
mod m20261126_000071_merge;
mod m20261126_000080_intents;
mod m20261126_000081_guidance_asked;
mod m20261126_000082_conflict_side;
mod m20261126_000083_released;
pub mod secrecy;

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_parties::Migration),
            Box::new(m20261122_000002_pupils::Migration),
            Box::new(m20261122_000003_ledger::Migration),
            Box::new(m20261122_000004_signals::Migration),
            Box::new(m20261122_000005_sources::Migration),
            Box::new(m20261122_000006_access::Migration),
            Box::new(m20261122_000007_additions::Migration),
            Box::new(m20261125_000013_clb_tally::Migration),
            Box::new(m20261125_000014_authority::Migration),
            Box::new(m20261125_000011_report::Migration),
            Box::new(m20261125_000010_alerts::Migration),
            Box::new(m20261126_000020_school_first::Migration),
            Box::new(m20261126_000030_client_grant::Migration),
            Box::new(m20261126_000031_push_call::Migration),
            Box::new(m20261126_000032_delivery::Migration),
            Box::new(m20261126_000040_pulls::Migration),
            Box::new(m20261126_000041_turns::Migration),
            Box::new(m20261126_000021_early_warnings::Migration),
            Box::new(m20261126_000060_guidance::Migration),
            Box::new(m20261126_000070_join::Migration),
            Box::new(m20261126_000071_merge::Migration),
            Box::new(m20261126_000080_intents::Migration),
            Box::new(m20261126_000081_guidance_asked::Migration),
            Box::new(m20261126_000082_conflict_side::Migration),
            Box::new(m20261126_000083_released::Migration),
        ]
    }
}

/// Replaces the words in braces by the types of this database.
fn typed(backend: DatabaseBackend, statement: &str) -> String {
    let types = match backend {
        DatabaseBackend::Postgres => [
            ("{id}", "uuid"),
            ("{at}", "timestamptz"),
            ("{day}", "date"),
            ("{json}", "jsonb"),
            ("{bytes}", "bytea"),
            // Names sort the same on every machine and in SQLite: by bytes of the folded name.
            ("{sorted}", "text collate \"C\""),
            ("{packed}", ""),
        ],
        _ => [
            ("{id}", "blob"),
            ("{at}", "text"),
            ("{day}", "text"),
            ("{json}", "text"),
            ("{bytes}", "blob"),
            ("{sorted}", "text"),
            // The primary key is the table: rows of one pupil lie together.
            ("{packed}", "without rowid"),
        ],
    };
    types.iter().fold(statement.to_owned(), |text, (word, of_type)| {
        text.replace(word, of_type)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "migrations are one of the two places that speak SQL"
)]
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    for statement in statements {
        connection
            .execute_unprepared(&typed(manager.get_database_backend(), statement))
            .await?;
    }
    Ok(())
}

/// Adds a column, unless a step that was cut off has added it already.
async fn add_column(manager: &SchemaManager<'_>, table: &str, column: &str, of_type: &str) -> Result<(), DbErr> {
    if manager.has_column(table, column).await? {
        return Ok(());
    }
    run(
        manager,
        &[&format!("alter table {table} add column {column} {of_type}")],
    )
    .await
}

/// Takes a column away, unless it is gone already.
async fn drop_column(manager: &SchemaManager<'_>, table: &str, column: &str) -> Result<(), DbErr> {
    if !manager.has_column(table, column).await? {
        return Ok(());
    }
    run(manager, &[&format!("alter table {table} drop column {column}")]).await
}

/// Drops tables, the dependent ones first.
async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        run(manager, &[&format!("drop table if exists {table}")]).await?;
    }
    Ok(())
}
