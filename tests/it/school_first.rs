//! A signal that the agreement shows to the school first: nowhere to be found for the CLB until it is due, and then told
//! once, at a position behind every cursor that the CLB has.

use std::sync::Arc;

use clb_hub::deliver::audience::Days;
use clb_hub::deliver::sequencer::Sequencer;
use clb_hub::store::agreement::{Decided, Proposal, decide, propose};
use clb_hub::store::roster::PupilSaid;
use futures::StreamExt as _;
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClbId, Ids as _, PupilId, RecordId};
use hub_entities::operation::{Actor, Role};
use hub_entities::policy::Action;
use hub_entities::time::{FixedClock, HalfDay};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::world::{School, World, am, at, born, day, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Thursday 1 October 2026, noon in Brussels: three days later it is Sunday the 4th.
const THURSDAY: &str = "2026-10-01T10:00:00Z";
const SATURDAY_BEFORE_MIDNIGHT: &str = "2026-10-03T21:59:59Z";
const SUNDAY: &str = "2026-10-03T22:00:00Z";

/// A school that is shown signals three days before its CLB, and one pupil with four half-days.
struct Scene {
    hub: Hub,
    school: School,
    clb: ClbId,
    record: RecordId,
    pupil: PupilId,
    of_school: Actor,
    manager: Actor,
    of_clb: Actor,
    director: Actor,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, THURSDAY).await;
        let clb = world.clb("114711").await;
        let school = world.school_alone("123456").await;
        world
            .signed_with(school, clb, Categories::default_agreement(), "2026-09-01", |terms| {
                terms.school_first_days = 3;
            })
            .await;
        let (record, pupil) = world.pupils(school, &[("a", moving())]).await[0];
        let four = [am("2026-09-01"), pm("2026-09-01"), am("2026-09-03"), pm("2026-09-03")];
        assert_eq!(world.say(school, &four.map(|at| (record, at, B))).await.raised, 0);
        let of_school = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let of_clb = world.someone(Role::ClbWorker, None, Some(clb)).await;
        let director = world.someone(Role::ClbDirector, None, Some(clb)).await;
        Self {
            hub: Hub::over(world),
            school,
            clb,
            record,
            pupil,
            of_school,
            manager,
            of_clb,
            director,
        }
    }

    async fn say(&self, half_day: HalfDay, reading: Reading) {
        self.hub
            .world
            .say(self.school, &[(self.record, half_day, reading)])
            .await;
    }

    /// The fifth half-day.
    async fn fifth(&self) {
        self.say(am("2026-09-04"), B).await;
    }

    /// From now on it is this instant, and a process has done what a new day brings.
    async fn it_is(&mut self, now: &str) {
        self.hub.world.now = at(now);
        days(&self.hub.world, &self.hub.world.db).once().await.unwrap();
    }

    /// What someone was told from the beginning on, or after a cursor; and where that leaves it.
    async fn changes(&self, who: &Actor, after: Option<&str>) -> (Value, String) {
        let clock = Arc::new(FixedClock(self.hub.world.now));
        let world = &self.hub.world;
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        sequencer.once().await.unwrap();
        let after = after.map_or_else(String::new, |cursor| format!(", after: \"{cursor}\""));
        let question = format!("{{ changes(first: 50{after}) {{ endCursor changes {{ kind count }} }} }}");
        let answer = self.hub.ask(who, &question).await;
        let told = answer["changes"]["changes"].as_array().unwrap().iter();
        let told = told.map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["count"]));
        let cursor = answer["changes"]["endCursor"].as_str().unwrap();
        (told.collect(), cursor.to_owned())
    }

    async fn told(&self, who: &Actor) -> Value {
        self.changes(who, None).await.0
    }

    /// In how many places someone finds the signal: the count of the list, the list, by its id twice, at its pupil.
    async fn finds(&self, who: &Actor, id: &str) -> [usize; 5] {
        let question = format!(
            "{{ signals(first: 9) {{ totalCount edges {{ node {{ id }} }} }} signal(id: \"{id}\") {{ id }}
                node(id: \"{id}\") {{ id }} pupil(id: \"{}\") {{ signals {{ id }} }} }}",
            self.pupil
        );
        let answer = self.hub.ask(who, &question).await;
        let list = |value: &Value| value.as_array().map_or(0, Vec::len);
        [
            usize::try_from(answer["signals"]["totalCount"].as_u64().unwrap()).unwrap(),
            list(&answer["signals"]["edges"]),
            usize::from(!answer["signal"].is_null()),
            usize::from(!answer["node"].is_null()),
            list(&answer["pupil"]["signals"]),
        ]
    }

    /// The id of the signal that the school sees.
    async fn id(&self) -> String {
        let answer = self
            .hub
            .ask(&self.of_school, "{ signals(first: 1) { edges { node { id } } } }")
            .await;
        answer["signals"]["edges"][0]["node"]["id"].as_str().unwrap().to_owned()
    }

    /// The two agree on something else, from this day on.
    async fn agree(&self, days: i16, begins: &str) {
        let world = &self.hub.world;
        let proposal = Proposal {
            id: AgreementId(world.ids.next(world.now)),
            clb: Some(self.clb),
            school: None,
            categories: Categories::default_agreement(),
            ground: None,
            begins_on: day(begins),
            school_first_days: days,
            early_warning: None,
            releases_to_software: false,
            now: world.now,
        };
        let by = world.decided(self.manager.clone(), Action::DecideAgreement).await;
        let Decided::Done(proposed) = propose(&world.db, &by, proposal).await.unwrap() else {
            panic!("not proposed")
        };
        let by = world.decided(self.director.clone(), Action::DecideAgreement).await;
        let decided = decide(&world.db, &by, &*world.ids, proposed.id, 1, true, world.now).await;
        assert!(matches!(decided.unwrap(), Decided::Done(_)));
    }
}

/// A pupil that another school knows by its number too.
fn moving() -> PupilSaid {
    PupilSaid {
        national_index: Some(vec![4; 32]),
        ..born("2012-05-01")
    }
}

/// The part of a process that settles what a day brings.
fn days(world: &World, db: &clb_hub::store::Db) -> Days {
    let clock = Arc::new(FixedClock(world.now));
    Days::new(db.clone(), world.book.clone(), clock, world.ids.clone(), Arc::default())
}

both_databases!(the_clb_is_told_when_it_is_due, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    let (nothing, cursor) = scene.changes(&scene.of_clb, None).await;
    assert_eq!(nothing, json!([]));
    scene.fifth().await;
    let id = scene.id().await;
    // Another half-day while the school is alone with it.
    scene.say(pm("2026-09-04"), B).await;
    assert_eq!(scene.told(&scene.of_school).await, json!(["RAISED 5", "CHANGED 6"]));
    assert_eq!(scene.finds(&scene.of_school, &id).await, [1; 5]);
    let mut at_cursor = cursor;
    for now in [THURSDAY, SATURDAY_BEFORE_MIDNIGHT] {
        scene.it_is(now).await;
        let (told, moved) = scene.changes(&scene.of_clb, Some(&at_cursor)).await;
        assert_eq!(told, json!([]), "{now}");
        // It has read past the positions of the school's events.
        at_cursor = moved;
        assert_eq!(scene.finds(&scene.of_clb, &id).await, [0; 5], "{now}");
        let accept = format!("mutation {{ acceptSignal(input: {{ signal: \"{id}\" }}) {{ __typename }} }}");
        let answer = scene.hub.ask(&scene.of_clb, &accept).await;
        assert_eq!(answer["acceptSignal"]["__typename"], "NotPossible", "{now}");
    }
    let follow =
        |cursor: &str| format!("subscription {{ signals(after: \"{cursor}\") {{ cursor change {{ kind count }} }} }}");

    scene.it_is(SUNDAY).await;
    let (told, after) = scene.changes(&scene.of_clb, Some(&at_cursor)).await;
    assert_eq!(told, json!(["RAISED 6"]));
    // Whoever begins anew is told the same, and not twice.
    assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED 6"]));
    assert_eq!(scene.finds(&scene.of_clb, &id).await, [1; 5]);
    let mut updates = scene.hub.follow(&scene.of_clb, &follow(&at_cursor));
    assert_eq!(updates.next().await.unwrap()["data"]["signals"]["change"], json!(null));
    let update = updates.next().await.unwrap();
    assert_eq!(
        update["data"]["signals"]["change"],
        json!({ "kind": "RAISED", "count": 6 })
    );
    // The days are settled once more, and the next: nothing is told again. What happens now is told to both at once.
    scene.it_is(SUNDAY).await;
    scene.it_is("2026-10-05T08:00:00Z").await;
    scene.say(am("2026-09-07"), B).await;
    let (told, _) = scene.changes(&scene.of_clb, Some(&after)).await;
    assert_eq!(told, json!(["CHANGED 7"]));
    assert_eq!(
        scene.told(&scene.of_school).await,
        json!(["RAISED 5", "CHANGED 6", "CHANGED 7"])
    );
});

both_databases!(
    what_is_withdrawn_before_it_is_due_is_never_told,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene.fifth().await;
        let first = scene.id().await;
        scene.say(am("2026-09-04"), Z).await;
        scene.it_is("2026-10-05T08:00:00Z").await;
        assert_eq!(scene.told(&scene.of_school).await, json!(["RAISED 5", "WITHDRAWN 5"]));
        assert_eq!(scene.told(&scene.of_clb).await, json!([]));
        assert_eq!(scene.finds(&scene.of_clb, &first).await, [0; 5]);
        assert_eq!(scene.finds(&scene.of_school, &first).await, [1; 5]);
        // On Monday it comes true again: another signal, with days of its own.
        scene.say(am("2026-09-04"), B).await;
        scene.it_is("2026-10-07T21:59:59Z").await;
        assert_eq!(scene.told(&scene.of_clb).await, json!([]));
        scene.it_is("2026-10-07T22:00:00Z").await;
        assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED 5"]));
        assert_eq!(scene.finds(&scene.of_clb, &first).await, [1, 1, 0, 0, 1]);
        // One that was told is told to be gone as ever.
        scene.say(am("2026-09-04"), Z).await;
        assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED 5", "WITHDRAWN 5"]));
    }
);

both_databases!(
    what_the_school_reports_is_the_clbs_at_once,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene.fifth().await;
        let id = scene.id().await;
        let report = format!("mutation {{ reportSignal(input: {{ signal: \"{id}\" }}) {{ __typename }} }}");
        let answer = scene.hub.ask(&scene.of_school, &report).await;
        assert_eq!(answer["reportSignal"]["__typename"], "SignalStepped", "{answer}");
        let both = json!(["RAISED 5", "REPORTED 5"]);
        assert_eq!(scene.told(&scene.of_school).await, both);
        assert_eq!(scene.told(&scene.of_clb).await, both);
        assert_eq!(scene.finds(&scene.of_clb, &id).await, [1; 5]);
        scene.it_is(SUNDAY).await;
        assert_eq!(scene.told(&scene.of_clb).await, both);
    }
);

both_databases!(the_days_may_change_meanwhile, async |database: &TestDatabase| {
    // To none: told with the acceptance.
    let mut scene = Scene::new(database).await;
    scene.fifth().await;
    let id = scene.id().await;
    scene.agree(0, "2026-10-01").await;
    assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED 5"]));
    // To more again: what was told stays told.
    scene.agree(5, "2026-10-01").await;
    assert_eq!(scene.finds(&scene.of_clb, &id).await, [1; 5]);
    // The next one waits for five days, until Tuesday the 6th; from Monday on it was agreed to wait for none.
    scene.say(am("2026-09-04"), Z).await;
    scene.say(am("2026-09-04"), B).await;
    let before = json!(["RAISED 5", "WITHDRAWN 5"]);
    scene.it_is(SUNDAY).await;
    assert_eq!(scene.told(&scene.of_clb).await, before);
    scene.agree(0, "2026-10-05").await;
    assert_eq!(scene.told(&scene.of_clb).await, before);
    scene.it_is("2026-10-04T22:00:00Z").await;
    let after = json!(["RAISED 5", "WITHDRAWN 5", "RAISED 5"]);
    assert_eq!(scene.told(&scene.of_clb).await, after);
    scene.it_is("2026-10-06T08:00:00Z").await;
    assert_eq!(scene.told(&scene.of_clb).await, after);
});

both_databases!(
    two_processes_and_a_restart_tell_it_once,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene.fifth().await;
        // The process that was there when it was raised is gone; two others come when it is due.
        let replicas = [database.open().await, database.open().await];
        scene.hub.world.now = at(SUNDAY);
        let settling = |db| days(&scene.hub.world, db);
        let (one, other) = (settling(&replicas[0]), settling(&replicas[1]));
        for _ in 0..3 {
            let settled = join(one.once(), other.once()).await;
            assert!(settled.0.unwrap().is_some() || settled.1.unwrap().is_some());
        }
        assert_eq!(scene.told(&scene.of_clb).await, json!(["RAISED 5"]));
    }
);

both_databases!(
    a_clb_that_loses_the_pupil_while_it_waits_hears_nothing,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        let world = &scene.hub.world;
        // The other CLB agreed to wait for five days.
        let other = world.clb("114728").await;
        let there = world.school_alone("654321").await;
        world
            .signed_with(there, other, Categories::default_agreement(), "2026-09-01", |terms| {
                terms.school_first_days = 5;
            })
            .await;
        let of_other = world.someone(Role::ClbWorker, None, Some(other)).await;
        scene.fifth().await;
        let id = scene.id().await;
        // The pupil moves on Friday: what it brings along was raised on Thursday.
        scene.it_is("2026-10-02T08:00:00Z").await;
        let world = &scene.hub.world;
        let came = PupilSaid {
            begins_on: Some(day("2026-10-02")),
            ..moving()
        };
        world.roster(there, &[("x", came)]).await;
        let left = PupilSaid {
            ends_on: Some(day("2026-10-02")),
            ..moving()
        };
        world.roster(scene.school, &[("a", left)]).await;
        scene.it_is("2026-10-05T21:59:59Z").await;
        assert_eq!(scene.told(&scene.of_clb).await, json!([]));
        assert_eq!(scene.told(&of_other).await, json!([]));
        assert_eq!(scene.finds(&of_other, &id).await, [0; 5]);
        scene.it_is("2026-10-05T22:00:00Z").await;
        let (told, _) = scene.changes(&of_other, None).await;
        assert_eq!(told, json!(["RAISED 5"]));
        assert_eq!(scene.finds(&of_other, &id).await, [1; 5]);
        assert_eq!(scene.told(&scene.of_clb).await, json!([]));
    }
);
