//! Migrations: up, down, twice, by four replicas at once; and what was stored survives them.

use std::collections::BTreeMap;

use clb_hub::store::{DbError, SecretDb};
use hub_entities::migration::Migrator;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use sea_orm_migration::MigratorTrait;
use serde_json::Value;

use crate::support::database::{Backend, both_databases};
use crate::support::look::{list, meddle};
use crate::support::schema;

both_databases!(empty up_down_and_up_again_gives_the_same_schema, async |database: &TestDatabase| {
    let db = database.open().await;
    assert_eq!(schema::columns(database).await.len(), 0);
    assert!(!db.is_current().await.unwrap());

    db.migrate().await.unwrap();
    let first = schema::everything(database).await;
    assert!(first.iter().any(|line| line.contains("absence")), "the schema was read: {first:?}");
    assert!(db.is_current().await.unwrap());

    db.migrate_down().await.unwrap();
    assert_eq!(schema::columns(database).await.into_keys().collect::<Vec<_>>(), Vec::<String>::new());
    assert!(!db.is_current().await.unwrap());

    db.migrate().await.unwrap();
    assert_eq!(schema::everything(database).await, first);
    db.close().await.unwrap();
});

both_databases!(empty up_twice_changes_nothing, async |database: &TestDatabase| {
    let db = database.open().await;
    db.migrate().await.unwrap();
    let first = schema::everything(database).await;
    let applied = schema::lines(database, "select version from seaql_migrations order by version").await;
    db.migrate().await.unwrap();
    assert_eq!(schema::everything(database).await, first);
    assert_eq!(schema::lines(database, "select version from seaql_migrations order by version").await, applied);
    db.close().await.unwrap();
});

// sea-orm-migration takes no lock: without ours, about half of such starts fail.
both_databases!(empty four_replicas_migrate_at_once, async |database: &TestDatabase| {
    for _ in 0..3 {
        let mut replicas = Vec::new();
        for _ in 0..4 {
            replicas.push(database.open().await);
        }
        let started = replicas.iter().cloned().map(|db| tokio::spawn(async move { db.migrate().await }));
        let outcomes: Vec<Result<(), DbError>> = join_all(started).await;
        for outcome in outcomes {
            outcome.unwrap();
        }
        assert!(replicas[0].is_current().await.unwrap());
        replicas[0].migrate_down().await.unwrap();
        for db in replicas {
            db.close().await.unwrap();
        }
    }
});

// A replica of the next version starts on a database with rows in it, and one of the version before it may come back: at
// each step, in both directions, they stay as they are.
both_databases!(empty rows_survive_every_later_step, async |database: &TestDatabase| {
    database.open().await.close().await.unwrap(); // makes the file
    let connection = sea_orm::Database::connect(&database.url).await.unwrap();
    Rows::new(database.backend, &connection).carried::<Migrator>().await;
    connection.close().await.unwrap();
});

both_databases!(empty secret_rows_survive_every_later_step, async |database: &TestDatabase| {
    database.open().await.close().await.unwrap(); // makes the file
    let url = if database.backend == Backend::Sqlite { &database.apart } else { &database.url };
    SecretDb::open(&SecretDb::options(url.as_str())).await.unwrap().close().await.unwrap(); // makes the file
    let connection = database.look_apart().await;
    if database.backend == Backend::Postgres {
        meddle(&connection, "create schema secrecy").await;
    }
    Rows::new(database.backend, &connection).carried::<hub_entities::migration::secrecy::Migrator>().await;
    connection.close().await.unwrap();
});

/// The number of `authority` moves with the rows of others: it is no row to keep.
const MOVES: &str = "authority";

/// A row in each table, and what it must still say.
struct Rows<'a> {
    backend: Backend,
    connection: &'a DatabaseConnection,
    /// By table and column.
    kept: BTreeMap<String, BTreeMap<String, Value>>,
}

impl<'a> Rows<'a> {
    fn new(backend: Backend, connection: &'a DatabaseConnection) -> Self {
        Self {
            backend,
            connection,
            kept: BTreeMap::new(),
        }
    }

    /// Goes up step by step, with a row in each table from the step on that makes it; then fills in what later steps
    /// added, and goes down with the rows, once up and down again at each step.
    async fn carried<M: MigratorTrait>(mut self) {
        let steps = M::migrations().len();
        for step in 0..steps {
            M::up(self.connection, Some(1)).await.unwrap();
            let there = self.columns().await;
            assert!(
                self.stands(&there).await,
                "a step takes away a table or a column: {step}"
            );
            self.seed(&there).await;
        }
        assert!(self.kept.len() > 10, "{:?}", self.kept.keys());
        self.fill().await;
        for _ in 0..steps {
            M::down(self.connection, Some(1)).await.unwrap();
            let there = self.columns().await;
            self.kept.retain(|table, _| there.contains_key(table));
            for (table, row) in &mut self.kept {
                row.retain(|column, _| there[table].contains_key(column));
            }
            assert!(self.stands(&there).await);
            M::up(self.connection, Some(1)).await.unwrap();
            assert!(self.stands(&self.columns().await).await);
            M::down(self.connection, Some(1)).await.unwrap();
            assert!(self.stands(&there).await);
        }
        assert!(self.kept.is_empty());
    }

    /// Whether every table and column is there; and every row as it was, or this fails.
    async fn stands(&self, there: &BTreeMap<String, BTreeMap<String, String>>) -> bool {
        for (table, row) in &self.kept {
            let Some(columns) = there.get(table) else { return false };
            let found = self.rows(table, columns.keys()).await;
            let [found] = found.as_slice() else {
                panic!("{table}: {found:?}")
            };
            for (column, value) in row {
                let Some(found) = found.get(column) else { return false };
                assert_eq!(found, value, "{table}.{column}");
            }
        }
        true
    }

    /// A row in each table that has none yet. Those that others refer to come first, by trying.
    async fn seed(&mut self, there: &BTreeMap<String, BTreeMap<String, String>>) {
        let is_new = |table: &&String| *table != MOVES && !self.kept.contains_key(*table);
        let mut new: Vec<&String> = there.keys().filter(is_new).collect();
        while !new.is_empty() {
            let mut left = Vec::new();
            for table in &new {
                let names: Vec<&str> = there[*table].keys().map(String::as_str).collect();
                let values: Vec<&str> = there[*table].values().map(|of_type| self.value(of_type)).collect();
                // A step may have made it of other rows already.
                let insert = format!(
                    "insert into {table} ({}) values ({}) on conflict do nothing",
                    names.join(", "),
                    values.join(", ")
                );
                if self.connection.execute_unprepared(&insert).await.is_err() {
                    left.push(*table);
                }
            }
            assert!(left.len() < new.len(), "no row fits into {left:?}");
            new = left;
        }
        self.remember(there).await;
    }

    /// What later steps added to a table is filled in.
    async fn fill(&mut self) {
        let there = self.columns().await;
        for (table, row) in &self.kept {
            let added = there[table].iter().filter(|(column, _)| !row.contains_key(*column));
            let set: Vec<String> = added
                .map(|(column, of_type)| format!("{column} = {}", self.value(of_type)))
                .collect();
            if !set.is_empty() {
                meddle(self.connection, &format!("update {table} set {}", set.join(", "))).await;
            }
        }
        self.kept.clear();
        self.remember(&there).await;
    }

    async fn remember(&mut self, there: &BTreeMap<String, BTreeMap<String, String>>) {
        for (table, columns) in there.iter().filter(|(table, _)| *table != MOVES) {
            if !self.kept.contains_key(table) {
                let found = self.rows(table, columns.keys()).await;
                let [row] = found.as_slice() else {
                    panic!("{table}: {found:?}")
                };
                assert!(row.values().all(|value| !value.is_null()), "{table}: {row:?}");
                self.kept.insert(table.clone(), row.clone());
            }
        }
    }

    /// The rows of a table, each value as text.
    async fn rows(&self, table: &str, columns: impl Iterator<Item = &String>) -> Vec<BTreeMap<String, Value>> {
        let text = match self.backend {
            Backend::Postgres => format!("select to_jsonb(t)::text from {table} t"),
            Backend::Sqlite => {
                let quoted: Vec<String> = columns.map(|name| format!("'{name}', quote({name})")).collect();
                format!("select json_object({}) from {table}", quoted.join(", "))
            }
        };
        let rows: Vec<String> = list(self.connection, &text).await;
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// The columns of each table, with their types.
    async fn columns(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let text = match self.backend {
            Backend::Sqlite => {
                "select t.name || ' ' || c.name || ' ' || lower(c.type) from sqlite_master t, pragma_table_info(t.name) c
                 where t.type = 'table' and t.name <> 'seaql_migrations'"
            }
            Backend::Postgres => {
                "select t.relname || ' ' || c.attname || ' ' || format_type(c.atttypid, c.atttypmod)
                 from pg_attribute c join pg_class t on t.oid = c.attrelid join pg_namespace n on n.oid = t.relnamespace
                 where c.attnum > 0 and not c.attisdropped and t.relkind in ('r', 'p') and not t.relispartition
                   and n.nspname = current_schema() and t.relname <> 'seaql_migrations'"
            }
        };
        let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for line in list::<String>(self.connection, text).await {
            let (table, rest) = line.split_once(' ').unwrap();
            let (column, of_type) = rest.split_once(' ').unwrap();
            tables
                .entry(table.to_owned())
                .or_default()
                .insert(column.to_owned(), of_type.to_owned());
        }
        tables
    }

    /// A value of this type. Every id is the same one, so that each reference is met.
    fn value(&self, of_type: &str) -> &'static str {
        match of_type {
            "uuid" => "'018f0000-0000-7000-8000-000000000001'",
            "bytea" => "'\\x018f0000000070008000000000000001'",
            "blob" => "x'018f0000000070008000000000000001'",
            "timestamp with time zone" => "'2020-09-01T10:00:00Z'",
            "date" => "'2020-09-01'",
            "jsonb" => "'{\"kept\": [1, 2]}'",
            // What is held back older code would tell: it goes on the way down, as it must.
            "boolean" => "false",
            "smallint" | "integer" | "bigint" => "7",
            "text" => "'as it was'",
            other => panic!("a row has no value of type {other} on {:?}", self.backend),
        }
    }
}

async fn join_all<T: Send + 'static>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut all = Vec::new();
    // Collected first, so that all are under way before one is waited for.
    for task in tasks.collect::<Vec<_>>() {
        all.push(task.await.unwrap());
    }
    all
}
