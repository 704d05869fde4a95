//! Questions through the whole house: schema, policy, store. Who asks is answered with what is theirs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clb_hub::deliver::sequencer::Sequencer;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::RecordId;
use hub_entities::operation::Role;
use hub_entities::time::{FixedClock, HalfDay};
use serde_json::{Value, json};

use crate::support::database::both_databases;
use crate::support::door::{Cast, NOW, cast};
use crate::support::world::{World, am, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// So many half-days of B from the first school day of 2026-2027 on; Wednesday has no afternoon.
fn absent(record: RecordId, half_days: usize) -> Vec<(RecordId, HalfDay, Reading)> {
    let days = ["2026-09-01", "2026-09-03", "2026-09-04", "2026-09-07", "2026-09-08"];
    let all = days.into_iter().flat_map(|day| [am(day), pm(day)]);
    all.take(half_days).map(|half_day| (record, half_day, B)).collect()
}

/// What a cursor says to whoever reads it: all but the tag.
fn inside(cursor: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    String::from_utf8_lossy(&bytes[..bytes.len() - 16]).into_owned()
}

fn ids_of(connection: &Value) -> Vec<String> {
    let edges = connection["edges"].as_array().unwrap();
    edges
        .iter()
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}

both_databases!(one_question_and_four_answers, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let agreed = [Category::Identity, Category::Enrolment, Category::Truancy];
    let cast = cast(world, agreed.into_iter().collect()).await;
    let (_, pupil) = cast.pupils[0];
    let query = format!(
        "{{ pupil(id: \"{pupil}\") {{ id givenName familyName birthDate address {{ city }} withheld
            currentEnrolment {{ begins school {{ institutionNumber }} }} }} }}"
    );

    let to_school = cast.hub.ask(&cast.care_team, &query).await;
    assert_eq!(
        to_school,
        json!({ "pupil": {
            "id": pupil.to_string(), "givenName": "An", "familyName": "Peeters", "birthDate": "2012-05-01",
            "address": { "city": "Gent" }, "withheld": [],
            "currentEnrolment": { "begins": "2026-09-01", "school": { "institutionNumber": "123456" } },
        } })
    );
    let to_clb = cast.hub.ask(&cast.worker, &query).await;
    assert_eq!(
        to_clb,
        json!({ "pupil": {
            "id": pupil.to_string(), "givenName": "An", "familyName": "Peeters", "birthDate": null,
            "address": null, "withheld": ["BIRTH", "ADDRESS", "CONTACT", "LANGUAGE", "ATTENDANCE", "NATIONAL_NUMBER"],
            "currentEnrolment": { "begins": "2026-09-01", "school": { "institutionNumber": "123456" } },
        } })
    );

    // A pupil of others is answered as one that does not exist, to the byte.
    let unknown = query.replace(&pupil.to_string(), "pup_00000000000000000000000000000001");
    let of_nobody = cast.hub.answer(&cast.other_worker, &unknown).await;
    assert_eq!(of_nobody, json!({ "data": { "pupil": null } }));
    assert_eq!(cast.hub.answer(&cast.other_worker, &query).await, of_nobody);
    for root in ["node", "school", "signal", "pupil"] {
        let query = format!("{{ {root}(id: \"{}\") {{ __typename }} }}", cast.foreign);
        assert_eq!(cast.hub.ask(&cast.care_team, &query).await[root], Value::Null, "{root}");
    }
    // An operator cannot even name a pupil.
    let refused = cast.hub.answer(&cast.operator, &query).await;
    assert_eq!(refused["data"], Value::Null);

    let list = "{ pupils(first: 10, orderBy: FAMILY_NAME) { totalCount edges { node { id familyName } } } }";
    let names = |data: &Value| -> Vec<String> {
        let edges = data["pupils"]["edges"].as_array().unwrap();
        edges
            .iter()
            .map(|edge| edge["node"]["familyName"].as_str().unwrap().to_owned())
            .collect()
    };
    for (actor, expected) in [
        (&cast.care_team, vec!["Aerts", "Maes", "Peeters"]),
        (&cast.worker, vec!["Aerts", "Maes", "Peeters"]),
        (&cast.other_worker, vec!["Wouters"]),
    ] {
        let data = cast.hub.ask(actor, list).await;
        assert_eq!(names(&data), expected);
        assert_eq!(data["pupils"]["totalCount"], json!(expected.len()));
    }
    let by_foreign_school = format!(
        "{{ pupils(first: 10, filter: {{ school: \"{}\" }}) {{ totalCount edges {{ node {{ id }} }} }} }}",
        cast.other_school.id
    );
    let data = cast.hub.ask(&cast.worker, &by_foreign_school).await;
    assert_eq!(data, json!({ "pupils": { "totalCount": 0, "edges": [] } }));
});

both_databases!(pages_join_up, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let cast = cast(world, Categories::all()).await;
    let said: Vec<_> = cast.pupils.iter().flat_map(|(record, _)| absent(*record, 5)).collect();
    // All in one transaction: three signals raised at one instant.
    assert_eq!(cast.hub.world.say(cast.school, &said).await.raised, 3);
    let said = absent(cast.pupils[1].0, 7);
    cast.hub.world.say(cast.school, &said).await;

    for (root, arguments, expected) in [
        ("pupils", "", 3),
        ("pupils", ", orderBy: FAMILY_NAME", 3),
        ("pupils", ", orderBy: TRUANCY_COUNT", 3),
        (
            "pupils",
            ", orderBy: TRUANCY_COUNT, filter: { truancyCountAtLeast: 6 }",
            1,
        ),
        ("signals", "", 3),
        ("signals", ", filter: { state: RAISED }", 3),
        ("signals", ", filter: { state: WITHDRAWN }", 0),
        ("schools", "", 2),
        ("agreements", "", 1),
    ] {
        let mut seen = Vec::new();
        let mut after = "null".to_owned();
        for _ in 0..9 {
            let query = format!(
                "{{ {root}(first: 1, after: {after}{arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }}
                    edges {{ node {{ id }} }} }} }}"
            );
            let page = &cast.hub.ask(&cast.worker, &query).await[root];
            assert_eq!(page["totalCount"], json!(expected), "{root}{arguments}");
            seen.extend(ids_of(page));
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            after = page["pageInfo"]["endCursor"].to_string();
        }
        let whole = format!("{{ {root}(first: 50{arguments}) {{ edges {{ node {{ id }} }} }} }}");
        assert_eq!(
            seen,
            ids_of(&cast.hub.ask(&cast.worker, &whole).await[root]),
            "{root}{arguments}"
        );
        assert_eq!(seen.len(), expected, "{root}{arguments}");
    }

    // Half-days too, in the order of time.
    let (_, pupil) = cast.pupils[1];
    let mut seen = Vec::new();
    let mut after = "null".to_owned();
    for _ in 0..7 {
        let query = format!(
            "{{ pupil(id: \"{pupil}\") {{ absences(first: 2, after: {after}) {{ totalCount
                pageInfo {{ hasNextPage endCursor }} edges {{ node {{ day part code }} }} }} }} }}"
        );
        let page = &cast.hub.ask(&cast.worker, &query).await["pupil"]["absences"];
        assert_eq!(page["totalCount"], json!(7));
        for edge in page["edges"].as_array().unwrap() {
            let node = &edge["node"];
            assert_eq!(node["code"], json!("B"));
            seen.push(format!(
                "{} {}",
                node["day"].as_str().unwrap(),
                node["part"].as_str().unwrap()
            ));
        }
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].to_string();
    }
    assert_eq!(
        seen,
        [
            "2026-09-01 AM",
            "2026-09-01 PM",
            "2026-09-03 AM",
            "2026-09-03 PM",
            "2026-09-04 AM",
            "2026-09-04 PM",
            "2026-09-07 AM",
        ]
    );
});

both_databases!(
    a_count_that_was_not_agreed_sorts_nothing,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let cast = cast(world, Categories::default_agreement()).await;
        // The last by id has the most half-days, and would come first.
        let mut by_id = cast.pupils.clone();
        by_id.sort_by_key(|(_, pupil)| *pupil);
        cast.hub.world.say(cast.school, &absent(by_id[2].0, 4)).await;
        // Then the two agree on less. What is stored is not purged yet, and must not show.
        let less = Categories::NONE.with(Category::Identity).with(Category::Enrolment);
        past_the_scope(
            &cast,
            &format!(
                "update agreement set categories = {} where clb_id in
        (select id from clb where institution_number = '114711')",
                less.bits()
            ),
        )
        .await;

        let query = "{ pupils(first: 9, orderBy: TRUANCY_COUNT) {
        edges { cursor node { id truancy { count } absenceCounts { code n } } } } }";
        let data = cast.hub.ask(&cast.worker, query).await;
        let expected: Vec<String> = by_id.iter().map(|(_, pupil)| pupil.to_string()).collect();
        assert_eq!(ids_of(&data["pupils"]), expected);
        for edge in data["pupils"]["edges"].as_array().unwrap() {
            assert_eq!(edge["node"]["truancy"], Value::Null);
            assert_eq!(edge["node"]["absenceCounts"], json!([]));
            let inside = inside(edge["cursor"].as_str().unwrap());
            assert!(inside.contains("\"n\":0"), "the cursor holds a count: {inside}");
        }
        let filtered = "{ pupils(first: 9, filter: { truancyCountAtLeast: 1 }) { totalCount } }";
        assert_eq!(
            cast.hub.ask(&cast.worker, filtered).await["pupils"]["totalCount"],
            json!(0)
        );
        // The school that counts sees it, most first.
        let data = cast.hub.ask(&cast.care_team, query).await;
        assert_eq!(ids_of(&data["pupils"])[0], expected[2]);
        assert_eq!(data["pupils"]["edges"][0]["node"]["truancy"], json!({ "count": 4 }));
    }
);

both_databases!(
    a_report_and_its_acceptance_are_proof,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let cast = cast(world, Categories::default_agreement()).await;
        let (record, pupil) = cast.pupils[0];
        cast.hub.world.say(cast.school, &absent(record, 5)).await;
        let query = "{ signals(first: 5) { edges { node { id kind count version reachedOn pupil { id givenName }
        report { at } acceptance { at } } } } }";
        let data = cast.hub.ask(&cast.worker, query).await;
        let signal = &data["signals"]["edges"][0]["node"];
        assert_eq!(signal["kind"], json!("truancy.5"));
        assert_eq!(
            (&signal["count"], &signal["reachedOn"]),
            (&json!(5), &json!("2026-09-04"))
        );
        assert_eq!(signal["pupil"], json!({ "id": pupil.to_string(), "givenName": "An" }));
        assert_eq!((&signal["report"], &signal["acceptance"]), (&Value::Null, &Value::Null));
        let id = signal["id"].as_str().unwrap().to_owned();

        let outcome = "... on SignalStepped { proof { track party at } signal { version } }
        ... on Conflict { version } ... on NotPossible { reason } ... on Invalid { field }";
        let report = format!(
            "mutation {{ reportSignal(input: {{ signal: \"{id}\", version: 1 }}) {{ __typename {outcome} }} }}"
        );
        let first = cast.hub.ask(&cast.care_team, &report).await["reportSignal"].clone();
        assert_eq!(first["__typename"], json!("SignalStepped"));
        assert_eq!(first["proof"]["track"], json!("REPORT"));
        assert_eq!(first["proof"]["party"], json!(cast.school.id.to_string()));
        assert!(
            first["proof"]["at"]
                .as_str()
                .unwrap()
                .starts_with("2026-10-01T10:00:00.123456")
        );
        assert_eq!(first["signal"]["version"], json!(2));
        // Asked again, the proof stays the first one and nothing changes.
        let again = cast.hub.ask(&cast.care_team, &report).await["reportSignal"].clone();
        assert_eq!(again, first);

        let accept = |version: i32| {
            format!(
                "mutation {{ acceptSignal(input: {{ signal: \"{id}\", version: {version} }}) {{ __typename {outcome} }} }}"
            )
        };
        // Read before the school reported.
        let late = cast.hub.ask(&cast.worker, &accept(1)).await["acceptSignal"].clone();
        assert_eq!(late, json!({ "__typename": "Conflict", "version": 2 }));
        // The other CLB: as if there were no such signal.
        let other = cast.hub.ask(&cast.other_worker, &accept(2)).await["acceptSignal"].clone();
        assert_eq!(other, json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }));
        let done = cast.hub.ask(&cast.worker, &accept(2)).await["acceptSignal"].clone();
        assert_eq!(done["proof"]["track"], json!("ACCEPT"));
        assert_eq!(done["proof"]["party"], json!(cast.clb.to_string()));
        assert_eq!(done["signal"]["version"], json!(3));

        // A correction takes it back; then it cannot be reported any more, but what was proven stays.
        cast.hub.world.say(cast.school, &[(record, am("2026-09-04"), Z)]).await;
        let query = format!("{{ signal(id: \"{id}\") {{ state report {{ at }} acceptance {{ at }} }} }}");
        let after = cast.hub.ask(&cast.care_team, &query).await["signal"].clone();
        assert_eq!(after["state"], json!("WITHDRAWN"));
        assert_eq!(after["report"]["at"], first["proof"]["at"]);
        assert_eq!(after["acceptance"]["at"], done["proof"]["at"]);
    }
);

both_databases!(
    changes_are_told_in_order_and_never_skipped,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let cast = cast(world, Categories::default_agreement()).await;
        let world = &cast.hub.world;
        let clock = Arc::new(FixedClock(world.now));
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        let query = |after: &str| {
            format!(
                "{{ changes(first: 2, after: {after}) {{ hasMore endCursor changes {{ kind pupilId count version }} }} }}"
            )
        };
        // Before anything happened there is a place to go on from.
        let begin = cast.hub.ask(&cast.worker, &query("null")).await["changes"].clone();
        assert_eq!((&begin["changes"], &begin["hasMore"]), (&json!([]), &json!(false)));

        let (record, pupil) = cast.pupils[0];
        world.say(cast.school, &absent(record, 5)).await;
        world.say(cast.school, &[(record, am("2026-09-01"), Z)]).await;
        world.say(cast.school, &[(record, am("2026-09-01"), B)]).await;
        assert_eq!(sequencer.once().await.unwrap(), 3);
        let mut told = Vec::new();
        let mut after = begin["endCursor"].to_string();
        for _ in 0..5 {
            let page = cast.hub.ask(&cast.worker, &query(&after)).await["changes"].clone();
            told.extend(page["changes"].as_array().unwrap().clone());
            after = page["endCursor"].to_string();
            if page["hasMore"] == json!(false) {
                break;
            }
        }
        let event = |kind: &str| json!({ "kind": kind, "pupilId": pupil.to_string(), "count": 5, "version": 1 });
        let kinds: Vec<_> = told.iter().map(|event| event["kind"].clone()).collect();
        assert_eq!(kinds, ["RAISED", "WITHDRAWN", "RAISED"]);
        assert_eq!(told[0], event("RAISED"));
        // The other CLB hears nothing, and goes on from where it looked.
        let page = cast.hub.ask(&cast.other_worker, &query("null")).await["changes"].clone();
        assert_eq!((&page["changes"], &page["hasMore"]), (&json!([]), &json!(false)));

        // A database put back to an earlier state, under the same epoch: the cursor is ahead of it.
        past_the_scope(&cast, "update outbox set position = null where position > 1").await;
        past_the_scope(&cast, "update sequence set position = 1").await;
        assert_eq!(cast.hub.code(&cast.worker, &query(&after)).await, "CURSOR_EXPIRED");
        // Or to before its first event.
        past_the_scope(&cast, "update outbox set position = null").await;
        past_the_scope(&cast, "delete from sequence").await;
        assert_eq!(cast.hub.code(&cast.worker, &query(&after)).await, "CURSOR_EXPIRED");
        // Then positions begin again, in another epoch.
        assert_eq!(sequencer.once().await.unwrap(), 3);
        assert_eq!(cast.hub.code(&cast.worker, &query(&after)).await, "CURSOR_EXPIRED");
    }
);

async fn past_the_scope(cast: &Cast, statement: &str) {
    use sea_orm::ConnectionTrait as _;
    cast.hub.world.look.execute_unprepared(statement).await.unwrap();
}

both_databases!(what_left_is_written_down_once, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let agreed = [Category::Identity, Category::Enrolment];
    let cast = cast(world, agreed.into_iter().collect()).await;
    let (_, pupil) = cast.pupils[0];
    // Asked for a name, a birth date and truancy; the name is all that was agreed.
    let query = format!("{{ pupil(id: \"{pupil}\") {{ givenName birthDate truancy {{ count }} }} }}");
    cast.hub.ask(&cast.worker, &query).await;
    // Nothing of any pupil left here.
    let unknown = format!("{{ pupil(id: \"{}\") {{ givenName }} }}", cast.foreign);
    cast.hub.ask(&cast.worker, &unknown).await;
    cast.hub
        .ask(
            &cast.worker,
            "{ viewer { role } schools(first: 5) { edges { node { name } } } }",
        )
        .await;
    // Two roots, three pupils, one line.
    let two = format!(
        "{{ pupils(first: 9) {{ edges {{ node {{ familyName }} }} }}
            pupil(id: \"{pupil}\") {{ enrolments {{ begins }} }} }}"
    );
    cast.hub.ask(&cast.care_team, &two).await;

    let mut expected_pupils: Vec<String> = cast.pupils.iter().map(|(_, pupil)| pupil.to_string()).collect();
    expected_pupils.sort();
    let mut lines = cast.hub.lines().await;
    lines.sort_by_key(|line| line.id);
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line.role, line.categories, line.pupils, line.pupil_ids.clone()))
        .collect();
    let identity = Categories::NONE.with(Category::Identity);
    assert_eq!(
        seen,
        [
            (Role::ClbWorker, identity, 1, json!([pupil.to_string()])),
            (
                Role::SchoolCareTeam,
                identity.with(Category::Enrolment),
                3,
                json!(expected_pupils)
            ),
        ]
    );
});

both_databases!(an_operator_sees_runs_and_no_pupil, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let cast = cast(world, Categories::default_agreement()).await;
    cast.hub.world.say(cast.school, &absent(cast.pupils[0].0, 5)).await;
    for (root, expected) in [
        ("sources", 2),
        ("syncRuns", 3),
        ("gaps", 0),
        ("schools", 2),
        ("agreements", 2),
    ] {
        let mut seen = Vec::new();
        let mut after = "null".to_owned();
        for _ in 0..9 {
            let query = format!(
                "{{ {root}(first: 1, after: {after}) {{ totalCount pageInfo {{ hasNextPage endCursor }}
                        edges {{ node {{ id }} }} }} }}"
            );
            let page = &cast.hub.ask(&cast.operator, &query).await[root];
            assert_eq!(page["totalCount"], json!(expected), "{root}");
            seen.extend(ids_of(page));
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            after = page["pageInfo"]["endCursor"].to_string();
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (expected, expected), "{root}");
    }
    let query = "{ syncRuns(first: 9) { edges { node { kind state raised schoolId } } } }";
    let runs = cast.hub.ask(&cast.operator, query).await;
    let of_absences: Vec<_> = runs["syncRuns"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| &edge["node"])
        .filter(|run| run["kind"] == json!("ABSENCES"))
        .collect();
    let school = cast.school.id.to_string();
    assert_eq!(
        of_absences,
        [&json!({ "kind": "ABSENCES", "state": "DONE", "raised": 1, "schoolId": school })]
    );
    // What operators can name, a CLB cannot; of a school only its data manager finds any of it.
    let sources = "{ sources(first: 9) { totalCount } }";
    for question in [sources, query] {
        let refused = cast.hub.answer(&cast.worker, question).await;
        assert_eq!(refused["data"], Value::Null);
    }
    let none = cast.hub.ask(&cast.care_team, sources).await;
    assert_eq!(none["sources"]["totalCount"], json!(0));
});

both_databases!(
    nothing_is_read_when_nobody_writes_the_log,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let mut cast = cast(world, Categories::default_agreement()).await;
        let query = "{ pupils(first: 1) { totalCount } }";
        assert_eq!(
            cast.hub.ask(&cast.worker, query).await["pupils"]["totalCount"],
            json!(3)
        );
        cast.hub.stop_the_log();
        assert_eq!(cast.hub.code(&cast.worker, query).await, "UNAVAILABLE");
    }
);
