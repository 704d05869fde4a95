//! Looks into the database past every scope: what a test compares with what it wrote by hand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hub_entities::id::PupilId;
use hub_entities::ledger::tally;
use hub_entities::signal::{SignalState, outbox, row};
use hub_entities::time::SchoolYear;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, Statement, TryGetable,
};

use super::database::{Backend, TestDatabase};
use super::schema::columns;

/// Standing signals of a pupil: kind, generation, half-days.
pub(crate) async fn standing(look: &DatabaseConnection, pupil: PupilId) -> Vec<(String, i32, i32)> {
    let found = row::Entity::find()
        .filter(row::Column::PupilId.eq(pupil))
        .filter(row::Column::State.eq(SignalState::Raised))
        .order_by_asc(row::Column::Kind);
    let found = found.all(look).await.unwrap();
    found
        .into_iter()
        .map(|signal| (signal.kind, signal.generation, signal.half_days))
        .collect()
}

/// How many signals a pupil ever had.
pub(crate) async fn signals(look: &DatabaseConnection, pupil: PupilId) -> usize {
    row::Entity::find()
        .filter(row::Column::PupilId.eq(pupil))
        .all(look)
        .await
        .unwrap()
        .len()
}

/// Events of a pupil in the order they were committed: what they tell, and the half-days.
pub(crate) async fn events(look: &DatabaseConnection, pupil: PupilId) -> Vec<(&'static str, i32)> {
    let found = outbox::Entity::find()
        .filter(outbox::Column::PupilId.eq(pupil))
        .order_by_asc(outbox::Column::Id);
    let found = found.all(look).await.unwrap();
    found
        .into_iter()
        .map(|event| (event.kind.name(), event.half_days))
        .collect()
}

/// What is stored of a pupil's tally in a school year: half-days and pending.
pub(crate) async fn totals(look: &DatabaseConnection, pupil: PupilId, year: i16) -> (i64, i64) {
    let found = tally::Entity::find_by_id((pupil, SchoolYear(year)))
        .one(look)
        .await
        .unwrap();
    found.map_or((0, 0), |tally| (tally.half_days.into(), tally.pending.into()))
}

/// How long it takes until this holds; asked again and again, and given up after a minute.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "in vain: {what}");
        tokio::task::yield_now().await;
    }
    begun.elapsed()
}

/// Until somebody waits for a lock of PostgreSQL, or this is done without.
pub(crate) async fn until_it_waits(look: &DatabaseConnection, done: &AtomicBool) {
    let waits = "select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid
                 where not l.granted and a.datname = current_database()";
    while number(look, waits).await == 0 && !done.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

/// The first column of each row.
pub(crate) async fn list<T: TryGetable>(look: &DatabaseConnection, text: &str) -> Vec<T> {
    let asked = Statement::from_string(look.get_database_backend(), text);
    let found = look.query_all_raw(asked).await.unwrap();
    found.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// The first column of the first row.
pub(crate) async fn number(look: &DatabaseConnection, text: &str) -> i64 {
    list(look, text).await[0]
}

/// Changes the database behind the product's back; says how many rows.
pub(crate) async fn meddle(look: &DatabaseConnection, text: &str) -> u64 {
    look.execute_unprepared(text).await.unwrap().rows_affected()
}

/// Every row of every table as text, sorted: what "nothing was changed" is compared by.
///
/// Leases and runs are left out: they are the bookkeeping of whoever tried. So is the secrecy store, which is another.
pub(crate) async fn everything(database: &TestDatabase, look: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (table, of_table) in columns(database).await {
        if ["lease", "sync_run"].contains(&table.as_str()) || table.starts_with("secrecy.") {
            continue;
        }
        let text = match database.backend {
            Backend::Sqlite => {
                let quoted: Vec<String> = of_table.iter().map(|column| format!("quote({column})")).collect();
                format!("select {} from {table}", quoted.join(" || ' ' || "))
            }
            Backend::Postgres => format!("select t::text from {table} t"),
        };
        let mut rows: Vec<String> = list(look, &text).await;
        rows.sort_unstable();
        all.insert(table, rows);
    }
    all
}
