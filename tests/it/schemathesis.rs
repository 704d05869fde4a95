//! Thousands of documents that fit the schema, from a generator of others (R57): none of them brings out a fault of the
//! server. `./tests/run --long` installs schemathesis and runs this.

use std::process::Command;

use hub_entities::operation::Realm;

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::town::Town;
use crate::support::wire::Listening;

/// The most documents for each root.
const EACH: &str = "250";

/// Of all realms together, at least.
const IN_ALL: usize = 10_000;

/// How many it made up, by its own count.
fn made_up(told: &str) -> usize {
    let counts = told.lines().filter_map(|line| {
        let (number, rest) = line.trim().split_once(" generated")?;
        let ends = rest.is_empty() || rest.starts_with(',');
        ends.then(|| number.parse::<usize>().ok())?
    });
    counts.sum()
}

#[test]
fn the_count_of_cases_is_read() {
    let told = "Test cases:\n  1234 generated, 2 skipped, 1232 passed\n\n1 generated operation\n";
    assert_eq!(made_up(told), 1_234);
    assert_eq!(made_up("Test cases:\n  No test cases were generated\n"), 0);
}

#[test]
#[ignore = "needs Python and schemathesis in target/clients/schemathesis"]
fn schemathesis_finds_no_fault_of_the_server() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let mut cases = 0;
            for (realm, viewer) in [
                (Realm::School, &town.viewers.north_manager),
                (Realm::Clb, &town.viewers.first),
                (Realm::Operations, &town.viewers.operator),
            ] {
                let hub = Listening::new(&town).await;
                let root = env!("CARGO_MANIFEST_DIR");
                let mut run = Command::new(format!("{root}/target/clients/schemathesis/bin/st"));
                run.arg("run")
                    .arg(format!("{root}/graphql/schema.{realm}.graphql"))
                    .args(["--url", &format!("http://{}/graphql", hub.address)])
                    .args(["--header", &format!("authorization: Bearer {}", hub.token(viewer))])
                    .args([
                        "--checks",
                        "no_fault_of_the_server",
                        "--phases",
                        "fuzzing",
                        "--continue-on-failure",
                    ])
                    .args([
                        "--max-examples",
                        EACH,
                        "--seed",
                        "20260901",
                        "--generation-database",
                        "none",
                    ])
                    .args(["--request-timeout", "60", "--no-color"])
                    // Whatever it keeps it keeps in a folder of its own.
                    .current_dir(std::env::temp_dir())
                    .env("PYTHONPATH", format!("{root}/tests/clients/schemathesis"))
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .env("SCHEMATHESIS_HOOKS", "hooks");
                let output = tokio::task::spawn_blocking(move || run.output())
                    .await
                    .unwrap()
                    .unwrap();
                let told = String::from_utf8_lossy(&output.stdout).into_owned();
                println!("{realm}: {told}");
                let wrong = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{realm}: {told}{wrong}");
                cases += made_up(&told);
                hub.end().await;
            }
            println!("{cases} cases");
            assert!(cases >= IN_ALL, "{cases}");
        },
    );
}
