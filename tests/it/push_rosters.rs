//! Rosters that software brings in by itself: changes, and snapshots in one call or several.

mod limits;
mod locks;

use clb_hub::store::roster::PupilSaid;
use hub_entities::category::{Categories, Category};
use hub_entities::client_grant::{Task, Tasks};
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{everything, list, number};
use crate::support::world::{School, World, at, born};

const NOW: &str = "2026-10-07T10:00:00Z";

/// A school with software and a data manager, and nobody in it yet.
struct Scene {
    hub: Hub,
    school: School,
    client: Actor,
    manager: Actor,
}

impl Scene {
    async fn new(database: &TestDatabase, agreed: Categories) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, agreed).await;
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        Self {
            hub: Hub::over(world),
            school,
            client,
            manager,
        }
    }

    fn world(&self) -> &World {
        &self.hub.world
    }

    /// What a call answers, whole: `head` is its mode, day and part.
    async fn sends(&self, name: &str, head: &str, rows: &str) -> Value {
        self.sends_as(&self.client, name, head, rows).await
    }

    async fn sends_as(&self, who: &Actor, name: &str, head: &str, rows: &str) -> Value {
        let question = format!(
            "mutation {{ submitRoster(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"123456\", {head}, {rows} }}) {{
             __typename ... on Delivered {{ runId runState results {{ outcome reason droppedCategories }} }}
             ... on Invalid {{ field }} ... on NameTaken {{ receivedAt }} ... on NotPossible {{ reason }}
             ... on TryLater {{ retryAfterSeconds }} }} }}"
        );
        self.hub.ask(who, &question).await["submitRoster"].clone()
    }

    /// Who is enrolled today, by key.
    async fn enrolled(&self) -> Vec<String> {
        let text = "select r.source_key from record r join enrolment e on e.record_id = r.id
                    where e.ends_on is null order by r.source_key";
        list(&self.world().look, text).await
    }

    /// Half-days of absence, B, of these days of September, mornings.
    async fn absent(&self, name: &str, pupil: &str, days: &[u32]) -> Value {
        let half_day =
            |day: &u32| format!("{{ pupil: \"{pupil}\", day: \"2026-09-{day:02}\", part: AM, code: \"B\" }} ");
        let said = days.iter().map(half_day).collect::<Vec<_>>().concat();
        let question = format!(
            "mutation {{ submitAbsences(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"123456\",
             absences: [{said}] }}) {{ ... on Delivered {{ results {{ outcome }} }} }} }}"
        );
        self.hub.ask(&self.client, &question).await["submitAbsences"]["results"].clone()
    }
}

const SNAPSHOT: &str = "mode: SNAPSHOT, referenceDate: \"2026-10-07\"";
const CHANGES: &str = "mode: CHANGES, referenceDate: \"2026-10-07\"";

fn part(snapshot: &str, number: i32, closing: bool) -> String {
    format!("{SNAPSHOT}, part: {{ snapshot: \"{snapshot}\", number: {number}, closing: {closing} }}")
}

fn pupil(key: &str) -> String {
    format!(
        "{{ key: \"{key}\", givenName: \"An\", familyName: \"{key}\", birthDate: \"2012-05-01\", begins: \"2026-09-01\" }} "
    )
}

fn pupils(count: usize) -> String {
    let all: String = (0..count).map(|number| pupil(&format!("p{number:02}"))).collect();
    format!("pupils: [{all}]")
}

fn told(outcome: &str, reason: Option<&str>, dropped: &[&str]) -> Value {
    json!({ "outcome": outcome, "reason": reason, "droppedCategories": dropped })
}

fn default() -> Categories {
    Categories::default_agreement()
}

both_databases!(
    changes_are_committed_with_what_came_of_each,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let rows = format!(
        "classes: [{{ key: \"1A\", name: \"1A\" }}], pupils: [{} {} {}
           {{ key: \"full\", givenName: \"Bo\", familyName: \"Maes\", sex: FEMALE, street: \"Straat 1\", language: \"nl\",
              nationalNumber: \"12050100169\", registrationNumber: \"77\" }}
           {{ key: \"odd\", begins: \"2026-09-02\", ends: \"2026-09-01\" }} {{ key: \" \" }} {{ key: \"nil\", deleted: true }}],
         memberships: [{{ key: \"m1\", classKey: \"1A\", pupilKey: \"ada\" }} {{ key: \"m2\", classKey: \"9Z\", pupilKey: \"ada\" }}]",
        pupil("ada"),
        pupil("bo"),
        pupil("ada"),
    );
        let answer = scene.sends("one", CHANGES, &rows).await;
        assert_eq!(answer["runState"], "DONE", "{answer}");
        assert_eq!(
            answer["results"],
            json!([
                told("ACCEPTED", None, &[]),
                told("ACCEPTED", None, &[]),
                told("ACCEPTED", None, &[]),
                told("REFUSED", Some("REPEATED"), &[]),
                told("ACCEPTED", None, &["LANGUAGE", "NATIONAL_NUMBER"]),
                told("REFUSED", Some("DAYS"), &[]),
                told("REFUSED", Some("KEY"), &[]),
                told("UNCHANGED", None, &[]),
                told("ACCEPTED", None, &[]),
                told("REFUSED", Some("UNKNOWN_PLACE"), &[]),
            ])
        );
        let look = &scene.world().look;
        assert_eq!(scene.enrolled().await, ["ada", "bo", "full"]);
        assert_eq!(list::<String>(look, "select name from class_group").await, ["1A"]);
        let kept = "select count(*) from record where language is not null or national_index is not null";
        assert_eq!(number(look, kept).await, 0);
        // The same call: the same answer, and nothing else. The same content: nothing new.
        let before = everything(database, look).await;
        assert_eq!(scene.sends("one", CHANGES, &rows).await, answer);
        let other = scene.sends("one", CHANGES, "pupils: []").await;
        assert_eq!(other["__typename"], "NameTaken");
        assert_eq!(everything(database, look).await, before);
        let again = scene.sends("two", CHANGES, &rows).await;
        assert_eq!(again["results"][1], told("UNCHANGED", None, &[]));
        // Who leaves is told alone, and the others stay.
        let left = scene
            .sends(
                "three",
                CHANGES,
                "pupils: [{ key: \"bo\", deleted: true, ends: \"2026-10-01\" }]",
            )
            .await;
        assert_eq!(left["results"], json!([told("ACCEPTED", None, &[])]));
        assert_eq!(scene.enrolled().await, ["ada", "full"]);
    }
);

// Until it is closed nothing of a snapshot is taken over; then all of it is, and whoever no part held is gone.
both_databases!(a_snapshot_comes_in_parts, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    scene
        .sends("zero", CHANGES, &format!("pupils: [{}]", pupil("gone")))
        .await;
    let held = told("HELD", Some("AWAITS_CLOSING"), &[]);
    let first = scene.sends("one", &part("october", 1, false), &pupils(20)).await;
    assert_eq!(
        (&first["runState"], &first["results"]),
        (&json!("STAGING"), &json!(vec![held.clone(); 20]))
    );
    let second = scene
        .sends(
            "two",
            &part("october", 2, false),
            &format!("pupils: [{}]", pupil("gone")),
        )
        .await;
    assert_eq!(second["runId"], first["runId"], "one snapshot is one run");
    assert_eq!(scene.enrolled().await, ["gone"]);
    assert_eq!(
        scene.sends("one", &part("october", 1, false), &pupils(20)).await,
        first,
        "the same answer"
    );
    let last = scene
        .sends(
            "three",
            &part("october", 3, true),
            &format!("pupils: [{}]", pupil("last")),
        )
        .await;
    assert_eq!(
        (&last["runState"], &last["results"]),
        (&json!("DONE"), &json!([told("ACCEPTED", None, &[])]))
    );
    assert_eq!(scene.enrolled().await.len(), 22);
    assert_eq!(number(&scene.world().look, "select count(*) from staged_row").await, 0);

    // Another snapshot, without two of them. A part of yet another one does not mix with it.
    scene
        .sends("four", &part("a", 1, false), &format!("pupils: [{}]", pupil("stray")))
        .await;
    let closed = scene
        .sends("five", SNAPSHOT, &format!("{}, classes: []", pupils(20)))
        .await;
    assert_eq!(closed["runState"], "DONE", "{closed}");
    assert_eq!(closed["results"], json!(vec![told("UNCHANGED", None, &[]); 20]));
    let left: Vec<String> = scene.enrolled().await;
    assert_eq!((left.len(), left.contains(&"stray".to_owned())), (20, false));
});

// A part that is lost, or a snapshot that gave way to changes in between, ends nobody: it is not closed.
both_databases!(
    a_snapshot_without_all_its_parts_is_not_closed,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        scene.sends("zero", SNAPSHOT, &pupils(15)).await;
        let not_possible = json!({ "__typename": "NotPossible", "reason": "STATE" });
        let one = format!("pupils: [{}]", pupil("p00"));
        let before = everything(database, &scene.world().look).await;
        for (name, number) in [("lost", 2), ("none", 0)] {
            let answer = scene.sends(name, &part("x", number, true), &one).await;
            let expected = if number == 0 {
                json!({ "__typename": "Invalid", "field": "part" })
            } else {
                not_possible.clone()
            };
            assert_eq!(answer, expected);
        }
        assert_eq!(everything(database, &scene.world().look).await, before);
        scene.sends("one", &part("x", 1, false), &pupils(14)).await;
        assert_eq!(scene.sends("twice", &part("x", 1, false), &one).await, not_possible);
        scene.sends("two", CHANGES, &one).await;
        assert_eq!(scene.sends("three", &part("x", 2, true), &one).await, not_possible);
        assert_eq!(scene.enrolled().await.len(), 15);
    }
);

// R08: nothing of it is taken over until a person has looked; then all of it at once.
both_databases!(
    a_snapshot_that_would_end_too_many_is_held,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        scene.sends("one", SNAPSHOT, &pupils(30)).await;
        assert_eq!(scene.enrolled().await.len(), 30);
        let before = everything(database, &scene.world().look).await;
        for (name, rows) in [
            ("two", format!("pupils: [{}]", pupil("new"))),
            ("three", "pupils: []".to_owned()),
        ] {
            let held = scene.sends(name, SNAPSHOT, &rows).await;
            assert_eq!(held["runState"], "HELD", "{held}");
            if name == "two" {
                assert_eq!(held["results"], json!([told("HELD", Some("TOO_MANY_GONE"), &[])]));
            }
            let mut now = everything(database, &scene.world().look).await;
            let mut was = before.clone();
            for table in ["push_call", "staged_row", "delivery"] {
                now.remove(table);
                was.remove(table);
            }
            assert_eq!(now, was);
        }
        // What the school sends next takes its place; a smaller change goes through.
        let held = scene
            .sends("four", SNAPSHOT, &format!("pupils: [{}]", pupil("new")))
            .await;
        let run = held["runId"].as_str().unwrap();
        let approve = format!(
        "mutation {{ approveHeldRun(input: {{ run: \"{run}\" }}) {{ ... on HeldRunApproved {{ run {{ state changed ended }} }}
         ... on NotPossible {{ reason }} }} }}"
    );
        let refused = scene.hub.ask(&scene.client, &approve).await;
        assert_eq!(
            refused["approveHeldRun"]["reason"], "UNKNOWN",
            "software approves nothing"
        );
        let approved = scene.hub.ask(&scene.manager, &approve).await;
        assert_eq!(
            approved["approveHeldRun"]["run"],
            json!({ "state": "DONE", "changed": 1, "ended": 30 })
        );
        assert_eq!(scene.enrolled().await, ["new"]);
        let states = "select state from sync_run where kind = 'roster' order by started_at, id";
        assert_eq!(
            list::<String>(&scene.world().look, states).await,
            ["done", "refused", "refused", "done"]
        );
    }
);

/// A roster of thirty pupils in two classes, of whom these have a place; each place has this key and its number.
fn in_classes(places: std::ops::Range<u32>, key: &str, year: &str) -> String {
    let class = |number: u32| if number.is_multiple_of(2) { "1A" } else { "1B" };
    let place = |number: u32| {
        format!(
            "{{ key: \"{key}{number:02}\", classKey: \"{}-{year}\", pupilKey: \"p{number:02}\" }} ",
            class(number)
        )
    };
    let places: String = places.map(place).collect();
    format!(
        "classes: [{{ key: \"1A-{year}\", name: \"1A\" }} {{ key: \"1B-{year}\", name: \"1B\" }}], {}, memberships: [{places}]",
        pupils(30)
    )
}

// R08: every pupil is still there, and so are the classes; what is missing are the places of the pupils in them.
both_databases!(
    a_snapshot_that_would_empty_classes_is_held,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database, default()).await;
        let taken = async |scene: &Scene| {
            let text = "select count(*) from membership where ends_on is null";
            (scene.enrolled().await.len(), number(&scene.world().look, text).await)
        };
        let first = scene.sends("one", SNAPSHOT, &in_classes(0..30, "e", "2026")).await;
        assert_eq!((&first["runState"], taken(&scene).await), (&json!("DONE"), (30, 30)));
        // Another key for the same place is no other place.
        let renamed = scene.sends("two", SNAPSHOT, &in_classes(0..30, "f", "2026")).await;
        assert_eq!((&renamed["runState"], taken(&scene).await), (&json!("DONE"), (30, 30)));
        // Three of thirty may go, four wait for a person, and so do all of them; in parts as in one call.
        let before = everything(database, &scene.world().look).await;
        scene
            .sends("three", &part("x", 1, false), &in_classes(0..5, "f", "2026"))
            .await;
        let rest = in_classes(5..26, "f", "2026");
        let held = scene.sends("four", &part("x", 2, true), &rest).await;
        assert_eq!(held["runState"], "HELD", "{held}");
        assert_eq!(held["results"][0], told("HELD", Some("TOO_MANY_GONE"), &[]));
        let mut now = everything(database, &scene.world().look).await;
        let mut was = before;
        for table in ["push_call", "staged_row", "delivery", "sync_run"] {
            now.remove(table);
            was.remove(table);
        }
        assert_eq!(now, was);
        let done = scene.sends("five", SNAPSHOT, &in_classes(0..27, "f", "2026")).await;
        assert_eq!((&done["runState"], taken(&scene).await), (&json!("DONE"), (30, 27)));
        let held = scene.sends("six", SNAPSHOT, &pupils(30)).await;
        assert_eq!((&held["runState"], taken(&scene).await), (&json!("HELD"), (30, 27)));
        let approve = format!(
            "mutation {{ approveHeldRun(input: {{ run: {} }}) {{ ... on HeldRunApproved {{ run {{ state }} }} }} }}",
            held["runId"]
        );
        let approved = scene.hub.ask(&scene.manager, &approve).await;
        assert_eq!(approved["approveHeldRun"]["run"]["state"], "DONE");
        assert_eq!(taken(&scene).await, (30, 0));
        // On 1 September everyone sits in another class, and nobody has to look.
        scene.sends("seven", SNAPSHOT, &in_classes(0..30, "f", "2026")).await;
        scene.hub.world.now = at("2027-09-01T08:00:00Z");
        let next = "mode: SNAPSHOT, referenceDate: \"2027-09-01\"";
        let next = scene.sends("eight", next, &in_classes(0..30, "g", "2027")).await;
        assert_eq!((&next["runState"], taken(&scene).await), (&json!("DONE"), (30, 30)));
    }
);

both_databases!(
    a_roster_of_an_earlier_day_is_no_news,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let of = |day: &str| format!("mode: SNAPSHOT, referenceDate: \"{day}\"");
        let answer = scene.sends("one", &of("2026-10-08"), &pupils(2)).await;
        assert_eq!(answer, json!({ "__typename": "Invalid", "field": "referenceDate" }));
        assert_eq!(
            scene.sends("one", &of("2026-10-06"), &pupils(2)).await["runState"],
            "DONE"
        );
        let before = everything(database, &scene.world().look).await;
        let old = scene.sends("two", &of("2026-10-05"), &pupils(1)).await;
        assert_eq!(old, json!({ "__typename": "NotPossible", "reason": "STATE" }));
        assert_eq!(everything(database, &scene.world().look).await, before);
        assert_eq!(
            scene.sends("two", &of("2026-10-06"), &pupils(3)).await["runState"],
            "DONE"
        );
        for (head, rows, field) in [
            (part("", 1, true), pupils(1), "part"),
            (
                format!("{CHANGES}, part: {{ snapshot: \"x\", number: 1, closing: true }}"),
                pupils(1),
                "part",
            ),
            (CHANGES.to_owned(), pupils(501), "pupils"),
        ] {
            let answer = scene.sends("three", &head, &rows).await;
            assert_eq!(answer, json!({ "__typename": "Invalid", "field": field }));
        }
    }
);

// What came before its pupil is worked off with the roster that names him, and the signal is raised.
both_databases!(a_roster_brings_what_waited, async |database: &TestDatabase| {
    let scene = Scene::new(database, default()).await;
    let waited = scene.absent("one", "ada", &[1, 3, 4, 7, 8]).await;
    assert_eq!(waited, json!(vec![json!({ "outcome": "QUARANTINED" }); 5]));
    scene
        .sends("two", CHANGES, &format!("pupils: [{}]", pupil("ada")))
        .await;
    let raised = "select half_days from signal where state = 'raised'";
    assert_eq!(list::<i32>(&scene.world().look, raised).await, [5]);
    assert_eq!(
        number(
            &scene.world().look,
            "select count(*) from quarantine where resolved_at is null"
        )
        .await,
        0
    );
});

both_databases!(
    only_software_under_a_grant_for_rosters_may,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        let other = world.registered(Role::SchoolClient, Some(scene.school.id), None).await;
        let tasks: Tasks = [Task::Absences, Task::Reading].into_iter().collect();
        world.grant(&other, tasks).await;
        let before = everything(database, &world.look).await;
        for who in [&other, &scene.manager] {
            let answer = scene.sends_as(who, "one", CHANGES, &pupils(1)).await;
            assert_eq!(answer, json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }));
        }
        assert_eq!(everything(database, &world.look).await, before);
    }
);

both_databases!(what_no_agreement_lists_is_not_kept, async |database: &TestDatabase| {
    let nothing = Scene::new(database, Categories::NONE).await;
    let rows = format!("classes: [{{ key: \"1A\", name: \"1A\" }}], {}", pupils(1));
    let answer = nothing.sends("one", CHANGES, &rows).await;
    assert_eq!(
        answer["results"],
        json!([
            told("REFUSED", Some("NOT_AGREED"), &["ENROLMENT"]),
            told("REFUSED", Some("NOT_AGREED"), &["IDENTITY", "BIRTH"]),
        ])
    );
    assert_eq!(number(&nothing.world().look, "select count(*) from record").await, 0);
    let few = [Category::Birth].into_iter().collect();
    nothing
        .world()
        .signed(nothing.school, nothing.world().clb("114711").await, few, "2026-10-01")
        .await;
    let answer = nothing.sends("two", CHANGES, &pupils(1)).await;
    assert_eq!(answer["results"], json!([told("ACCEPTED", None, &["IDENTITY"])]));
    assert_eq!(
        number(
            &nothing.world().look,
            "select count(*) from record where given_name is null"
        )
        .await,
        1
    );
});

// The sender asks again by its own keys, and finds what stands of each record now.
both_databases!(
    each_record_can_be_asked_again_by_its_own_key,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        let asked = async |who: &Actor, filter: &str| -> Vec<Value> {
            let question = format!(
                "{{ ownDeliveries(first: 50, filter: {filter}) {{ totalCount edges {{ node {{ kind key outcome reason
             droppedCategories }} }} }} }}"
            );
            let answer = scene.hub.ask(who, &question).await["ownDeliveries"].clone();
            let edges = answer["edges"].as_array().unwrap();
            assert_eq!(answer["totalCount"], edges.len());
            edges.iter().map(|edge| edge["node"].clone()).collect()
        };
        let row = |kind: &str, key: &str, outcome: &str, reason: Option<&str>| json!({ "kind": kind, "key": key, "outcome": outcome, "reason": reason, "droppedCategories": [] });
        scene.absent("one", "ada", &[1]).await;
        let waits = row("ABSENCE", "ada/2026-09-01/AM", "QUARANTINED", Some("UNKNOWN_PUPIL"));
        assert_eq!(asked(&scene.client, "{ keys: [\"ada/2026-09-01/AM\"] }").await, [waits]);
        // Worked off with the roster that names her.
        scene
            .sends("two", &part("x", 1, false), &format!("pupils: [{}]", pupil("bo")))
            .await;
        let held = row("PUPIL", "bo", "HELD", Some("AWAITS_CLOSING"));
        assert_eq!(asked(&scene.client, "{ outcome: HELD }").await, [held]);
        scene
            .sends("three", &part("x", 2, true), &format!("pupils: [{}]", pupil("ada")))
            .await;
        let taken = [
            row("ABSENCE", "ada/2026-09-01/AM", "ACCEPTED", None),
            row("PUPIL", "ada", "ACCEPTED", None),
            row("PUPIL", "bo", "ACCEPTED", None),
        ];
        assert_eq!(asked(&scene.client, "{}").await, taken);
        // Known already says nothing new; a snapshot that gave way says so.
        scene
            .sends("four", CHANGES, &format!("pupils: [{}]", pupil("bo")))
            .await;
        assert_eq!(asked(&scene.client, "{}").await, taken);
        scene
            .sends("five", &part("y", 1, false), &format!("pupils: [{}]", pupil("cas")))
            .await;
        scene
            .sends("six", &part("z", 1, false), &format!("pupils: [{}]", pupil("dre")))
            .await;
        let gone = row("PUPIL", "cas", "REFUSED", Some("SUPERSEDED"));
        assert_eq!(asked(&scene.client, "{ kind: PUPIL, keys: [\"cas\"] }").await, [gone]);

        // Page by page, each once.
        let mut seen: Vec<String> = Vec::new();
        let mut after = "null".to_owned();
        loop {
            let question = format!(
                "{{ ownDeliveries(first: 2, after: {after}) {{ pageInfo {{ hasNextPage endCursor }} edges {{ node {{ key }} }} }} }}"
            );
            let page = scene.hub.ask(&scene.client, &question).await["ownDeliveries"].clone();
            seen.extend(
                page["edges"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|edge| edge["node"]["key"].to_string()),
            );
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].to_string();
        }
        assert_eq!(seen.len(), 5);

        // Nobody else finds any of it: no person of the school, and no software that brings in through another connection.
        let clb = world.clb("114711").await;
        let neighbour = world.school("654321", clb, default()).await;
        let stranger = world.someone(Role::SchoolClient, Some(neighbour.id), None).await;
        for who in [&scene.manager, &stranger] {
            assert_eq!(asked(who, "{}").await, Vec::<Value>::new());
        }
        // The key of a class that looks like a national number is kept as it was said.
        let class = "classes: [{ key: \"41050101309\", name: \"1A\" }]";
        scene.sends("seven", CHANGES, class).await;
        let taken = row("CLASS", "41050101309", "ACCEPTED", None);
        assert_eq!(asked(&scene.client, "{ keys: [\"41050101309\"] }").await, [taken]);
    }
);

both_databases!(
    a_pupil_is_found_by_its_own_schools_key,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let world = scene.world();
        scene
            .sends("one", CHANGES, &format!("pupils: [{}]", pupil("ada")))
            .await;
        let clb = world.clb("114711").await;
        let neighbour = world.school("654321", clb, default()).await;
        let stranger = world.someone(Role::SchoolClient, Some(neighbour.id), None).await;
        let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
        let by_key = |key: &str| format!("{{ pupil(bySourceKey: \"{key}\") {{ id familyName }} }}");
        let found = scene.hub.ask(&scene.client, &by_key("ada")).await["pupil"].clone();
        assert_eq!(found["familyName"], "ada");
        let by_id = format!("{{ pupil(id: {}) {{ id familyName }} }}", found["id"]);
        assert_eq!(scene.hub.ask(&scene.client, &by_id).await["pupil"], found);
        // To a neighbour, to whom it is unknown, and to a CLB, which has no such keys: as if there were none.
        for who in [&stranger, &worker] {
            let foreign = scene.hub.answer(who, &by_key("ada")).await;
            let unknown = scene.hub.answer(who, &by_key("nil")).await;
            assert_eq!(foreign.to_string(), unknown.to_string());
            assert!(foreign["data"]["pupil"].is_null());
        }
        // One key, two schools: each finds its own pupil.
        let named = PupilSaid {
            family_name: Some("another".to_owned()),
            ..born("2012-05-01")
        };
        world.pupils(neighbour, &[("ada", named)]).await;
        assert_eq!(scene.hub.ask(&scene.client, &by_key("ada")).await["pupil"], found);
        let other = scene.hub.ask(&stranger, &by_key("ada")).await["pupil"].clone();
        assert_eq!(other["familyName"], "another");
        for question in [
            "{ pupil { id } }".to_owned(),
            by_id.replace("(id:", "(bySourceKey: \"ada\", id:"),
        ] {
            assert!(scene.hub.ask(&scene.client, &question).await["pupil"].is_null());
        }
    }
);
