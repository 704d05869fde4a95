//! What only one place may call: the list of clippy.toml, as it was agreed, and the lints of the workspace. What goes missing
//! there is missed here.

use std::collections::BTreeSet;

use crate::support::source::root;

/// Time, randomness, ids, the environment, HTTP clients, the database, the facts that are decided on.
const METHODS: [&str; 64] = [
    "chrono::Utc::now",
    "chrono::Local::now",
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "tokio::time::Instant::now",
    "std::thread::sleep",
    "uuid::Uuid::new_v4",
    "uuid::Uuid::now_v7",
    "aws_lc_rs::rand::SystemRandom::new",
    "aws_lc_rs::rand::fill",
    "getrandom::fill",
    "getrandom::fill_uninit",
    "getrandom::u32",
    "getrandom::u64",
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
    "std::env::vars_os",
    "reqwest::Client::new",
    "reqwest::Client::builder",
    "reqwest::ClientBuilder::new",
    "reqwest::get",
    "reqwest::blocking::Client::new",
    "reqwest::blocking::Client::builder",
    "reqwest::blocking::ClientBuilder::new",
    "reqwest::blocking::get",
    "sea_orm::EntityTrait::find",
    "sea_orm::EntityTrait::find_by_id",
    "sea_orm::EntityTrait::insert",
    "sea_orm::EntityTrait::insert_many",
    "sea_orm::EntityTrait::update",
    "sea_orm::EntityTrait::update_many",
    "sea_orm::EntityTrait::delete",
    "sea_orm::EntityTrait::delete_many",
    "sea_orm::EntityTrait::delete_by_id",
    "sea_orm::ActiveModelTrait::insert",
    "sea_orm::ActiveModelTrait::update",
    "sea_orm::ActiveModelTrait::save",
    "sea_orm::ActiveModelTrait::delete",
    "sea_orm::ModelTrait::delete",
    "sea_orm::ModelTrait::find_related",
    "sea_orm::ConnectionTrait::execute",
    "sea_orm::ConnectionTrait::query_one",
    "sea_orm::ConnectionTrait::query_all",
    "sea_orm::ConnectionTrait::execute_raw",
    "sea_orm::ConnectionTrait::execute_unprepared",
    "sea_orm::ConnectionTrait::query_one_raw",
    "sea_orm::ConnectionTrait::query_all_raw",
    "sqlx::query",
    "sqlx::query_with",
    "sqlx::query_as",
    "sqlx::query_as_with",
    "sqlx::query_scalar",
    "sqlx::query_scalar_with",
    "sqlx::raw_sql",
    "sqlx::Executor::execute",
    "sqlx::Executor::fetch",
    "sqlx::Executor::fetch_all",
    "sqlx::Executor::fetch_one",
    "sqlx::Executor::fetch_optional",
    "hub_entities::policy::Relations::of_rows",
    "hub_entities::policy::Relations::with_grants",
    "hub_entities::policy::secret::Ties::of_rows",
    "async_graphql::Error::new",
];

/// What must not be held while others go on.
const HELD: [&str; 2] = ["tracing::span::Entered", "tracing::span::EnteredSpan"];

/// What the compiler, its documentation and clippy look at: tool, lint, level. What only warns fails `./tests/run`.
const LINTS: [&str; 28] = [
    "rust unsafe_code forbid",
    "rust missing_docs warn",
    "rust unreachable_pub warn",
    "rustdoc broken_intra_doc_links deny",
    "rustdoc private_intra_doc_links allow",
    "clippy all deny",
    "clippy pedantic warn",
    "clippy unwrap_used deny",
    "clippy expect_used deny",
    "clippy panic deny",
    "clippy indexing_slicing deny",
    "clippy string_slice deny",
    "clippy todo deny",
    "clippy unimplemented deny",
    "clippy dbg_macro deny",
    "clippy print_stdout deny",
    "clippy print_stderr deny",
    "clippy as_conversions deny",
    "clippy map_err_ignore deny",
    "clippy let_underscore_must_use deny",
    "clippy await_holding_lock deny",
    "clippy large_futures deny",
    "clippy allow_attributes deny",
    "clippy allow_attributes_without_reason deny",
    "clippy module_name_repetitions allow",
    "clippy missing_errors_doc allow",
    "clippy must_use_candidate allow",
    "clippy similar_names allow",
];

/// The paths of a list, each with a reason.
fn banned(lists: &toml::Table, list: &str) -> BTreeSet<String> {
    let bans = lists[list].as_array().unwrap();
    let path = |ban: &toml::Value| {
        let text = |key: &str| ban.get(key).and_then(toml::Value::as_str);
        let path = text("path").expect("a path");
        let reason = text("reason").unwrap_or_default();
        assert!(!reason.is_empty(), "{path}: without a reason");
        path.to_owned()
    };
    bans.iter().map(path).collect()
}

#[test]
fn every_ban_stands() {
    let text = std::fs::read_to_string(root().join("clippy.toml")).unwrap();
    let lists: toml::Table = toml::from_str(&text).unwrap();
    let agreed = |bans: &[&str]| bans.iter().map(|&ban| ban.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(banned(&lists, "disallowed-methods"), agreed(&METHODS));
    assert_eq!(banned(&lists, "await-holding-invalid-types"), agreed(&HELD));
}

#[test]
fn every_lint_stands() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let tools = manifest["workspace"]["lints"].as_table().unwrap();
    let mut found = BTreeSet::new();
    for (tool, lints) in tools {
        for (lint, level) in lints.as_table().unwrap() {
            let level = level.get("level").unwrap_or(level).as_str().unwrap();
            found.insert(format!("{tool} {lint} {level}"));
        }
    }
    assert_eq!(found, LINTS.map(str::to_owned).into());
}
