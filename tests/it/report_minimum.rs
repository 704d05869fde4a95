//! The legal minimum of an obligatory report is kept where no agreement lists it: apart, for the report alone, and no
//! longer than one may need it (design §3).

use clb_hub::sync::Source;
use hub_connectors::roster::{ClassRow, MembershipRow, PupilRow, Roster, Says, SchoolLink, Status};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{ClbId, PupilId, RecordId, SignalId};
use hub_entities::operation::{Actor, Role};
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::source::{KeyKind, RunState};
use hub_entities::time::{HalfDay, SchoolYear};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{everything, list, meddle, number};
use crate::support::region::sync;
use crate::support::source::below;
use crate::support::world::{School, World, am, at, day, pm};

const B: Reading = Reading::Absent(Code::B);

fn truancy() -> Categories {
    Categories::NONE.with(Category::Truancy)
}

fn pupil(key: &str, given: &str) -> PupilRow {
    PupilRow {
        source_key: key.to_owned(),
        says: Says {
            person: true,
            schools: true,
            birth: true,
        },
        schools: vec![SchoolLink {
            school_key: "s".to_owned(),
            begins: Some(day("2026-09-01")),
            ends: None,
            status: Status::default(),
        }],
        given_name: given.to_owned(),
        family_name: "Minimum".to_owned(),
        birth_date: Some(day("2012-05-01")),
        city: Some("Gemeente".to_owned()),
        ..PupilRow::default()
    }
}

fn place(key: &str, class: &str, pupil: &str, status: Status) -> MembershipRow {
    MembershipRow {
        source_key: key.to_owned(),
        class_key: class.to_owned(),
        school_key: "s".to_owned(),
        pupil_key: pupil.to_owned(),
        begins: Some(day("2026-09-01")),
        ends: None,
        status,
    }
}

/// Ada, Bo and Dre in one class, and nobody in another.
fn roster() -> Roster {
    let class = |key: &str, title: &str| ClassRow {
        source_key: key.to_owned(),
        title: title.to_owned(),
        school_key: "s".to_owned(),
        grade: Some("07".to_owned()),
        school_year: Some(SchoolYear(2026)),
        code: None,
        homeroom: true,
        status: Status::default(),
    };
    let mut roster = Roster {
        classes: vec![class("k1", "Klaver"), class("k2", "Linde")],
        pupils: vec![pupil("ada", "Ada"), pupil("bo", "Bo"), pupil("dre", "Dre")],
        memberships: vec![
            place("m1", "k1", "ada", Status::default()),
            place("m2", "k1", "bo", Status::default()),
            place("m3", "k1", "dre", Status::default()),
        ],
        ..Roster::default()
    };
    roster.complete.pupils = true;
    roster.complete.classes = true;
    roster.complete.memberships = true;
    roster
}

/// Which half-days of hers are B at first.
fn five() -> [HalfDay; 5] {
    [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-03"),
        pm("2026-09-03"),
        am("2026-09-04"),
    ]
}

/// A school that agreed on truancy alone. Ada has five half-days of B, Bo has none.
struct Scene {
    world: World,
    school: School,
    clb: ClbId,
    ada: (RecordId, PupilId),
    bo: (RecordId, PupilId),
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, truancy()).await;
        import(&world, school, &roster(), 1).await;
        let scope = world.source_scope(school).await;
        let known = clb_hub::store::roster::keys(&world.db, &scope, KeyKind::SourceKey)
            .await
            .unwrap();
        let (ada, bo) = (known["ada"], known["bo"]);
        let said: Vec<_> = five().iter().map(|at| (ada.0, *at, B)).collect();
        assert_eq!(world.say(school, &said).await.raised, 1);
        Self {
            world,
            school,
            clb,
            ada,
            bo,
        }
    }

    async fn import(&self, roster: &Roster, content: u8) {
        import(&self.world, self.school, roster, content).await;
    }

    /// A roster that would end so many of these few that somebody must look first.
    async fn import_approved(&self, roster: &Roster, content: u8) {
        let held = run(&self.world, self.school, roster, content).await;
        assert_eq!(held, RunState::Held);
        assert!(sync(&self.world).approve(source(self.school)).await.unwrap());
        self.import(roster, content).await;
    }

    /// One of the five is corrected, and the signal goes.
    async fn corrected(&self) {
        let z = Reading::Absent(Code::Z);
        let withdrawn = self
            .world
            .say(self.school, &[(self.ada.0, five()[4], z)])
            .await
            .withdrawn;
        assert_eq!(withdrawn, 1);
    }

    /// The given names that are kept for reports.
    async fn kept(&self) -> Vec<String> {
        list(
            &self.world.look,
            "select given_name from report_name order by given_name",
        )
        .await
    }

    fn signal(&self) -> SignalId {
        signal_id(&truancy_key("truancy.5", self.ada.1, SchoolYear(2026)), 1)
    }
}

async fn import(world: &World, school: School, roster: &Roster, content: u8) {
    assert_eq!(run(world, school, roster, content).await, RunState::Done);
}

async fn run(world: &World, school: School, roster: &Roster, content: u8) -> RunState {
    let content = vec![content; 32];
    let run = sync(world).roster(source(school), "s", roster.clone(), content).await;
    run.unwrap().state
}

fn source(school: School) -> Source {
    Source {
        id: school.source,
        school: school.id,
    }
}

/// What the report of Ada's signal carries to this viewer.
async fn reported(hub: &Hub, viewer: &Actor, signal: SignalId) -> Value {
    let question = format!(
        "{{ signal(id: \"{signal}\") {{ state reportedPupil {{ givenName familyName birthDate school {{ id }} classes
         count }} }} }}"
    );
    hub.ask(viewer, &question).await["signal"].clone()
}

both_databases!(
    the_minimum_leaves_with_the_report_and_by_no_other_way,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (ada, bo, signal, school) = (scene.ada.1, scene.bo.1, scene.signal(), scene.school);
        // It stands in its own tables alone: what was not agreed is not in the record.
        for (table, rows) in everything(database, &scene.world.look).await {
            let told = rows
                .iter()
                .any(|row| row.contains("Minimum") || row.contains("2012-05-01"));
            assert_eq!(told, table == "report_name", "{table}");
            let classes = rows.iter().any(|row| row.contains("Klaver"));
            assert_eq!(classes, table == "report_class", "{table}");
            assert!(!["class_group", "membership"].contains(&table.as_str()) || rows.is_empty());
        }
        let dropped = list::<String>(
            &scene.world.look,
            "select cast(dropped as text) from sync_run where kind = 'roster'",
        );
        assert!(
            dropped.await[0].contains("identity"),
            "the sender is told what no agreement lists"
        );

        let world = &scene.world;
        let worker = world.someone(Role::ClbWorker, None, Some(scene.clb)).await;
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        let other = world.clb("114728").await;
        let stranger = world.someone(Role::ClbWorker, None, Some(other)).await;
        let operator = world.someone(Role::Operator, None, None).await;
        let hub = Hub::over(scene.world);
        let minimum = json!({ "givenName": "Ada", "familyName": "Minimum", "birthDate": "2012-05-01",
            "school": { "id": school.id.to_string() }, "classes": ["Klaver"], "count": 5 });
        let whole = json!({ "state": "RAISED", "reportedPupil": minimum });
        assert_eq!(reported(&hub, &worker, signal).await, whole);
        assert_eq!(reported(&hub, &client, signal).await, whole, "the school said it");
        assert_eq!(reported(&hub, &stranger, signal).await, Value::Null);

        // Everything else there is to ask, of her and of Bo, about whom no report is due.
        let fields = "id givenName familyName sex birthDate address { city } contacts { phone } language withheld
            enrolments { begins } classes { name } absences(first: 9) { totalCount } absenceCounts { n }
            truancy { count } signals { kind }";
        let questions = [
            format!("{{ pupil(id: \"{ada}\") {{ {fields} }} }}"),
            format!("{{ pupil(id: \"{bo}\") {{ {fields} }} }}"),
            format!("{{ node(id: \"{bo}\") {{ ... on Pupil {{ {fields} }} }} }}"),
            format!("{{ pupils(first: 9, orderBy: FAMILY_NAME) {{ edges {{ cursor node {{ {fields} }} }} }} }}"),
            format!("{{ signal(id: \"{signal}\") {{ pupil {{ {fields} }} }} }}"),
            format!(
                "{{ school(id: \"{}\") {{ classes(first: 9) {{ totalCount edges {{ node {{ name }} }} }} }} }}",
                school.id
            ),
            "{ changes(first: 9) { changes { signalKind count } } }".to_owned(),
        ];
        for viewer in [&worker, &client, &stranger] {
            for question in &questions {
                let answer = hub.answer(viewer, question).await.to_string();
                for secret in ["Ada", "Bo", "Dre", "Minimum", "2012-05-01", "Klaver"] {
                    assert!(!answer.contains(secret), "{secret}: {question}: {answer}");
                }
            }
        }
        let runs = "{ syncRuns(first: 9) { edges { node { id state } } } gaps(first: 9) { totalCount } }";
        assert!(!hub.answer(&operator, runs).await.to_string().contains("Minimum"));
    }
);

both_databases!(
    a_withdrawn_signal_carries_no_minimum,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let signal = scene.signal();
        scene.corrected().await;
        // It may be needed again, so it is kept; but it leaves no more.
        assert_eq!(scene.kept().await, ["Ada", "Bo", "Dre"]);
        let worker = scene.world.someone(Role::ClbWorker, None, Some(scene.clb)).await;
        let hub = Hub::over(scene.world);
        let withdrawn = json!({ "state": "WITHDRAWN", "reportedPupil": null });
        assert_eq!(reported(&hub, &worker, signal).await, withdrawn);
    }
);

both_databases!(what_no_report_can_need_is_forgotten, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    // Both leave: a signal stands about Ada, so her report can still be due.
    let mut nobody = roster();
    nobody.pupils = vec![pupil("dre", "Dre")];
    nobody.memberships = vec![place("m3", "k2", "dre", Status::default())];
    scene.import_approved(&nobody, 2).await;
    assert_eq!(scene.kept().await, ["Ada", "Dre"]);
    let places = "select pupil_key from report_place order by pupil_key";
    assert_eq!(list::<String>(&scene.world.look, places).await, ["dre"]);
    // It goes with its signal, at the next look.
    scene.corrected().await;
    assert_eq!(sync(&scene.world).forget_reports().await.unwrap(), 1);
    assert_eq!(scene.kept().await, ["Dre"]);
    // Without an agreement nothing of absences is kept, so nothing can come to be due; no roster comes any more either.
    meddle(
        &scene.world.look,
        "update agreement set state = 'ended', ends_on = '2026-10-05'",
    )
    .await;
    assert_eq!(sync(&scene.world).forget_reports().await.unwrap(), 0, "it holds today");
    scene.world.now = at("2026-10-05T10:00:00Z");
    assert_eq!(sync(&scene.world).forget_reports().await.unwrap(), 1);
    for table in ["report_name", "report_place", "report_class"] {
        assert_eq!(
            number(&scene.world.look, &format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }
    // Agreed anew, the very same roster brings it back.
    scene
        .world
        .signed(scene.school, scene.clb, truancy(), "2026-10-05")
        .await;
    scene.import(&nobody, 2).await;
    assert_eq!(scene.kept().await, ["Dre"]);
    assert_eq!(list::<String>(&scene.world.look, places).await, ["dre"]);
    // Widened: what is agreed is where everyone may read it who has it, and nowhere else.
    scene
        .world
        .signed(scene.school, scene.clb, Categories::default_agreement(), "2026-10-06")
        .await;
    scene.world.now = at("2026-10-06T10:00:00Z");
    scene.import(&nobody, 2).await;
    assert_eq!(scene.kept().await, Vec::<String>::new());
    assert_eq!(number(&scene.world.look, "select count(*) from report_place").await, 0);
    let named = "select given_name from record where given_name is not null";
    assert_eq!(list::<String>(&scene.world.look, named).await, ["Dre"]);
    assert_eq!(number(&scene.world.look, "select count(*) from membership").await, 1);
});

both_databases!(
    a_delta_changes_what_it_says_of_the_minimum,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        // Ada's name, and nothing of her birth; Bo's birth, and nothing of his name. She moves to another class, of which the delta says
        // nothing else; he leaves his.
        let (mut ada, mut bo) = (pupil("ada", "Adèle"), pupil("bo", ""));
        (ada.says.birth, ada.birth_date) = (false, None);
        (bo.says.person, bo.birth_date) = (false, Some(day("2012-06-02")));
        let delta = Roster {
            pupils: vec![ada, bo],
            memberships: vec![
                place("m1", "k1", "ada", Status::Gone),
                place("m2", "k1", "bo", Status::Gone),
                place("m9", "k2", "ada", Status::default()),
            ],
            ..Roster::default()
        };
        scene.import(&delta, 2).await;
        let named = "select given_name || ' ' || birth_date from report_name order by given_name";
        assert_eq!(
            list::<String>(&scene.world.look, named).await,
            ["Adèle 2012-05-01", "Bo 2012-06-02", "Dre 2012-05-01"]
        );
        let signal = scene.signal();
        let worker = scene.world.someone(Role::ClbWorker, None, Some(scene.clb)).await;
        let hub = Hub::over(scene.world);
        let carried = reported(&hub, &worker, signal).await["reportedPupil"].clone();
        assert_eq!(
            (&carried["givenName"], &carried["birthDate"], &carried["classes"]),
            (&json!("Adèle"), &json!("2012-05-01"), &json!(["Linde"]))
        );
    }
);

/// Whoever does not name a table cannot read it. Beside the report, only the person is told: what is kept of someone is that
/// person's to know (GDPR, article 15).
#[test]
fn only_the_report_and_the_person_read_the_minimum() {
    let tables = ["report_name", "report_class", "report_place"];
    let between = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let naming = below("src")
        .into_iter()
        .filter(|source| source.text.split(between).any(|word| tables.contains(&word)));
    let naming: Vec<String> = naming.map(|source| source.path).collect();
    assert_eq!(
        naming,
        [
            // The list of what an export says of each table.
            "src/app/export/words.rs",
            // What a push sets aside for it is merged there, and not read.
            "src/store/intake/roster.rs",
            "src/store/read/own.rs",
            "src/store/read/report.rs",
            "src/store/roster/reported.rs",
            "src/sync/news.rs"
        ]
    );
}
