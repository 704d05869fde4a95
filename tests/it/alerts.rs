//! Live alerts over the binary itself (R39): whoever comes back after its cursor is told everything once, whatever happened
//! to its connection or to the process at the other end.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use clb_hub::demo::dice::Dice;
use clb_hub::store::roster::PupilSaid;
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{EventId, RecordId};
use hub_entities::operation::{Actor, Role};

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::front::Front;
use crate::support::look::list;
use crate::support::process::{Folder, Provider, Serving, metric, subject};
use crate::support::world::{School, World, am, born, day, pm};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";
const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// A school whose pupils have four half-days each, the people who follow, and what the binary needs to serve them.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) school: School,
    records: Vec<RecordId>,
    flips: Cell<usize>,
    pub(crate) worker: Actor,
    pub(crate) provider: Provider,
    pub(crate) folder: Folder,
}

impl Scene {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::default_agreement()).await;
        // The binary goes by the clock of the machine.
        let said = || PupilSaid {
            begins_on: Some(day("2020-09-01")),
            ..born("2012-05-01")
        };
        let known = world
            .pupils(school, &["a", "b", "c", "d", "e"].map(|key| (key, said())))
            .await;
        let records: Vec<RecordId> = known.iter().map(|(record, _)| *record).collect();
        let four = [am("2026-09-01"), pm("2026-09-01"), am("2026-09-03"), pm("2026-09-03")];
        let half_days = records.iter().flat_map(|record| four.map(|at| (*record, at, B)));
        world.say(school, &half_days.collect::<Vec<_>>()).await;
        let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
        let provider = Provider::new(NAME, AUDIENCE).await;
        let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
        Self {
            world,
            school,
            records,
            flips: Cell::new(0),
            worker,
            provider,
            folder,
        }
    }

    pub(crate) fn token(&self) -> String {
        self.provider.token(&subject(&self.worker))
    }

    /// Something happens to one pupil after the other: the fifth half-day comes, and is taken back.
    pub(crate) async fn happen(&self, times: usize) {
        for _ in 0..times {
            let number = self.flips.replace(self.flips.get() + 1);
            let record = self.records[number % self.records.len()];
            let reading = if (number / self.records.len()).is_multiple_of(2) {
                B
            } else {
                Z
            };
            self.world
                .say(self.school, &[(record, am("2026-09-04"), reading)])
                .await;
        }
    }

    /// Everything that happened, by position.
    pub(crate) async fn happened(&self) -> Vec<EventId> {
        list(&self.world.look, "select id from outbox order by position").await
    }
}

/// A front-end that is away for a night, and then is cut off so many times while two processes die under it.
async fn comes_and_goes(database: &TestDatabase, disconnects: usize) {
    let scene = Scene::new(database).await;
    let token = scene.token();
    let mut replicas: [Serving; 2] = [scene.folder.serve(&[]), scene.folder.serve(&[])];
    let mut front = Front::default();
    let patient = Duration::from_secs(30);
    assert!(front.visit(&replicas[0].address, &token, 0, patient).await);
    // The night: nobody follows, and much happens.
    scene.happen(60).await;
    front.visit(&replicas[1].address, &token, 60, patient).await;
    assert_eq!(front.told, scene.happened().await, "in the morning");

    // It is cut off again and again, while things happen and the processes die.
    let (permit, permitted) = tokio::sync::mpsc::unbounded_channel();
    let mut permitted = permitted;
    let writing = async {
        while permitted.recv().await.is_some() {
            scene.happen(1).await;
        }
    };
    let reading = async {
        let mut dice = Dice::of(39, 1, 1);
        for visit in 0..disconnects {
            if visit % 2 == 0 {
                permit.send(()).unwrap();
            }
            if visit == disconnects / 3 || visit == disconnects * 2 / 3 {
                // Killed, not stopped: whatever it held is held no longer than its leases.
                let new = scene.folder.serve(&[]);
                drop(std::mem::replace(&mut replicas[dice.below(2)], new));
            }
            let address = replicas[visit % 2].address.clone();
            let most = dice.below(4);
            front.visit(&address, &token, most, Duration::from_millis(5)).await;
        }
        drop(permit);
    };
    join(writing, reading).await;
    let left = 60 + disconnects / 2 - front.told.len();
    front.visit(&replicas[0].address, &token, left, patient).await;
    assert_eq!(front.told, scene.happened().await);
    assert_eq!(front.told.len(), 60 + disconnects / 2);
    // Nothing is left of those who were cut off (R40).
    for replica in &replicas {
        for gauge in [r#"clb_hub_streams_open{transport="ws"}"#, "clb_hub_subscriptions_open"] {
            let gone = async {
                while metric(&replica.address, gauge).await.is_some_and(|open| open > 0.0) {
                    tokio::task::yield_now().await;
                }
            };
            let gone = tokio::time::timeout(patient, gone).await;
            assert!(gone.is_ok(), "{gauge} of {}", replica.address);
        }
        // The database, the listener, the log: as many as a process has that nobody ever followed, and a few.
        assert!(replica.open_files() < 60, "{} files are open", replica.open_files());
    }
}

both_databases!(
    a_front_end_that_comes_and_goes_is_told_everything_once,
    async |database: &TestDatabase| {
        comes_and_goes(database, 60).await;
    }
);

#[test]
#[ignore = "takes minutes"]
fn a_thousand_disconnects_lose_nothing_and_leave_nothing() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        run_test(TestDatabase::migrated(backend), async |database: &TestDatabase| {
            comes_and_goes(database, 1_000).await;
        });
    }
}

/// A client of npm, in a process of its own; killed when it is dropped.
struct Client {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Client {
    /// One that follows already.
    fn new(transport: &str, address: &str, token: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/alerts/follow.mjs");
        let mut node = Command::new("node");
        node.args([script, transport, &format!("http://{address}")]);
        let mut child = node.env("HUB_TOKEN", token).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let client = Self { child, lines };
        assert_eq!(client.line(), "ready", "{transport}");
        client
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("an event")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// npm `graphql-ws` and `graphql-sse` follow through the death of the hub: `./tests/run` installs them and runs this.
#[test]
#[ignore = "needs Node and `npm ci` in tests/clients/alerts"]
fn the_npm_clients_follow() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        run_test(TestDatabase::migrated(backend), async |database: &TestDatabase| {
            let scene = Scene::new(database).await;
            let serving = scene.folder.serve(&[]);
            let address = serving.address.clone();
            let clients = ["ws", "sse"].map(|transport| Client::new(transport, &address, &scene.token()));
            scene.happen(7).await;
            let first = clients.each_ref().map(Client::line);
            drop(serving);
            scene.happen(7).await;
            let _again = scene.folder.serve(&[("CLB_HUB__SERVER__ADDRESS", &address)]);
            scene.happen(6).await;
            for (client, first) in clients.iter().zip(first) {
                let rest = std::iter::repeat_with(|| client.line()).take(19);
                let told: Vec<String> = std::iter::once(first).chain(rest).collect();
                let happened: Vec<String> = scene.happened().await.iter().map(ToString::to_string).collect();
                assert_eq!(told, happened);
            }
        });
    }
}
