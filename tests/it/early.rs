//! Warnings earlier than the law's: only where both parties of an agreement want them, to those two alone, and withdrawn
//! by a correction, never by an agreement.

use std::sync::Arc;

use clb_hub::deliver::audience::Days;
use clb_hub::deliver::sequencer::Sequencer;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{ClbId, PupilId, RecordId};
use hub_entities::operation::{Actor, Role};
use hub_entities::time::{FixedClock, HalfDay};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{number, standing};
use crate::support::world::{School, World, am, at, born, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

const HALF_DAYS: [(&str, bool); 6] = [
    ("2026-09-01", true),
    ("2026-09-01", false),
    ("2026-09-03", true),
    ("2026-09-03", false),
    ("2026-09-04", true),
    ("2026-09-04", false),
];

fn half_day(number: usize) -> HalfDay {
    let (day, morning) = HALF_DAYS[number - 1];
    if morning { am(day) } else { pm(day) }
}

/// A school and its CLB with an agreement as the law has it, and a pupil of that school and of another one, whose CLB
/// wants no warning.
struct Scene {
    hub: Hub,
    school: School,
    clb: ClbId,
    record: RecordId,
    pupil: PupilId,
    of_school: Actor,
    of_clb: Actor,
    manager: Actor,
    director: Actor,
    elsewhere: [Actor; 2],
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let (clb, other) = (world.clb("114711").await, world.clb("114728").await);
        let school = world.school("123456", clb, Categories::default_agreement()).await;
        let there = world.school("654321", other, Categories::all()).await;
        let both = || clb_hub::store::roster::PupilSaid {
            national_index: Some(vec![6; 32]),
            ..born("2012-05-01")
        };
        let (record, pupil) = world.pupils(school, &[("a", both())]).await[0];
        assert_eq!(world.pupils(there, &[("x", both())]).await[0].1, pupil);
        Self {
            of_school: world.someone(Role::SchoolCareTeam, Some(school.id), None).await,
            manager: world.someone(Role::SchoolDataManager, Some(school.id), None).await,
            of_clb: world.someone(Role::ClbWorker, None, Some(clb)).await,
            director: world.someone(Role::ClbDirector, None, Some(clb)).await,
            elsewhere: [
                world.someone(Role::SchoolCareTeam, Some(there.id), None).await,
                world.someone(Role::ClbWorker, None, Some(other)).await,
            ],
            hub: Hub::over(world),
            school,
            clb,
            record,
            pupil,
        }
    }

    async fn say(&self, number: usize, reading: Reading) {
        let said = [(self.record, half_day(number), reading)];
        self.hub.world.say(self.school, &said).await;
    }

    /// The school proposes, and with `accept` the CLB accepts; the agreement as it is answered.
    async fn agree(&self, early: Option<i16>, begins: &str, accept: bool) -> Value {
        let early = early.map_or_else(String::new, |number| format!("earlyWarning: {number}"));
        let propose = format!(
            "mutation {{ proposeAgreement(input: {{ otherParty: \"{}\" categories: [IDENTITY, TRUANCY] begins: \"{begins}\"
             {early} }}) {{ ... on AgreementDecided {{ agreement {{ id earlyWarning }} }} }} }}",
            self.clb
        );
        let answer = self.hub.ask(&self.manager, &propose).await;
        let agreement = answer["proposeAgreement"]["agreement"].clone();
        if !accept {
            return agreement;
        }
        let accept = format!(
            "mutation {{ acceptAgreement(input: {{ agreement: {} version: 1 }}) {{
             ... on AgreementDecided {{ agreement {{ id earlyWarning }} }} }} }}",
            agreement["id"]
        );
        self.hub.ask(&self.director, &accept).await["acceptAgreement"]["agreement"].clone()
    }

    /// A process has seen that it is this instant, and what was agreed.
    async fn it_is(&mut self, now: &str) {
        self.hub.world.now = at(now);
        self.days().once().await.unwrap();
    }

    /// The part of a process that settles what a day or an agreement brings.
    fn days(&self) -> Days {
        let world = &self.hub.world;
        let clock = Arc::new(FixedClock(world.now));
        Days::new(
            world.db.clone(),
            world.book.clone(),
            clock,
            world.ids.clone(),
            Arc::default(),
        )
    }

    /// What someone was told from the beginning on.
    async fn told(&self, who: &Actor) -> Value {
        let world = &self.hub.world;
        let clock = Arc::new(FixedClock(world.now));
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        sequencer.once().await.unwrap();
        let question = "{ changes(first: 50) { changes { kind signalKind count } } signals(first: 9) { totalCount } }";
        let answer = self.hub.ask(who, question).await;
        let told = answer["changes"]["changes"].as_array().unwrap().iter();
        let told = told.map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
            json!(format!("{} {} {}", text("kind"), text("signalKind"), one["count"]))
        });
        let count = std::iter::once(answer["signals"]["totalCount"].clone());
        told.chain(count).collect()
    }

    async fn standing(&self) -> Vec<(String, i32, i32)> {
        standing(&self.hub.world.look, self.pupil).await
    }
}

fn early(generation: i32, half_days: i32) -> (String, i32, i32) {
    ("truancy.early".to_owned(), generation, half_days)
}

both_databases!(a_warning_is_for_the_two_who_agreed, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    // A proposal switches nothing on.
    let proposed = scene.agree(Some(3), "2026-09-01", false).await;
    assert_eq!(proposed["earlyWarning"], 3);
    for number in 1..=3 {
        scene.say(number, B).await;
    }
    assert_eq!(scene.standing().await, []);
    scene.say(3, Z).await;
    let agreed = scene.agree(Some(3), "2026-09-02", true).await;
    assert_eq!(agreed["earlyWarning"], 3);
    scene.say(3, B).await;
    assert_eq!(scene.standing().await, [early(1, 3)]);
    scene.say(4, B).await;
    scene.say(5, B).await;
    let both = json!([
        "RAISED truancy.early 3",
        "CHANGED truancy.early 4",
        "RAISED truancy.5 5",
        "CHANGED truancy.early 5",
        2
    ]);
    let told = |told: Value| {
        let mut told = told.as_array().unwrap().clone();
        told.sort_by_key(ToString::to_string);
        told
    };
    assert_eq!(told(scene.told(&scene.of_school).await), told(both.clone()));
    assert_eq!(told(scene.told(&scene.of_clb).await), told(both));
    // Those who agreed on none hear what the law makes them hear.
    for other in &scene.elsewhere {
        assert_eq!(scene.told(other).await, json!(["RAISED truancy.5 5", 1]));
    }
});

both_databases!(a_correction_withdraws_it, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.agree(Some(2), "2026-09-01", true).await;
    scene.say(1, B).await;
    assert_eq!(scene.standing().await, []);
    scene.say(2, B).await;
    scene.say(2, Z).await;
    assert_eq!(scene.standing().await, []);
    scene.say(2, B).await;
    assert_eq!(scene.standing().await, [early(2, 2)]);
    let told = json!([
        "RAISED truancy.early 2",
        "WITHDRAWN truancy.early 2",
        "RAISED truancy.early 2",
        2
    ]);
    assert_eq!(scene.told(&scene.of_clb).await, told);
    assert_eq!(scene.told(&scene.of_school).await, told);
    for other in &scene.elsewhere {
        assert_eq!(scene.told(other).await, json!([0]));
    }
});

both_databases!(switching_it_off_withdraws_nothing, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    scene.agree(Some(2), "2026-09-01", true).await;
    for number in 1..=5 {
        scene.say(number, B).await;
    }
    let stand = || vec![("truancy.5".to_owned(), 1, 5), early(1, 5)];
    assert_eq!(scene.standing().await, stand());
    let before = scene.told(&scene.of_clb).await;
    scene.agree(None, "2026-09-02", true).await;
    scene.it_is("2026-10-02T10:00:00Z").await;
    assert_eq!(scene.standing().await, stand());
    assert_eq!(scene.told(&scene.of_clb).await, before, "nobody lost it");
    // Another number is for the next one: this one stands as long as there are two.
    scene.agree(Some(4), "2026-09-03", true).await;
    scene.it_is("2026-10-02T11:00:00Z").await;
    scene.say(5, Z).await;
    scene.say(4, Z).await;
    scene.say(3, Z).await;
    assert_eq!(scene.standing().await, [early(1, 2)]);
    scene.agree(None, "2026-09-04", true).await;
    scene.say(2, Z).await;
    assert_eq!(scene.standing().await, [], "it is withdrawn once it is not so any more");
    for number in 2..=4 {
        scene.say(number, B).await;
    }
    assert_eq!(scene.standing().await, [], "switched off");
});

// Nobody says anything of the pupil on the day on which the agreement begins.
both_databases!(
    who_has_the_number_already_is_warned_of,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        for number in 1..=3 {
            scene.say(number, B).await;
        }
        scene.agree(Some(3), "2026-10-05", true).await;
        scene.it_is("2026-10-04T21:59:59Z").await;
        assert_eq!(scene.standing().await, []);
        for _ in 0..2 {
            scene.it_is("2026-10-04T22:00:00Z").await;
            assert_eq!(scene.standing().await, [early(1, 3)]);
        }
        assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED truancy.early 3", 1]));
    }
);

// An agreement of now is followed now, not with the next day.
both_databases!(
    a_process_at_work_sees_what_is_agreed,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        for number in 1..=3 {
            scene.say(number, B).await;
        }
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let days = scene.days();
        let work = tokio::spawn(async move { days.run(async { drop(stopped.await) }).await });
        // It has been at work already: today is settled.
        let settled = "select count(*) from lease where name = 'audience'";
        while number(&scene.hub.world.look, settled).await == 0 {
            tokio::task::yield_now().await;
        }
        scene.agree(Some(3), "2026-09-01", true).await;
        let warned = async {
            while scene.standing().await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), warned)
            .await
            .unwrap();
        stop.send(()).unwrap();
        work.await.unwrap();
    }
);
