//! Thousands of documents that fit the schema, from a generator of others (R57): none of them brings out a fault of the
//! server. `./tests/run --long` installs schemathesis and runs this.

use std::process::Command;

use hub_entities::operation::Realm;

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::town::Town;
use crate::support::wire::Listening;

/// Documents for each root: with the roots of the three realms, more than 10,000.
const EACH: &str = "250";

#[test]
#[ignore = "needs Python and schemathesis in target/clients/schemathesis"]
fn schemathesis_finds_no_fault_of_the_server() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
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
                        "not_a_server_error",
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
                hub.end().await;
            }
        },
    );
}
