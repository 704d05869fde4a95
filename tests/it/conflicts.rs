//! Two schools that contradict each other about a half-day: each of them finds a gap for as long as they do, and operators
//! that there is one (design §4: a conflict gap, pending, not B).

use clb_hub::store::roster::PupilSaid;
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::RecordId;
use hub_entities::operation::{Actor, Role};
use hub_entities::time::HalfDay;
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{number, standing, totals};
use crate::support::world::{School, World, am, born, day, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Three schools, and pupils whom the first two know by the same number.
struct Scene {
    world: World,
    schools: [School; 3],
    /// By pupil: the record at the first school, and at the second.
    records: Vec<[RecordId; 2]>,
}

impl Scene {
    async fn new(database: &TestDatabase, pupils: u8) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let schools = [
            world.school("123456", clb, Categories::all()).await,
            world.school("123457", clb, Categories::all()).await,
            world.school("123458", clb, Categories::all()).await,
        ];
        let keys: Vec<String> = (0..pupils).map(|number| format!("p{number}")).collect();
        let said: Vec<_> = keys
            .iter()
            .zip(0..)
            .map(|(key, number)| {
                let pupil = PupilSaid {
                    national_index: Some(vec![number; 32]),
                    ..born("2012-05-01")
                };
                (key.as_str(), pupil)
            })
            .collect();
        let here = world.pupils(schools[0], &said).await;
        let there = world.pupils(schools[1], &said).await;
        let records = here.iter().zip(&there).map(|(here, there)| [here.0, there.0]).collect();
        Self {
            world,
            schools,
            records,
        }
    }

    /// What one of the two schools says of a pupil's half-day.
    async fn says(&self, school: usize, pupil: usize, at: HalfDay, reading: Reading) {
        let said = [(self.records[pupil][school], at, reading)];
        self.world.say(self.schools[school], &said).await;
    }

    async fn manager(&self, school: usize) -> Actor {
        let of = self.schools[school].id;
        self.world.someone(Role::SchoolDataManager, Some(of), None).await
    }
}

/// What a viewer is told: how many there are, and of each its id, source, detail and how often.
async fn gaps(hub: &Hub, viewer: &Actor) -> (i64, Vec<Value>) {
    let question =
        "{ gaps(first: 99) { totalCount edges { node { id rule sourceId detail occurrences firstSeenAt } } } }";
    let answer = hub.ask(viewer, question).await["gaps"].clone();
    let edges = answer["edges"].as_array().unwrap().clone();
    let nodes = edges.into_iter().map(|edge| edge["node"].clone()).collect();
    (answer["totalCount"].as_i64().unwrap(), nodes)
}

fn details(nodes: &[Value]) -> Vec<&str> {
    assert!(nodes.iter().all(|node| node["rule"] == "absence.conflict"), "{nodes:?}");
    let mut details: Vec<&str> = nodes.iter().map(|node| node["detail"].as_str().unwrap()).collect();
    details.sort_unstable();
    details
}

both_databases!(
    a_contradiction_is_a_gap_of_both_schools,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, 2).await;
        let [north, south, east] = [scene.manager(0).await, scene.manager(1).await, scene.manager(2).await];
        let operator = scene.world.someone(Role::Operator, None, None).await;
        let (tuesday, thursday) = (am("2026-09-01"), pm("2026-09-03"));
        // Of one pupil both half-days, of the other one of them; and one about which they agree.
        for (pupil, at) in [(0, tuesday), (0, thursday), (1, tuesday)] {
            scene.says(0, pupil, at, B).await;
            scene.says(1, pupil, at, Z).await;
        }
        scene.says(0, 1, thursday, B).await;
        scene.says(1, 1, thursday, B).await;
        let Scene {
            world,
            schools,
            records,
        } = scene;
        let hub = Hub::over(world);
        let days = ["2026-09-01", "2026-09-01", "2026-09-03"];
        for (viewer, school) in [(&north, schools[0]), (&south, schools[1])] {
            let (count, nodes) = gaps(&hub, viewer).await;
            assert_eq!((count, details(&nodes)), (3, days.to_vec()));
            for node in &nodes {
                assert_eq!(node["sourceId"], json!(school.source.to_string()));
                assert_eq!(
                    (&node["occurrences"], &node["firstSeenAt"]),
                    (&json!(1), &json!("2026-10-01T10:00:00+00:00"))
                );
            }
        }
        assert_eq!(gaps(&hub, &east).await, (0, vec![]));
        // Operators learn that there is one at a school, not on which day: that is a pupil's.
        let (count, nodes) = gaps(&hub, &operator).await;
        assert_eq!((count, details(&nodes)), (6, vec![""; 6]));
        // Each has an id, by which it is found as long as it stands.
        let id = nodes[0]["id"].clone();
        let node = format!("{{ node(id: {id}) {{ __typename id }} }}");
        let found = hub.ask(&operator, &node).await;
        assert_eq!(found["node"], json!({ "__typename": "Gap", "id": id }));

        // One of them gives in: the contradiction is gone, and so are the gaps of both. The others stay what they were.
        let (_, before) = gaps(&hub, &north).await;
        hub.world.say(schools[1], &[(records[0][1], tuesday, B)]).await;
        hub.world
            .say(schools[0], &[(records[1][0], tuesday, Reading::Present)])
            .await;
        for viewer in [&north, &south] {
            let (count, nodes) = gaps(&hub, viewer).await;
            assert_eq!((count, details(&nodes)), (1, vec!["2026-09-03"]));
        }
        let (_, left) = gaps(&hub, &operator).await;
        let found = hub.ask(&operator, &node).await;
        assert_eq!(left.len(), 2);
        assert_eq!(found["node"].is_null(), left.iter().all(|gap| gap["id"] != id));
        let (_, after) = gaps(&hub, &north).await;
        assert!(before.contains(&after[0]), "a gap that stands is the same one");
        // And what comes back is another.
        hub.world.say(schools[1], &[(records[0][1], tuesday, Z)]).await;
        let (count, again) = gaps(&hub, &north).await;
        assert_eq!((count, details(&again)), (2, vec!["2026-09-01", "2026-09-03"]));
        assert!(
            again.iter().filter(|gap| before.contains(gap)).count() == 1,
            "{again:?}"
        );
    }
);

both_databases!(gaps_of_both_kinds_are_one_list, async |database: &TestDatabase| {
    let scene = Scene::new(database, 3).await;
    let manager = scene.manager(0).await;
    for pupil in 0..3 {
        scene.says(0, pupil, am("2026-09-01"), B).await;
        scene.says(1, pupil, am("2026-09-01"), Z).await;
    }
    let held = scene.world.held(scene.schools[0]).await;
    for letter in ["Q", "W"] {
        scene.world.gap(scene.schools[0], held, letter, 1).await;
    }
    let hub = Hub::over(scene.world);
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let question = format!(
            "{{ gaps(first: 2{after}) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ id rule }} }} }} }}"
        );
        let page = hub.ask(&manager, &question).await["gaps"].clone();
        assert_eq!(page["totalCount"], 5);
        found.extend(
            page["edges"]
                .as_array()
                .unwrap()
                .iter()
                .map(|edge| edge["node"].clone()),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    let mut ids: Vec<String> = found.iter().map(|node| node["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    let conflicts = found.iter().filter(|node| node["rule"] == "absence.conflict").count();
    assert_eq!((ids.len(), conflicts), (5, 3), "{found:?}");
});

// Two schools that change their minds about the same half-days at the same time: whatever each of them said last, there
// is a gap of both exactly where they contradict each other. (That every contradiction has its sides, and nothing else
// has, is looked at after every test.)
both_databases!(two_writers_leave_no_gap_behind, async |database: &TestDatabase| {
    const PUPILS: u8 = 12;
    let scene = Scene::new(database, PUPILS).await;
    let at = am("2026-09-01");
    let all = async |school: usize, readings: &[Reading]| {
        for reading in readings {
            let said = scene.records.iter().map(|of| (of[school], at, *reading));
            scene.world.say(scene.schools[school], &said.collect::<Vec<_>>()).await;
        }
    };
    let sides = async || number(&scene.world.look, "select count(*) from conflict_side").await;
    join(all(0, &[B, Z, B]), all(1, &[Z, B, Z])).await;
    assert_eq!(sides().await, 2 * i64::from(PUPILS));
    join(all(0, &[Z, B]), all(1, &[Z, B])).await;
    assert_eq!(sides().await, 0);
});

/// A pupil of this national number, at a school on these days.
fn at_school(begins: &str, ends: Option<&str>) -> PupilSaid {
    PupilSaid {
        national_index: Some(vec![9; 32]),
        begins_on: Some(day(begins)),
        ends_on: ends.map(day),
        ..born("2012-05-01")
    }
}

// Somebody goes from one school to another on 8 September, and the first one corrects itself afterwards (design §4: two
// valid enrolments that disagree).
both_databases!(
    a_school_that_was_left_contradicts_nobody,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, 0).await;
        let Scene { world, schools, .. } = &scene;
        let [first, second, _] = *schools;
        let moved = |ends| at_school("2026-09-01", ends);
        let (here, pupil) = world.pupils(first, &[("c", moved(Some("2026-09-08")))]).await[0];
        let (there, same) = world.pupils(second, &[("c", at_school("2026-09-08", None))]).await[0];
        assert_eq!(pupil, same);
        // A third school, which it left long ago, has a word on one of these days as well.
        let left = at_school("2026-01-05", Some("2026-07-01"));
        let (long_ago, _) = world.pupils(schools[2], &[("c", left)]).await[0];
        world.say(schools[2], &[(long_ago, am("2026-09-08"), Z)]).await;
        let sides = async || number(&world.look, "select count(*) from conflict_side").await;
        let outcome = async || (totals(&world.look, pupil, 2026).await, sides().await);
        let before = ["2026-09-01", "2026-09-03"].map(am);
        let after = ["2026-09-08", "2026-09-10", "2026-09-14"].map(am);
        world.say(first, &before.map(|at| (here, at, B))).await;
        world.say(second, &after.map(|at| (there, at, B))).await;
        assert_eq!(outcome().await, ((5, 0), 0));
        assert_eq!(standing(&world.look, pupil).await.len(), 1);
        // Of days on which the pupil was not theirs, neither school has anything to say against the other.
        world.say(first, &after.map(|at| (here, at, Z))).await;
        world.say(second, &before.map(|at| (there, at, Z))).await;
        assert_eq!(outcome().await, ((5, 0), 0));
        assert_eq!(standing(&world.look, pupil).await.len(), 1, "no signal is lost to it");
        // Nor is one raised by it.
        world.say(second, &[(there, after[2], Z)]).await;
        world.say(first, &[(here, after[2], B)]).await;
        assert_eq!(outcome().await, ((4, 0), 0));
        assert_eq!(standing(&world.look, pupil).await.len(), 0);
        // What nobody else speaks of is heard.
        world.say(first, &[(here, pm("2026-09-14"), B)]).await;
        assert_eq!(outcome().await, ((5, 0), 0));

        // The first school says that the pupil left at the end of the month: now they contradict each other about those three
        // days, from the transaction on that brought it.
        let roster = world.roster(first, &[("c", moved(Some("2026-09-30")))]).await;
        assert_eq!(roster.withdrawn, 1);
        assert_eq!(outcome().await, ((3, 3), 6));
        // And it was on the 8th after all.
        let roster = world.roster(first, &[("c", moved(Some("2026-09-08")))]).await;
        assert_eq!(roster.raised, 1);
        assert_eq!(outcome().await, ((5, 0), 0));
    }
);

// Half-days of after today that a school registered in advance: who is no longer in a complete roster left today, and
// contradicts nobody about them.
both_databases!(an_ending_takes_back_a_contradiction, async |database: &TestDatabase| {
    let scene = Scene::new(database, 0).await;
    let Scene { world, schools, .. } = &scene;
    let [first, second, _] = *schools;
    let (here, pupil) = world.pupils(first, &[("c", at_school("2026-09-01", None))]).await[0];
    let (there, _) = world.pupils(second, &[("c", at_school("2026-09-01", None))]).await[0];
    let coming = am("2026-10-05");
    world.say(second, &[(there, coming, B)]).await;
    world.say(first, &[(here, coming, Z)]).await;
    assert_eq!(totals(&world.look, pupil, 2026).await, (0, 1));
    assert_eq!(world.complete(first, &[]).await, 1);
    assert_eq!(totals(&world.look, pupil, 2026).await, (1, 0));
    assert_eq!(number(&world.look, "select count(*) from conflict_side").await, 0);
});

// A CLB finds the contradictions about its own pupils, of the schools that agreed on `truancy` with it, and no code.
both_databases!(
    a_clb_finds_the_contradictions_of_its_pupils,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let (first, second) = (world.clb("114711").await, world.clb("114712").await);
        let north = world.school("123456", first, Categories::all()).await;
        let south = world.school("123457", second, Categories::all()).await;
        let workers = [
            world.someone(Role::ClbWorker, None, Some(first)).await,
            world.someone(Role::ClbWorker, None, Some(second)).await,
        ];
        let others = [
            world
                .someone(Role::ClbWorker, None, Some(world.clb("114713").await))
                .await,
            world.someone(Role::ClbChatWorker, None, Some(first)).await,
        ];
        let said = || at_school("2026-09-01", None);
        let (here, pupil) = world.pupils(north, &[("c", said())]).await[0];
        let (there, _) = world.pupils(south, &[("c", said())]).await[0];
        let days = [am("2026-09-01"), pm("2026-09-03")];
        world.say(north, &days.map(|at| (here, at, B))).await;
        world.say(south, &days.map(|at| (there, at, Z))).await;
        let hub = Hub::over(world);
        let question = "{ gaps(first: 9) { totalCount edges { node { id rule pupilId day part schoolId since } } } }";
        let ask = async |viewer: &Actor| {
            let answer = hub.ask(viewer, question).await["gaps"].clone();
            let edges = answer["edges"].as_array().unwrap().clone();
            let told = |edge: &Value| {
                let node = &edge["node"];
                assert_eq!(
                    (&node["rule"], &node["pupilId"]),
                    (&json!("absence.conflict"), &json!(pupil.to_string()))
                );
                let texts = ["day", "part", "schoolId"].map(|field| node[field].as_str().unwrap().to_owned());
                texts.join(" ")
            };
            let mut told: Vec<String> = edges.iter().map(told).collect();
            told.sort();
            assert_eq!(answer["totalCount"], told.len());
            told
        };
        let told = |of: &[&str], school: School| -> Vec<String> {
            of.iter().map(|at| format!("{at} {}", school.id)).collect()
        };
        let both = ["2026-09-01 AM", "2026-09-03 PM"];
        assert_eq!(ask(&workers[0]).await, told(&both, north), "of its own school alone");
        assert_eq!(ask(&workers[1]).await, told(&both, south));
        for other in &others {
            assert_eq!(ask(other).await, Vec::<String>::new(), "{other:?}");
        }
        // One is settled: gone for every CLB.
        hub.world.say(south, &[(there, days[0], B)]).await;
        assert_eq!(ask(&workers[0]).await, told(&both[1..], north));
        assert_eq!(ask(&workers[1]).await, told(&both[1..], south));
        // South and its CLB agree on less: nothing is told any more of what south says.
        let less = Categories::all().without(Categories::NONE.with(Category::Truancy));
        hub.world.signed(south, second, less, "2026-09-15").await;
        assert_eq!(ask(&workers[1]).await, Vec::<String>::new());
        assert_eq!(ask(&workers[0]).await, told(&both[1..], north));
        // The pupil leaves north: the contradiction stands, and is no longer its CLB's to know.
        assert_eq!(hub.world.complete(north, &[]).await, 1);
        assert_eq!(number(&hub.world.look, "select count(*) from conflict_side").await, 2);
        assert_eq!(ask(&workers[0]).await, Vec::<String>::new());

        let truancy = Categories::NONE.with(Category::Truancy);
        let lines = hub.lines().await;
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line.role, line.categories, line.pupil_ids.clone()))
            .collect();
        assert_eq!(lines.len(), 5, "a line of each answer that told of somebody: {lines:?}");
        assert!(
            lines
                .iter()
                .all(|line| *line == (Role::ClbWorker, truancy, json!([pupil.to_string()])))
        );
    }
);
