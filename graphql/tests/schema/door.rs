//! What a viewer gets where there is nothing to get, and what it never gets.

use hub_entities::operation::Realm;
use hub_entities::operation::Role::{ClbWorker, Operator, SchoolClient, SchoolDataManager};
use serde_json::json;

use crate::fake::{Fake, answer, ask, code, over, viewer};

#[tokio::test]
async fn unknown_and_foreign_are_null_without_errors() {
    let (schemas, _) = over(Fake::default());
    for id in [
        "pup_ffffffffffffffffffffffffffffffff",
        "pup_0",
        "sch_00000000000000000000000000000001",
        "",
        "Robert'); drop table pupil;--",
    ] {
        let query = format!(r#"{{ pupil(id: "{id}") {{ id familyName }} }}"#);
        let data = answer(&schemas, viewer(1, SchoolClient), &query).await;
        assert_eq!(data, json!({ "pupil": null }), "{id}");
    }
    for id in [
        "pup_ffffffffffffffffffffffffffffffff",
        "clb_x",
        "nothing",
        "sig_",
        "agr_00000000000000000000000000000001",
    ] {
        let query = format!(r#"{{ node(id: "{id}") {{ id }} }}"#);
        let data = answer(&schemas, viewer(1, SchoolClient), &query).await;
        assert_eq!(data, json!({ "node": null }), "{id}");
    }
}

#[tokio::test]
async fn what_was_not_agreed_is_null_and_named() {
    let (schemas, _) = over(Fake::default());
    let query = r#"{ pupil(id: "pup_00000000000000000000000000000001") { id familyName language withheld } }"#;
    let data = answer(&schemas, viewer(1, ClbWorker), query).await;
    let expected = json!({ "pupil": {
        "id": "pup_00000000000000000000000000000001",
        "familyName": "Family1",
        "language": null,
        "withheld": ["LANGUAGE", "ATTENDANCE", "NATIONAL_NUMBER"],
    }});
    assert_eq!(data, expected);
}

#[tokio::test]
async fn a_realm_cannot_name_what_it_does_not_have() {
    let (schemas, hub) = over(Fake::default());
    let cases = [
        (SchoolClient, r#"{ dossier(pupilId: "pup_1") { id } }"#),
        (ClbWorker, "{ sources(first: 1) { totalCount } }"),
        (Operator, "{ clients(first: 1) { totalCount } }"),
        (
            SchoolClient,
            r#"mutation { acceptSignal(input: { signal: "sig_1" }) { __typename } }"#,
        ),
        (
            ClbWorker,
            r#"mutation { reportSignal(input: { signal: "sig_1" }) { __typename } }"#,
        ),
        (ClbWorker, "{ syncRuns(first: 1) { totalCount } }"),
        (ClbWorker, "{ gaps(first: 1) { edges { node { sourceId detail } } } }"),
        (Operator, "{ quarantine(first: 1) { totalCount } }"),
        (Operator, "{ pupils(first: 1) { totalCount } }"),
        (Operator, r#"{ pupil(id: "pup_1") { id } }"#),
        (SchoolClient, "{ __schema { types { name } } }"),
        (SchoolClient, "{ pupils(first: 1) { totalCounts } }"),
        (SchoolClient, "{ pupils { totalCount } }"),
    ];
    for (role, query) in cases {
        let response = ask(&schemas, viewer(1, role), query).await;
        if query.contains("__schema") {
            assert_eq!(response.data.into_json().unwrap_or_default()["__schema"], json!(null));
            continue;
        }
        assert_eq!(response.errors.len(), 1, "{query}");
        assert!(!response.errors[0].message.contains("mean"), "{:?}", response.errors);
    }
    assert_eq!(hub.asked.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_token_of_one_realm_never_opens_another() {
    let (schemas, hub) = over(Fake::default());
    let request = async_graphql::Request::new("{ pupils(first: 1) { totalCount } }");
    let response = schemas.execute(Realm::Clb, request, viewer(1, SchoolClient)).await;
    assert_eq!(response.errors.len(), 1);
    assert_eq!(hub.asked.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_fault_says_its_code_and_nothing_else() {
    let (schemas, _) = over(Fake {
        broken: true,
        ..Fake::default()
    });
    let query = "{ viewer { id } pupils(first: 2) { edges { node { id absenceCounts { n } } } } }";
    let response = ask(&schemas, viewer(1, ClbWorker), query).await;
    let text = serde_json::to_value(&response).unwrap();
    assert_eq!(text["data"], json!(null));
    assert_eq!(text["errors"].as_array().unwrap().len(), 1);
    assert_eq!(text["errors"][0]["message"], "the hub cannot answer now");
    assert_eq!(text["errors"][0]["extensions"], json!({ "code": "UNAVAILABLE" }));
    assert_eq!(code(&schemas, viewer(1, ClbWorker), query).await, "UNAVAILABLE");
}

#[tokio::test]
async fn outcomes_are_payloads() {
    let (schemas, _) = over(Fake::default());
    let report = |id: &str| {
        format!(
            r#"mutation {{ reportSignal(input: {{ signal: "{id}" }}) {{ __typename
               ... on SignalStepped {{ proof {{ track by party at }} signal {{ id count }} }}
               ... on Invalid {{ field }} ... on Conflict {{ version }} ... on NotPossible {{ reason }} }} }}"#
        )
    };
    let cases = [
        (
            "pup_00000000000000000000000000000001",
            json!({ "__typename": "Invalid", "field": "signal" }),
        ),
        (
            "sig_00000000000000000000000000000001",
            json!({ "__typename": "Conflict", "version": 7 }),
        ),
        (
            "sig_00000000000000000000000000000002",
            json!({ "__typename": "NotPossible", "reason": "WITHDRAWN" }),
        ),
        (
            "sig_00000000000000000000000000000003",
            json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }),
        ),
        (
            "sig_00000000000000000000000000000004",
            json!({
                "__typename": "SignalStepped",
                "proof": {
                    "track": "REPORT",
                    "by": "prn_00000000000000000000000000000004",
                    "party": "sch_00000000000000000000000000000009",
                    "at": "2026-11-22T10:00:00+00:00",
                },
                "signal": { "id": "sig_00000000000000000000000000000004", "count": 5 },
            }),
        ),
    ];
    for (id, expected) in cases {
        let data = answer(&schemas, viewer(1, SchoolDataManager), &report(id)).await;
        assert_eq!(data["reportSignal"], expected);
    }
}

#[tokio::test]
async fn inputs_that_cannot_be_right_never_reach_the_hub() {
    let (schemas, hub) = over(Fake::default());
    let propose = |input: &str| {
        format!(
            r#"mutation {{ proposeAgreement(input: {{ {input} begins: "2026-12-01" }}) {{
               __typename ... on Invalid {{ field }} }} }}"#
        )
    };
    let clb = r#"otherParty: "clb_00000000000000000000000000000001""#;
    let cases = [
        (r#"otherParty: "x", categories: [IDENTITY],"#.to_owned(), "otherParty"),
        (format!("{clb}, categories: [],"), "categories"),
        (format!("{clb}, categories: [ATTENDANCE],"), "ground"),
        (format!(r#"{clb}, categories: [ATTENDANCE], ground: "  ","#), "ground"),
        (
            format!("{clb}, categories: [IDENTITY], schoolFirstDays: -1,"),
            "schoolFirstDays",
        ),
        (
            format!("{clb}, categories: [IDENTITY], schoolFirstDays: 31,"),
            "schoolFirstDays",
        ),
        (
            format!("{clb}, categories: [TRUANCY], earlyWarning: 0,"),
            "earlyWarning",
        ),
        (
            format!("{clb}, categories: [TRUANCY], earlyWarning: 5,"),
            "earlyWarning",
        ),
        (
            format!("{clb}, categories: [IDENTITY], earlyWarning: 3,"),
            "earlyWarning",
        ),
    ];
    for (input, field) in cases {
        let data = answer(&schemas, viewer(1, SchoolDataManager), &propose(&input)).await;
        assert_eq!(
            data["proposeAgreement"],
            json!({ "__typename": "Invalid", "field": field })
        );
    }
    // Read-only and unknown fields are refused (R55).
    let query = propose(&format!("{clb}, categories: [IDENTITY], version: 4,"));
    assert_eq!(
        ask(&schemas, viewer(1, SchoolDataManager), &query).await.errors.len(),
        1
    );
    assert_eq!(hub.asked.load(std::sync::atomic::Ordering::Relaxed), 0);
}
