//! The schema as the database tells it: never as our models or migrations say it is.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use super::database::{Backend, TestDatabase};

/// The columns of every table of ours, by table. Partitions are their parent; the bookkeeping of
/// the migrations is not ours.
pub(crate) async fn columns(database: &TestDatabase) -> BTreeMap<String, BTreeSet<String>> {
    let pairs =
        match database.backend {
            Backend::Sqlite => {
                let statement = "select t.name || ' ' || c.name from sqlite_master t, pragma_table_info(t.name) c
                 where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'";
                let mut pairs = lines_of_sqlite(&database.url, statement).await;
                if std::path::Path::new(database.apart.trim_start_matches("sqlite://")).exists() {
                    let apart = lines_of_sqlite(&database.apart, statement).await;
                    pairs.extend(apart.into_iter().map(|pair| format!("secrecy.{pair}")));
                }
                pairs
            }
            Backend::Postgres => lines_of_postgres(
                database,
                "select case n.nspname when 'public' then '' else n.nspname || '.' end || t.relname || ' ' || c.attname
                 from pg_attribute c join pg_class t on t.oid = c.attrelid join pg_namespace n on n.oid = t.relnamespace
                 where c.attnum > 0 and not c.attisdropped and t.relkind in ('r', 'p') and not t.relispartition
                   and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'",
            )
            .await,
        };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pair in pairs {
        let (table, column) = pair.split_once(' ').unwrap();
        if !["seaql_migrations", "secrecy.seaql_migrations"].contains(&table) {
            tables.entry(table.to_owned()).or_default().insert(column.to_owned());
        }
    }
    tables
}

/// The columns of the primary key of every table of ours that has one, by table.
pub(crate) async fn keys(database: &TestDatabase) -> BTreeMap<String, BTreeSet<String>> {
    let pairs =
        match database.backend {
            Backend::Sqlite => {
                let statement = "select t.name || ' ' || c.name from sqlite_master t, pragma_table_info(t.name) c
                 where t.type = 'table' and c.pk > 0";
                let apart = lines_of_sqlite(&database.apart, statement).await;
                let mut pairs = lines_of_sqlite(&database.url, statement).await;
                pairs.extend(apart.into_iter().map(|pair| format!("secrecy.{pair}")));
                pairs
            }
            Backend::Postgres => lines_of_postgres(
                database,
                "select case n.nspname when 'public' then '' else n.nspname || '.' end || t.relname || ' ' || c.attname
                 from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
                 join pg_attribute c on c.attrelid = t.oid and c.attnum = any(i.indkey)
                 where i.indisprimary and n.nspname not like 'pg\\_%'",
            )
            .await,
        };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pair in pairs {
        let (table, column) = pair.split_once(' ').unwrap();
        tables.entry(table.to_owned()).or_default().insert(column.to_owned());
    }
    tables
}

/// Everything of the schema that could differ: columns with type, default and nullability, keys,
/// checks, references, indexes and partitions; one sorted line each.
pub(crate) async fn everything(database: &TestDatabase) -> Vec<String> {
    match database.backend {
        Backend::Sqlite => {
            let statement = "select type || ' ' || name || ' ' || coalesce(sql, '') from sqlite_master order by 1";
            let mut lines = lines_of_sqlite(&database.url, statement).await;
            if std::path::Path::new(database.apart.trim_start_matches("sqlite://")).exists() {
                lines.extend(lines_of_sqlite(&database.apart, statement).await);
            }
            lines
        }
        Backend::Postgres => {
            lines_of_postgres(
                database,
                "select concat_ws(' ', 'column', t.relname, c.attname, format_type(c.atttypid, c.atttypmod), c.attnotnull,
                        o.collname, pg_get_expr(d.adbin, d.adrelid), pg_get_expr(t.relpartbound, t.oid)) as line
                 from pg_attribute c join pg_class t on t.oid = c.attrelid join pg_namespace n on n.oid = t.relnamespace
                 left join pg_attrdef d on d.adrelid = t.oid and d.adnum = c.attnum
                 left join pg_collation o on o.oid = c.attcollation
                 where c.attnum > 0 and not c.attisdropped and t.relkind in ('r', 'p', 'v', 'm')
                   and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
                 union all
                 select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
                 from pg_constraint where conrelid <> 0 and connamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
                 union all
                 select concat_ws(' ', 'policy', schemaname, tablename, policyname, qual, with_check) from pg_policies
                 union all
                 select concat_ws(' ', 'index', indexdef) from pg_indexes
                 where schemaname <> 'information_schema' and schemaname not like 'pg\\_%'
                 order by line",
            )
            .await
        }
    }
}

/// The first column of a question, as text.
pub(crate) async fn lines(database: &TestDatabase, statement: &'static str) -> Vec<String> {
    match database.backend {
        Backend::Sqlite => lines_of_sqlite(&database.url, statement).await,
        Backend::Postgres => lines_of_postgres(database, statement).await,
    }
}

async fn lines_of_sqlite(url: &str, statement: &'static str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let rows = sqlx::query(statement).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

async fn lines_of_postgres(database: &TestDatabase, statement: &'static str) -> Vec<String> {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let rows = sqlx::query(statement).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}
