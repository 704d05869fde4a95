//! Between the crates: what `cargo metadata` says that each depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// For each ring, what its `Cargo.toml` must never name (design §2), tests included.
const NEVER: &[(&str, &[&str])] = &[
    // Ours: nothing. No server, no client, no runtime, no driver.
    (
        "hub-entities",
        &[
            "clb-hub",
            "hub-graphql",
            "hub-connectors",
            "async-graphql",
            "axum",
            "hyper",
            "reqwest",
            "sqlx",
            "tokio",
        ],
    ),
    // What may be asked: it has no database, so that a resolver cannot query.
    (
        "hub-graphql",
        &[
            "clb-hub",
            "hub-connectors",
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
            "axum",
            "hyper",
            "reqwest",
        ],
    ),
    // Where it comes from: it yields records and never touches a database.
    (
        "hub-connectors",
        &[
            "clb-hub",
            "hub-graphql",
            "async-graphql",
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
            "axum",
        ],
    ),
];

/// What must be nowhere in the tree that is linked: one TLS backend (aws-lc-rs), no timing-weak RSA.
const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring", "rsa"];

fn complaints(direct: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for (ring, never) in NEVER {
        let Some(dependencies) = direct.get(*ring) else {
            found.push(format!("there is no crate {ring}"));
            continue;
        };
        for dependency in never.iter().filter(|name| dependencies.contains(**name)) {
            found.push(format!("{ring} depends on {dependency}"));
        }
    }
    found
}

fn members() -> Vec<Package> {
    MetadataCommand::new()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .other_options(["--offline", "--locked", "--no-deps"].map(str::to_owned))
        .exec()
        .unwrap()
        .packages
}

#[test]
fn no_ring_imports_what_it_must_not() {
    // Development dependencies too, but for a runtime to run async tests on.
    let direct = members()
        .into_iter()
        .map(|package| {
            let runs_tests = |name: &str, kind| name == "tokio" && kind == DependencyKind::Development;
            let names = package
                .dependencies
                .iter()
                .filter(|one| !runs_tests(&one.name, one.kind));
            (package.name.to_string(), names.map(|one| one.name.clone()).collect())
        })
        .collect();
    assert_eq!(complaints(&direct), Vec::<String>::new());
}

#[test]
fn a_ring_that_imports_what_it_must_not_is_found() {
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let planted = BTreeMap::from([
        ("hub-entities".to_owned(), of(&["serde", "hub-graphql"])),
        ("hub-graphql".to_owned(), of(&["hub-entities", "sea-orm"])),
    ]);
    assert_eq!(
        complaints(&planted),
        [
            "hub-entities depends on hub-graphql",
            "hub-graphql depends on sea-orm",
            "there is no crate hub-connectors",
        ]
    );
}

/// What of the banned is in the lines of `cargo tree`, one crate each.
fn banned(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| BANNED.contains(name)).collect()
}

#[test]
fn nothing_banned_is_linked() {
    // Not the lock file, nor cargo metadata: both name optional parts that are never built.
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--workspace", "--offline", "--locked", "--edges", "all"])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("\naws-lc-rs "), "the whole tree was read");
    assert_eq!(banned(&tree), Vec::<&str>::new());
    assert_eq!(banned("clb-hub v0.1.0\nring v0.17.14\nstring v1.0.0"), ["ring"]);
}
