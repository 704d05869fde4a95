//! Who takes nothing: what waits for it is counted, and it comes back and misses nothing (R40). And who is woken by nobody
//! is told all the same (R39).

use std::sync::Arc;
use std::time::Duration;

use clb_hub::app::{App, Desk, access_log};
use clb_hub::store::lease::Lease;
use clb_hub::store::outbox::{SEQUENCER, head, sequence};
use futures::StreamExt as _;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{EventId, Ids as _, RecordId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::time::{FixedClock, HalfDay};
use hub_graphql::hub::{Alerts as _, Update};
use tokio::sync::watch;
use uuid::Uuid;

use crate::alerts;
use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::front::Events;
use crate::support::look::{list, number, until};
use crate::support::world::{School, World, am, born, pm};

const B: Reading = Reading::Absent(Code::B);
const EPOCH: Uuid = Uuid::from_u128(7);
const FIFTH: &str = "2026-09-04";

/// A school whose pupils have four half-days each, and a worker of its CLB.
async fn school(world: &World, pupils: usize) -> (School, Vec<RecordId>, Actor) {
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::default_agreement()).await;
    let keys: Vec<String> = (0..pupils).map(|number| format!("p{number:02}")).collect();
    let said: Vec<_> = keys.iter().map(|key| (key.as_str(), born("2012-05-01"))).collect();
    let records: Vec<RecordId> = world.pupils(school, &said).await.iter().map(|one| one.0).collect();
    let four = [am("2026-09-01"), pm("2026-09-01"), am("2026-09-03"), pm("2026-09-03")];
    let half_days: Vec<(RecordId, HalfDay, Reading)> = records
        .iter()
        .flat_map(|record| four.map(|at| (*record, at, B)))
        .collect();
    world.say(school, &half_days).await;
    let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
    (school, records, worker)
}

both_databases!(
    what_waits_for_who_takes_nothing_is_counted,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let (school, records, worker) = school(&world, 10).await;
        let (lines, _log) = access_log(world.db.clone());
        let wake = Arc::new(tokio::sync::Notify::new());
        let (db, book, ids) = (world.db.clone(), world.book.clone(), world.ids.clone());
        let app = Arc::new(App::new(db, book, ids, wake, lines));
        let known = watch::Sender::new(None);
        let desk = Desk::new(app, Arc::new(FixedClock(world.now)), known.subscribe());
        let lease = Lease::acquire(&world.db, SEQUENCER, "a", Duration::from_mins(10))
            .await
            .unwrap()
            .unwrap();
        // A pupil comes to five half-days, and the desk reads of it.
        let happens = async |number: usize| {
            world.say(school, &[(records[number], am(FIFTH), B)]).await;
            assert_eq!(sequence(&world.db, &lease, EPOCH).await.unwrap(), 1);
            known.send_replace(head(&world.db).await.unwrap());
            desk.round().await.unwrap();
        };
        let asks = || Operation {
            actor: worker.clone(),
            purpose: None,
            now: world.now,
            request: world.ids.next(world.now),
        };
        happens(0).await;
        let asked = asks();
        let mut updates = desk.signals(&asked, None, Categories::all()).await.unwrap();
        assert!(matches!(updates.next().await, Some(Ok(Update::Stands(_)))));
        for waiting in 1..=7 {
            happens(waiting).await;
            assert_eq!(desk.waiting(asked.request), u64::try_from(waiting).unwrap());
        }
        assert_eq!(desk.waiting(Uuid::from_u128(1)), 0, "nobody");
        // It takes three, and is gone. Two more happen meanwhile.
        let (mut told, mut at) = (Vec::new(), None);
        for _ in 0..3 {
            let Some(Ok(Update::Happened(position, change))) = updates.next().await else {
                panic!("something happened")
            };
            told.push(change.id);
            at = Some(position);
        }
        assert_eq!(desk.waiting(asked.request), 0, "what lies ready for it is taken");
        drop(updates);
        happens(8).await;
        happens(9).await;
        assert_eq!(desk.waiting(asked.request), 0, "it is gone");
        let mut updates = desk.signals(&asks(), at, Categories::all()).await.unwrap();
        assert!(matches!(updates.next().await, Some(Ok(Update::Stands(_)))));
        for _ in 0..6 {
            let Some(Ok(Update::Happened(_, change))) = updates.next().await else {
                panic!("something happened")
            };
            told.push(change.id);
        }
        let happened = list::<EventId>(&world.look, "select id from outbox order by position").await;
        assert_eq!(told, happened[1..]);
    }
);

// The connections on which both replicas listen are cut, and what is written then is told at both (R39): they listen again, or
// look by themselves. Which of the two it was is not told apart here.
#[test]
fn who_is_woken_by_nobody_is_told() {
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let scene = alerts::Scene::new(database).await;
            let token = scene.token();
            let replicas = [scene.folder.serve(&[]), scene.folder.serve(&[])];
            let mut follow = Vec::new();
            for replica in &replicas {
                let mut events = Events::follow(&replica.address, &token, None).await.unwrap();
                assert!(events.next().await.is_some());
                follow.push(events);
            }
            let listening = "from pg_stat_activity where datname = current_database() and query ilike 'listen %'";
            let look = &scene.world.look;
            until("both listen", async || {
                number(look, &format!("select count(*) {listening}")).await == 2
            })
            .await;
            let cut = list::<bool>(look, &format!("select pg_terminate_backend(pid) {listening}")).await;
            assert_eq!(cut, [true, true]);
            let mut told = [Vec::new(), Vec::new()];
            for _ in 0..3 {
                scene.happen(1).await;
                for (events, told) in follow.iter_mut().zip(&mut told) {
                    told.push(events.change().await["id"].as_str().unwrap().to_owned());
                }
            }
            let happened = list::<EventId>(look, "select id from outbox order by position").await;
            let happened: Vec<String> = happened.iter().map(ToString::to_string).collect();
            assert_eq!(told, [happened.clone(), happened]);
        },
    );
}
