//! A school is a roster and the absences of another source, joined by a key: how well is a number on every run, and whom
//! nobody found is told to the school that can put it right (issue 3 point 4).

use std::path::Path;

use clb_hub::store::roster::PupilSaid;
use clb_hub::sync::Source;
use clb_hub::sync::files::AbsenceFile;
use hub_connectors::absences::{AbsenceFormat, ColumnMap, PupilKey};
use hub_entities::category::{Categories, Category};
use hub_entities::operation::{Actor, Role};
use hub_entities::source::connection;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::list;
use crate::support::region::sync;
use crate::support::world::{School, World, born};

const NOW: &str = "2026-10-07T10:00:00Z";

/// A school with a roster of two, whose data manager looks; beside it another one.
struct Scene {
    hub: Hub,
    school: School,
    client: Actor,
    manager: Actor,
    operator: Actor,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::default_agreement()).await;
        world
            .roster(school, &[("a", numbered("1")), ("b", numbered("2"))])
            .await;
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let operator = world.someone(Role::Operator, None, None).await;
        Self {
            hub: Hub::over(world),
            school,
            client,
            manager,
            operator,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, text: &str) -> std::path::PathBuf {
        let path = self.folder.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn source(&self) -> Source {
        Source {
            id: self.school.source,
            school: self.school.id,
        }
    }

    /// Half-days in a file that names pupils by their stamnummer.
    async fn imports(&self, text: &str) -> (Option<i64>, Option<i64>) {
        let map = ColumnMap {
            key: PupilKey::Stamnummer,
            ..ColumnMap::default()
        };
        let mut file = AbsenceFile::new(self.file(text), AbsenceFormat::Csv(Box::new(map))).unwrap();
        let connection = connection::Entity::find_by_id(self.school.source)
            .one(&self.hub.world.look)
            .await;
        let connection = connection.unwrap().unwrap();
        let run = sync(&self.hub.world)
            .absences(self.source(), &connection, &mut file)
            .await;
        let run = run.unwrap();
        (run.named, run.found)
    }

    async fn carries(&self, path: &Path) -> (Option<i64>, Option<i64>) {
        let run = sync(&self.hub.world).carried_file(self.source(), path).await.unwrap();
        (run.named, run.found)
    }

    /// Half-days that software brings, by the roster's own keys.
    async fn pushes(&self, name: &str, pupils: &[&str]) {
        let said = pupils
            .iter()
            .map(|pupil| format!("{{ pupil: \"{pupil}\", day: \"2026-09-03\", part: AM, code: \"B\" }}"));
        let said = said.collect::<Vec<_>>().join(" ");
        let call = format!(
            "mutation {{ submitAbsences(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"123456\",
             absences: [{said}] }}) {{ ... on Delivered {{ runId }} }} }}"
        );
        let answer = self.hub.ask(&self.client, &call).await;
        assert!(answer["submitAbsences"]["runId"].is_string(), "{answer}");
    }

    /// How well the school's one source finds its pupils, as this viewer is told.
    async fn joined(&self, viewer: &Actor) -> Value {
        let question = "{ sources(first: 9) { edges { node { join { named found } waiting } } } }";
        self.hub.ask(viewer, question).await["sources"]["edges"].clone()
    }

    async fn waiting(&self, viewer: &Actor, first: i32, after: &Value) -> Value {
        let question = format!(
            "{{ quarantine(first: {first}, after: {after}) {{ totalCount pageInfo {{ hasNextPage endCursor }}
             edges {{ node {{ id key keyKind kind rows since }} }} }} }}"
        );
        self.hub.ask(viewer, &question).await["quarantine"].clone()
    }
}

fn numbered(stamnummer: &str) -> PupilSaid {
    PupilSaid {
        stamnummer: Some(stamnummer.to_owned()),
        ..born("2012-05-01")
    }
}

fn edges(of: &[Value]) -> Value {
    json!(of.iter().map(|node| json!({ "node": node })).collect::<Vec<_>>())
}

const THREE: &str = "pupil,date,part,code\r\n1,2026-09-03,AM,B\r\n1,2026-09-03,PM,B\r\n\
    canary-7,2026-09-03,AM,B\r\ncanary-7,2026-09-04,AM,B\r\n2,2026-09-03,AM,B\r\n";

both_databases!(every_run_says_how_many_it_found, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    assert_eq!(
        scene.joined(&scene.operator).await,
        edges(&[json!({ "join": null, "waiting": 0 })])
    );
    // Each pupil once, however many rows name him.
    assert_eq!(scene.imports(THREE).await, (Some(3), Some(2)));
    let told = edges(&[json!({ "join": { "named": 3, "found": 2 }, "waiting": 1 })]);
    assert_eq!(scene.joined(&scene.operator).await, told);
    assert_eq!(scene.joined(&scene.manager).await, told);
    let carried = scene.file("pupil,halfDays,begins,former\r\na,4,2026-09-15,111111\r\nx,4,2026-09-15,111111\r\n");
    assert_eq!(scene.carries(&carried).await, (Some(2), Some(1)));
    scene.pushes("one", &["a", "b", "canary-8", "canary-9"]).await;
    let runs = "{ syncRuns(first: 9) { edges { node { kind named found quarantined } } } }";
    let mut runs = scene.hub.ask(&scene.operator, runs).await["syncRuns"]["edges"].clone();
    let runs = runs.as_array_mut().unwrap();
    runs.sort_by_key(ToString::to_string);
    let run = |kind: &str, named: Value, found: Value, quarantined: i32| json!({ "kind": kind, "named": named, "found": found, "quarantined": quarantined });
    let expected = [
        run("ABSENCES", json!(3), json!(2), 2),
        run("ABSENCES", json!(4), json!(2), 2),
        run("CARRIED_IN", json!(2), json!(1), 1),
        // A roster matches nobody: it says who there is.
        run("ROSTER", Value::Null, Value::Null, 0),
    ];
    let mut expected: Vec<Value> = expected.into_iter().map(|node| json!({ "node": node })).collect();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(*runs, expected);
});

both_databases!(whom_nobody_found_the_school_is_told, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let world = &scene.hub.world;
    scene.imports(THREE).await;
    scene.pushes("one", &["a", "canary-8"]).await;
    let neighbour = world
        .school("222222", world.clb("114711").await, Categories::all())
        .await;
    let other = world.someone(Role::SchoolDataManager, Some(neighbour.id), None).await;
    let care = world.someone(Role::SchoolCareTeam, Some(scene.school.id), None).await;

    let all = scene.waiting(&scene.manager, 9, &Value::Null).await;
    assert_eq!(all["totalCount"], 2);
    let told: Vec<Value> = all["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"].clone())
        .collect();
    let seen = |key: &str| {
        let found = told.iter().find(|one| one["key"] == key).unwrap();
        (found["keyKind"].clone(), found["kind"].clone(), found["rows"].clone())
    };
    assert_eq!(
        seen("canary-7"),
        (json!("REGISTRATION_NUMBER"), json!("ABSENCES"), json!(2))
    );
    assert_eq!(seen("canary-8"), (json!("SOURCE_KEY"), json!("ABSENCES"), json!(1)));
    // One by one as all at once.
    let first = scene.waiting(&scene.manager, 1, &Value::Null).await;
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let second = scene.waiting(&scene.manager, 1, &first["pageInfo"]["endCursor"]).await;
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
    assert_eq!(json!([first["edges"][0], second["edges"][0]]), all["edges"]);

    // The administration of its CLB finds the same, where the category was agreed.
    let clb = world.clb("114711").await;
    let administration = world.someone(Role::ClbAdministration, None, Some(clb)).await;
    let to_the_clb = scene.waiting(&administration, 9, &Value::Null).await;
    assert_eq!(
        (&to_the_clb["edges"], &to_the_clb["totalCount"]),
        (&all["edges"], &json!(2))
    );
    let other_clb = world.clb("114728").await;
    let stranger = world.someone(Role::ClbAdministration, None, Some(other_clb)).await;
    let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;

    // Nobody else: not the neighbour, not the care team, not software, not another CLB; an operator cannot even ask.
    let nothing = json!({ "totalCount": 0, "pageInfo": { "hasNextPage": false, "endCursor": null }, "edges": [] });
    for viewer in [&other, &care, &scene.client, &stranger, &worker] {
        assert_eq!(scene.waiting(viewer, 9, &Value::Null).await, nothing, "{viewer:?}");
    }
    let refused = scene
        .hub
        .answer(&scene.operator, "{ quarantine(first: 1) { totalCount } }")
        .await;
    assert_eq!(refused["data"], Value::Null);
    let everything = "{ syncRuns(first: 99) { edges { node { id kind state staged quarantined named found } } }
        gaps(first: 99) { edges { node { rule detail } } } sources(first: 9) { edges { node { name waiting } } } }";
    let told = scene.hub.ask(&scene.operator, everything).await.to_string();
    assert!(!told.contains("canary"), "{told}");

    // Once the school names one of them, what waited goes where it belongs.
    world
        .roster(
            scene.school,
            &[("a", numbered("1")), ("b", numbered("2")), ("c", numbered("canary-7"))],
        )
        .await;
    assert_eq!(
        scene.imports("pupil,date,part,code\r\n1,2026-09-08,AM,B\r\n").await,
        (Some(1), Some(1))
    );
    let left = scene.waiting(&scene.manager, 9, &Value::Null).await;
    assert_eq!(
        (&left["totalCount"], &left["edges"][0]["node"]["key"]),
        (&json!(1), &json!("canary-8"))
    );
    let told = edges(&[json!({ "join": { "named": 1, "found": 1 }, "waiting": 1 })]);
    assert_eq!(scene.joined(&scene.operator).await[0], told[0]);

    // Without truancy in the agreement the half-days of others are no business of a CLB's any more.
    let to_the_clb = scene.waiting(&administration, 9, &Value::Null).await;
    assert_eq!(to_the_clb["edges"], left["edges"]);
    let less = Categories::default_agreement().without(Categories::NONE.with(Category::Truancy));
    world.signed(scene.school, clb, less, "2026-10-07").await;
    assert_eq!(scene.waiting(&administration, 9, &Value::Null).await, nothing);

    // Each look is written down: who, and what of.
    let ids: Vec<String> = list::<uuid::Uuid>(&world.look, "select id from quarantine order by since, id")
        .await
        .into_iter()
        .map(|id| hub_entities::id::QuarantineId(id).to_string())
        .collect();
    let mut lines = scene.hub.lines().await;
    lines.sort_by_key(|line| line.id);
    let seen: Vec<(Role, i32)> = lines.iter().map(|line| (line.role, line.pupils)).collect();
    let (manager, administration) = (Role::SchoolDataManager, Role::ClbAdministration);
    let managed = [(manager, 2), (manager, 1), (manager, 1), (manager, 1)];
    assert_eq!(
        seen,
        [
            &managed[..3],
            &[(administration, 2)],
            &managed[3..],
            &[(administration, 1)]
        ]
        .concat()
    );
    let mut first: Vec<String> = serde_json::from_value(lines[0].pupil_ids.clone()).unwrap();
    let mut both = ids;
    first.sort();
    both.sort();
    assert_eq!(first, both);
});
