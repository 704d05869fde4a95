//! A document that was found valid before is answered, and refused, as one that is seen for the first time.

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::{Request, Variables};
use hub_entities::operation::Role::{ClbWorker, SchoolCareTeam};
use hub_entities::operation::{Realm, Role};
use hub_graphql::{Known, Schemas};
use serde_json::{Value, json};

use crate::fake::{Fake, over, viewer};

fn read(text: &str) -> Arc<Known> {
    Arc::new(Known::new(parse_query(text).unwrap()))
}

async fn ask(schemas: &Schemas, role: Role, known: &Arc<Known>, variables: &Value) -> Value {
    let mut request = Request::new("").variables(Variables::from_json(variables.clone()));
    request.set_parsed_query(known.document().clone());
    let operation = viewer(1, role);
    let realm = operation.realm().unwrap_or(Realm::Person);
    let answered = schemas.execute(realm, request.data(Arc::clone(known)), operation).await;
    serde_json::to_value(answered).unwrap()
}

#[tokio::test]
async fn whatever_the_values_a_known_document_is_answered_as_a_new_one() {
    let (schemas, _) = over(Fake::default());
    let text = r"query($id: ID!, $n: Int!, $after: String, $year: SchoolYear) {
        pupil(id: $id) { id absences(first: $n, after: $after, schoolYear: $year) { edges { node { day } } } }
    }";
    let id = "pup_00000000000000000000000000000001";
    let known = read(text);
    let good = ask(&schemas, ClbWorker, &known, &json!({ "id": id, "n": 2 })).await;
    assert_eq!(good["data"]["pupil"]["id"], id);
    let refused = [
        json!({ "id": true, "n": 2 }),
        json!({ "id": [id], "n": 2 }),
        json!({ "n": 2 }),
        json!({ "id": id, "n": "2" }),
        json!({ "id": id, "n": 2.5 }),
        json!({ "id": id, "n": 5_000_000_000_i64 }),
        json!({ "id": id, "n": -1 }),
        json!({ "id": id, "n": null }),
        json!({ "id": id, "n": 2, "after": 1 }),
        json!({ "id": id, "n": 2, "year": 3 }),
        json!({ "id": id, "n": 2, "year": "never" }),
    ];
    let answered = [
        json!({ "id": id, "n": 2 }),
        json!({ "id": "pup_00000000000000000000000000000002", "n": 1 }),
        json!({ "id": id, "n": 2, "after": null }),
        json!({ "id": id, "n": 2, "year": "2026-2027" }),
        json!({ "id": id, "n": 2, "more": 1 }),
        // The library takes this for no id; the door has refused it before (GraphQL §6.1.2).
        json!({ "id": null, "n": 2 }),
    ];
    for (variables, is_answered) in answered
        .iter()
        .map(|of| (of, true))
        .chain(refused.iter().map(|of| (of, false)))
    {
        let anew = ask(&schemas, ClbWorker, &read(text), variables).await;
        assert_eq!(anew["errors"].is_null(), is_answered, "{variables}: {anew}");
        assert_eq!(ask(&schemas, ClbWorker, &known, variables).await, anew, "{variables}");
    }
}

#[tokio::test]
async fn what_is_valid_in_one_realm_is_not_in_another() {
    let (schemas, _) = over(Fake::default());
    let text = r#"{ dossier(pupilId: "pup_00000000000000000000000000000001") { __typename } }"#;
    let known = read(text);
    // Whatever this CLB answers, its schema has such a field.
    let own = ask(&schemas, ClbWorker, &known, &json!({})).await;
    assert!(own["errors"].is_null(), "{own}");
    for _ in 0..2 {
        let other = ask(&schemas, SchoolCareTeam, &known, &json!({})).await;
        let said = other["errors"][0]["message"].as_str().unwrap();
        assert!(said.contains("Unknown field"), "{other}");
        assert_eq!(other["data"], Value::Null);
    }
}

#[tokio::test]
async fn what_was_refused_once_is_refused_again() {
    let (schemas, _) = over(Fake::default());
    // No subselection of an object, a rule that nothing else asks for.
    let known = read(r"{ viewer { id } pupils(first: 1) }");
    let first = ask(&schemas, ClbWorker, &known, &json!({})).await;
    assert_eq!(first["errors"].as_array().map(Vec::len), Some(1), "{first}");
    assert_eq!(ask(&schemas, ClbWorker, &known, &json!({})).await, first);
}
