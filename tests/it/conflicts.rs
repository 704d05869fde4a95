//! Two schools that contradict each other about a half-day: each of them finds a gap for as long as they do, and operators
//! that there is one (design §4: a conflict gap, pending, not B).

use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::RecordId;
use hub_entities::operation::{Actor, Role};
use hub_entities::time::HalfDay;
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::number;
use crate::support::world::{School, World, am, born, pm};

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
                let pupil = clb_hub::store::roster::PupilSaid {
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
