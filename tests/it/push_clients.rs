//! Two clients of others against the binary itself: what software in TypeScript, its types generated from the committed
//! schema, and in plain Python makes of pushing. `./tests/run` builds and runs them.

use std::path::Path;
use std::process::Command;

use chrono::Datelike as _;
use clb_hub::runtime::SystemClock;
use hub_entities::category::Categories;
use hub_entities::operation::Role;
use hub_entities::time::{Clock as _, Part, SchoolYear, brussels_day};
use serde_json::{Value, json};

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::process::{Folder, Provider, subject};
use crate::support::world::World;

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// Runs a client against a hub of its own on each of the databases, whose school has software under a grant and nobody in
/// it.
fn pushes(client: &'static [&'static str]) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        run_test(TestDatabase::migrated(backend), async |database: &TestDatabase| {
            pushes_to(database, client).await;
        });
    }
}

async fn pushes_to(database: &TestDatabase, client: &'static [&'static str]) {
    let now = SystemClock.now();
    let world = World::new(database, &now.to_rfc3339()).await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::default_agreement()).await;
    let software = world.someone(Role::SchoolClient, Some(school.id), None).await;
    let provider = Provider::new(NAME, AUDIENCE).await;
    let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
    let serving = folder.serve(&[]);

    let today = brussels_day(now);
    let calendar = world.book.laws().calendar(SchoolYear::of(today));
    let half_days: Vec<String> = calendar
        .iter()
        .take(5)
        .map(|at| format!("{}/{}", at.day, if at.part == Part::Am { "AM" } else { "PM" }))
        .collect();
    let mut arguments = vec![
        format!("http://{}/graphql", serving.address),
        provider.token(&subject(&software)),
        "123456".to_owned(),
        today.to_string(),
        format!("{}-05-01", today.year() - 12),
    ];
    arguments.extend(half_days.iter().cloned());
    let run = move || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let (program, script) = (client[0], root.join(client[1]));
        Command::new(program).arg(script).args(arguments).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{wrong}\n{}", serving.log());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let latest = &half_days[4];
    let expected = json!({
        "limits": true,
        // Until the part that closes it a snapshot is held.
        "roster": [["HELD AWAITS_CLOSING", "HELD AWAITS_CLOSING"], ["ACCEPTED", "ACCEPTED"]],
        "absences": ["ACCEPTED", "ACCEPTED", "ACCEPTED", "ACCEPTED", "ACCEPTED", "QUARANTINED UNKNOWN_PUPIL"],
        "same": true,
        "corrected": ["ACCEPTED"],
        // Owed with the fifth half-day, not with four, and owed anew.
        "owed": [
            { "count": 5, "signals": [["truancy.5", 5, 1, "Zeger"]] },
            { "count": 4, "signals": [] },
            { "count": 5, "signals": [["truancy.5", 5, 2, "Zeger"]] },
        ],
        "deliveries": [
            [format!("ada/{latest}"), "ACCEPTED", null],
            [format!("nobody/{latest}"), "QUARANTINED", "UNKNOWN_PUPIL"],
        ],
    });
    assert_eq!(told, expected);
}

#[test]
#[ignore = "needs Node and `npm ci && npm run build` in tests/clients/typescript"]
fn the_typescript_client_pushes_and_reads_what_is_owed() {
    pushes(&["node", "typescript/dist/push.js"]);
}

#[test]
#[ignore = "needs Python"]
fn the_python_client_pushes_and_reads_what_is_owed() {
    pushes(&["python3", "python/push.py"]);
}
