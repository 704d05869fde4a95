//! The door: every field and every mutation of the schools' and the CLBs' schema, asked by the
//! rightful, the neighbour, the stranger and CLBch@t. The rightful get the seeded value, or "nobody
//! sees it" would prove nothing; for everyone else it is as if it were not there.
//!
//! What was granted is compared with the SDL: a field that no question here brings out fails, and so does one that is not
//! for everyone and that no stranger asked for in vain.

mod anonymous;
mod chat;
mod clients;
mod matching;

use std::collections::BTreeSet;

use futures::StreamExt as _;
use hub_entities::id::{AgreementId, ClassId, EnrolmentId, PrincipalId, PupilId, SignalId};
use hub_entities::operation::{Actor, Realm};
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::list;
use crate::support::town::Town;

/// All there is to ask of a pupil.
const PUPIL: &str = "id givenName familyName sex birthDate address { street postalCode city }
    contacts { role givenName familyName phone email } language withheld
    currentEnrolment { id schoolYear begins ends school { id institutionNumber name city } }
    enrolments { id schoolYear begins ends school { id institutionNumber name city } }
    classes { id name grade schoolYear school { id } members(first: 9) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { begins ends pupil { id givenName } } } } }
    absences(first: 9) { totalCount pageInfo { hasNextPage } edges { cursor node { day part code schoolId } } }
    absenceCounts { code n }
    truancy { count carried pending reached5 reached30 evidence { ownHalfDays { day part } elsewhereCount } }
    signals { id kind state generation schoolYear count reachedOn raisedAt withdrawnAt backfill version
        report { track by party at } acceptance { track by party at } pupil { id givenName }
        reportedPupil { givenName familyName birthDate school { id institutionNumber name city } classes count } }";

const SIGNAL: &str = "id kind state generation schoolYear count reachedOn raisedAt withdrawnAt backfill version
    report { track by party at } acceptance { track by party at } pupil { id givenName familyName birthDate }
    reportedPupil { givenName familyName birthDate school { id institutionNumber name city } classes count }";

/// All there is to tell of an event.
const CHANGE: &str = "id cursor kind signalId signalKind pupilId schoolId schoolYear count version occurredAt";

async fn ids(town: &Town, text: &str) -> Vec<Uuid> {
    list(&town.world.look, text).await
}

fn principal(actor: &Actor) -> PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        _ => panic!("a viewer is a principal"),
    }
}

fn raised(pupil: PupilId) -> SignalId {
    signal_id(&truancy_key("truancy.5", pupil, SchoolYear(2026)), 1)
}

/// Everything the hub knows of Ada, as her school and her CLB see it.
async fn ada(town: &Town) -> Value {
    let enrolment = ids(
        town,
        "select e.id from enrolment e join record r on r.id = e.record_id where r.source_key = 'ada'",
    );
    let enrolment = EnrolmentId(enrolment.await[0]);
    let class = ClassId(ids(town, "select id from class_group where name = '1A'").await[0]);
    let north =
        json!({ "id": town.north.id.to_string(), "institutionNumber": "123456", "name": "School", "city": "Gemeente" });
    let enrolment = json!({ "id": enrolment.to_string(), "schoolYear": "2026-2027", "begins": "2026-09-01", "ends": null, "school": north });
    let half_day = |day: &str, part: &str| json!({ "day": day, "part": part });
    let absence = |day: &str, part: &str, code: &str| json!({ "node": { "day": day, "part": part, "code": code, "schoolId": town.north.id.to_string() } });
    let member = |id: PupilId, given: &str| json!({ "node": { "begins": "2026-09-01", "ends": null, "pupil": { "id": id.to_string(), "givenName": given } } });
    let at = "2026-10-01T10:00:00+00:00";
    json!({
        "id": town.ada.to_string(), "givenName": "Ada", "familyName": "Zeger", "sex": "female", "birthDate": "2012-05-01",
        "address": { "street": "Straat 1", "postalCode": "9990", "city": "Klaverdonk" },
        "contacts": [{ "role": "parent", "givenName": "An", "familyName": "Maes", "phone": "+32 400 000001", "email": "an@clb-hub.invalid" }],
        "language": "nl", "withheld": [],
        "currentEnrolment": enrolment, "enrolments": [enrolment],
        "classes": [{
            "id": class.to_string(), "name": "1A", "grade": "09", "schoolYear": "2026-2027",
            "school": { "id": town.north.id.to_string() },
            "members": { "totalCount": 2, "pageInfo": { "hasNextPage": false, "hasPreviousPage": false },
                "edges": [member(town.ada, "Ada"), member(town.bo, "Bo")] },
        }],
        "absences": { "totalCount": 7, "pageInfo": { "hasNextPage": false }, "edges": [
            absence("2026-09-01", "AM", "B"), absence("2026-09-01", "PM", "B"), absence("2026-09-03", "AM", "B"),
            absence("2026-09-03", "PM", "B"), absence("2026-09-04", "AM", "B"), absence("2026-09-07", "AM", "Z"),
            absence("2026-09-08", "AM", "UNRESOLVED"),
        ] },
        "absenceCounts": [{ "code": "B", "n": 5 }, { "code": "Z", "n": 1 }, { "code": "UNRESOLVED", "n": 1 }],
        "truancy": { "count": 5, "carried": 0, "pending": 1, "reached5": "2026-09-04", "reached30": null, "evidence": {
            "ownHalfDays": [half_day("2026-09-01", "AM"), half_day("2026-09-01", "PM"), half_day("2026-09-03", "AM"),
                half_day("2026-09-03", "PM"), half_day("2026-09-04", "AM")],
            "elsewhereCount": 0,
        } },
        "signals": [{
            "id": raised(town.ada).to_string(), "kind": "truancy.5", "state": "RAISED", "generation": 1,
            "schoolYear": "2026-2027", "count": 5, "reachedOn": "2026-09-04", "raisedAt": at, "withdrawnAt": null,
            "backfill": false, "version": 3, "reportedPupil": { "givenName": "Ada", "familyName": "Zeger",
                "birthDate": "2012-05-01", "school": north, "classes": ["1A"], "count": 5 }, "pupil": { "id": town.ada.to_string(), "givenName": "Ada" },
            "report": { "track": "REPORT", "by": principal(&town.viewers.north).to_string(), "party": town.north.id.to_string(), "at": at },
            "acceptance": { "track": "ACCEPT", "by": principal(&town.viewers.first).to_string(), "party": town.first.to_string(), "at": at },
        }],
    })
}

/// The two steps on the signal of Ada; nobody else can take them, and an unknown signal looks the same.
async fn steps(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let question = |mutation: &str, signal: SignalId, version: &str| {
        format!(
            "mutation {{ {mutation}(input: {{ signal: \"{signal}\" {version} }}) {{ __typename
             ... on SignalStepped {{ signal {{ {SIGNAL} }} proof {{ track by party at }} }}
             ... on Conflict {{ version }} ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}"
        )
    };
    let unknown = SignalId(Uuid::from_u128(7));
    let not_possible = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    for (viewer, mutation) in [
        (&v.east, "reportSignal"),
        (&v.south, "reportSignal"),
        (&v.second, "acceptSignal"),
        (&v.chat, "acceptSignal"),
    ] {
        for signal in [raised(town.ada), unknown] {
            let answer = door.ask(viewer, &question(mutation, signal, "")).await;
            assert_eq!(answer[mutation], not_possible, "{viewer:?}");
        }
    }
    let stale = door
        .ask(&v.north, &question("reportSignal", raised(town.ada), "version: 9"))
        .await;
    assert_eq!(stale["reportSignal"], json!({ "__typename": "Conflict", "version": 1 }));
    let stale = door
        .ask(&v.first, &question("acceptSignal", raised(town.ada), "version: 9"))
        .await;
    assert_eq!(stale["acceptSignal"], json!({ "__typename": "Conflict", "version": 1 }));
    let gone = door.ask(&v.north, &question("reportSignal", raised(town.bo), "")).await;
    assert_eq!(
        gone["reportSignal"],
        json!({ "__typename": "NotPossible", "reason": "WITHDRAWN" })
    );

    let reported = door
        .ask(&v.north, &question("reportSignal", raised(town.ada), "version: 1"))
        .await;
    let reported = &reported["reportSignal"];
    let by = principal(&v.north).to_string();
    let proof =
        json!({ "track": "REPORT", "by": by, "party": town.north.id.to_string(), "at": "2026-10-01T10:00:00+00:00" });
    assert_eq!((&reported["proof"], &reported["signal"]["report"]), (&proof, &proof));
    // Asked again by another, the proof stays the first one.
    let again = door
        .ask(&v.north_manager, &question("reportSignal", raised(town.ada), ""))
        .await;
    assert_eq!(again["reportSignal"]["proof"], proof);
    let accepted = door
        .ask(&v.first, &question("acceptSignal", raised(town.ada), ""))
        .await;
    assert_eq!(accepted["acceptSignal"]["proof"]["party"], town.first.to_string());
}

/// An agreement from proposal to end; only the two parties, by whom may sign, ever see it.
async fn agreements(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let agreement = "id school { id institutionNumber name city } clb { id institutionNumber name } state categories
        ground begins ends schoolFirstDays earlyWarning releasesToSoftware proposedFor proposedAt decidedAt endedAt version";
    let question = |mutation: &str, input: &str| {
        format!(
            "mutation {{ {mutation}(input: {{ {input} }}) {{ __typename ... on AgreementDecided {{ agreement {{ {agreement} }} }}
             ... on Conflict {{ version }} ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}"
        )
    };
    let propose = |ground: &str| {
        let other = town.second;
        question(
            "proposeAgreement",
            &format!(
                "otherParty: \"{other}\" categories: [IDENTITY, TRUANCY, LANGUAGE] {ground} begins: \"2026-10-02\" schoolFirstDays: 2 earlyWarning: 3
                 releasesToSoftware: true"
            ),
        )
    };
    let without = door.ask(&v.north_manager, &propose("")).await;
    assert_eq!(
        without["proposeAgreement"],
        json!({ "__typename": "Invalid", "field": "ground" })
    );
    let not_hers = door.ask(&v.north, &propose("ground: \"test\"")).await;
    assert_eq!(
        not_hers["proposeAgreement"],
        json!({ "__typename": "NotPossible", "reason": "UNKNOWN" })
    );
    let proposed = door.ask(&v.north_manager, &propose("ground: \"test\"")).await;
    let proposed = proposed["proposeAgreement"]["agreement"].clone();
    let id: AgreementId = proposed["id"].as_str().unwrap().parse().unwrap();
    let at = "2026-10-01T10:00:00+00:00";
    let expected = |state: &str, version: i32, decided: Value, ended: (Value, Value)| {
        json!({
            "id": id.to_string(), "state": state, "categories": ["IDENTITY", "TRUANCY", "LANGUAGE"], "ground": "test",
            "school": { "id": town.north.id.to_string(), "institutionNumber": "123456", "name": "School", "city": "Gemeente" },
            "clb": { "id": town.second.to_string(), "institutionNumber": "114712", "name": "CLB" },
            "begins": "2026-10-02", "ends": ended.0, "schoolFirstDays": 2, "earlyWarning": 3, "releasesToSoftware": true, "proposedFor": "SCHOOL", "proposedAt": at,
            "decidedAt": decided, "endedAt": ended.1, "version": version,
        })
    };
    assert_eq!(
        proposed,
        expected("PROPOSED", 1, Value::Null, (Value::Null, Value::Null))
    );

    let accept = question("acceptAgreement", &format!("agreement: \"{id}\" version: 1"));
    for viewer in [&v.first, &v.second, &v.chat, &v.east, &v.north_manager] {
        let answer = door.ask(viewer, &accept).await;
        assert_eq!(answer["acceptAgreement"]["__typename"], "NotPossible", "{viewer:?}");
    }
    let accepted = door.ask(&v.second_director, &accept).await;
    let decided = json!(at);
    assert_eq!(
        accepted["acceptAgreement"]["agreement"],
        expected("ACCEPTED", 2, decided.clone(), (Value::Null, Value::Null))
    );
    let end = |version: i32| {
        question(
            "endAgreement",
            &format!("agreement: \"{id}\" version: {version} on: \"2026-12-01\""),
        )
    };
    let stale = door.ask(&v.second_director, &end(1)).await;
    assert_eq!(stale["endAgreement"], json!({ "__typename": "Conflict", "version": 2 }));
    let ended = door.ask(&v.north_manager, &end(2)).await;
    assert_eq!(ended["endAgreement"]["agreement"]["ends"], "2026-12-01");

    // A CLB proposes to a school.
    let propose = |category: &str| {
        let input = format!(
            "otherParty: \"{}\" categories: [{category}] begins: \"2026-10-02\"",
            town.east.id
        );
        question("proposeAgreement", &input)
    };
    let without = door.ask(&v.second_director, &propose("LANGUAGE")).await;
    assert_eq!(
        without["proposeAgreement"],
        json!({ "__typename": "Invalid", "field": "ground" })
    );
    let not_theirs = door.ask(&v.second, &propose("IDENTITY")).await;
    assert_eq!(not_theirs["proposeAgreement"]["__typename"], "NotPossible");
    let proposed = door.ask(&v.second_director, &propose("IDENTITY")).await;
    let proposed = &proposed["proposeAgreement"]["agreement"];
    assert_eq!(
        (&proposed["state"], &proposed["proposedFor"]),
        (&json!("PROPOSED"), &json!("CLB"))
    );

    let read = format!("{{ node(id: \"{id}\") {{ __typename ... on Agreement {{ {agreement} }} }} }}");
    for (viewer, sees) in [
        (&v.north, true),
        (&v.second, true),
        (&v.east, false),
        (&v.first, false),
        (&v.chat, false),
    ] {
        assert_eq!(door.ask(viewer, &read).await["node"].is_null(), !sees, "{viewer:?}");
        let all = door
            .ask(viewer, &format!("{{ agreements(first: 9) {{ totalCount pageInfo {{ hasNextPage }} edges {{ cursor node {{ {agreement} }} }} }} }}"))
            .await;
        let listed = all["agreements"]["edges"].as_array().unwrap();
        let listed = listed.iter().any(|edge| edge["node"]["id"] == id.to_string());
        assert_eq!(listed, sees, "{viewer:?}");
    }
}

both_databases!(
    every_field_is_granted_to_the_rightful_alone,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        let door = Door::new(&town, &[Realm::School, Realm::Clb, Realm::Person]);
        let mut door = door.with_strangers().await;
        steps(&mut door).await;
        town.tell().await;

        let unknown_pupil = PupilId(Uuid::from_u128(7));
        let ask_pupil = |id: PupilId| format!("{{ pupil(id: \"{id}\") {{ {PUPIL} }} }}");
        let ask_node = |id: PupilId| format!("{{ node(id: \"{id}\") {{ __typename ... on Pupil {{ {PUPIL} }} }} }}");
        let expected = ada(&town).await;
        for viewer in [&v.north, &v.first] {
            assert_eq!(
                door.ask(viewer, &ask_pupil(town.ada)).await["pupil"],
                expected,
                "{viewer:?}"
            );
            let mut node = door.ask(viewer, &ask_node(town.ada)).await["node"].take();
            node.as_object_mut().unwrap().remove("__typename");
            assert_eq!(node, expected, "{viewer:?}");
        }
        // A neighbour, a stranger and the chat: as if there were no such pupil, to the last byte.
        for viewer in [&v.east, &v.south, &v.second, &v.chat] {
            for ask in [&ask_pupil as &dyn Fn(PupilId) -> String, &ask_node] {
                let foreign = town.answer(viewer, &ask(town.ada)).await;
                let unknown = town.answer(viewer, &ask(unknown_pupil)).await;
                assert_eq!(foreign.to_string(), unknown.to_string(), "{viewer:?}");
                assert!(foreign["data"]["pupil"].is_null() && foreign["data"]["node"].is_null());
            }
        }

        let class = ClassId(ids(&town, "select id from class_group where name = '1A'").await[0]);
        let ask_signal = |id: &str| {
            format!(
                "{{ signal(id: \"{id}\") {{ {SIGNAL} }} node(id: \"{id}\") {{ __typename ... on Signal {{ {SIGNAL} }} }} }}"
            )
        };
        let ask_class = |id: &str| {
            format!("{{ node(id: \"{id}\") {{ __typename ... on ClassGroup {{ id name grade schoolYear school {{ id institutionNumber name city }}
            members(first: 1) {{ totalCount pageInfo {{ hasNextPage }} edges {{ cursor node {{ begins ends pupil {{ id givenName }} }} }} }} }} }} }}")
        };
        for viewer in [&v.north, &v.first] {
            let signal = door.ask(viewer, &ask_signal(&raised(town.ada).to_string())).await;
            let of = json!({ "id": town.ada.to_string(), "givenName": "Ada", "familyName": "Zeger", "birthDate": "2012-05-01" });
            assert_eq!((&signal["signal"]["pupil"], &signal["node"]["pupil"]), (&of, &of));
            let class = door.ask(viewer, &ask_class(&class.to_string())).await;
            assert_eq!(
                (&class["node"]["name"], &class["node"]["members"]["totalCount"]),
                (&json!("1A"), &json!(2))
            );
            assert_eq!(class["node"]["members"]["pageInfo"]["hasNextPage"], true);
        }
        for viewer in [&v.east, &v.south, &v.second, &v.chat] {
            let foreign = town.answer(viewer, &ask_signal(&raised(town.ada).to_string())).await;
            let unknown = town
                .answer(viewer, &ask_signal(&SignalId(Uuid::from_u128(7)).to_string()))
                .await;
            assert_eq!(
                (foreign.to_string(), foreign["data"]["signal"].is_null()),
                (unknown.to_string(), true),
                "{viewer:?}"
            );
            let foreign = town.answer(viewer, &ask_class(&class.to_string())).await;
            let unknown = town
                .answer(viewer, &ask_class(&ClassId(Uuid::from_u128(7)).to_string()))
                .await;
            assert_eq!(
                (foreign.to_string(), foreign["data"]["node"].is_null()),
                (unknown.to_string(), true),
                "{viewer:?}"
            );
        }

        // A school is public, its classes are not.
        let ask_school = format!(
        "{{ school(id: \"{id}\") {{ id institutionNumber name city classes(first: 9) {{ totalCount pageInfo {{ hasNextPage }}
         edges {{ cursor node {{ name }} }} }} }}
         schools(first: 9) {{ totalCount pageInfo {{ hasNextPage }} edges {{ cursor node {{ id institutionNumber }} }} }}
         viewer {{ id role schoolId clbId }} }}",
        id = town.north.id
    );
        for (viewer, classes) in [
            (&v.north, 2),
            (&v.first, 2),
            (&v.east, 0),
            (&v.south, 0),
            (&v.second, 0),
            (&v.chat, 0),
        ] {
            let answer = door.ask(viewer, &ask_school).await;
            assert_eq!(answer["school"]["institutionNumber"], "123456");
            // Those of the strangers too.
            assert_eq!(answer["schools"]["totalCount"], 6);
            assert_eq!(answer["viewer"]["id"], principal(viewer).to_string());
            let listed = answer["school"]["classes"]["edges"].as_array().unwrap().len();
            assert_eq!(
                (listed, &answer["school"]["classes"]["totalCount"]),
                (classes, &json!(classes)),
                "{viewer:?}"
            );
        }

        // What remains: lists, what is told, and those of whom other things are known than of Ada.
        let rest = format!(
        "{{ pupils(first: 9) {{ totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} edges {{ cursor node {{ {PUPIL} }} }} }}
         signals(first: 9) {{ totalCount pageInfo {{ hasNextPage }} edges {{ cursor node {{ {SIGNAL} }} }} }}
         changes(first: 9) {{ endCursor hasMore changes {{ {CHANGE} }} }} }}"
    );
        for viewer in [&v.north, &v.south, &v.first, &v.second] {
            door.ask(viewer, &rest).await;
        }
        agreements(&mut door).await;
        matching::disputes(&mut door).await;
        matching::runs(&mut door).await;
        let staff = crate::dossier::brought_out_by(&mut door).await;
        matching::ties(&mut door).await;
        followed(&mut door).await;
        clients::submissions(&mut door).await;
        matching::waits(&mut door).await;
        clients::grants(&mut door).await;
        crate::transfers::brought_out(&mut door, &staff).await;

        // Never brought out here, and why. Only what is needed may stand here.
        let exempt: BTreeSet<&str> = [
            // North's places in a class have no end.
            "school Member.ends",
            "clb Member.ends",
            // A viewer acts for one party.
            "school Viewer.clbId",
            "clb Viewer.schoolId",
            "school NoLongerYours.clbId",
            "clb NoLongerYours.schoolId",
            // A school sees all it said itself.
            "school Pupil.withheld",
        ]
        .into();
        let missing = door.missing();
        let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
        assert_eq!(missing, exempt, "not brought out, or exempt without need");

        // Not for everyone, and never asked for here by a stranger, and why. This only shrinks.
        let exempt: BTreeSet<&str> = [
            // Whoever may sign proposes for its own party.
            "school Mutation.proposeAgreement",
            "clb Mutation.proposeAgreement",
            // What is told as it happens is what `changes` tells, of which a stranger is told nothing.
            "school Subscription.signals",
            "clb Subscription.signals",
            "school SignalUpdate.change",
            "clb SignalUpdate.change",
        ]
        .into();
        assert_eq!(door.leaks, Vec::<String>::new(), "told to a stranger");
        let unrefused = door.unrefused();
        let unrefused: BTreeSet<&str> = unrefused.iter().map(String::as_str).collect();
        assert_eq!(unrefused, exempt, "asked by no stranger, or exempt without need");
    }
);

/// What is told as it happens is what `changes` tells; and who may no longer follow is told so, by ids.
async fn followed(door: &mut Door<'_>) {
    let v = &door.town.viewers;
    for viewer in [&v.north, &v.first, &v.second] {
        let question = format!("{{ changes(first: 9) {{ changes {{ {CHANGE} }} }} }}");
        let changes = door.town.ask(viewer, &question).await["changes"]["changes"].take();
        let changes = changes.as_array().unwrap().clone();
        let first = changes[0]["cursor"].as_str().unwrap();
        let question = format!(
            "subscription {{ signals(after: \"{first}\") {{ cursor change {{ {CHANGE} }} noLongerYours {{ schoolId clbId }} }} }}"
        );
        let updates = door.follow(viewer, &question, changes.len()).await;
        assert_eq!(updates[0]["data"]["signals"]["change"], Value::Null);
        assert_eq!(updates[0]["data"]["signals"]["cursor"], first);
        for (update, change) in updates[1..].iter().zip(&changes[1..]) {
            let update = &update["data"]["signals"];
            assert_eq!((&update["change"], &update["cursor"]), (change, &change["cursor"]));
        }
    }
    // A role that may follow nothing; and a worker who has left.
    let question = "subscription { signals { cursor noLongerYours { schoolId clbId } } }";
    let updates = door.follow(&v.chat, question, 3).await;
    let gone = json!({ "schoolId": null, "clbId": door.town.first.to_string() });
    assert_eq!(
        (updates.len(), &updates[1]["data"]["signals"]["noLongerYours"]),
        (2, &gone)
    );
    let mut updates = door.town.follow(&v.first, question);
    updates.next().await.unwrap();
    door.town.world.end_principal(&v.first, door.town.world.now).await;
    door.town.desk.round().await.unwrap();
    let updates: Vec<Value> = updates.collect().await;
    assert_eq!(
        (updates.len(), &updates[0]["data"]["signals"]["noLongerYours"]),
        (1, &gone)
    );
}

both_databases!(
    what_was_not_agreed_is_null_and_named,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        let ask = format!("{{ pupil(id: \"{}\") {{ {PUPIL} }} }}", town.cas);
        // East let its CLB have identity and enrolment; 2 B stand at south, of which it must not know.
        let seen = town.ask(&v.first, &ask).await["pupil"].take();
        assert_eq!(
            (&seen["givenName"], &seen["familyName"]),
            (&json!("Cas"), &json!("Baert"))
        );
        let withheld = [
            "BIRTH",
            "ADDRESS",
            "CONTACT",
            "TRUANCY",
            "LANGUAGE",
            "ATTENDANCE",
            "NATIONAL_NUMBER",
        ];
        let named: BTreeSet<&str> = seen["withheld"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect();
        assert_eq!(named, withheld.into());
        for field in ["birthDate", "address", "contacts", "language", "truancy"] {
            assert_eq!(seen[field], Value::Null, "{field}");
        }
        for field in ["absences", "absenceCounts", "signals"] {
            let shown = seen[field].get("edges").unwrap_or(&seen[field]);
            assert_eq!(shown, &json!([]), "{field}");
        }
        // Two schools, and each sees the enrolment and half-days that are its own.
        let east = town.ask(&v.east, &ask).await["pupil"].take();
        assert_eq!(east["enrolments"].as_array().unwrap().len(), 1);
        assert_eq!(
            east["truancy"]["evidence"],
            json!({ "ownHalfDays": [], "elsewhereCount": 2 })
        );
        assert_eq!(east["absences"]["edges"], json!([]));
        let second = town.ask(&v.second, &ask).await["pupil"].take();
        assert_eq!(second["truancy"]["evidence"]["elsewhereCount"], 0);
        assert_eq!(second["absences"]["totalCount"], 2);
        // A carried-in number is no date, and what north said of Ella stays north's.
        let ask = format!("{{ pupil(id: \"{}\") {{ {PUPIL} }} }}", town.ella);
        for viewer in [&v.south, &v.second] {
            let ella = town.ask(viewer, &ask).await["pupil"].take();
            assert_eq!(
                (&ella["truancy"]["count"], &ella["truancy"]["carried"]),
                (&json!(6), &json!(1))
            );
            assert_eq!(
                ella["truancy"]["evidence"],
                json!({ "ownHalfDays": [], "elsewhereCount": 6 })
            );
            assert_eq!(ella["absences"]["edges"], json!([]));
        }
        // She left north and its CLB on 15 September: both lost her with that day.
        for viewer in [&v.north, &v.first] {
            assert_eq!(town.ask(viewer, &ask).await["pupil"], Value::Null, "{viewer:?}");
        }
    }
);

both_databases!(an_operator_sees_no_pupil, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let operator = &town.viewers.operator;
    for question in [
        "{ pupils(first: 1) { totalCount } }",
        "{ signals(first: 1) { totalCount } }",
        "{ changes(first: 1) { hasMore } }",
    ] {
        let answer = town.answer(operator, question).await;
        assert_eq!(
            (answer["data"].is_null(), answer["errors"].is_array()),
            (true, true),
            "{question}"
        );
    }
    let answer = town
        .ask(
            operator,
            "{ syncRuns(first: 200) { totalCount } sources(first: 9) { totalCount } gaps(first: 9) { totalCount } }",
        )
        .await;
    assert_eq!(answer["sources"]["totalCount"], 3);
});
