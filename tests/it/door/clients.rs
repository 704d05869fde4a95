//! Software, and what schools let it do.

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
