//! How long anything may take, and that whoever hangs up gives back what it held, on both databases (R58).

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clb_hub::config::Config;
use clb_hub::http::Bounds;
use clb_hub::store::Options;
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::net::TcpStream;

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{meddle, number, until};
use crate::support::town::Town;
use crate::support::wire::Listening;

/// How soon the connection of whoever hung up is another's.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// The end of whatever was abandoned.
const BACK_TO_NORMAL: Duration = Duration::from_secs(10);

/// How many are asked at once; twice as many files are open then.
const AT_ONCE: usize = 100;

const HEAVY: &str = "{ signals(first: 200) { totalCount edges { node { id } } } }";
const LIGHT: &str = "{ schools(first: 1) { totalCount } }";

/// Work without end, in which nothing grows: some sixty rows, each with each, eight times over.
pub(crate) const ENDLESS: &str =
    "select count(*) from absence a, absence b, absence c, absence d, absence e, absence f, absence g, absence h";

/// From now on there are signals where this holds.
async fn only_where(look: &DatabaseConnection, condition: &str) {
    meddle(look, "alter table signal rename to kept_signal").await;
    let view = format!("create view signal as select * from kept_signal where {condition}");
    meddle(look, &view).await;
}

async fn as_before(look: &DatabaseConnection) {
    meddle(look, "drop view signal").await;
    meddle(look, "alter table kept_signal rename to signal").await;
}

/// A question under way.
async fn asked(hub: &Listening, token: &str, question: &str) -> TcpStream {
    let body = json!({ "query": question }).to_string();
    hub.begin("POST", "/graphql", Some(token), &body).await
}

// By hand: 256 KiB in 15 s, an answer in 10 s, a statement in 8 s.
#[test]
fn the_bounds_are_these() {
    for bounds in [Bounds::DEFAULT, Config::default().limits.bounds()] {
        assert_eq!(bounds.body, 262_144);
        assert_eq!(bounds.body_time, Duration::from_secs(15));
        assert_eq!(bounds.request_time, Duration::from_secs(10));
        assert!(!bounds.get_queries);
    }
    let options = Options::new("sqlite://hub.db");
    assert_eq!(options.statement_timeout, Duration::from_secs(8));
}

// What PostgreSQL itself says of the connections that the hub reads over.
#[test]
fn postgres_is_told_the_bounds() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let town = Town::new(database).await;
        let (look, hub) = (&town.world.look, Listening::new(&town).await);
        let token = hub.token(&town.viewers.first);
        let before = hub.ask(Some(&token), HEAVY).await;
        assert!(before.2.contains("\"id\""), "{before:?}");
        for (setting, value) in [
            ("statement_timeout", "8s"),
            ("client_connection_check_interval", "250ms"),
        ] {
            only_where(look, &format!("current_setting('{setting}') = '{value}'")).await;
            assert_eq!(hub.ask(Some(&token), HEAVY).await.2, before.2, "{setting}");
            as_before(look).await;
        }
        hub.end().await;
    });
}

both_databases!(a_statement_without_end_is_cut, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let (look, hub) = (&town.world.look, Listening::new(&town).await);
    let token = hub.token(&town.viewers.first);
    assert_eq!(hub.ask(Some(&token), HEAVY).await.0, 200);
    only_where(look, &format!("({ENDLESS}) > 0")).await;
    let begun = Instant::now();
    let (_, _, body) = hub.ask(Some(&token), HEAVY).await;
    let took = begun.elapsed();
    let body: Value = serde_json::from_str(&body).unwrap();
    // By the database, after eight seconds: the request itself had ten, and would say so.
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{body}");
    let bounds = Duration::from_secs(8)..Duration::from_secs(10);
    assert!(bounds.contains(&took), "{took:?}");
    as_before(look).await;
    assert_eq!(hub.ask(Some(&token), HEAVY).await.0, 200);
    hub.end().await;
});

both_databases!(
    who_hangs_up_gives_its_connection_back,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (look, hub) = (&town.world.look, Listening::new(&town).await);
        let token = hub.token(&town.viewers.first);
        assert_eq!(hub.ask(Some(&token), LIGHT).await.0, 200);
        only_where(look, &format!("({ENDLESS}) > 0")).await;

        // Twice as many as there are connections, until there is none for anybody else.
        let mut all = Vec::new();
        for _ in 0..16 {
            all.push(asked(&hub, &token, HEAVY).await);
        }
        let quickly = async || tokio::time::timeout(Duration::from_millis(200), hub.ask(Some(&token), LIGHT)).await;
        until("no connection is left", async || quickly().await.is_err()).await;
        drop(all);
        let begun = Instant::now();
        assert_eq!(hub.ask(Some(&token), LIGHT).await.0, 200);
        println!("16 that hung up: another was answered after {:?}", begun.elapsed());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());

        for _ in 0..5 {
            let mut all = Vec::with_capacity(AT_ONCE);
            for _ in 0..AT_ONCE {
                all.push(asked(&hub, &token, HEAVY).await);
            }
            until("no connection is left", async || quickly().await.is_err()).await;
            drop(all);
        }
        let begun = Instant::now();
        let others = tokio::time::timeout(BACK_TO_NORMAL, hub.ask(Some(&token), LIGHT)).await;
        assert_eq!(others.expect("an answer to others").0, 200);
        println!("500 that hung up: another was answered after {:?}", begun.elapsed());
        as_before(look).await;
        assert_eq!(hub.ask(Some(&token), HEAVY).await.0, 200);
        hub.end().await;
    }
);

/// Whether somebody writes: there is one lock for all of it.
pub(crate) async fn is_locked(url: &str) -> bool {
    let options = SqliteConnectOptions::from_str(url).unwrap();
    let options = options.busy_timeout(Duration::ZERO);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute("begin immediate").await.is_err()
}

/// Until somebody is at a write without end: what is short is over at one of so many looks.
pub(crate) async fn until_a_write_is_under_way(url: &str) {
    let looks = AtomicU32::new(0);
    let is_held = async || {
        let again = is_locked(url).await;
        let before = looks.load(Ordering::Relaxed);
        looks.store(if again { before + 1 } else { 0 }, Ordering::Relaxed);
        again && before >= 20
    };
    until("a write under way", is_held).await;
}

// Cut off in the middle of a write, SQLite rolls back by itself: the lock is free, and whoever gets the connection next
// can begin. On PostgreSQL: `cancel`.
#[test]
fn who_hangs_up_in_a_write_gives_the_lock_back() {
    run_test(TestDatabase::migrated(Backend::Sqlite), async |database| {
        let town = Town::new(database).await;
        let (look, hub) = (&town.world.look, Listening::new(&town).await);
        let token = hub.token(&town.viewers.first);
        let signal = signal_id(&truancy_key("truancy.5", town.ada, SchoolYear(2026)), 1);
        let step = format!("mutation {{ acceptSignal(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
        assert_eq!(hub.ask(Some(&token), LIGHT).await.0, 200);
        let trigger = format!("create trigger endless after insert on signal_track begin {ENDLESS}; end");
        meddle(look, &trigger).await;
        for _ in 0..3 {
            let one = asked(&hub, &token, &step).await;
            until_a_write_is_under_way(&database.url).await;
            drop(one);
            let took = until("the lock is free", async || !is_locked(&database.url).await).await;
            println!("a write that hung up: the lock was free after {took:?}");
            assert!(took < SOON, "{took:?}");
        }
        meddle(look, "drop trigger endless").await;
        assert_eq!(number(look, "select count(*) from signal_track").await, 0);
        let (status, _, body) = hub.ask(Some(&token), &step).await;
        assert_eq!((status, body.contains("SignalStepped")), (200, true), "{body}");
        // Whichever connection is next, it can begin a transaction.
        for _ in 0..32 {
            let (status, _, body) = hub.ask(Some(&token), &step).await;
            assert_eq!((status, body.contains("errors")), (200, false), "{body}");
        }
        hub.end().await;
    });
}
