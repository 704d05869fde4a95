//! PostgreSQL 15 and later.

use std::sync::Arc;

use async_trait::async_trait;
use hub_entities::id::{ClbId, PupilId};
use hub_entities::migration::secrecy::{APPEND_ONLY, CLBS};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection};
use sqlx::ConnectOptions as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener};

use super::{Dialect, Held, Listening, Reaches};
use crate::store::connections::Connections;
use crate::store::db::Statements;
use crate::store::reader::Reader;
use crate::store::sql::{execute, list, row, rows, statement};
use crate::store::transaction::{Beginner, Transaction};
use crate::store::{DbError, Options};

/// The key of the advisory lock under which one replica migrates.
const MIGRATION_LOCK: i64 = 0x636c_625f_6875_6201;

/// The schema of the secrecy store.
const APART: &str = "secrecy";

/// The key of the advisory lock under which records are tied by blind index.
const INDEX_LOCK: i64 = 0x636c_625f_6875_6202;

pub(in crate::store) fn connect_options(options: PgConnectOptions, asked: &Options) -> PgConnectOptions {
    let plans = if asked.plans_once { "force_generic_plan" } else { "auto" };
    // The driver would log a slow statement with its text, and ids stand in some.
    let quiet = options.disable_statement_logging();
    quiet.application_name("clb-hub").options([
        ("statement_timeout", asked.statement_timeout.as_millis().to_string()),
        // Who hung up leaves no statement running behind: it is seen well within a second (R58).
        ("client_connection_check_interval", "250ms".to_owned()),
        ("TimeZone", "UTC".to_owned()),
        ("search_path", asked.schema.to_owned()),
        // Tables lie on solid state: without this, a list of fifty pupils reads whole tables to join them.
        ("random_page_cost", "1.1".to_owned()),
        // Planning a reader's statement anew with each list of ids took longer than running it.
        ("plan_cache_mode", plans.to_owned()),
    ])
}

fn connections(options: &Options, statements: &Arc<Statements>) -> Result<Arc<Connections>, DbError> {
    let connect = connect_options(options.url.parse()?, options);
    Ok(Arc::new(Connections::new(connect, options.connections, statements)))
}

#[derive(Debug)]
pub(super) struct Postgres;

#[async_trait]
impl Dialect for Postgres {
    async fn check_durable(&self, pool: &DatabaseConnection) -> Result<(), DbError> {
        for setting in ["fsync", "synchronous_commit"] {
            let asked = statement(DatabaseBackend::Postgres, &format!("show {setting}"), Vec::new());
            let row = pool
                .query_one_raw(asked)
                .await?
                .ok_or(DbError::Unreadable { column: setting })?;
            let value: String = row.try_get_by_index(0)?;
            if value == "off" {
                return Err(DbError::NotDurable { setting, value });
            }
        }
        Ok(())
    }

    fn reader(
        &self,
        _pool: &DatabaseConnection,
        options: &Options,
        statements: &Arc<Statements>,
    ) -> Result<Reader, DbError> {
        Ok(Reader::Own(connections(options, statements)?))
    }

    fn beginner(
        &self,
        _pool: &DatabaseConnection,
        options: &Options,
        statements: &Arc<Statements>,
    ) -> Result<Beginner, DbError> {
        Ok(Beginner::Own(connections(options, statements)?))
    }

    async fn lock_migrations(&self, pool: &DatabaseConnection, _url: &str) -> Result<Box<dyn Held>, DbError> {
        // On one held connection: the lock belongs to the session that took it. Waiting for another
        // replica's migration may take longer than a statement may.
        let mut connection = pool.get_postgres_connection_pool().acquire().await?;
        sqlx::query("set statement_timeout = 0")
            .execute(&mut *connection)
            .await?;
        sqlx::query("select pg_advisory_lock($1)")
            .bind(MIGRATION_LOCK)
            .execute(&mut *connection)
            .await?;
        Ok(Box::new(Lock(connection)))
    }

    async fn let_in(&self, pool: &DatabaseConnection, serving: &Options) -> Result<(), DbError> {
        let serves: PgConnectOptions = serving.url.parse()?;
        let (schema, role) = (serving.schema, quoted(serves.get_username()));
        for grant in [
            format!("grant usage on schema {schema} to {role}"),
            format!("grant select, insert, update, delete on all tables in schema {schema} to {role}"),
            format!("revoke insert, update, delete on {schema}.seaql_migrations from {role}"),
        ] {
            execute(pool, &grant, Vec::new()).await?;
        }
        for (table, columns) in APPEND_ONLY.iter().filter(|_| schema == APART) {
            let rights = [
                format!("revoke update, delete on {schema}.{table} from {role}"),
                format!("grant update ({columns}) on {schema}.{table} to {role}"),
            ];
            for right in rights {
                execute(pool, &right, Vec::new()).await?;
            }
        }
        Ok(())
    }

    async fn make_schema(&self, pool: &DatabaseConnection) -> Result<(), DbError> {
        // Whoever may not make one is not asked to make the one that is there.
        let text = "select current_setting('search_path'), current_schema() is null";
        if let Some(named) = row(pool, text, Vec::new()).await?
            && named.try_get_by_index(1)?
        {
            let schema: String = named.try_get_by_index(0)?;
            execute(pool, &format!("create schema {}", quoted(&schema)), Vec::new()).await?;
        }
        Ok(())
    }

    async fn check_role(&self, pool: &DatabaseConnection, reaches: Reaches) -> Result<(), DbError> {
        let text = format!(
            "select r.rolname::text, r.rolsuper, r.rolbypassrls,
               exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                       where n.nspname in ('public', '{APART}') and pg_has_role(r.oid, c.relowner, 'member'))
               or exists (select 1 from pg_namespace n
                       where n.nspname = '{APART}' and pg_has_role(r.oid, n.nspowner, 'member')),
               coalesce((select has_schema_privilege(r.oid, n.oid, 'usage') from pg_namespace n
                       where n.nspname = '{APART}'), false),
               exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                       where n.nspname = '{APART}' and c.relkind in ('r', 'p') and c.relname <> 'seaql_migrations'
                         and not (c.relrowsecurity and c.relforcerowsecurity))
             from pg_roles r where r.rolname = current_user"
        );
        let found = row(pool, &text, Vec::new()).await?;
        let found = found.ok_or(DbError::Unreadable { column: "pg_roles" })?;
        let is = |column| found.try_get_by_index::<bool>(column);
        let may = if is(1)? {
            "is a superuser, whom no rule holds"
        } else if is(2)? {
            "may bypass row-level security"
        } else if is(3)? {
            "owns tables, or is a member of a role that does"
        } else if reaches == Reaches::BasicData && is(4)? {
            "reaches the schema of the secrecy store"
        } else if reaches == Reaches::Secrets && is(5)? {
            "finds a table there without forced row-level security"
        } else {
            return Ok(());
        };
        let role = found.try_get_by_index(0)?;
        Err(DbError::Role { role, may })
    }

    fn name_clbs(&self, clbs: &[ClbId]) -> Option<String> {
        // Ids of ours, which hold no quote. For this transaction alone: the next one on this connection finds it empty.
        let ids: Vec<String> = clbs.iter().map(|clb| clb.0.to_string()).collect();
        Some(format!("set local {CLBS} = '{}'", ids.join(",")))
    }

    async fn lock_pupils(&self, tx: &Transaction, sorted: &[PupilId]) -> Result<(), DbError> {
        let text = "select id from pupil where id in ? order by id for update";
        rows(tx, text, vec![list(sorted)]).await?;
        Ok(())
    }

    async fn lock_indexes(&self, tx: &Transaction) -> Result<(), DbError> {
        rows(tx, "select pg_advisory_xact_lock(?)", vec![INDEX_LOCK.into()]).await?;
        Ok(())
    }

    fn for_update(&self) -> &'static str {
        "for update"
    }

    fn for_no_key_update(&self) -> &'static str {
        "for no key update"
    }

    fn for_key_share(&self) -> &'static str {
        "for key share"
    }

    fn now(&self) -> &'static str {
        "clock_timestamp()"
    }

    fn now_plus_seconds(&self) -> &'static str {
        "clock_timestamp() + make_interval(secs => ?)"
    }

    fn wake(&self) -> Option<&'static str> {
        Some("select pg_notify('clb_hub_outbox', '')")
    }

    async fn listen(&self, url: &str) -> Result<Option<Box<dyn Listening>>, DbError> {
        // A connection of its own, beside the pool: it is held as long as the process lives.
        let mut listener = PgListener::connect(url).await?;
        listener.listen("clb_hub_outbox").await?;
        Ok(Some(Box::new(Ears(listener))))
    }
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Ears(PgListener);

#[async_trait]
impl Listening for Ears {
    async fn woken(&mut self) -> Result<(), DbError> {
        // What else waits is heard at once: one look finds all of it.
        self.0.try_recv().await?;
        while self.0.next_buffered().is_some() {}
        Ok(())
    }
}

struct Lock(PoolConnection<sqlx::Postgres>);

#[async_trait]
impl Held for Lock {
    async fn release(mut self: Box<Self>) -> Result<(), DbError> {
        sqlx::query("select pg_advisory_unlock($1)")
            .bind(MIGRATION_LOCK)
            .execute(&mut *self.0)
            .await?;
        sqlx::query("reset statement_timeout").execute(&mut *self.0).await?;
        Ok(())
    }
}
