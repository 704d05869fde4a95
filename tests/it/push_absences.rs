//! Half-days of absence that software brings in by itself: one transaction a call, the same answer to the same call, and
//! of each record what came of it.

use std::time::Duration;

use clb_hub::store::intake::lease_of;
use clb_hub::store::lease::Lease;
use futures::StreamExt as _;
use futures::future::join;
use futures::stream::FuturesUnordered;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::client_grant::{Task, Tasks};
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{events, everything, list, meddle, number, signals, standing, totals};
use crate::support::world::{School, World, am, born};

const NOW: &str = "2026-10-07T10:00:00Z";

/// A school with two pupils and software, and a neighbour with one.
struct Scene {
    hub: Hub,
    school: School,
    client: Actor,
    ada: PupilId,
}

impl Scene {
    async fn new(database: &TestDatabase, agreed: Categories) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, agreed).await;
        let neighbour = world.school("654321", clb, agreed).await;
        let pupils = world
            .pupils(school, &[("ada", born("2012-05-01")), ("bo", born("2012-05-01"))])
            .await;
        world.pupils(neighbour, &[("zoe", born("2012-05-01"))]).await;
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        Self {
            hub: Hub::over(world),
            school,
            client,
            ada: pupils[0].1,
        }
    }

    fn world(&self) -> &World {
        &self.hub.world
    }

    /// What a call answers, whole.
    async fn sends(&self, name: &str, absences: &str) -> Value {
        self.sends_as(&self.client, name, "123456", absences).await
    }

    async fn sends_as(&self, who: &Actor, name: &str, school: &str, absences: &str) -> Value {
        let answer = self.hub.ask(who, &question(name, school, absences)).await;
        answer["submitAbsences"].clone()
    }

    /// What came of each record of a call that is committed.
    async fn results(&self, name: &str, absences: &str) -> Vec<Value> {
        let answer = self.sends(name, absences).await;
        assert_eq!(answer["__typename"], "Delivered", "{answer}");
        answer["results"].as_array().unwrap().clone()
    }
}

fn question(name: &str, school: &str, absences: &str) -> String {
    format!(
        "mutation {{ submitAbsences(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"{school}\",
         absences: [{absences}] }}) {{ __typename
         ... on Delivered {{ runId results {{ outcome reason droppedCategories }} }} ... on Invalid {{ field }}
         ... on NameTaken {{ receivedAt }} ... on NotPossible {{ reason }} ... on TryLater {{ retryAfterSeconds }} }} }}"
    )
}

fn said(pupil: &str, day: &str, part: &str, code: &str) -> String {
    format!("{{ pupil: \"{pupil}\", day: \"{day}\", part: {part}, code: \"{code}\" }} ")
}

/// The first five half-days of the school year, B.
fn five(pupil: &str) -> String {
    [
        ("2026-09-01", "AM"),
        ("2026-09-01", "PM"),
        ("2026-09-03", "AM"),
        ("2026-09-03", "PM"),
        ("2026-09-04", "AM"),
    ]
    .map(|(day, part)| said(pupil, day, part, "B"))
    .concat()
}

fn told(outcome: &str, reason: Option<&str>, dropped: &[&str]) -> Value {
    json!({ "outcome": outcome, "reason": reason, "droppedCategories": dropped })
}

fn default() -> Categories {
    Categories::default_agreement()
}

both_databases!(
    a_call_is_committed_with_its_signal_and_answered_again_the_same,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let look = &scene.world().look;
        let first = scene.sends("one", &five("ada")).await;
        assert_eq!(first["results"], json!(vec![told("ACCEPTED", None, &[]); 5]));
        assert_eq!(standing(look, scene.ada).await, [("truancy.5".to_owned(), 1, 5)]);
        assert_eq!(events(look, scene.ada).await, [("signal.raised", 5)]);
        let run = "select kind || ' ' || state || ' ' || staged || ' ' || changed || ' ' || raised from sync_run
                   where kind = 'absences'";
        assert_eq!(list::<String>(look, run).await, ["absences done 5 5 1"]);

        // The same again, whatever happened since: the same answer, and nothing else.
        let before = everything(database, look).await;
        assert_eq!(scene.sends("one", &five("ada")).await, first);
        assert_eq!(everything(database, look).await, before);
        // Another content under the same name: nothing.
        let taken = scene.sends("one", &said("ada", "2026-09-04", "AM", "Z")).await;
        assert_eq!(
            taken,
            json!({ "__typename": "NameTaken", "receivedAt": "2026-10-07T10:00:00+00:00" })
        );
        assert_eq!(everything(database, look).await, before);

        // The same content under another name was known already.
        assert_eq!(
            scene.results("two", &five("ada")).await,
            vec![told("UNCHANGED", None, &[]); 5]
        );
        assert_eq!(signals(look, scene.ada).await, 1);
        // A correction takes the signal back; the deletion of what is not there changes nothing.
        let corrected = said("ada", "2026-09-04", "AM", "Z")
            + "{ pupil: \"ada\", day: \"2026-09-03\", part: PM, deleted: true }
               { pupil: \"ada\", day: \"2026-09-11\", part: PM, deleted: true }";
        assert_eq!(
            scene.results("three", &corrected).await,
            [
                told("ACCEPTED", None, &["ATTENDANCE"]),
                told("ACCEPTED", None, &[]),
                told("UNCHANGED", None, &[]),
            ]
        );
        assert_eq!(standing(look, scene.ada).await, []);
        assert_eq!(
            events(look, scene.ada).await,
            [("signal.raised", 5), ("signal.withdrawn", 5)]
        );
        assert_eq!(totals(look, scene.ada, 2026).await, (3, 0));
    }
);

// What commits is the whole call: where its answer cannot be kept, nothing of it is.
both_databases!(
    a_call_that_cannot_be_answered_changes_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let look = &scene.world().look;
        let never = match database.backend {
            Backend::Sqlite => {
                "create trigger never before insert on push_call begin select raise(abort, 'never'); end"
            }
            Backend::Postgres => "alter table push_call add constraint never check (false)",
        };
        meddle(look, never).await;
        let before = everything(database, look).await;
        let code = scene
            .hub
            .code(
                &scene.client,
                &question("one", "123456", &(five("ada") + &five("nobody"))),
            )
            .await;
        assert_eq!(code, "UNAVAILABLE");
        assert_eq!(everything(database, look).await, before);
        assert_eq!(
            number(look, "select count(*) from sync_run where kind = 'absences'").await,
            0
        );
    }
);

both_databases!(each_record_is_told_what_came_of_it, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    let long = "x".repeat(129);
    let call = [
        said("ada", "2026-09-01", "AM", "B"),
        said(" ada ", "2026-09-01", "PM", "B"),
        said("ada", "2026-09-01", "AM", "Z"),
        said("bo", "2026-09-01", "AM", "Z"),
        said("ada", "2026-09-03", "AM", "QQ"),
        "{ pupil: \"ada\", day: \"2026-09-03\", part: PM } ".to_owned(),
        // Wednesday afternoon.
        said("ada", "2026-09-02", "PM", "B"),
        said(" ", "2026-09-01", "AM", "B"),
        said(&long, "2026-09-01", "AM", "B"),
        said(&long[1..], "2026-09-01", "AM", "B"),
    ];
    assert_eq!(
        scene.results("one", &call.concat()).await,
        [
            told("ACCEPTED", None, &[]),
            told("ACCEPTED", None, &[]),
            told("REFUSED", Some("REPEATED"), &[]),
            // Sickness was not agreed: all that is said is that it is not B, as before.
            told("UNCHANGED", None, &["ATTENDANCE"]),
            told("ACCEPTED", Some("UNKNOWN_CODE"), &[]),
            // This table has no empty letter: what nothing is said of is no guess either.
            told("ACCEPTED", Some("UNKNOWN_CODE"), &[]),
            told("ACCEPTED", Some("NOT_A_LESSON"), &[]),
            told("REFUSED", Some("KEY"), &[]),
            told("REFUSED", Some("KEY"), &[]),
            told("QUARANTINED", Some("UNKNOWN_PUPIL"), &[]),
        ]
    );
    let look = &scene.world().look;
    assert_eq!(totals(look, scene.ada, 2026).await, (2, 2));
    assert_eq!(
        list::<String>(look, "select rule from gap order by rule").await,
        [
            "absence.not_a_lesson",
            "absence.unknown_letter",
            "absence.unknown_letter"
        ]
    );
    // Nothing is kept of what was dropped: the code stands nowhere.
    let kept = "select count(*) from absence where mark not in (2, 20, 22)";
    assert_eq!(number(look, kept).await, 0);
});

both_databases!(
    what_was_not_agreed_is_refused_and_named,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, Categories::NONE.with(Category::Identity)).await;
        let results = scene
            .results("one", &(five("ada") + &said("nobody", "2026-09-01", "AM", "B")))
            .await;
        assert_eq!(results, vec![told("REFUSED", Some("NOT_AGREED"), &["TRUANCY"]); 6]);
        let look = &scene.world().look;
        for table in ["absence", "quarantine", "gap"] {
            assert_eq!(
                number(look, &format!("select count(*) from {table}")).await,
                0,
                "{table}"
            );
        }
    }
);

// To the last byte: whether a neighbour has such a pupil cannot be told from outside.
both_databases!(a_foreign_pupil_is_an_unknown_one, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    let without_run = |mut answer: Value| {
        answer.as_object_mut().unwrap().remove("runId");
        answer.to_string()
    };
    let foreign = without_run(scene.sends("one", &five("zoe")).await);
    let unknown = without_run(scene.sends("two", &five("nil")).await);
    assert_eq!(foreign, unknown);
    // Nor whether there is such a school.
    let foreign = scene
        .sends_as(&scene.client, "x", "654321", &five("ada"))
        .await
        .to_string();
    let unknown = scene
        .sends_as(&scene.client, "x", "999999", &five("ada"))
        .await
        .to_string();
    assert_eq!(foreign, unknown);
    assert_eq!(
        foreign,
        json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }).to_string()
    );
    assert_eq!(number(&scene.world().look, "select count(*) from absence").await, 0);
});

both_databases!(
    only_software_under_a_grant_for_it_may,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        let registered = async |role| world.registered(role, Some(scene.school.id), None).await;
        let reader = registered(Role::SchoolClient).await;
        let others: Tasks = [Task::Roster, Task::Reading, Task::Reporting].into_iter().collect();
        world.grant(&reader, others).await;
        let (manager, care_team) = (
            registered(Role::SchoolDataManager).await,
            registered(Role::SchoolCareTeam).await,
        );
        let before = everything(database, &world.look).await;
        for who in [&reader, &manager, &care_team] {
            let answer = scene.sends_as(who, "one", "123456", &five("ada")).await;
            assert_eq!(
                answer,
                json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }),
                "{who:?}"
            );
        }
        assert_eq!(everything(database, &world.look).await, before);
        let answer = scene.sends("", &five("ada")).await;
        assert_eq!(answer, json!({ "__typename": "Invalid", "field": "idempotencyKey" }));
        let answer = scene.sends("one", "").await;
        assert_eq!(answer, json!({ "__typename": "Invalid", "field": "absences" }));
    }
);

both_databases!(limits_are_told_and_held, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    let asked = "{ deliveryLimits { absencesPerCall rosterRowsPerCall rosterRowsPerSnapshot keyLength callsAtOnce } }";
    let limits = scene.hub.ask(&scene.client, asked).await["deliveryLimits"].clone();
    assert_eq!(
        limits,
        json!({ "absencesPerCall": 500, "rosterRowsPerCall": 500, "rosterRowsPerSnapshot": 20_000,
        "keyLength": 128, "callsAtOnce": 4 })
    );
    // Of one day each, back from 1 October: as many as a call may hold, and one more.
    let many = |count: i64| -> String {
        let day = |back| am("2026-10-01").day - chrono::TimeDelta::days(back);
        (0..count)
            .map(|back| said("ada", &day(back).to_string(), "AM", "B"))
            .collect()
    };
    let too_many = scene.sends("one", &many(501)).await;
    assert_eq!(too_many, json!({ "__typename": "Invalid", "field": "absences" }));
    assert_eq!(scene.results("one", &many(500)).await.len(), 500);
});

// A pupil that a roster names later gets what waited; and of two words the newer one stands.
both_databases!(what_waits_comes_first, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    let world = scene.world();
    let waits = told("QUARANTINED", Some("UNKNOWN_PUPIL"), &[]);
    assert_eq!(scene.results("one", &five("new")).await, vec![waits; 5]);
    // The same under another name does not pile up.
    scene.results("two", &five("new")).await;
    assert_eq!(number(&world.look, "select sum(rows) from quarantine").await, 5);
    let other = world.another_source(scene.school, "roster").await;
    let new = world.pupils(other, &[("new", born("2012-05-01"))]).await[0].1;
    assert_eq!(totals(&world.look, new, 2026).await, (0, 0), "nobody has worked it off");
    let newer = said("new", "2026-09-04", "AM", "Z");
    assert_eq!(
        scene.results("three", &newer).await,
        [told("ACCEPTED", None, &["ATTENDANCE"])]
    );
    assert_eq!(totals(&world.look, new, 2026).await, (4, 0));
    assert_eq!(
        events(&world.look, new).await,
        [("signal.raised", 5), ("signal.withdrawn", 5)]
    );
});

both_databases!(
    a_connection_is_worked_on_by_one_at_a_time,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        let name = lease_of(scene.school.source);
        let lease = Lease::acquire(&world.db, &name, "another", Duration::from_mins(10))
            .await
            .unwrap()
            .unwrap();
        let before = everything(database, &world.look).await;
        let later = scene.sends("one", &five("ada")).await;
        assert_eq!(later, json!({ "__typename": "TryLater", "retryAfterSeconds": 5 }));
        assert_eq!(everything(database, &world.look).await, before);
        lease.release(&world.db).await.unwrap();
        // Two at once under one name: one is committed, and both get its answer.
        for round in 0..5 {
            let word = if round % 2 == 0 { "B" } else { "Z" };
            let call = said("bo", "2026-09-01", "AM", word);
            let name = format!("round {round}");
            let (one, two) = join(scene.sends(&name, &call), scene.sends(&name, &call)).await;
            assert_eq!(one, two);
            assert_eq!(one["results"][0]["outcome"], "ACCEPTED", "{one}");
        }
        // And the lease is free again.
        assert!(
            Lease::acquire(&world.db, &lease_of(scene.school.source), "x", Duration::from_secs(1))
                .await
                .unwrap()
                .is_some()
        );
    }
);

// While the database takes nothing, as many calls wait as may; the next is told when to come again, and nobody else waits.
both_databases!(
    too_many_at_once_are_told_to_come_again,
    async |database: &TestDatabase| {
        use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
        let scene = Scene::new(database, default()).await;
        let look = &scene.world().look;
        scene.results("zero", &said("bo", "2026-09-01", "AM", "B")).await;
        let held = look.begin().await.unwrap();
        held.execute_unprepared("update lease set epoch = epoch").await.unwrap();
        let one = said("bo", "2026-09-01", "PM", "B");
        let names = ["one", "two", "three", "four", "five"];
        let mut calls: FuturesUnordered<_> = names.into_iter().map(|name| scene.sends(name, &one)).collect();
        // Four wait for the database, so the first answer is that of the one too many.
        let first = calls.next().await.unwrap();
        assert_eq!(first, json!({ "__typename": "TryLater", "retryAfterSeconds": 1 }));
        held.rollback().await.unwrap();
        let mut outcomes: Vec<String> = Vec::new();
        while let Some(answer) = calls.next().await {
            outcomes.push(answer["results"][0]["outcome"].as_str().unwrap().to_owned());
        }
        outcomes.sort();
        assert_eq!(outcomes, ["ACCEPTED", "UNCHANGED", "UNCHANGED", "UNCHANGED"]);
    }
);

// An import that was cut off says older things: it comes to its end first.
both_databases!(
    an_import_that_was_cut_off_comes_first,
    async |database: &TestDatabase| {
        use clb_hub::store::run::set_state;
        use clb_hub::store::staging::{Pack, put_packs};
        use clb_hub::sync::half_day;
        use hub_entities::absence::code::Code;
        use hub_entities::source::{RunKind, RunState, run};
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        let scope = world.source_scope(scene.school).await;
        let (lease, run) = world.run(scene.school, &scope, RunKind::Absences).await;
        let record = list(&world.look, "select id from record where source_key = 'ada'").await[0];
        let mut bytes = Vec::new();
        half_day::push(&mut bytes, am("2026-09-01"), Reading::Absent(Code::B));
        let pack = Pack {
            pupil: scene.ada,
            record,
            bytes,
        };
        put_packs(&world.db, &lease, run.id, 0, vec![pack]).await.unwrap();
        let merging = run::Model {
            state: RunState::Merging,
            staged: 1,
            ..run
        };
        set_state(&world.db, &lease, merging).await.unwrap();
        let results = scene
            .results(
                "one",
                "{ pupil: \"ada\", day: \"2026-09-01\", part: AM, deleted: true }",
            )
            .await;
        assert_eq!(results, [told("ACCEPTED", None, &[])]);
        assert_eq!(totals(&world.look, scene.ada, 2026).await, (0, 0));
        let runs = "select state from sync_run where kind = 'absences'";
        assert_eq!(list::<String>(&world.look, runs).await, ["done", "done"]);
    }
);
