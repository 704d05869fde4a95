//! A number that moves with every change of who may act and of what was agreed: who has it need not read those rows again.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// What the facts of a sign-in are read from.
const TABLES: &[&str] = &["principal", "agreement"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "create table if not exists authority (name text primary key, version bigint not null)",
                "insert into authority (name, version) values ('sign_in', 1) on conflict (name) do nothing",
            ],
        )
        .await?;
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            super::run(manager, &[MOVES]).await?;
            for table in TABLES {
                // At the end of a transaction, so that nobody waits for the number while holding anything else.
                let trigger = format!(
                    "create constraint trigger authority_of_{table} after insert or update or delete on {table}
                     deferrable initially deferred for each row execute function authority_moves()"
                );
                let gone = format!("drop trigger if exists authority_of_{table} on {table}");
                super::run(manager, &[&gone, &trigger]).await?;
            }
        } else {
            for table in TABLES {
                for change in ["insert", "update", "delete"] {
                    let trigger = format!(
                        "create trigger if not exists authority_of_{table}_{change} after {change} on {table}
                         begin update authority set version = version + 1; end"
                    );
                    super::run(manager, &[&trigger]).await?;
                }
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            if manager.get_database_backend() == DatabaseBackend::Postgres {
                super::run(
                    manager,
                    &[&format!("drop trigger if exists authority_of_{table} on {table}")],
                )
                .await?;
            } else {
                for change in ["insert", "update", "delete"] {
                    super::run(
                        manager,
                        &[&format!("drop trigger if exists authority_of_{table}_{change}")],
                    )
                    .await?;
                }
            }
        }
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            super::run(manager, &["drop function if exists authority_moves()"]).await?;
        }
        super::drop_tables(manager, &["authority"]).await
    }
}

const MOVES: &str = "create or replace function authority_moves() returns trigger language plpgsql as $$
     begin update authority set version = version + 1; return null; end $$";
