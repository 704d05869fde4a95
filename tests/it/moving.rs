//! Authority is decided event by event (R22): who follows hears once, by ids alone, that a pupil or a signal is no longer
//! its own, and of that one nothing afterwards; whose it is now hears that it is.

use chrono::NaiveDate;
use clb_hub::runtime::SystemClock;
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, PupilId, RecordId, SignalId};
use hub_entities::operation::{Actor, Role};
use hub_entities::time::{Clock as _, HalfDay, SchoolYear, brussels_day};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::front::Events;
use crate::support::look::{list, number, until};
use crate::support::process::{Folder, Provider, Serving, running_year, subject};
use crate::support::world::{School, World, born, day};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";
const FOLLOW: &str = "subscription { signals { change { kind signalId pupilId signalKind schoolId count }
    noLongerYours { clbId } } }";

/// Two schools of one CLB and one of another, the binary, and a worker of each CLB. It goes by the real day.
struct Scene {
    hub: Hub,
    /// Two of the first CLB, one of the second.
    schools: [School; 3],
    workers: [Actor; 2],
    today: NaiveDate,
    /// The half-days of lessons of this school year.
    lessons: Vec<HalfDay>,
    provider: Provider,
    _folder: Folder,
    serving: Serving,
}

/// A pupil for years, the same one in whichever school.
fn said(number: u8) -> PupilSaid {
    PupilSaid {
        national_index: Some(vec![number; 32]),
        begins_on: Some(day("2020-09-01")),
        ..born(&format!("{}-05-01", running_year().0 - 14))
    }
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let now = SystemClock.now();
        let world = World::new(database, &now.to_rfc3339()).await;
        let clbs = [world.clb("114711").await, world.clb("114712").await];
        let school = async |number, clb: usize| world.school(number, clbs[clb], Categories::default_agreement()).await;
        let schools = [
            school("111111", 0).await,
            school("222222", 0).await,
            school("333333", 1).await,
        ];
        let workers = [
            world.someone(Role::ClbWorker, None, Some(clbs[0])).await,
            world.someone(Role::ClbWorker, None, Some(clbs[1])).await,
        ];
        let today = brussels_day(now);
        let calendar = world.book.laws().calendar(SchoolYear::of(today));
        let lessons = calendar.iter().take(40).collect();
        let provider = Provider::new(NAME, AUDIENCE).await;
        let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
        let serving = folder.serve(&[]);
        Self {
            hub: Hub::over(world),
            schools,
            workers,
            today,
            lessons,
            provider,
            _folder: folder,
            serving,
        }
    }

    /// The first so many half-days of lessons without a reason, at one of the schools.
    async fn misses(&self, school: usize, record: RecordId, half_days: usize) {
        let reading = Reading::Absent(Code::B);
        let missed = self.lessons[..half_days].iter().map(|at| (record, *at, reading));
        let missed: Vec<_> = missed.collect();
        self.hub.world.say(self.schools[school], &missed).await;
    }

    async fn enrolled(&self, school: usize, key: &str, said: PupilSaid) -> (RecordId, PupilId) {
        self.hub.world.pupils(self.schools[school], &[(key, said)]).await[0]
    }

    /// A worker who follows from now on: of what happened before each event has its place.
    async fn follows(&self, worker: usize) -> Events {
        let unplaced = "select count(*) from outbox where position is null";
        until("all are placed", async || {
            number(&self.hub.world.look, unplaced).await == 0
        })
        .await;
        let token = self.provider.token(&subject(&self.workers[worker]));
        let mut events = Events::ask(&self.serving.address, &token, FOLLOW).await.unwrap();
        let stands = events.next().await.unwrap();
        assert_eq!(stands["data"]["signals"]["change"], Value::Null, "{stands}");
        events
    }

    async fn signal(&self, kind: &str) -> String {
        let text = format!("select id from signal where kind = '{kind}' and state = 'raised'");
        SignalId(list::<Uuid>(&self.hub.world.look, &text).await[0]).to_string()
    }

    fn id(&self, school: usize) -> String {
        self.schools[school].id.to_string()
    }
}

/// All that the last word on a signal says.
fn last_word(signal: &str, pupil: PupilId) -> Value {
    json!({ "kind": "NO_LONGER_YOURS", "signalId": signal, "pupilId": pupil.to_string(), "signalKind": null,
        "schoolId": null, "count": null })
}

both_databases!(a_pupil_that_moves_is_heard_of_once, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let (record, pupil) = scene.enrolled(0, "a", said(9)).await;
    scene.misses(0, record, 5).await;
    let (other, _) = scene.enrolled(1, "b", said(8)).await;
    scene.misses(1, other, 4).await;
    let signal = scene.signal("truancy.5").await;
    let [mut former, mut present] = [scene.follows(0).await, scene.follows(1).await];

    // She comes to a school of the other CLB, and is of the first no longer.
    let arrived = PupilSaid {
        begins_on: Some(scene.today),
        ..said(9)
    };
    let (there, same) = scene.enrolled(2, "z", arrived).await;
    assert_eq!(same, pupil, "one pupil");
    let gone = PupilSaid {
        ends_on: Some(scene.today),
        ..said(9)
    };
    scene.hub.world.roster(scene.schools[0], &[("a", gone)]).await;
    // What happens to her then is of the other alone.
    let sixth = [(there, scene.lessons[5], Reading::Absent(Code::B))];
    scene.hub.world.say(scene.schools[2], &sixth).await;
    // And another pupil of the first CLB comes to five.
    scene.misses(1, other, 5).await;

    assert_eq!(former.change().await, last_word(&signal, pupil));
    let next = former.change().await;
    let heard = [&next["kind"], &next["schoolId"], &next["count"]];
    assert_eq!(
        heard,
        [&json!("RAISED"), &json!(scene.id(1)), &json!(5)],
        "nothing between"
    );
    let now_hers = |kind: &str, count: u32| {
        json!({ "kind": kind, "signalId": signal, "pupilId": pupil.to_string(), "signalKind": "truancy.5",
            "schoolId": scene.id(2), "count": count })
    };
    assert_eq!(present.change().await, now_hers("NOW_YOURS", 5));
    assert_eq!(present.change().await, now_hers("CHANGED", 6));
});

// What obliges stays with the CLB that was competent last, whatever is agreed (design §3); of what only informs it hears
// no more.
both_databases!(
    an_agreement_that_ends_is_heard_of_once,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (record, pupil) = scene.enrolled(0, "a", said(9)).await;
        scene.misses(0, record, 30).await;
        let (other, _) = scene.enrolled(1, "b", said(8)).await;
        scene.misses(1, other, 4).await;
        let informs = scene.signal("truancy.30").await;
        let mut events = scene.follows(0).await;

        let world = &scene.hub.world;
        let manager = world
            .someone(Role::SchoolDataManager, Some(scene.schools[0].id), None)
            .await;
        let agreement =
            "select id from agreement where school_id in (select id from school where institution_number = '111111')";
        let agreement = AgreementId(list::<Uuid>(&world.look, agreement).await[0]);
        let end = format!(
            "mutation {{ endAgreement(input: {{ agreement: \"{agreement}\" version: 1 on: \"{}\" }}) {{
         ... on AgreementDecided {{ agreement {{ state }} }} }} }}",
            scene.today
        );
        let ended = scene.hub.ask(&manager, &end).await;
        assert_eq!(ended["endAgreement"]["agreement"]["state"], "ENDED", "{ended}");
        scene.misses(1, other, 5).await;

        assert_eq!(events.change().await, last_word(&informs, pupil));
        let next = events.change().await;
        let heard = [&next["kind"], &next["schoolId"], &next["count"]];
        assert_eq!(
            heard,
            [&json!("RAISED"), &json!(scene.id(1)), &json!(5)],
            "nothing between"
        );
    }
);
