//! What can be learned from outside: nothing of who is there and nothing of the inside (R15, R57, R59), and a
//! query over a limit costs no statement.

use clb_hub::http::Bounds;
use clb_hub::http::limits::Limits;
use hub_entities::id::{AgreementId, ClassId, PupilId, RunId, SchoolId, SignalId};
use hub_entities::operation::Actor;
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::both_databases;
use crate::support::look::list;
use crate::support::town::Town;
use crate::support::wire::{Answered, Listening};

/// Asks over the wire; what came back, and how many statements it took.
/// Whoever asks has signed in before: what is read at the first sign-in after a change tells of the viewer alone.
async fn asked(town: &Town, hub: &Listening, viewer: &Actor, question: &str) -> (u16, String, u64) {
    hub.ask(Some(&hub.token(viewer)), "{ viewer { role } }").await;
    let before = town.world.db.statements();
    let (status, _, body) = hub.ask(Some(&hub.token(viewer)), question).await;
    (status, body, town.world.db.statements() - before)
}

fn refused(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body.get("data").is_none(), "{body}");
    body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
}

both_databases!(a_foreign_id_is_an_unknown_one, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let hub = Listening::new(&town).await;
    let v = &town.viewers;
    let one = async |text: &str| list::<Uuid>(&town.world.look, text).await[0];
    let class = ClassId(one("select id from class_group where name = '1A'").await).to_string();
    let signal = signal_id(&truancy_key("truancy.5", town.ada, SchoolYear(2026)), 1).to_string();
    let of_north = "select id from agreement where school_id in (select id from school
        where institution_number = '123456')";
    let agreement = AgreementId(one(of_north).await).to_string();
    let held = town.world.held(town.north).await.to_string();
    let unknown = Uuid::from_u128(7);
    let ada = (town.ada.to_string(), PupilId(unknown).to_string());
    let class = (class, ClassId(unknown).to_string());
    let signal = (signal, SignalId(unknown).to_string());
    let agreement = (agreement, AgreementId(unknown).to_string());
    let held = (held, RunId(unknown).to_string());
    let north = (town.north.id.to_string(), SchoolId(unknown).to_string());

    let fields = "id givenName birthDate withheld absences(first: 9) { totalCount } truancy { count } signals { id }
        enrolments { id } classes { name }";
    let step = "... on NotPossible { reason } ... on Conflict { version } ... on Invalid { field }";
    // A neighbouring school, the school of a stranger, the CLB of a stranger, and CLBch@t of Ada's own CLB.
    let strangers = [&v.east, &v.south, &v.second, &v.chat];
    let schools = [&v.east, &v.south];
    let clbs = [&v.second, &v.chat];
    let questions: [(&[&Actor], &(String, String), String); 12] = [
        (&strangers, &ada, format!("{{ pupil(id: \"ID\") {{ {fields} }} }}")),
        (
            &strangers,
            &ada,
            format!("{{ node(id: \"ID\") {{ ... on Pupil {{ {fields} }} }} }}"),
        ),
        (
            &strangers,
            &class,
            "{ node(id: \"ID\") { ... on ClassGroup { name members(first: 9) { totalCount } } } }".to_owned(),
        ),
        (
            &strangers,
            &class,
            "{ pupils(first: 9, filter: { class: \"ID\" }) { totalCount edges { node { id } } } }".to_owned(),
        ),
        (
            &strangers,
            &north,
            "{ pupils(first: 9, filter: { school: \"ID\" }) { totalCount edges { node { id } } } }".to_owned(),
        ),
        (
            &strangers,
            &signal,
            "{ signal(id: \"ID\") { id kind pupil { givenName } reportedPupil { familyName } } }".to_owned(),
        ),
        (
            &strangers,
            &signal,
            "{ node(id: \"ID\") { ... on Signal { id kind } } }".to_owned(),
        ),
        (
            &strangers,
            &agreement,
            "{ node(id: \"ID\") { ... on Agreement { id state } } }".to_owned(),
        ),
        (
            &schools,
            &signal,
            format!("mutation {{ reportSignal(input: {{ signal: \"ID\" }}) {{ {step} }} }}"),
        ),
        (
            &clbs,
            &signal,
            format!("mutation {{ acceptSignal(input: {{ signal: \"ID\" }}) {{ {step} }} }}"),
        ),
        (
            &[&v.second_director],
            &agreement,
            format!("mutation {{ acceptAgreement(input: {{ agreement: \"ID\", version: 1 }}) {{ {step} }} }}"),
        ),
        (
            &schools,
            &held,
            "mutation { approveHeldRun(input: { run: \"ID\" }) { ... on NotPossible { reason } } }".to_owned(),
        ),
    ];
    for (viewers, (foreign, unknown), question) in questions {
        for viewer in viewers {
            let of_foreign = asked(&town, &hub, viewer, &question.replace("ID", foreign)).await;
            let of_unknown = asked(&town, &hub, viewer, &question.replace("ID", unknown)).await;
            // Status, every byte of the body, and the number of statements.
            assert_eq!(of_foreign, of_unknown, "{viewer:?} {question}");
            assert_eq!(of_foreign.0, 200, "{question}");
        }
    }
    // The control: to whom it is hers, the same question costs and tells more.
    let question = format!("{{ pupil(id: \"{}\") {{ {fields} }} }}", ada.0);
    let rightful = asked(&town, &hub, &v.north, &question).await;
    let stranger = asked(&town, &hub, &v.south, &question).await;
    assert!(
        rightful.1.contains("Ada") && rightful.2 > stranger.2 && stranger.2 > 0,
        "{rightful:?} {stranger:?}"
    );
    hub.end().await;
});

both_databases!(
    a_query_over_a_limit_costs_no_statement,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let hub = Listening::new(&town).await;
        let deep = |levels: usize| {
            format!(
                "{{ pupils(first: 1) {} {} }}",
                "{ edges ".repeat(levels),
                "} ".repeat(levels)
            )
        };
        let repeated = |one: &str, times: usize| one.repeat(times);
        let aliases = (0..31)
            .map(|n| format!("a{n}: __typename"))
            .collect::<Vec<_>>()
            .join(" ");
        let over = [
            (deep(10), "LIMIT_DEPTH"),
            (deep(70), "LIMIT_NESTING"),
            (format!("{{ pupil(id: {}", repeated("[", 500)), "LIMIT_NESTING"),
            (
                format!("{{ schools(first: 1) {{ edges {{ node {{ {aliases} }} }} }} }}"),
                "LIMIT_ALIASES",
            ),
            (format!("{{ {} }}", repeated("__typename ", 11)), "LIMIT_ROOT_FIELDS"),
            (
                format!("{{ __typename {} }}", repeated("@include(if: true) ", 51)),
                "LIMIT_DIRECTIVES",
            ),
            (format!("{{ viewer {{ {} }} }}", repeated("id ", 2_000)), "LIMIT_TOKENS"),
            (
                "{ pupils(first: 200) { edges { node { absences(first: 200) { edges { node { day } } } } } } }"
                    .to_owned(),
                "LIMIT_COST",
            ),
            (
                "fragment F on Query { ...F } { ...F }".to_owned(),
                "LIMIT_FRAGMENT_CYCLE",
            ),
            ("{ pupils(first: 201) { totalCount } }".to_owned(), "PAGE_INVALID"),
            ("{ pupils(first: 0) { totalCount } }".to_owned(), "PAGE_INVALID"),
            ("{ pupils { totalCount } }".to_owned(), "PAGE_INVALID"),
            (
                "{ pupil(id: \"x\") { absences { totalCount } } }".to_owned(),
                "PAGE_INVALID",
            ),
            ("{ __schema { types { name } } }".to_owned(), "INTROSPECTION_OFF"),
        ];
        for (question, code) in &over {
            let (status, body, statements) = asked(&town, &hub, &town.viewers.north, question).await;
            assert_eq!(
                (status, refused(&body).as_str(), statements),
                (400, *code, 0),
                "{question}"
            );
        }
        let token = hub.token(&town.viewers.north);
        let before = town.world.db.statements();
        let batch = json!([{ "query": "{ __typename }" }, { "query": "{ __typename }" }]).to_string();
        let (status, _, body) = hub.send("POST", "/graphql", Some(&token), &batch).await;
        assert_eq!((status, refused(&body).as_str()), (400, "BAD_REQUEST"));
        assert_eq!(town.world.db.statements(), before);
        // The control: within the limits it is answered.
        let (status, _, statements) =
            asked(&town, &hub, &town.viewers.north, "{ pupils(first: 1) { totalCount } }").await;
        assert!(status == 200 && statements > 0);
        hub.end().await;
    }
);

/// The checks of graphql-cop, by its names: none may find anything (R57).
mod quiet {
    use super::*;

    both_databases!(
        nothing_is_found_by_the_checks_of_graphql_cop,
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let hub = Listening::new(&town).await;
            let token = hub.token(&town.viewers.north);
            let ask = async |question: &str| -> Answered { hub.ask(Some(&token), question).await };

            // Alias overloading, field duplication, directive overloading, circular introspection.
            let aliases = (0..101)
                .map(|n| format!("alias{n}:__typename"))
                .collect::<Vec<_>>()
                .join(" ");
            let circular = "{ __schema { types { fields { type { fields { type { name } } } } } } }";
            for (question, code) in [
                (format!("query cop {{ {aliases} }}"), "LIMIT_ROOT_FIELDS"),
                (
                    format!("query cop {{ {} }}", "__typename ".repeat(500)),
                    "LIMIT_ROOT_FIELDS",
                ),
                (
                    format!("query cop {{ viewer {{ {} }} }}", "role ".repeat(2_000)),
                    "LIMIT_TOKENS",
                ),
                (
                    format!("query cop {{ __typename {} }}", "@aa".repeat(60)),
                    "LIMIT_DIRECTIVES",
                ),
                (circular.to_owned(), "INTROSPECTION_OFF"),
                ("{ __type(name: \"Pupil\") { name } }".to_owned(), "INTROSPECTION_OFF"),
            ] {
                let (status, _, body) = ask(&question).await;
                assert_eq!((status, refused(&body).as_str()), (400, code), "{question}");
            }
            // Ten directives of which each is wrong are one error, not ten; the library looks at none of `__typename`.
            for (question, errors) in [
                ("query cop { viewer { role @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa } }", Some(1)),
                ("query cop { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }", None),
            ] {
                let (_, _, body) = ask(question).await;
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(body["errors"].as_array().map(Vec::len), errors, "{body}");
            }

            // Array-based batching; a query by GET, a mutation by GET, a query in a form.
            let batch = json!(vec![json!({ "query": "query cop { __typename }" }); 10]).to_string();
            assert_eq!(hub.send("POST", "/graphql", Some(&token), &batch).await.0, 400);
            for path in [
                "/graphql?query=query%20cop%20%7B__typename%7D",
                "/graphql?query=mutation%20cop%20%7B__typename%7D",
            ] {
                assert_eq!(hub.send("GET", path, Some(&token), "").await.0, 405, "{path}");
            }
            let post = |headers: &str, body: &str| {
                format!(
                    "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
                     {headers}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            };
            let form = post(
                "content-type: application/x-www-form-urlencoded",
                "query=%7B__typename%7D",
            );
            assert_eq!(hub.raw(&form).await.0, 415);

            // Field suggestions, and a fault that says too much.
            for question in [
                "query cop { pupil { givenNam } }",
                "query cop { pupls { id } }",
                "queery cop { __typename }",
            ] {
                let (status, _, body) = ask(question).await;
                refused(&body);
                assert_eq!(status, 400);
                for told in ["Did you mean", "givenName", "pupils", "panicked", "at src/", "stack"] {
                    assert!(!body.contains(told), "{question}: {body}");
                }
            }
            // Tracing: asked for, and not given.
            let headers = "content-type: application/json\r\nx-apollo-tracing: 1";
            let traced = hub.raw(&post(headers, r#"{"query":"{ __typename }"}"#)).await;
            assert_eq!(
                (traced.0, traced.2.as_str()),
                (200, r#"{"data":{"__typename":"Query"}}"#)
            );

            // An IDE in the browser.
            for path in [
                "/",
                "/graphql",
                "/graphiql",
                "/playground",
                "/console",
                "/altair",
                "/voyager",
                "/graphql/console",
            ] {
                let (_, _, body) = hub
                    .raw(&format!(
                        "GET {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\naccept: text/html\r\n\r\n"
                    ))
                    .await;
                let body = body.to_lowercase();
                for ide in ["graphiql", "playground", "altair", "voyager", "apollo"] {
                    assert!(!body.contains(ide), "{path}: {body}");
                }
            }
            hub.end().await;
        }
    );
}

/// The audits of npm `graphql-http` over the hub's own schema: `./tests/run` installs them and runs this.
#[test]
#[ignore = "needs Node and `npm ci` in tests/http/audit"]
fn the_audit_suite_finds_nothing_in_the_hub() {
    use crate::support::database::{Backend, TestDatabase, run_test};
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            for viewer in [&town.viewers.north, &town.viewers.first, &town.viewers.operator] {
                for get_queries in [true, false] {
                    // Three audits ask for `__type`, as one may in the demo.
                    let limits = Limits {
                        introspection: true,
                        ..Limits::DEFAULT
                    };
                    let bounds = Bounds {
                        get_queries,
                        ..Bounds::DEFAULT
                    };
                    let hub = Listening::with(&town, limits, bounds).await;
                    let (url, token) = (format!("http://{}/graphql", hub.address), hub.token(viewer));
                    let audit = move || {
                        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/audit/audit.mjs");
                        let mut node = std::process::Command::new("node");
                        node.arg(script).arg(url);
                        node.args(get_queries.then_some("--get")).env("AUDIT_TOKEN", token);
                        node.output().unwrap()
                    };
                    let output = tokio::task::spawn_blocking(audit).await.unwrap();
                    let told = String::from_utf8_lossy(&output.stdout).into_owned();
                    println!("{told}");
                    let wrong = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{told}{wrong}");
                    hub.end().await;
                }
            }
        },
    );
}
