//! One question per list level, whatever the length of the list.

use std::sync::atomic::Ordering;

use hub_entities::operation::Role::ClbWorker;

use crate::fake::{Fake, answer, over, viewer};

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
