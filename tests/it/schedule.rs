//! Sources that are pulled by themselves: each in its turn, the sick ones apart (R47).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use clb_hub::store::turn::{due, take};
use clb_hub::sync::Sync;
use clb_hub::sync::schedule::{Every, Scheduler};
use hub_connectors::fake::Trouble;
use hub_connectors::http::{Pause, Stamp};
use hub_connectors::live::Systems;
use hub_entities::category::{Categories, Category};
use hub_entities::operation::Actor;
use hub_entities::policy::Action;
use hub_entities::time::Clock;
use secrecy::SecretString;
use tokio::sync::{Notify, oneshot};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{list, meddle, number, until};
use crate::support::tenant::{CODE, Tenant, http, platform};
use crate::support::world::{School, World, am, at};

const TODAY: &str = "2026-10-01";

/// A clock that is set by hand.
#[derive(Debug, Clone)]
struct ByHand(Arc<Mutex<DateTime<Utc>>>);

impl ByHand {
    fn pass(&self, minutes: i64) {
        let mut now = self.0.lock().unwrap();
        *now += TimeDelta::minutes(minutes);
    }
}

impl Clock for ByHand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Chance is half, and no tick comes by itself.
#[derive(Debug)]
struct Still;

#[async_trait]
impl Pause for Still {
    async fn wait(&self, _time: Duration) {
        std::future::pending::<()>().await;
    }

    fn up_to(&self, most: Duration) -> Duration {
        most / 2
    }

    fn since(&self) -> Duration {
        Duration::ZERO
    }

    fn stamp(&self) -> Stamp {
        Stamp { seconds: 0, nonce: 0 }
    }
}

struct Scene {
    world: World,
    clock: ByHand,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clock = ByHand(Arc::new(Mutex::new(world.now)));
        Self { world, clock }
    }

    /// A school whose source is this tenant.
    async fn school(&self, number: &str, tenant: &Tenant) -> School {
        self.school_for(number, tenant, Categories::default_agreement()).await
    }

    /// The same, served for these categories.
    async fn school_for(&self, number: &str, tenant: &Tenant, agreed: Categories) -> School {
        let clb = self.world.clb("114711").await;
        let school = self.world.school(number, clb, agreed).await;
        let live = serde_json::json!({ "live": { "secret": "any", "system": { "smartschool": {
            "url": tenant.url(), "window_days": 0, "parallel_calls": 1, "single_school": true,
        } } } });
        let text = format!(
            "update source set letters = 'school', settings = '{live}' where school_id in
             (select id from school where institution_number = '{number}')"
        );
        assert_eq!(meddle(&self.world.look, &text).await, 1);
        school
    }

    fn scheduler(&self) -> Scheduler {
        self.scheduler_every(Duration::from_mins(5))
    }

    /// One that looks at absences so often.
    fn scheduler_every(&self, absences: Duration) -> Scheduler {
        let sync = Sync {
            db: self.world.db.clone(),
            book: self.world.book.clone(),
            clock: Arc::new(self.clock.clone()),
            ids: self.world.ids.clone(),
            national_numbers: None,
            progress: Arc::new(|_, _| {}),
            stop: clb_hub::sync::stop::Stop::never(),
        };
        let systems = Systems::new(http(), Arc::new(|_| Some(SecretString::from(CODE))));
        let every = Every {
            roster: Duration::from_hours(1),
            absences,
        };
        Scheduler::new(sync, systems, Arc::new(Still), every, Arc::new(Notify::new()))
    }

    async fn failures(&self) -> Vec<i64> {
        let text = "select cast(failures as bigint) from pull_turn order by kind, failures";
        list(&self.world.look, text).await
    }
}

fn rosters(tenant: &Tenant) -> usize {
    let calls = tenant.fake.calls();
    calls.iter().filter(|call| *call == "getAllGroupsAndClasses").count()
}

// Whoever looks every few seconds does not wait a minute for the first time.
both_databases!(
    absences_follow_their_roster_as_soon_as_they_come_again,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
        scene.school("111111", &tenant).await;
        let scheduler = scene.scheduler_every(Duration::from_secs(5));
        assert_eq!(scheduler.once().await.unwrap(), 1, "the roster");
        *scene.clock.0.lock().unwrap() += TimeDelta::seconds(5);
        assert_eq!(scheduler.once().await.unwrap(), 1, "the absences");
    }
);

both_databases!(every_stream_has_its_turn, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let mut one = platform("111111", TODAY, 0..3);
    for half_day in [
        am("2026-09-28"),
        am("2026-09-29"),
        am("2026-09-30"),
        am("2026-09-25"),
        am(TODAY),
    ] {
        one.mark("pupil.0", half_day, "B");
    }
    let (one, two) = (
        Tenant::new(one).await,
        Tenant::new(platform("222222", TODAY, 0..3)).await,
    );
    scene.school("111111", &one).await;
    scene.school("222222", &two).await;
    let scheduler = scene.scheduler();
    assert_eq!(scheduler.once().await.unwrap(), 2, "the rosters");
    assert_eq!((rosters(&one), rosters(&two)), (1, 1));
    assert_eq!(scheduler.once().await.unwrap(), 0, "nothing is due");
    scene.clock.pass(1);
    assert_eq!(scheduler.once().await.unwrap(), 2, "the absences");
    let raised = "select count(*) from signal where state = 'raised'";
    assert_eq!(number(&scene.world.look, raised).await, 1);
    scene.clock.pass(4);
    assert_eq!(scheduler.once().await.unwrap(), 0);
    // What changes at the source is noticed by itself.
    one.fake.change(|platform| platform.unmark("pupil.0", am(TODAY)));
    scene.clock.pass(1);
    assert_eq!(scheduler.once().await.unwrap(), 2);
    assert_eq!(number(&scene.world.look, raised).await, 0);
    scene.clock.pass(60);
    assert_eq!(scheduler.once().await.unwrap(), 4);
    assert_eq!((rosters(&one), rosters(&two)), (1, 1));
    // A source that is no longer pulled has no turn any more.
    meddle(&scene.world.look, "update source set settings = '{}'").await;
    scene.clock.pass(60);
    assert_eq!(scheduler.once().await.unwrap(), 0);
    assert_eq!(number(&scene.world.look, "select count(*) from pull_turn").await, 0);
});

both_databases!(
    a_sick_source_is_asked_later_and_only_knocked_at,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
        scene.school("111111", &tenant).await;
        let scheduler = scene.scheduler();
        tenant.site.from(1, Trouble::Unauthorised);
        for (failures, minutes) in [(1, 2), (2, 3), (3, 4)] {
            assert_eq!(scheduler.once().await.unwrap(), 1);
            assert_eq!(scene.failures().await, [0, failures]);
            // Absences of this school wait for their own turn; here only the roster's is looked at.
            meddle(
                &scene.world.look,
                "update pull_turn set due_at = '2030-01-01T00:00:00.000Z' where kind = 'absences'",
            )
            .await;
            scene.clock.pass(1);
            assert_eq!(scheduler.once().await.unwrap(), 0, "not within a minute");
            scene.clock.pass(minutes);
        }
        let fault = list::<String>(&scene.world.look, "select fault from pull_turn where kind = 'roster'").await;
        assert_eq!(fault, ["the source refuses: the web services are closed to this hub"]);
        let since = "select count(*) from pull_turn where failing_since = (select min(failing_since) from pull_turn)";
        assert_eq!(number(&scene.world.look, since).await, 1);
        // From now on one call says whether it is there again.
        tenant.fake.calls();
        assert_eq!(scheduler.once().await.unwrap(), 1);
        let knock = tenant.fake.calls();
        assert_eq!(knock.len(), 1);
        assert_eq!(scene.failures().await, [0, 4]);
        tenant.site.calm();
        scene.clock.pass(70);
        assert_eq!(scheduler.once().await.unwrap(), 1);
        // It asks the same as the beginning of a read: once to knock, and once to read.
        let calls = tenant.fake.calls();
        assert_eq!(calls.iter().filter(|call| knock.contains(call)).count(), 2, "{calls:?}");
        assert_eq!(scene.failures().await, [0, 0]);
        assert_eq!(number(&scene.world.look, "select count(*) from record").await, 3);
    }
);

// R47 is of a source, and not of each of its streams: what one of them hears, the other does not ask for itself.
both_databases!(a_sick_source_is_left_alone_by_all, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
    scene.school("111111", &tenant).await;
    let scheduler = scene.scheduler();
    // It is asked too often, and wants an hour of rest.
    tenant.site.from(1, Trouble::Busy);
    assert_eq!(scheduler.once().await.unwrap(), 1, "the roster");
    assert_eq!((scene.failures().await, tenant.site.answered()), (vec![0, 1], 1));
    for minutes in [2, 10, 47] {
        scene.clock.pass(minutes);
        assert_eq!(
            scheduler.once().await.unwrap(),
            0,
            "the absences were due a minute after the roster"
        );
    }
    scene.clock.pass(2);
    assert_eq!(scheduler.once().await.unwrap(), 1, "one knock");
    // Who has not failed yet goes first.
    assert_eq!((scene.failures().await, tenant.site.answered()), (vec![1, 1], 2));
    // Without a word about when, a minute is kept, and what only one of them waits for keeps nobody.
    tenant.site.from(1, Trouble::Unauthorised);
    scene.clock.pass(61);
    assert_eq!(scheduler.once().await.unwrap(), 1);
    let due = "select count(*) from pull_turn where due_at = (select min(due_at) from pull_turn)";
    assert_eq!(number(&scene.world.look, due).await, 1, "each by its own failures");
    assert_eq!(scheduler.once().await.unwrap(), 0);
    scene.clock.pass(1);
    assert_eq!(scheduler.once().await.unwrap(), 1);
    tenant.site.calm();
    scene.clock.pass(5);
    assert_eq!(scheduler.once().await.unwrap(), 2);
    assert_eq!(scene.failures().await, [0, 0]);
});

// A stream that no agreement lists is not asked for, and its source is no sick one for that.
both_databases!(what_is_not_agreed_makes_nobody_sick, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
    let agreed = [Category::Identity, Category::Enrolment].into_iter().collect();
    scene.school_for("111111", &tenant, agreed).await;
    let scheduler = scene.scheduler();
    assert_eq!(scheduler.once().await.unwrap(), 1, "the roster");
    tenant.fake.calls();
    scene.clock.pass(1);
    assert_eq!(scheduler.once().await.unwrap(), 1, "the absences");
    assert_eq!(tenant.fake.calls(), Vec::<String>::new());
    assert_eq!(scene.failures().await, [0, 0]);
    let sick = "select count(*) from pull_turn where failing_since is not null or fault is not null";
    assert_eq!(number(&scene.world.look, sick).await, 0);
    // It is looked at again as often as any other.
    scene.clock.pass(4);
    assert_eq!(scheduler.once().await.unwrap(), 0);
    scene.clock.pass(1);
    assert_eq!(scheduler.once().await.unwrap(), 1);
});

// Who is only knocked at is given up as soon as any other when the hub stops.
both_databases!(a_stop_waits_for_no_knock, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
    scene.school("111111", &tenant).await;
    let scheduler = scene.scheduler();
    tenant.site.from(1, Trouble::Unauthorised);
    scheduler.once().await.unwrap();
    meddle(&scene.world.look, "update pull_turn set failures = 3").await;
    scene.clock.pass(5);
    // Longer than anyone waits here.
    tenant.site.from(1, Trouble::Late(Duration::from_mins(5)));
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(scheduler.run(async { drop(ended.await) }));
    until("somebody knocks", async || tenant.site.answered() == 1).await;
    drop(end);
    let stopped = tokio::time::timeout(Duration::from_secs(20), running).await;
    stopped.expect("a knock outlives the hub").unwrap();
    assert_eq!(scene.failures().await, [3, 3]);
});

// Forty sources that do not answer and have not before: they wait in their own line, and nobody waits for them.
both_databases!(the_sick_wait_apart, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let dead = Tenant::new(platform("200000", TODAY, 0..1)).await;
    for number in 200_000..200_040 {
        scene.school(&number.to_string(), &dead).await;
    }
    let scheduler = scene.scheduler();
    dead.site.from(1, Trouble::Unauthorised);
    scheduler.once().await.unwrap();
    assert_eq!(
        number(&scene.world.look, "select count(*) from pull_turn where failures = 1").await,
        40
    );

    let well = Tenant::new(platform("111111", TODAY, 0..3)).await;
    scene.school("111111", &well).await;
    scene.clock.pass(2);
    // Longer than anyone waits here.
    dead.site.from(1, Trouble::Late(Duration::from_mins(5)));
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(scheduler.run(async { drop(ended.await) }));
    let came = async {
        while number(&scene.world.look, "select count(*) from record").await < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(45), came)
        .await
        .expect("a healthy source waits for sick ones");
    // And whoever reads when the hub stops gives it up, without a word against the source.
    drop(end);
    tokio::time::timeout(Duration::from_secs(45), running)
        .await
        .expect("a read outlives the hub")
        .unwrap();
    assert_eq!(
        number(&scene.world.look, "select count(*) from pull_turn where failures > 1").await,
        0
    );
});

both_databases!(a_turn_is_taken_once, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let tenant = Tenant::new(platform("111111", TODAY, 0..3)).await;
    scene.school("111111", &tenant).await;
    let scheduler = scene.scheduler();
    scheduler.once().await.unwrap();
    let scope = scene.world.decided(Actor::Hub, Action::ReadOperations).await;
    let now = at("2026-10-01T12:00:00Z");
    let seen = due(&scene.world.db, &scope, now, 10).await.unwrap();
    assert_eq!(seen.len(), 2);
    let until = now + TimeDelta::minutes(2);
    assert!(take(&scene.world.db, &scope, &seen[0], until).await.unwrap());
    assert!(
        !take(&scene.world.db, &scope, &seen[0], until).await.unwrap(),
        "another replica saw it too"
    );
    assert_eq!(due(&scene.world.db, &scope, now, 10).await.unwrap().len(), 1);
    // Should its taker die, it is due again.
    assert_eq!(due(&scene.world.db, &scope, until, 10).await.unwrap().len(), 2);
});
