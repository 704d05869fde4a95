//! Who hangs up leaves nothing running behind, and takes nobody's connection along (R58). On PostgreSQL, held by
//! its locks; what both databases cut off by themselves is in `timeouts`.

use std::time::{Duration, Instant};

use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::look::{everything, number, until};
use crate::support::town::Town;
use crate::support::wire::Listening;
use crate::support::world::World;

/// Statements of the hub that wait for the lock that the test holds.
const WAITING: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'clb-hub' and wait_event_type = 'Lock'";

/// So soon the statement that nobody waits for any more is gone (R58); it would have gone on for eight seconds.
const SOON: Duration = Duration::from_secs(1);

/// The end of whatever was abandoned, cut off by the server at the latest.
const BACK_TO_NORMAL: Duration = Duration::from_secs(10);

/// How many are asked at once; twice as many files are open then.
const AT_ONCE: usize = 100;

async fn waiting(world: &World) -> i64 {
    number(&world.look, WAITING).await
}

/// A question under way.
async fn asked(hub: &Listening, token: &str, question: &str) -> TcpStream {
    let body = json!({ "query": question }).to_string();
    hub.begin("POST", "/graphql", Some(token), &body).await
}

#[test]
fn who_hangs_up_leaves_no_statement_behind() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let town = Town::new(database).await;
        let (world, hub) = (&town.world, Listening::new(&town).await);
        let token = hub.token(&town.viewers.first);
        let heavy = "{ signals(first: 200) { totalCount edges { node { id } } } }";
        let light = "{ schools(first: 1) { totalCount } }";
        // Signed in, so that only what is asked for waits.
        assert_eq!(hub.ask(Some(&token), light).await.0, 200);

        let lock = world.look.begin().await.unwrap();
        lock.execute_unprepared("lock table signal in access exclusive mode")
            .await
            .unwrap();
        let one = asked(&hub, &token, heavy).await;
        until("a statement that waits", async || waiting(world).await == 1).await;
        drop(one);
        let took = until("no statement that waits", async || waiting(world).await == 0).await;
        println!("one that hung up: its statement was gone after {took:?}");
        assert!(took < SOON, "{took:?}");

        // Five hundred of them, and the table is locked still.
        for _ in 0..5 {
            let mut all = Vec::with_capacity(AT_ONCE);
            for _ in 0..AT_ONCE {
                all.push(asked(&hub, &token, heavy).await);
            }
            until("statements that wait", async || waiting(world).await > 0).await;
            drop(all);
        }
        let begun = Instant::now();
        let others = tokio::time::timeout(BACK_TO_NORMAL, hub.ask(Some(&token), light)).await;
        assert_eq!(others.expect("an answer to others").0, 200);
        println!("500 that hung up: others were answered after {:?}", begun.elapsed());
        let took = until("no statement that waits", async || waiting(world).await == 0).await;
        assert!(took < SOON, "{took:?}");
        lock.rollback().await.unwrap();
        assert_eq!(hub.ask(Some(&token), heavy).await.0, 200);
        hub.end().await;
    });
}

// A step that was begun is a transaction: cut off, its statement is cancelled, it is rolled back, and its connection comes
// back to the others.
#[test]
fn who_hangs_up_in_a_step_takes_no_connection_along() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let town = Town::new(database).await;
        let (world, hub) = (&town.world, Listening::new(&town).await);
        let token = hub.token(&town.viewers.first);
        let signal = signal_id(&truancy_key("truancy.5", town.ada, SchoolYear(2026)), 1);
        let step = format!("mutation {{ acceptSignal(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
        assert_eq!(hub.ask(Some(&token), "{ viewer { role } }").await.0, 200);

        let before = everything(database, &world.look).await;

        let lock = world.look.begin().await.unwrap();
        lock.execute_unprepared("lock table signal in access exclusive mode")
            .await
            .unwrap();
        let mut all = Vec::new();
        for _ in 0..20 {
            all.push(asked(&hub, &token, &step).await);
        }
        until("statements that wait", async || waiting(world).await > 0).await;
        drop(all);
        let took = until("no statement that waits", async || waiting(world).await == 0).await;
        println!("20 steps that hung up: their statements were gone after {took:?}");
        assert!(took < SOON, "{took:?}");
        lock.rollback().await.unwrap();

        // Nothing came of any of them, and the next one is answered.
        assert_eq!(everything(database, &world.look).await, before);
        let answer = tokio::time::timeout(BACK_TO_NORMAL, hub.ask(Some(&token), &step)).await;
        let (status, _, body) = answer.expect("an answer");
        assert_eq!((status, body.contains("SignalStepped")), (200, true), "{body}");
        hub.end().await;
    });
}
