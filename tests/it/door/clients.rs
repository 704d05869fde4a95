//! Software, and what schools let it do.

use std::time::Duration;

use clb_hub::store::intake::lease_of;
use clb_hub::store::lease::Lease;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::principal;
use crate::support::coverage::Door;

/// What north's data manager lets software do, and takes back from the software that follows; nobody else of a school
/// finds any of it.
pub(super) async fn grants(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let page = "totalCount pageInfo { hasNextPage }";
    let grant = "id sourceId tasks begins ends issuedBy issuedAt revokedBy revokedAt";
    let all = format!(
        "{{ clients(first: 9) {{ {page} edges {{ cursor node {{ id issuer subject grants {{ {grant} }} }} }} }}
         sources(first: 9) {{ {page} edges {{ cursor node {{ id name letters school {{ id }} }} }} }} }}"
    );
    let question = "subscription { signals { cursor noLongerYours { schoolId clbId } } }";
    let mut updates = town.follow(&v.north, question);
    updates.next().await.unwrap();
    let source = town.north.source;
    let issue = format!(
        "mutation {{ issueClientGrant(input: {{ client: \"{}\", source: \"{source}\", tasks: [ROSTER],
         ends: \"2027-01-01T00:00:00Z\" }}) {{ __typename ... on ClientGrantDecided {{ grant {{ {grant} }} }}
         ... on NotPossible {{ reason }} }} }}",
        principal(&v.north)
    );
    let answer = door.ask(&v.north_manager, &issue).await;
    let issued = answer["issueClientGrant"]["grant"].clone();
    assert_eq!(
        (&issued["tasks"], &issued["sourceId"]),
        (&json!(["ROSTER"]), &json!(source.to_string()))
    );
    let revoke = format!(
        "mutation {{ revokeClientGrant(input: {{ grant: {} }}) {{ __typename ... on ClientGrantDecided {{ grant {{ {grant} }} }}
         ... on NotPossible {{ reason }} }} }}",
        issued["id"]
    );
    for viewer in [&v.east, &v.south] {
        let nothing = json!({ "totalCount": 0, "pageInfo": { "hasNextPage": false }, "edges": [] });
        let answer = door.ask(viewer, &all).await;
        assert_eq!(
            (&answer["clients"], &answer["sources"]),
            (&nothing, &nothing),
            "{viewer:?}"
        );
        for step in [&issue, &revoke] {
            let answer = door.ask(viewer, step).await;
            assert!(answer.to_string().contains("NotPossible"), "{viewer:?} {answer}");
        }
    }
    // It may read no longer, so it may follow no longer.
    town.desk.round().await.unwrap();
    let updates: Vec<Value> = updates.collect().await;
    door.note_updates(&v.north, question, &updates);
    let gone = json!({ "schoolId": town.north.id.to_string(), "clbId": null });
    assert_eq!(
        (updates.len(), &updates[0]["data"]["signals"]["noLongerYours"]),
        (1, &gone)
    );
    door.ask(&v.north_manager, &revoke).await;
    let listed = door.ask(&v.north_manager, &all).await;
    let row = &listed["clients"]["edges"][0]["node"]["grants"][0];
    assert_eq!(
        (&row["id"], &row["revokedBy"]),
        (&issued["id"], &json!(principal(&v.north_manager).to_string()))
    );
    assert_eq!(listed["sources"]["edges"][0]["node"]["id"], source.to_string());
}

/// What software submits for its own school, and is told of it; nobody submits for another.
pub(super) async fn submissions(door: &mut Door<'_>) {
    let town = door.town;
    let v = &town.viewers;
    let question = |name: &str, school: &str, absences: &str| {
        format!(
            "mutation {{ submitAbsences(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"{school}\",
             absences: [{absences}] }}) {{ __typename
             ... on Delivered {{ runId runState results {{ outcome reason droppedCategories }} }} ... on NotPossible {{ reason }}
             ... on NameTaken {{ receivedAt }} ... on TryLater {{ retryAfterSeconds }} }} }}"
        )
    };
    let half_days = "{ pupil: \"dre\", day: \"2026-09-24\", part: AM, code: \"Z\" }
                     { pupil: \"nil\", day: \"2026-09-24\", part: AM, code: \"B\" }";
    let limits = door
        .ask(
            &v.south,
            "{ deliveryLimits { absencesPerCall rosterRowsPerCall rosterRowsPerSnapshot keyLength callsAtOnce } }",
        )
        .await;
    assert_eq!(limits["deliveryLimits"]["absencesPerCall"], 500);
    let answer = door.ask(&v.south, &question("one", "123458", half_days)).await;
    assert_eq!(
        answer["submitAbsences"]["results"],
        json!([
            { "outcome": "UNCHANGED", "reason": null, "droppedCategories": ["ATTENDANCE"] },
            { "outcome": "QUARANTINED", "reason": "UNKNOWN_PUPIL", "droppedCategories": [] },
        ])
    );
    let other = half_days.replace("dre", "ella");
    let taken = door.ask(&v.south, &question("one", "123458", &other)).await;
    assert_eq!(taken["submitAbsences"]["receivedAt"], "2026-10-01T10:00:00+00:00");
    let name = lease_of(town.south.source);
    let lease = Lease::acquire(&town.world.db, &name, "another", Duration::from_mins(1)).await;
    let lease = lease.unwrap().unwrap();
    let later = door.ask(&v.south, &question("two", "123458", half_days)).await;
    assert_eq!(later["submitAbsences"]["retryAfterSeconds"], 5);
    lease.release(&town.world.db).await.unwrap();
    let not_possible = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    for viewer in [&v.north, &v.north_manager, &v.east] {
        let answer = door.ask(viewer, &question("one", "123458", half_days)).await;
        assert_eq!(answer["submitAbsences"], not_possible, "{viewer:?}");
    }
    let roster = "mutation { submitRoster(input: { idempotencyKey: \"roster\", institutionNumber: \"123458\", mode: CHANGES,
        referenceDate: \"2026-10-01\", pupils: [{ key: \"dre\", deleted: false, givenName: \"Dre\", familyName: \"Daems\" }] })
        { __typename ... on Delivered { runId runState results { outcome } } ... on NotPossible { reason } } }";
    for viewer in [&v.north, &v.north_manager, &v.east] {
        assert_eq!(
            door.ask(viewer, roster).await["submitRoster"],
            not_possible,
            "{viewer:?}"
        );
    }
    let answer = door.ask(&v.south, roster).await;
    assert_eq!(answer["submitRoster"]["results"], json!([{ "outcome": "ACCEPTED" }]));
    let own =
        "{ ownDeliveries(first: 9) { totalCount pageInfo { hasNextPage } edges { cursor node { kind key outcome reason
        droppedCategories runId receivedAt } } } }";
    let answer = door.ask(&v.south, own).await;
    assert_eq!(answer["ownDeliveries"]["totalCount"], 3, "{answer}");
    assert_eq!(answer["ownDeliveries"]["edges"][0]["node"]["key"], "dre/2026-09-24/AM");
    for viewer in [&v.north, &v.north_manager, &v.east] {
        let answer = door.ask(viewer, own).await;
        assert_eq!(answer["ownDeliveries"]["totalCount"], 0, "{viewer:?}");
    }
}
