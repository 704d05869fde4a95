//! One question per list level, whatever the length of the list.

use std::sync::atomic::Ordering;

use hub_entities::operation::Role::ClbWorker;

use hub_graphql::{Options, Schemas};
use serde_json::Value;

use crate::fake::{Fake, answer, ask, over, viewer, with};

#[tokio::test]
async fn a_list_level_is_one_question() {
    let (schemas, hub) = over(Fake::default());
    let query = r"{ pupils(first: 100) { edges { node {
        id familyName absenceCounts { code n } enrolments { id } currentEnrolment { id }
        truancy { count evidence { elsewhereCount } } signals { id pupil { id } }
        absences(first: 5) { edges { node { day } } } classes { id }
    } } } }";
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    let edges = data["pupils"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 100);
    // Each got its own share.
    assert_eq!(edges[41]["node"]["absenceCounts"][0]["n"], 42);
    assert_eq!(edges[41]["node"]["truancy"]["evidence"]["elsewhereCount"], 7);
    // pupils, counts, enrolments (once for two fields), tallies, evidence, signals, the pupils of the
    // signals, absences, classes
    assert_eq!(hub.asked.load(Ordering::Relaxed), 9);
}

#[tokio::test]
async fn the_same_field_with_other_arguments_is_another_question() {
    let (schemas, hub) = over(Fake::default());
    let query = r#"{ pupils(first: 50) { edges { node {
        a: absenceCounts(schoolYear: "2025-2026") { n } b: absenceCounts(schoolYear: "2026-2027") { n }
        c: absenceCounts { n }
    } } } }"#;
    answer(&schemas, viewer(1, ClbWorker), query).await;
    assert_eq!(hub.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_class_list_is_two_levels() {
    let (schemas, hub) = over(Fake::default());
    let query = r#"{ node(id: "cls_00000000000000000000000000000001") { ... on ClassGroup { id name members(first: 50) {
        edges { node { begins pupil { id familyName enrolments { begins } absenceCounts { code n } } } }
    } } } }"#;
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    assert_eq!(data["node"]["members"]["edges"].as_array().unwrap().len(), 50);
    // class, members, enrolments, counts
    assert_eq!(hub.asked.load(Ordering::Relaxed), 4);
}

// Rows that are answered in one go know of aliases, fragments and fields asked for twice as all others do.
#[tokio::test]
async fn rows_at_hand_answer_whatever_is_selected() {
    let (schemas, _) = over(Fake::default());
    let query = r#"query { pupil(id: "pup_00000000000000000000000000000001") { absences(first: 5) { edges {
        node { when: day __typename ...more } node { ... on Absence { code } } ... { node { code } } at: cursor __typename
    } } } }
    fragment more on Absence { part schoolId }"#;
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    let mut edge = data["pupil"]["absences"]["edges"][0].clone();
    let cursor = edge["at"].take();
    assert!(cursor.as_str().is_some_and(|cursor| cursor.len() > 20), "{cursor}");
    let expected = serde_json::json!({
        "node": { "when": "2026-09-03", "__typename": "Absence", "part": "PM",
                  "schoolId": "sch_00000000000000000000000000000009", "code": "B" },
        "at": null, "__typename": "AbsenceEdge",
    });
    assert_eq!(edge, expected);
}

/// What is resolved pupil by pupil, or has a list of its own.
const ROW_BY_ROW: [&str; 4] = ["signals", "classes", "absences", "evidence"];

/// Every field of a type, and of the types below it, as the schema itself lists them.
async fn every_field(schemas: &Schemas, of: &str) -> String {
    let query = format!(
        r#"{{ __type(name: "{of}") {{ fields {{ name type {{
            name kind ofType {{ name kind ofType {{ name kind ofType {{ name kind }} }} }} }} }} }} }}"#
    );
    let data = answer(schemas, viewer(1, ClbWorker), &query).await;
    let mut selection = String::new();
    for field in data["__type"]["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        if ROW_BY_ROW.contains(&name) {
            continue;
        }
        let mut of = &field["type"];
        while of["name"].is_null() {
            of = &of["ofType"];
        }
        selection.push_str(name);
        if of["kind"] == "OBJECT" {
            let below = Box::pin(every_field(schemas, of["name"].as_str().unwrap())).await;
            selection.extend([" { ", &below, " }"]);
        }
        selection.push(' ');
    }
    selection
}

/// Takes away what was only asked for so that each row is resolved for itself.
fn without(name: &str, value: &mut Value) -> usize {
    match value {
        Value::Array(all) => all.iter_mut().map(|one| without(name, one)).sum(),
        Value::Object(all) => {
            let found = usize::from(all.remove(name).is_some());
            found + all.values_mut().map(|one| without(name, one)).sum::<usize>()
        }
        _ => 0,
    }
}

// Both ways to answer a pupil say the same, whatever is asked of it.
#[tokio::test]
async fn a_row_at_hand_answers_as_one_that_is_resolved() {
    let (schemas, _) = with(Fake::default(), Options { introspection: true });
    let every = every_field(&schemas, "Pupil").await;
    for field in [
        "withheld",
        "currentEnrolment { id",
        "absenceCounts { code",
        "reached5",
        "postalCode",
        "phone",
    ] {
        assert!(every.contains(field), "{field} in {every}");
    }
    let lists = [
        ("{ pupils(first: 3) { edges { cursor node { @ } } } }", 3),
        (
            r#"{ node(id: "cls_00000000000000000000000000000001") { ... on ClassGroup { members(first: 2) {
                edges { cursor node { begins ends pupil { @ } } } } } } }"#,
            2,
        ),
        (r#"{ pupil(id: "pup_00000000000000000000000000000001") { @ } }"#, 1),
    ];
    for (query, rows) in lists {
        let at_hand = answer(&schemas, viewer(1, ClbWorker), &query.replace('@', &every)).await;
        let row_by_row = format!("{every} resolved: signals {{ id }}");
        let mut resolved = answer(&schemas, viewer(1, ClbWorker), &query.replace('@', &row_by_row)).await;
        assert_eq!(without("resolved", &mut resolved), rows, "{query}");
        assert_eq!(at_hand, resolved, "{query}");
    }
}

// Evidence is resolved pupil by pupil, also where it is all that must be waited for.
#[tokio::test]
async fn evidence_is_waited_for() {
    let (schemas, _) = over(Fake::default());
    let query = "{ pupils(first: 2) { edges { node { truancy { count evidence { elsewhereCount } } } } } }";
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    let expected = serde_json::json!({ "count": 7, "evidence": { "elsewhereCount": 7 } });
    assert_eq!(data["pupils"]["edges"][1]["node"]["truancy"], expected);
}

// What could not be loaded is the same error, at the same place.
#[tokio::test]
async fn a_row_whose_values_could_not_be_had_is_resolved() {
    let (schemas, _) = over(Fake {
        broken_below: true,
        ..Fake::default()
    });
    let query = "{ pupils(first: 2) { edges { node { id truancy { count } } } } }";
    let answer = ask(&schemas, viewer(1, ClbWorker), query).await;
    let told = serde_json::to_value(&answer.errors).unwrap();
    assert_eq!(
        told[0]["path"],
        serde_json::json!(["pupils", "edges", 0, "node", "truancy"])
    );
    assert_eq!(told[0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(answer.errors.len(), 1);
}
