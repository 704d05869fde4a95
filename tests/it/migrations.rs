//! Migrations: up, down, twice, by four replicas at once; and what was stored survives them.

use clb_hub::store::DbError;
use hub_entities::migration::Migrator;
use sea_orm_migration::MigratorTrait;

use crate::support::database::both_databases;
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

// A replica of the next version starts on a database with rows in it: they stay as they are, at each step.
both_databases!(empty rows_survive_every_later_step, async |database: &TestDatabase| {
    let insert = match database.backend {
        Backend::Sqlite => "insert into school (id, institution_number, name, city, days_off)
                            values (x'018f0000000070008000000000000001', '012345', 'De Linde', 'Gent', '[]') returning name",
        Backend::Postgres => "insert into school (id, institution_number, name, city, days_off)
                              values ('018f0000-0000-7000-8000-000000000001', '012345', 'De Linde', 'Gent', '[]') returning name",
    };
    database.open().await.close().await.unwrap(); // makes the file
    let connection = sea_orm::Database::connect(&database.url).await.unwrap();
    Migrator::up(&connection, Some(1)).await.unwrap();
    assert_eq!(schema::lines(database, insert).await, ["De Linde"]);
    for _ in Migrator::migrations().iter().skip(1) {
        Migrator::up(&connection, Some(1)).await.unwrap();
        let kept = schema::lines(database, "select institution_number || ' ' || name || ' ' || city from school").await;
        assert_eq!(kept, ["012345 De Linde Gent"]);
    }
    connection.close().await.unwrap();
    let db = database.open().await;
    assert!(db.is_current().await.unwrap());
    db.close().await.unwrap();
});

async fn join_all<T: Send + 'static>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut all = Vec::new();
    // Collected first, so that all are under way before one is waited for.
    for task in tasks.collect::<Vec<_>>() {
        all.push(task.await.unwrap());
    }
    all
}
