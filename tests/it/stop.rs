//! A stop in the middle of a pull or an import (R48): it ends within half a minute, nothing of it is half applied, and the
//! next one brings the rest.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use clb_hub::register::EXAMPLE;
use clb_hub::runtime::SystemClock;
use hub_connectors::fake::{Host, Trouble, Unruly};
use hub_connectors::smartschool::fake::Fake;
use hub_entities::time::{Clock as _, brussels_day};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::front::Events;
use crate::support::look::number;
use crate::support::process::{Folder, Provider, Serving};
use crate::support::region::Region;
use crate::support::tenant::{CODE, platform};
use crate::support::world::World;

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// So long may a stop take.
const DRAIN: Duration = Duration::from_secs(30);

const PUPILS: u32 = 30;

/// Someone of the CLB, as the register has it.
const DIRECTOR: &str = "9b1c77d4-director";

/// A hub that pulls a Smartschool of one school by itself.
struct Scene {
    provider: Provider,
    folder: Folder,
    site: Arc<Unruly>,
    look: DatabaseConnection,
    _host: Host,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let today = brussels_day(SystemClock.now());
        let fake = Arc::new(Fake::new(platform("034512", &today.to_string(), 0..PUPILS)));
        let site = Arc::new(Unruly::over(fake, |_| true));
        let host = Host::start(Arc::<Unruly>::clone(&site)).await.unwrap();
        let provider = Provider::new(NAME, AUDIENCE).await;
        let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
        let config = std::fs::read_to_string(folder.at("clb-hub.toml")).unwrap();
        let sources = "[sources]\nsecrets_folder = \"secrets\"\nnetworks = [\"127.0.0.0/8\"]\n";
        std::fs::write(folder.at("clb-hub.toml"), config + sources).unwrap();
        let secret = folder.at("secrets").join("034512-smartschool");
        std::fs::create_dir(folder.at("secrets")).unwrap();
        std::fs::write(&secret, format!("{CODE}\n")).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o400)).unwrap();
        let register = EXAMPLE
            .replace("https://authenticatie.vlaanderen.be/op", NAME)
            .replace("https://voorbeeld.smartschool.be/Webservices/V3", &Fake::url(&host))
            .replace("pulls = [\"absences\"]\n", "")
            .replace("begins_on = 2026-09-01", "begins_on = 2020-09-01");
        std::fs::write(folder.at("register.toml"), register).unwrap();
        folder.run(&["register", "register.toml", "--config", "clb-hub.toml"]);
        Self {
            provider,
            folder,
            site,
            look: sea_orm::Database::connect(&database.url).await.unwrap(),
            _host: host,
        }
    }

    async fn records(&self) -> i64 {
        number(&self.look, "select count(*) from record").await
    }
}

/// So long may it take where a client or a lock would hold it for longer.
const SHORT: &[(&str, &str)] = &[("CLB_HUB__SERVER__DRAIN_SECONDS", "3")];

/// A request of this viewer that is never finished, when the hub has begun to read it.
async fn unfinished(serving: &Serving, token: &str) -> TcpStream {
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n"
    );
    let mut stream = TcpStream::connect(&serving.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 25];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Waits for the end of one that is held; what it said of what held it.
async fn ended_though_held(serving: Serving) -> String {
    let told = Instant::now();
    let (status, log) = tokio::task::spawn_blocking(move || serving.ended()).await.unwrap();
    println!("it ended after {:?}", told.elapsed());
    assert!(status.success(), "{log}");
    // Three seconds, and what a process takes to go.
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}: {log}", told.elapsed());
    log
}

/// Asks again until this holds, for two minutes at most.
async fn until(what: &str, serving: &Serving, holds: impl AsyncFn() -> bool) {
    assert!(in_time(holds).await, "in vain: {what}\n{}", serving.log());
}

async fn in_time(holds: impl AsyncFn() -> bool) -> bool {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        while !holds().await {
            again.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), asking).await.is_ok()
}

/// Statements of the hub that wait for a lock that the test holds.
const WAITS: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'clb-hub' and wait_event_type = 'Lock'";

/// Waits for the end that it was told of; it must be one in order, and soon.
async fn ended(serving: Serving) {
    let told = Instant::now();
    let (status, log) = tokio::task::spawn_blocking(move || serving.ended()).await.unwrap();
    println!("it ended after {:?}", told.elapsed());
    assert!(status.success(), "{log}");
    assert!(told.elapsed() < DRAIN, "{log}");
}

/// Sends a command this signal: it must fail, and soon. What it said.
async fn told(command: Child, signal: &str) -> String {
    let (told, id) = (Instant::now(), command.id().to_string());
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || command.wait_with_output().unwrap());
    let ended = ended.await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    println!("it ended after {:?}: {said}", told.elapsed());
    assert!(told.elapsed() < DRAIN && !ended.status.success(), "{said}");
    said
}

both_databases!(
    a_stop_in_the_middle_of_a_read_gives_it_up,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        // The second answer comes half, and then nothing.
        scene.site.from(2, Trouble::Stall);
        let serving = scene.folder.serve(&[]);
        until("a read that waits", &serving, async || scene.site.answered() >= 2).await;
        serving.terminate();
        ended(serving).await;
        assert_eq!(scene.records().await, 0, "a read that was given up changed nothing");

        scene.site.calm();
        let serving = scene.folder.serve(&[]);
        until("the whole roster", &serving, async || {
            scene.records().await == i64::from(PUPILS)
        })
        .await;
        until("the place to go on from", &serving, async || {
            number(&scene.look, "select count(*) from pull where kind = 'roster'").await == 1
        })
        .await;
        serving.terminate();
        ended(serving).await;
        assert_eq!(number(&scene.look, "select count(*) from staged_row").await, 0);
    }
);

// All are told at once: while a request holds the stop, the pull has long given up what it read.
both_databases!(a_stop_tells_the_pull_at_once, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.site.from(2, Trouble::Stall);
    let serving = scene.folder.serve(SHORT);
    until("a read that waits", &serving, async || scene.site.answered() >= 2).await;
    let request = unfinished(&serving, &scene.provider.token(DIRECTOR)).await;
    serving.terminate();
    let log = ended_though_held(serving).await;
    assert!(log.contains("a request did not end in time"), "{log}");
    assert!(!log.contains("a pull did not end in time"), "{log}");
    drop(request);
    assert_eq!(scene.records().await, 0, "a read that was given up changed nothing");
});

// One time for all of it: a request that is never finished, a stream, and a merge that waits for a lock do not add up.
#[test]
fn a_stop_that_is_held_ends_all_the_same() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let scene = Scene::new(database).await;
        let lock = scene.look.begin().await.unwrap();
        lock.execute_unprepared("lock table record in share mode")
            .await
            .unwrap();
        let serving = scene.folder.serve(SHORT);
        let token = scene.provider.token(DIRECTOR);
        let mut events = Events::follow(&serving.address, &token, None).await.unwrap();
        assert!(events.next().await.is_some());
        let request = unfinished(&serving, &token).await;
        until("a merge that waits", &serving, async || {
            number(&scene.look, WAITS).await > 0
        })
        .await;
        serving.terminate();
        let log = ended_though_held(serving).await;
        for held in ["a request did not end in time", "a pull did not end in time"] {
            assert!(log.contains(held), "{held}: {log}");
        }
        assert!(!log.contains("a stream did not close in time"), "{log}");
        assert_eq!(events.next().await, None);
        drop(request);
        lock.rollback().await.unwrap();
        assert_eq!(scene.records().await, 0, "a merge that was cut off changed nothing");
    });
}

// By hand as in `serve`: the read is given up, the other thing is not begun, and the lease is given back at once.
both_databases!(
    a_stop_in_the_middle_of_a_sync_by_hand_gives_it_up,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        scene.site.from(2, Trouble::Stall);
        let arguments = ["sync", "--config", "clb-hub.toml"];
        let mut command = scene.folder.command(&arguments);
        let pulling = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let waits = async || scene.site.answered() >= 2;
        assert!(in_time(waits).await, "nothing is read");
        let said = told(pulling, "-TERM").await;
        assert!(said.contains("the same again goes on from here"), "{said}");
        assert_eq!(scene.records().await, 0, "a read that was given up changed nothing");
        assert_eq!(number(&scene.look, "select count(*) from pull").await, 0);

        scene.site.calm();
        scene.folder.run(&arguments);
        assert_eq!(scene.records().await, i64::from(PUPILS));
        assert_eq!(number(&scene.look, "select count(*) from staged_row").await, 0);
    }
);

// What is being merged comes to its end: on PostgreSQL, where a lock can hold it in the middle.
#[test]
fn a_stop_in_the_middle_of_a_merge_waits_for_it() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let scene = Scene::new(database).await;
        let lock = scene.look.begin().await.unwrap();
        lock.execute_unprepared("lock table record in share mode")
            .await
            .unwrap();
        let serving = scene.folder.serve(&[]);
        until("a merge that waits", &serving, async || {
            number(&scene.look, WAITS).await > 0
        })
        .await;
        serving.terminate();
        lock.rollback().await.unwrap();
        ended(serving).await;
        // The run is done, or stands where the next start takes it up.
        let half = "select count(*) from record r where not exists (select from enrolment e where e.record_id = r.id)";
        assert_eq!(number(&scene.look, half).await, 0);
        let serving = scene.folder.serve(&[]);
        until("the whole roster", &serving, async || {
            let done = "select count(*) from sync_run where kind = 'roster' and state = 'done'";
            scene.records().await == i64::from(PUPILS) && number(&scene.look, done).await == 1
        })
        .await;
        serving.terminate();
        ended(serving).await;
    });
}

// Whoever is told twice does not wait for the merge either; what it was at is as if it had been killed.
#[test]
fn a_second_word_ends_a_sync_that_merges() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let scene = Scene::new(database).await;
        let lock = scene.look.begin().await.unwrap();
        lock.execute_unprepared("lock table record in share mode")
            .await
            .unwrap();
        let arguments = ["sync", "--config", "clb-hub.toml"];
        let mut command = scene.folder.command(&arguments);
        let mut pulling = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let waits = async || number(&scene.look, WAITS).await > 0;
        assert!(in_time(waits).await, "nothing waits for the lock");

        let terminate = Command::new("kill").args(["-TERM", &pulling.id().to_string()]).status();
        assert!(terminate.unwrap().success());
        let stderr = BufReader::new(pulling.stderr.take().unwrap());
        let mut said = stderr.lines();
        let said = tokio::task::spawn_blocking(move || (said.next().unwrap().unwrap(), said));
        // Read no further, but not closed either: who writes to nobody fails.
        let (first, _stderr) = said.await.unwrap();
        assert_eq!(first, "stopping; told again, it ends where it is");
        assert!(pulling.try_wait().unwrap().is_none(), "it waits for the merge");
        let told = Instant::now();
        let terminate = Command::new("kill").args(["-TERM", &pulling.id().to_string()]).status();
        assert!(terminate.unwrap().success());
        let status = tokio::task::spawn_blocking(move || pulling.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(130));
        assert!(told.elapsed() < DRAIN);

        lock.rollback().await.unwrap();
        assert_eq!(scene.records().await, 0, "nothing of it was committed");
        let over = "update lease set expires_at = now() - interval '1 second'";
        scene.look.execute_unprepared(over).await.unwrap();
        scene.folder.run(&arguments);
        assert_eq!(scene.records().await, i64::from(PUPILS));
        assert_eq!(number(&scene.look, "select count(*) from staged_row").await, 0);
    });
}

/// An import of files that a lock holds in the middle, on PostgreSQL: interrupted by this signal, and begun again.
async fn interrupted(database: &TestDatabase, signal: &str) {
    let world = World::new(database, &SystemClock.now().to_rfc3339()).await;
    let shape = Shape {
        clbs: 1,
        schools: vec![SchoolPlan {
            level: Level::Secundair,
            pupils: 60,
            classes: 3,
        }],
        movers_per_mille: 0,
        arrivals_per_mille: 0,
        ..Shape::demo()
    };
    let region = Region::new(&world, shape, 5, |_, _| Vec::new()).await;
    let folder = Folder::new();
    let config = format!("[database]\nurl = \"{}\"\n", database.url);
    std::fs::write(folder.at("clb-hub.toml"), config).unwrap();
    let number_of_school = region.manifest.schools[0].institution_number.as_str();
    let path = region.file(0, "roster.zip");
    let path = path.to_str().unwrap();
    let arguments = ["import", path, "--school", number_of_school, "--config", "clb-hub.toml"];

    let lock = world.look.begin().await.unwrap();
    lock.execute_unprepared("lock table membership in share mode")
        .await
        .unwrap();
    let mut command = folder.command(&arguments);
    let importing = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = async || number(&world.look, WAITS).await > 0;
    assert!(in_time(waits).await, "nothing waits for the lock");
    let said = told(importing, signal).await;
    let merging = "select count(*) from sync_run where state = 'merging' and cursor is not null";
    assert_eq!(number(&world.look, merging).await, 1);
    assert_eq!(number(&world.look, "select count(*) from membership").await, 0);
    lock.rollback().await.unwrap();

    if signal == "-TERM" {
        // Nobody waits for the lease of the one that was stopped, nor for the end of its last statement.
        assert!(said.contains("the same again goes on from here"), "{said}");
        assert!(!said.contains("statement timeout"), "{said}");
    } else {
        let over = "update lease set expires_at = now() - interval '1 second'";
        world.look.execute_unprepared(over).await.unwrap();
    }
    folder.run(&arguments);
    let count = async |text: &str| number(&world.look, text).await;
    assert_eq!(count("select count(*) from record").await, 60);
    assert_eq!(count("select count(*) from membership").await, 60);
    // 3 classes, 60 pupils and their places, each counted once.
    let whole = "select count(*) from sync_run where state = 'done' and changed = 123 and unchanged = 0";
    assert_eq!(count(whole).await, 1);
    assert_eq!(count("select count(*) from sync_run").await, 1);
    assert_eq!(count("select count(*) from staged_row").await, 0);
}

// It is given up where it is, and the same again goes on at once.
#[test]
fn a_stop_in_the_middle_of_an_import_lets_the_next_one_go_on() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        interrupted(database, "-TERM").await;
    });
}

// The process is no more: nothing of what it was at is half done, and the same again does the rest.
#[test]
fn a_killed_import_goes_on_where_it_was() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        interrupted(database, "-KILL").await;
    });
}
