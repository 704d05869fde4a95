//! CLBch@t: who chats has no pupil at all, not even basic data (issue 4.10). Every root of the realm, over the wire with a strong
//! sign-in and a purpose, about what there is at the own CLB: first asked by someone of that CLB who is told something. What
//! CLBch@t may do is in `mutations/functions.txt`: nothing.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::id::{AgreementId, ClassId};
use hub_entities::operation::{Actor, Purpose, Realm};
use serde_json::{Value, json};

use super::{ids, matching, principal, raised};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::meddle;
use crate::support::town::Town;
use crate::support::wire::Listening;
use crate::support::world::{am, born};

/// The roots of the schema.
fn roots() -> BTreeSet<String> {
    let definitions = parse_schema(hub_graphql::sdl(Realm::Clb))
        .unwrap()
        .definitions
        .into_iter();
    let roots = definitions.filter_map(|definition| match definition {
        TypeSystemDefinition::Type(of) if of.node.name.node == "Query" => match of.node.kind {
            TypeKind::Object(object) => Some(object.fields),
            _ => None,
        },
        _ => None,
    });
    roots.flatten().map(|field| field.node.name.node.to_string()).collect()
}

/// The answer over the wire.
async fn told(hub: &Listening, viewer: &Actor, question: &str) -> Value {
    let (status, _, body) = hub.ask_for(viewer, Purpose::Guidance, question).await;
    assert_eq!(status, 200, "{question}: {body}");
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer.get("errors"), None, "{question}: {answer}");
    answer["data"].take()
}

/// North and south say different things of a half-day of a pupil who is at both.
async fn contradicted(town: &Town) {
    let flo = || PupilSaid {
        national_index: Some(vec![77; 32]),
        ..born("2012-05-01")
    };
    let world = &town.world;
    let (here, _) = world.pupils(town.north, &[("flo", flo())]).await[0];
    let (there, _) = world.pupils(town.south, &[("flo", flo())]).await[0];
    let at = am("2026-09-21");
    world.say(town.north, &[(here, at, Reading::Absent(Code::B))]).await;
    world.say(town.south, &[(there, at, Reading::Unresolved)]).await;
}

both_databases!(a_chat_worker_has_no_pupil_at_all, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let v = &town.viewers;
    let mut door = Door::new(&town, &[]);
    let staff = crate::dossier::brought_out_by(&mut door).await;
    matching::waits(&mut door).await;
    matching::ties(&mut door).await;
    contradicted(&town).await;
    crate::transfers::brought_out(&mut door, &staff).await;
    // All that was asked to be put right has been answered; one waits again.
    let look = database.look_apart().await;
    let waits = "update correction_request set state = 'waiting' where id in (select id from correction_request where state = 'refused'
                 and kind = 'correct')";
    assert_eq!(meddle(&look, waits).await, 1);
    look.close().await.unwrap();
    town.tell().await;
    let hub = Listening::new(&town).await;
    let class = ClassId(ids(&town, "select id from class_group where name = '1A'").await[0]);
    let of_north =
        "select id from agreement where school_id in (select id from school where institution_number = '123456')";
    let agreement = AgreementId(ids(&town, of_north).await[0]);
    let (ada, north, signal) = (town.ada, town.north.id, raised(town.ada));
    let empty = || json!({ "totalCount": 0, "edges": [] });
    let page = "totalCount edges { node { id } }";
    let node = |id: &str| format!("node(id: \"{id}\") {{ id }}");
    let rows: Vec<(&str, String, &Actor, Value)> = vec![
        (
            "pupil",
            format!("pupil(id: \"{ada}\") {{ id givenName birthDate withheld }}"),
            &v.first,
            Value::Null,
        ),
        ("pupils", format!("pupils(first: 9) {{ {page} }}"), &v.first, empty()),
        (
            "signal",
            format!("signal(id: \"{signal}\") {{ id count reportedPupil {{ givenName }} }}"),
            &v.first,
            Value::Null,
        ),
        ("signals", format!("signals(first: 9) {{ {page} }}"), &v.first, empty()),
        (
            "changes",
            "changes(first: 9) { hasMore changes { id } }".to_owned(),
            &v.first,
            json!({ "hasMore": false, "changes": [] }),
        ),
        (
            "agreements",
            format!("agreements(first: 9) {{ {page} }}"),
            &v.first,
            empty(),
        ),
        ("node", node(&ada.to_string()), &v.first, Value::Null),
        ("node", node(&class.to_string()), &v.first, Value::Null),
        ("node", node(&signal.to_string()), &v.first, Value::Null),
        ("node", node(&agreement.to_string()), &v.first, Value::Null),
        (
            "dossier",
            format!("dossier(pupilId: \"{ada}\") {{ pupilId medical {{ __typename }} releases {{ __typename }} }}"),
            &staff.anchor,
            Value::Null,
        ),
        ("gaps", format!("gaps(first: 9) {{ {page} }}"), &v.first, empty()),
        (
            "quarantine",
            format!("quarantine(first: 9) {{ {page} }}"),
            &v.first_administration,
            empty(),
        ),
        (
            "pupilMerges",
            format!("pupilMerges(first: 9) {{ {page} }}"),
            &v.first_administration,
            empty(),
        ),
        (
            "guidanceRequests",
            format!("guidanceRequests(schoolId: \"{north}\") {{ id }}"),
            &staff.anchor,
            json!([]),
        ),
        (
            "accessRequests",
            format!("accessRequests(pupilId: \"{ada}\") {{ id }}"),
            &staff.psychologist,
            json!([]),
        ),
        (
            "emergencies",
            "emergencies(first: 9) { __typename }".to_owned(),
            &staff.director,
            Value::Null,
        ),
        (
            "legalHolds",
            "legalHolds(first: 9) { __typename }".to_owned(),
            &staff.director,
            Value::Null,
        ),
        (
            "dossierRequests",
            "dossierRequests { id }".to_owned(),
            &staff.anchor,
            json!([]),
        ),
        (
            "correctionRequests",
            "correctionRequests { id }".to_owned(),
            &staff.anchor,
            json!([]),
        ),
        (
            "transfers",
            "transfers(first: 9) { edges { node { id } } }".to_owned(),
            &staff.director,
            json!({ "edges": [] }),
        ),
        (
            "accessLogHolds",
            format!("accessLogHolds(pupilId: \"{ada}\") {{ id }}"),
            &staff.anchor,
            json!([]),
        ),
        (
            "pupilExport",
            format!("pupilExport(pupilId: \"{ada}\") {{ __typename }}"),
            &staff.anchor,
            Value::Null,
        ),
    ];
    for (root, question, rightful, expected) in &rows {
        let question = format!("{{ {question} }}");
        let something = told(&hub, rightful, &question).await;
        assert_ne!(something[root], *expected, "{question}: the control is told nothing");
        assert_eq!(told(&hub, &v.chat, &question).await[root], *expected, "{question}");
    }
    // What everybody may know, and nothing of a pupil in it.
    let classes = "classes(first: 9) { totalCount edges { node { id members(first: 9) { totalCount } } } }";
    let school = format!("{{ school(id: \"{north}\") {{ institutionNumber {classes} }} }}");
    assert_eq!(
        told(&hub, &v.first, &school).await["school"]["classes"]["totalCount"],
        2
    );
    let answer = told(&hub, &v.chat, &school).await;
    assert_eq!(
        answer["school"],
        json!({ "institutionNumber": "123456", "classes": empty() })
    );
    let schools = format!("{{ schools(first: 9) {{ totalCount edges {{ node {{ {classes} }} }} }} }}");
    let answer = told(&hub, &v.chat, &schools).await;
    let bare = json!({ "node": { "classes": empty() } });
    assert_eq!(
        answer["schools"],
        json!({ "totalCount": 3, "edges": [bare, bare, bare] })
    );
    let viewer = told(&hub, &v.chat, "{ viewer { id role schoolId clbId } }").await;
    assert_eq!(
        viewer["viewer"],
        json!({ "id": principal(&v.chat).to_string(), "role": "CLB_CHAT_WORKER", "schoolId": null,
            "clbId": town.first.to_string() })
    );
    let asked = rows.iter().map(|(root, ..)| (*root).to_owned());
    let asked: BTreeSet<String> = asked
        .chain(["school", "schools", "viewer"].map(str::to_owned))
        .collect();
    assert_eq!(asked, roots());
    hub.end().await;
});
