//! A stop in the middle of a pull (R48): `serve` ends within half a minute, nothing of it is half applied, and the next
//! start brings the rest.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clb_hub::register::EXAMPLE;
use clb_hub::runtime::SystemClock;
use hub_connectors::fake::{Host, Trouble, Unruly};
use hub_connectors::smartschool::fake::Fake;
use hub_entities::time::{Clock as _, brussels_day};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::number;
use crate::support::process::{Folder, Provider, Serving};
use crate::support::tenant::{CODE, platform};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// So long may a stop take.
const DRAIN: Duration = Duration::from_secs(30);

const PUPILS: u32 = 30;

/// A hub that pulls a Smartschool of one school by itself.
struct Scene {
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
            .replace("https://voorbeeld.smartschool.be/Webservices/V3", &Fake::url(&host))
            .replace("pulls = [\"absences\"]\n", "")
            .replace("begins_on = 2026-09-01", "begins_on = 2020-09-01");
        std::fs::write(folder.at("register.toml"), register).unwrap();
        folder.run(&["register", "register.toml", "--config", "clb-hub.toml"]);
        Self {
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

/// Asks again until this holds, for two minutes at most.
async fn until(what: &str, serving: &Serving, holds: impl AsyncFn() -> bool) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        while !holds().await {
            again.tick().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_mins(2), asking).await;
    assert!(outcome.is_ok(), "in vain: {what}\n{}", serving.log());
}

/// Waits for the end that it was told of; it must be one in order, and soon.
async fn ended(serving: Serving) {
    let told = Instant::now();
    let (status, log) = tokio::task::spawn_blocking(move || serving.ended()).await.unwrap();
    println!("it ended after {:?}", told.elapsed());
    assert!(status.success(), "{log}");
    assert!(told.elapsed() < DRAIN, "{log}");
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
        let waits = "select count(*) from pg_stat_activity where datname = current_database()
             and application_name = 'clb-hub' and wait_event_type = 'Lock'";
        until("a merge that waits", &serving, async || {
            number(&scene.look, waits).await > 0
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
