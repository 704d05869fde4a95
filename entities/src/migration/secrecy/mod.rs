//! The schema of the secrecy store, with steps of its own: on PostgreSQL a schema `secrecy`, on SQLite a second file.
//!
//! Every table names the CLB whose dossiers it holds a part of. On PostgreSQL a row is there only for whom has named
//! that CLB in the transaction, the owner of the tables included: a second line behind statements that each name it too.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

use super::{add_column, drop_column, drop_tables, run};

mod m20261126_000050_keys;
mod m20261126_000051_dossiers;
mod m20261126_000052_chain;
mod m20261126_000060_consents;
mod m20261126_000061_obligations;
mod m20261126_000062_guidance_requests;
mod m20261126_000063_referrals;
mod m20261126_000064_access;
mod m20261126_000065_log_by_time;
mod m20261126_000066_emergency;
mod m20261126_000067_releases;
mod m20261126_000080_facts;
mod m20261127_000090_dossier_access;
mod m20261127_000092_corrections;
mod m20261127_000100_holds;
mod m20261127_000200_transfers;
mod m20261127_000300_parents_log;
mod m20261127_000400_cheaper_reads;
mod m20261128_000500_waiting_lines;
mod m20261128_000510_lines_checked_once;

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261126_000050_keys::Migration),
            Box::new(m20261126_000051_dossiers::Migration),
            Box::new(m20261126_000052_chain::Migration),
            Box::new(m20261126_000060_consents::Migration),
            Box::new(m20261126_000061_obligations::Migration),
            Box::new(m20261126_000062_guidance_requests::Migration),
            Box::new(m20261126_000063_referrals::Migration),
            Box::new(m20261126_000064_access::Migration),
            Box::new(m20261126_000065_log_by_time::Migration),
            Box::new(m20261126_000066_emergency::Migration),
            Box::new(m20261126_000067_releases::Migration),
            Box::new(m20261126_000080_facts::Migration),
            Box::new(m20261127_000090_dossier_access::Migration),
            Box::new(m20261127_000092_corrections::Migration),
            Box::new(m20261127_000100_holds::Migration),
            Box::new(m20261127_000200_transfers::Migration),
            Box::new(m20261127_000300_parents_log::Migration),
            Box::new(m20261127_000400_cheaper_reads::Migration),
            Box::new(m20261128_000500_waiting_lines::Migration),
            Box::new(m20261128_000510_lines_checked_once::Migration),
        ]
    }
}

/// The setting of a transaction that names the CLBs whose rows it may touch, their ids with commas between.
pub const CLBS: &str = "clb_hub.clbs";

/// Tables whose rows are only ever added, each with the columns that may be filled in later: no role that serves may
/// change or remove a row of theirs.
pub const APPEND_ONLY: &[(&str, &str)] = &[("access_line", "seq, hash")];

/// Puts a table under row-level security, its owner included.
///
/// The policy compares with an array: one with a function of our own costs a hundred times as much (measured,
/// security.md §3.3). Without the setting, or when it is empty as after a transaction, no row is there.
async fn guard(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(());
    }
    let named = format!("clb_id = any (string_to_array(current_setting('{CLBS}', true), ',')::uuid[])");
    run(
        manager,
        &[
            &format!("alter table {table} enable row level security"),
            &format!("alter table {table} force row level security"),
            &format!("drop policy if exists of_clb on {table}"),
            &format!("create policy of_clb on {table} using ({named}) with check ({named})"),
        ],
    )
    .await
}
