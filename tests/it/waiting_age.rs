//! What waits in quarantine for too long is told, whichever way it came in: as a gap, by the doctor and on a graph
//! (design §5).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use clb_hub::runtime::SystemClock;
use clb_hub::sync::files::AbsenceFile;
use clb_hub::sync::schedule::{Every, Scheduler};
use clb_hub::sync::{Source, Sync};
use hub_connectors::absences::{AbsenceFormat, ColumnMap, PupilKey};
use hub_connectors::http::{Pause, Stamp};
use hub_connectors::live::Systems;
use hub_entities::category::Categories;
use hub_entities::operation::Role;
use hub_entities::source::connection;
use hub_entities::time::Clock;
use sea_orm::EntityTrait as _;
use tokio::sync::Notify;

use crate::support::database::both_databases;
use crate::support::door::Hub;
use crate::support::look::{list, number, until};
use crate::support::process::{Folder, Provider, metric};
use crate::support::region::sync;
use crate::support::tenant::http;
use crate::support::world::{School, World, at, born};

/// Monday.
const NOW: &str = "2026-09-14T10:00:00Z";
const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";
const TOLD: &str = "select s.institution_number || ' ' || detail || ' ' || occurrences from gap
    join source o on o.id = gap.source_id join school s on s.id = o.school_id
    where rule = 'quarantine.waiting' order by 1";

/// A clock that is set by hand.
#[derive(Debug, Clone)]
struct ByHand(Arc<Mutex<DateTime<Utc>>>);

impl ByHand {
    fn becomes(&self, now: &str) {
        *self.0.lock().unwrap() = at(now);
    }
}

impl Clock for ByHand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// No tick comes by itself.
#[derive(Debug)]
struct Still;

#[async_trait]
impl Pause for Still {
    async fn wait(&self, _time: Duration) {
        std::future::pending::<()>().await;
    }

    fn up_to(&self, most: Duration) -> Duration {
        most
    }

    fn since(&self) -> Duration {
        Duration::ZERO
    }

    fn stamp(&self) -> Stamp {
        Stamp { seconds: 0, nonce: 0 }
    }
}

/// A file names somebody whom no roster does: two half-days of him.
async fn by_file(world: &World, school: School) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(
        &path,
        "pupil,date,part,code\r\n77,2026-09-03,AM,B\r\n77,2026-09-03,PM,B\r\n",
    )
    .unwrap();
    let map = ColumnMap {
        key: PupilKey::Stamnummer,
        ..ColumnMap::default()
    };
    let mut file = AbsenceFile::new(path, AbsenceFormat::Csv(Box::new(map))).unwrap();
    let found = connection::Entity::find_by_id(school.source).one(&world.look).await;
    let source = Source {
        id: school.source,
        school: school.id,
    };
    let run = sync(world).absences(source, &found.unwrap().unwrap(), &mut file).await;
    assert_eq!(run.unwrap().quarantined, 2);
}

both_databases!(
    what_waits_for_a_week_is_told_whoever_brought_it,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let [files, software, neither] = [
            world.school("111111", clb, Categories::all()).await,
            world.school("222222", clb, Categories::all()).await,
            world.school("333333", clb, Categories::all()).await,
        ];
        by_file(&world, files).await;
        let client = world.someone(Role::SchoolClient, Some(software.id), None).await;
        world.pupils(neither, &[("c", born("2012-05-01"))]).await;
        let hub = Hub::over(world);
        let push = "mutation { submitAbsences(input: { idempotencyKey: \"one\", institutionNumber: \"222222\",
            absences: [{ pupil: \"zoe\", day: \"2026-09-03\", part: AM, code: \"B\" }] })
            { ... on Delivered { results { outcome } } } }";
        let pushed = hub.ask(&client, push).await;
        assert_eq!(
            pushed["submitAbsences"]["results"][0]["outcome"], "QUARANTINED",
            "{pushed}"
        );

        let clock = ByHand(Arc::new(Mutex::new(hub.world.now)));
        let looking = Sync {
            clock: Arc::new(clock.clone()),
            ..sync(&hub.world)
        };
        let every = Every {
            roster: Duration::from_hours(1),
            absences: Duration::from_mins(5),
        };
        let systems = Systems::new(http(), Arc::new(|_| None));
        let scheduler = Scheduler::new(
            looking.clone(),
            systems,
            Arc::new(Still),
            every,
            Arc::new(Notify::new()),
        );
        let told = async |now: &str| {
            clock.becomes(now);
            scheduler.once().await.unwrap();
            list::<String>(&hub.world.look, TOLD).await
        };
        let well = Ok("nothing waits for longer than a week".to_owned());
        assert_eq!(
            told("2026-09-21T09:59:00Z").await,
            Vec::<String>::new(),
            "not a week yet"
        );
        assert_eq!(looking.look_at_waiting().await.unwrap(), well);
        let both = ["111111 longer than a week 2", "222222 longer than a week 1"];
        assert_eq!(told("2026-09-22T10:00:00Z").await, both);
        let wrong = "3 rows of 2 sources wait for longer than a week, the oldest since 2026-09-14: no roster names their \
            pupils; the gaps tell which schools must give their pupils the same numbers in all systems";
        assert_eq!(looking.look_at_waiting().await.unwrap(), Err(wrong.to_owned()));
        // It is told again once a day, and not each minute.
        let seen = "select count(*) from gap where rule = 'quarantine.waiting' and last_seen_at > first_seen_at";
        assert_eq!(told("2026-09-22T12:00:00Z").await, both);
        assert_eq!(number(&hub.world.look, seen).await, 0);
        assert_eq!(told("2026-09-23T12:00:00Z").await, both);
        assert_eq!(number(&hub.world.look, seen).await, 2);
        // A roster names one of the two: what waits of the other goes on waiting.
        hub.world.pupils(software, &[("zoe", born("2012-05-01"))]).await;
        let again = push.replace("\"one\"", "\"two\"").replace("code: \"B\"", "code: \"Z\"");
        let pushed = hub.ask(&client, &again).await;
        assert_eq!(
            pushed["submitAbsences"]["results"][0]["outcome"], "ACCEPTED",
            "{pushed}"
        );
        told("2026-09-25T12:00:00Z").await;
        let wrong = looking.look_at_waiting().await.unwrap().unwrap_err();
        assert!(wrong.starts_with("2 rows of 1 sources wait "), "{wrong}");
        let since = "select count(*) from gap where rule = 'quarantine.waiting' and occurrences = 2 and last_seen_at =
            (select max(last_seen_at) from gap)";
        assert_eq!(number(&hub.world.look, since).await, 1);
    }
);

// The binary, which goes by the real day: what came eight days ago is on its graph, among the gaps and in the doctor's
// words.
both_databases!(the_age_of_what_waits_is_on_a_graph, async |database: &TestDatabase| {
    let then = SystemClock.now() - TimeDelta::days(8);
    let world = World::new(database, &then.to_rfc3339()).await;
    let clb = world.clb("114711").await;
    let school = world.school("111111", clb, Categories::all()).await;
    by_file(&world, school).await;
    let provider = Provider::new(NAME, AUDIENCE).await;
    let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
    let serving = folder.serve(&[]);
    until("the gap", async || {
        list::<String>(&world.look, TOLD).await == ["111111 longer than a week 2"]
    })
    .await;
    let age = metric(&serving.address, "clb_hub_quarantine_oldest_seconds").await;
    let days = age.unwrap() / 86_400.0;
    assert!((8.0..8.1).contains(&days), "{days}");
    let doctor = folder.output(&["doctor", "--config", "clb-hub.toml"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let line = "WRONG  quarantine: 2 rows of 1 sources wait for longer than a week, the oldest since ";
    assert!(doctor.lines().any(|told| told.starts_with(line)), "{doctor}");
});
