//! What arrived, and whom what was said belongs to.

use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use serde_json::{Value, json};

use crate::support::coverage::Door;
use crate::support::world::{am, born};

/// What north's software says of a pupil whom no roster names waits: north's data manager finds it, and how well the
/// connection finds its pupils; nobody else of a school does. The administration of north's CLB finds it too.
pub(super) async fn waits(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let said = "mutation { submitAbsences(input: { idempotencyKey: \"waits\", institutionNumber: \"123456\",
        absences: [{ pupil: \"nobody\", day: \"2026-09-24\", part: AM, code: \"B\" }] })
        { __typename ... on Delivered { results { outcome } } } }";
    let answer = door.ask(&v.north, said).await;
    assert_eq!(
        answer["submitAbsences"]["results"],
        json!([{ "outcome": "QUARANTINED" }])
    );
    let page = "totalCount pageInfo { hasNextPage }";
    let all = format!(
        "{{ quarantine(first: 9) {{ {page} edges {{ cursor node {{ id sourceId schoolId kind key keyKind rows since }} }} }}
         sources(first: 9) {{ {page} edges {{ cursor node {{ join {{ named found measuredAt }} waiting }} }} }}
         syncRuns(first: 99) {{ {page} edges {{ cursor node {{ named found }} }} }} }}"
    );
    let answer = door.ask(&v.north_manager, &all).await;
    let waits = &answer["quarantine"]["edges"][0]["node"];
    assert_eq!(
        (&waits["key"], &waits["keyKind"], &waits["rows"]),
        (&json!("nobody"), &json!("SOURCE_KEY"), &json!(1))
    );
    let join = json!({ "named": 1, "found": 0, "measuredAt": "2026-10-01T10:00:00+00:00" });
    let source = &answer["sources"]["edges"][0]["node"];
    assert_eq!((&source["join"], &source["waiting"]), (&join, &json!(1)));
    let nothing: Value = json!({ "totalCount": 0, "pageInfo": { "hasNextPage": false }, "edges": [] });
    let waiting = "{ quarantine(first: 9) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { id sourceId schoolId kind key keyKind rows since } } } }";
    let answer = door.ask(&v.first_administration, waiting).await;
    let waits = &answer["quarantine"]["edges"][0]["node"];
    let north = town.north.id.to_string();
    assert_eq!((&waits["key"], &waits["schoolId"]), (&json!("nobody"), &json!(north)));
    for viewer in [&v.second, &v.chat] {
        let answer = door.ask(viewer, waiting).await;
        assert_eq!(answer["quarantine"]["totalCount"], 0, "{viewer:?}");
    }
    for viewer in [&v.north, &v.east, &v.south] {
        let answer = door.ask(viewer, &all).await;
        for list in ["quarantine", "sources", "syncRuns"] {
            assert_eq!(answer[list], nothing, "{viewer:?}");
        }
    }
}

/// Two of north's pupils are tied by its data manager and taken apart by the administration of its CLB; nobody else does
/// either, or finds it.
pub(super) async fn ties(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let administration = &v.first_administration;
    let merge = "id pupilId formerId reason mergedBy mergedAt undoneReason undoneBy undoneAt version";
    let outcome = format!(
        "__typename ... on PupilMergeDecided {{ merge {{ {merge} }} }} ... on Conflict {{ version }} ... on NotPossible {{ reason }}"
    );
    let tie = format!(
        "mutation {{ mergePupils(input: {{ pupil: \"{}\", into: \"{}\", reason: \"same\" }}) {{ {outcome} }} }}",
        town.bo, town.ada
    );
    let all = format!(
        "{{ pupilMerges(first: 9) {{ totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
         edges {{ cursor node {{ {merge} }} }} }} }}"
    );
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    for viewer in [&v.east, &v.south, &v.first, &v.second] {
        assert_eq!(door.ask(viewer, &tie).await["mergePupils"], unknown, "{viewer:?}");
    }
    let made = door.ask(&v.north_manager, &tie).await["mergePupils"]["merge"].clone();
    assert_eq!(
        (&made["pupilId"], &made["version"]),
        (&json!(town.ada.to_string()), &json!(1))
    );
    let untie = format!(
        "mutation {{ unmergePupils(input: {{ merge: {}, version: 1, reason: \"two\" }}) {{ {outcome} }} }}",
        made["id"]
    );
    for viewer in [&v.east, &v.south, &v.first, &v.second] {
        assert_eq!(door.ask(viewer, &untie).await["unmergePupils"], unknown, "{viewer:?}");
        assert_eq!(
            door.ask(viewer, &all).await["pupilMerges"]["totalCount"],
            0,
            "{viewer:?}"
        );
    }
    let apart = door.ask(administration, &untie).await["unmergePupils"]["merge"].clone();
    assert_eq!((&apart["version"], &apart["undoneReason"]), (&json!(2), &json!("two")));
    let again = door.ask(administration, &tie).await["mergePupils"]["merge"]["id"].clone();
    let untie = untie.replace(&made["id"].to_string(), &again.to_string());
    door.ask(&v.north_manager, &untie).await;
    for viewer in [&v.north_manager, administration] {
        assert_eq!(
            door.ask(viewer, &all).await["pupilMerges"]["totalCount"],
            2,
            "{viewer:?}"
        );
    }
}

/// North and south contradict each other about a half-day of a pupil that is at both: each CLB finds the side of its school,
/// and nothing of what was said there or elsewhere.
pub(super) async fn disputes(door: &mut Door<'_>) {
    let town = door.town;
    let (world, v) = (&town.world, &town.viewers);
    let flo = || PupilSaid {
        national_index: Some(vec![77; 32]),
        ..born("2012-05-01")
    };
    let (here, pupil) = world.pupils(town.north, &[("flo", flo())]).await[0];
    let (there, _) = world.pupils(town.south, &[("flo", flo())]).await[0];
    let at = am("2026-09-21");
    world.say(town.north, &[(here, at, Reading::Absent(Code::B))]).await;
    world.say(town.south, &[(there, at, Reading::Unresolved)]).await;
    let all = "{ gaps(first: 9) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { id rule pupilId day part schoolId since } } } }";
    for (viewer, school) in [(&v.first, town.north), (&v.second, town.south)] {
        let mut answer = door.ask(viewer, all).await["gaps"].clone();
        assert_eq!(answer["totalCount"], 1, "{viewer:?}");
        let mut node = answer["edges"][0]["node"].take();
        node.as_object_mut().unwrap().remove("id");
        let expected = json!({ "rule": "absence.conflict", "pupilId": pupil.to_string(), "day": "2026-09-21", "part": "AM",
            "schoolId": school.id.to_string(), "since": "2026-10-01T10:00:00+00:00" });
        assert_eq!(node, expected, "{viewer:?}");
    }
    let answer = door.ask(&v.chat, all).await;
    assert_eq!(
        (&answer["gaps"]["totalCount"], &answer["gaps"]["edges"]),
        (&json!(0), &json!([]))
    );
    // They agree again: nothing is left of it.
    world.say(town.south, &[(there, at, Reading::Absent(Code::B))]).await;
    let answer = door.ask(&v.first, all).await;
    assert_eq!(answer["gaps"]["totalCount"], 0);
}

/// What arrived at north, and the roster that waits for its data manager; nobody else of a school finds any of it.
pub(super) async fn runs(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let held = town.world.held(town.north).await;
    let gap = town.world.gap(town.north, held, "Q", 3).await;
    let run = "id sourceId schoolId kind state staged changed unchanged quarantined ended raised withdrawn startedAt
        finishedAt approvedAt";
    let page = "totalCount pageInfo { hasNextPage }";
    let all = format!(
        "{{ syncRuns(first: 99) {{ {page} edges {{ cursor node {{ {run} }} }} }} gaps(first: 9) {{ {page} edges {{ cursor
         node {{ id sourceId rule detail occurrences firstSeenAt lastSeenAt }} }} }} }}"
    );
    let at = "2026-10-01T10:00:00+00:00";
    let answer = door.ask(&v.north_manager, &all).await;
    let gap = json!({ "id": gap.to_string(), "sourceId": town.north.source.to_string(), "rule": "letter", "detail": "Q",
        "occurrences": 3, "firstSeenAt": at, "lastSeenAt": at });
    assert_eq!(answer["gaps"]["edges"], json!([{ "node": gap }]));
    let listed = answer["syncRuns"]["edges"].as_array().unwrap();
    let waits = listed.iter().find(|edge| edge["node"]["state"] == "HELD").unwrap();
    assert_eq!(waits["node"]["id"], held.to_string());
    for viewer in [&v.north, &v.east, &v.south] {
        let nothing = json!({ "totalCount": 0, "pageInfo": { "hasNextPage": false }, "edges": [] });
        let answer = door.ask(viewer, &all).await;
        assert_eq!(
            (&answer["syncRuns"], &answer["gaps"]),
            (&nothing, &nothing),
            "{viewer:?}"
        );
    }
    let approve = format!(
        "mutation {{ approveHeldRun(input: {{ run: \"{held}\" }}) {{ __typename ... on HeldRunApproved {{ run {{ {run} }} }}
         ... on NotPossible {{ reason }} }} }}"
    );
    for viewer in [&v.north, &v.east, &v.south] {
        let answer = door.ask(viewer, &approve).await;
        assert_eq!(answer["approveHeldRun"]["__typename"], "NotPossible", "{viewer:?}");
    }
    let answer = door.ask(&v.north_manager, &approve).await;
    let approved = &answer["approveHeldRun"]["run"];
    assert_eq!(
        (&approved["state"], &approved["approvedAt"]),
        (&json!("MERGING"), &json!(at))
    );
}
