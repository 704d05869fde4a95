//! Between the modules: what their sources name.

use syn::visit::Visit;

use crate::support::source::{Source, all, below};

/// Inside `src`, who may name whom (design §2): `main → {http, sync, deliver}`, `http → app`,
/// `{app, sync, deliver} → store`; the register is the operator's part of the app. What a school's software submits is a sync
/// for the length of a request, so the app may name it: there is no second way in. The configuration names what it sets; who fetches keys has the
/// one HTTP client for a port. A module that is not here has no place yet: give it one.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("app", &["store", "sync"]),
    ("auth", &["runtime"]),
    ("config", &["auth", "http", "runtime", "telemetry"]),
    // What the operator does for keys and log, as the register does for parties.
    ("custody", &["keys", "register", "store"]),
    ("deliver", &["outbound", "runtime", "store"]),
    (
        "cli",
        &[
            "app",
            "auth",
            "config",
            "custody",
            "deliver",
            "demo",
            "http",
            "keys",
            "outbound",
            "register",
            "runtime",
            "store",
            "sync",
            "telemetry",
        ],
    ),
    (
        "demo",
        &[
            "app",
            "auth",
            "config",
            "http",
            "register",
            "runtime",
            "store",
            "sync",
            "telemetry",
        ],
    ),
    ("http", &["app", "auth", "runtime", "telemetry"]),
    ("keys", &["runtime"]),
    (
        "main",
        &[
            "cli",
            "app",
            "auth",
            "config",
            "deliver",
            "demo",
            "http",
            "register",
            "runtime",
            "store",
            "sync",
            "telemetry",
        ],
    ),
    ("outbound", &["auth", "runtime"]),
    ("register", &["store"]),
    ("runtime", &[]),
    ("store", &["keys"]),
    ("sync", &["runtime", "store"]),
    ("telemetry", &[]),
];

/// These ask the store; the others that may name it only open and migrate a database.
const ASK_THE_STORE: &[&str] = &["app", "custody", "sync", "deliver", "register"];
const TO_OPEN: &[&str] = &["Db", "DbError", "Options", "SecretDb", "Secrets"];

/// Only the store speaks to a database.
const DATABASE: &[&str] = &["sea_orm", "sea_orm_migration", "sqlx"];

/// The store takes a scope and loads relations; it decides nothing.
const POLICY_FOR_THE_STORE: &[&str] = &["Reach", "Relations", "Scope"];

/// Of the policy of secrecy: what it loads, what it is shown, and which rows a grant reaches.
const SECRETS_FOR_THE_STORE: &[&str] = &[
    "Access",
    "Asked",
    "Class",
    "EntryFacts",
    "Field",
    "Grant",
    "Lent",
    "Part",
    "Place",
    "Posted",
    "Reader",
    "Rows",
    "Step",
    "TieRows",
    "Ties",
    "Urgency",
];

/// Connector modules that are tools for all, not systems.
const TOOLS: &[&str] = &[
    "absences",
    "archive",
    "conformance",
    "csv",
    "fake",
    "http",
    "json",
    "oauth",
];

fn inside_src(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    // A module's tests may build a whole around it; what is shipped may not.
    let is_test = |source: &Source| source.module().iter().any(|part| part == "tests");
    let shipped = sources
        .iter()
        .filter(|source| source.path != "src/lib.rs" && !is_test(source));
    for source in shipped {
        let is_main = source.path == "src/main.rs";
        let module = if is_main {
            "main".to_owned()
        } else {
            source.module()[0].clone()
        };
        let Some((_, may_name)) = MAY_NAME.iter().find(|(name, _)| *name == module) else {
            found.push(format!("{}: module `{module}` has no place in the table", source.path));
            continue;
        };
        for path in source.paths() {
            let (first, rest) = path.split_first().unwrap();
            if DATABASE.contains(&first.as_str()) && module != "store" {
                found.push(format!("{}: names {}", source.path, path.join("::")));
            }
            let ours = first == "crate" || (is_main && first == "clb_hub");
            let Some(named) = rest
                .first()
                .filter(|named| ours && MAY_NAME.iter().any(|(name, _)| name == named))
            else {
                continue;
            };
            let opens = rest.get(1).is_some_and(|item| TO_OPEN.contains(&item.as_str()));
            let asks = named == "store" && !ASK_THE_STORE.contains(&module.as_str()) && !opens;
            if *named != module && (asks || !may_name.contains(&named.as_str())) {
                found.push(format!("{}: names {}", source.path, path.join("::")));
            }
        }
    }
    found
}

fn store_decides_nothing(sources: &[Source]) -> Vec<String> {
    named(sources, |path| match path {
        [krate, policy, secret, item, ..] if krate == "hub_entities" && policy == "policy" && secret == "secret" => {
            !SECRETS_FOR_THE_STORE.contains(&item.as_str())
        }
        [krate, policy, item, ..] if krate == "hub_entities" && policy == "policy" => {
            !POLICY_FOR_THE_STORE.contains(&item.as_str())
        }
        [krate, policy] => krate == "hub_entities" && policy == "policy",
        _ => false,
    })
}

fn policy_is_pure(sources: &[Source]) -> Vec<String> {
    let impure = |path: &[String]| {
        let text = path.join("::");
        let crates = [
            "sea_orm",
            "sea_orm_migration",
            "sqlx",
            "tokio",
            "futures",
            "async_trait",
            "async_graphql",
        ];
        let outside = [
            "std::env",
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "std::thread",
            "std::time",
        ];
        path.first().is_some_and(|first| crates.contains(&first.as_str()))
            || outside.iter().any(|prefix| text.starts_with(prefix))
            || text.ends_with("::now")
    };
    let mut found = named(sources, impure);
    for source in sources {
        let mut asynchronous = Asynchronous(false);
        asynchronous.visit_file(&source.syntax);
        if asynchronous.0 {
            found.push(format!("{}: is async", source.path));
        }
    }
    found
}

/// One system's folder never names another's: each can go without the others.
fn systems_are_strangers(sources: &[Source]) -> Vec<String> {
    let system_of = |source: &Source| {
        let inside = source.path.strip_prefix("connectors/src/")?;
        let (folder, _) = inside.split_once('/')?;
        (!TOOLS.contains(&folder)).then(|| folder.to_owned())
    };
    let systems: Vec<String> = sources.iter().filter_map(system_of).collect();
    let mut found = Vec::new();
    for source in sources {
        let Some(own) = system_of(source) else { continue };
        found.extend(named(
            std::slice::from_ref(source),
            |path| matches!(path, [krate, other, ..] if krate == "crate" && *other != own && systems.contains(other)),
        ));
    }
    found
}

/// Who re-exports the ORM hands out the right to query.
fn database_is_not_handed_on(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut exports = Exports(Vec::new());
        exports.visit_file(&source.syntax);
        for name in exports.0 {
            found.push(format!("{}: re-exports {name}", source.path));
        }
    }
    found
}

/// Where the issuer of the demo may be named: it is nobody's who serves.
const OF_THE_DEMO: &[&str] = &[
    "src/auth/demo_issuer.rs",
    "src/cli/demo.rs",
    "src/cli/demo/",
    "src/demo/",
];

/// The demo's issuer gives tokens to anyone on its machine: only the demo, and tests, may have one.
fn demo_issuer_is_the_demos(sources: &[Source]) -> Vec<String> {
    let shipped = sources.iter().filter(|source| {
        let is_test = source.path.contains("/tests/") || source.path.ends_with("/tests.rs");
        !is_test && !OF_THE_DEMO.iter().any(|path| source.path.starts_with(path))
    });
    shipped
        .flat_map(|source| {
            named(std::slice::from_ref(source), |path| {
                path.iter().any(|part| part == "DemoIssuer")
            })
        })
        .collect()
}

fn named(sources: &[Source], forbidden: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for path in source.paths().iter().filter(|path| forbidden(path)) {
            found.push(format!("{}: names {}", source.path, path.join("::")));
        }
    }
    found
}

struct Asynchronous(bool);

impl<'ast> Visit<'ast> for Asynchronous {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.0 |= signature.asyncness.is_some();
        syn::visit::visit_signature(self, signature);
    }
    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {
        self.0 = true;
    }
    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.0 |= closure.asyncness.is_some();
        syn::visit::visit_expr_closure(self, closure);
    }
}

struct Exports(Vec<String>);

impl<'ast> Visit<'ast> for Exports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if matches!(item.vis, syn::Visibility::Public(_)) {
            let mut firsts = Vec::new();
            first_names(&item.tree, &mut firsts);
            self.0
                .extend(firsts.into_iter().filter(|name| DATABASE.contains(&name.as_str())));
        }
    }
    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if matches!(item.vis, syn::Visibility::Public(_)) && DATABASE.contains(&item.ident.to_string().as_str()) {
            self.0.push(item.ident.to_string());
        }
    }
}

fn first_names(tree: &syn::UseTree, names: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => names.push(path.ident.to_string()),
        syn::UseTree::Name(name) => names.push(name.ident.to_string()),
        syn::UseTree::Rename(name) => names.push(name.ident.to_string()),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| first_names(item, names)),
        syn::UseTree::Glob(_) => {}
    }
}

const NONE: [String; 0] = [];

#[test]
fn inside_src_imports_go_one_way() {
    let sources = below("src");
    assert!(sources.len() > 5, "the sources were read");
    assert_eq!(inside_src(&sources), NONE);
}

#[test]
fn an_import_the_other_way_is_found() {
    let planted = [
        Source::of(
            "src/store/pupil.rs",
            "use crate::app::Hub; fn f() { super::db::g(); sea_orm::x(); }",
        ),
        Source::of("src/http/mod.rs", "fn f() { let _ = crate::store::pupil::list(); }"),
        Source::of("src/auth/mod.rs", "fn f() { log!(crate::store::Db::open()); }"),
        Source::of(
            "src/app/pupil.rs",
            "use crate::store::pupil; use sqlx::Row; use super::super::http::x;",
        ),
        Source::of(
            "src/main.rs",
            "use clb_hub::{http, store::{self, Db}}; fn main() { clb_hub::store::pupil::list(); }",
        ),
        Source::of("src/extras.rs", ""),
        Source::of("src/http/tests/whole.rs", "use crate::outbound::Outbound;"),
    ];
    assert_eq!(
        inside_src(&planted),
        [
            "src/store/pupil.rs: names crate::app::Hub",
            "src/http/mod.rs: names crate::store::pupil::list",
            "src/auth/mod.rs: names crate::store::Db::open",
            "src/app/pupil.rs: names crate::http::x",
            "src/app/pupil.rs: names sqlx::Row",
            "src/main.rs: names clb_hub::store",
            "src/main.rs: names clb_hub::store::pupil::list",
            "src/extras.rs: module `extras` has no place in the table",
        ]
    );
}

#[test]
fn the_store_takes_scopes_and_decides_nothing() {
    assert_eq!(store_decides_nothing(&below("src/store")), NONE);
    let planted = Source::of(
        "src/store/pupil.rs",
        "use hub_entities::policy::{Scope, decide, secret::{Grant, decide_batch}}; use hub_entities::{policy, pupil};",
    );
    assert_eq!(
        store_decides_nothing(&[planted]),
        [
            "src/store/pupil.rs: names hub_entities::policy",
            "src/store/pupil.rs: names hub_entities::policy::decide",
            "src/store/pupil.rs: names hub_entities::policy::secret::decide_batch",
        ]
    );
}

#[test]
fn the_policy_is_pure() {
    let sources = below("entities/src/policy");
    assert!(sources.len() > 3, "the policy was read");
    assert_eq!(policy_is_pure(&sources), NONE);
    let planted = [
        Source::of(
            "entities/src/policy/a.rs",
            "use std::fs::read; fn f() { let t = chrono::Utc::now(); }",
        ),
        Source::of(
            "entities/src/policy/b.rs",
            "async fn f(db: &sea_orm::DatabaseConnection) {}",
        ),
    ];
    assert_eq!(
        policy_is_pure(&planted),
        [
            "entities/src/policy/a.rs: names chrono::Utc::now",
            "entities/src/policy/a.rs: names std::fs::read",
            "entities/src/policy/b.rs: names sea_orm::DatabaseConnection",
            "entities/src/policy/b.rs: is async",
        ]
    );
}

#[test]
fn one_connector_never_names_another() {
    assert_eq!(systems_are_strangers(&below("connectors/src")), NONE);
    let planted = [
        Source::of(
            "connectors/src/oneroster/csv.rs",
            "use crate::csv::Reader; use crate::oneroster::Roster;",
        ),
        Source::of(
            "connectors/src/informat/mod.rs",
            "use crate::oneroster::Roster; use crate::report::Report;",
        ),
        Source::of("connectors/src/csv/mod.rs", ""),
    ];
    assert_eq!(
        systems_are_strangers(&planted),
        ["connectors/src/informat/mod.rs: names crate::oneroster::Roster"]
    );
}

#[test]
fn only_the_demo_has_an_issuer_of_its_own() {
    let sources = below("src");
    assert_eq!(demo_issuer_is_the_demos(&sources), NONE);
    let of_demo = |source: &&Source| source.path == "src/cli/demo.rs";
    let demo = sources.iter().find(of_demo).unwrap();
    assert!(demo.text.contains("DemoIssuer"), "the demo names it");
    let planted = [
        Source::of(
            "src/cli/serve.rs",
            "use crate::auth::{Verifier, demo_issuer::DemoIssuer as Other};",
        ),
        Source::of(
            "src/http/mod.rs",
            "fn f() { let _ = crate::auth::demo_issuer::DemoIssuer::new(a, b, c); }",
        ),
        Source::of("src/cli/demo/personas.rs", "use crate::auth::demo_issuer::DemoIssuer;"),
        Source::of("src/http/tests.rs", "use crate::auth::demo_issuer::DemoIssuer;"),
    ];
    assert_eq!(
        demo_issuer_is_the_demos(&planted),
        [
            "src/cli/serve.rs: names crate::auth::demo_issuer::DemoIssuer",
            "src/http/mod.rs: names crate::auth::demo_issuer::DemoIssuer::new",
        ]
    );
}

#[test]
fn nobody_hands_the_database_on() {
    assert_eq!(database_is_not_handed_on(&all()), NONE);
    let planted = Source::of(
        "entities/src/pupil.rs",
        "use sea_orm::entity::prelude::*; pub use {serde::Serialize, sea_orm::EntityTrait}; pub mod row { pub use sqlx; }",
    );
    assert_eq!(
        database_is_not_handed_on(&[planted]),
        [
            "entities/src/pupil.rs: re-exports sea_orm",
            "entities/src/pupil.rs: re-exports sqlx"
        ]
    );
}

#[test]
fn the_table_itself_goes_one_way() {
    let mut left: Vec<_> = MAY_NAME.to_vec();
    while let Some(inner) = left
        .iter()
        .position(|(_, may_name)| !left.iter().any(|(name, _)| may_name.contains(name)))
    {
        left.remove(inner);
    }
    assert_eq!(left, [], "these name each other in a circle");
}
