//! What schools let vendors' software do for them. Whether a client may act at all rests on it, so it moves the number
//! of sign-ins as principals and agreements do.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "create table if not exists client_grant (
                    id {id} primary key,
                    school_id {id} not null references school,
                    client_id {id} not null references principal,
                    source_id {id} not null references source,
                    tasks integer not null,
                    begins_at {at} not null,
                    ends_at {at},
                    issued_by {id} references principal,
                    issued_at {at} not null,
                    revoked_by {id} references principal,
                    revoked_at {at}
                )",
                "create index if not exists client_grant_by_client on client_grant (client_id)",
            ],
        )
        .await?;
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            return super::run(
                manager,
                &[
                    "drop trigger if exists authority_of_client_grant on client_grant",
                    "create constraint trigger authority_of_client_grant after insert or update or delete on client_grant
                     deferrable initially deferred for each row execute function authority_moves()",
                ],
            )
            .await;
        }
        for change in ["insert", "update", "delete"] {
            let trigger = format!(
                "create trigger if not exists authority_of_client_grant_{change} after {change} on client_grant
                 begin update authority set version = version + 1; end"
            );
            super::run(manager, &[&trigger]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Its triggers go with it.
        super::drop_tables(manager, &["client_grant"]).await
    }
}
