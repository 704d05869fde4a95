//! Every system that can be pulled passes the suite of the contract: which those are says one enum, and a new variant of it
//! does not come without its `conforms!`.

use crate::support::source::{Source, below};

/// The systems that are pulled: the variants of `System` in `live.rs`, each with the connector that it is made into.
fn systems(sources: &[Source]) -> Vec<(String, Option<String>)> {
    let Some(live) = sources.iter().find(|source| source.path == "connectors/src/live.rs") else {
        return Vec::new();
    };
    let items = live.syntax.items.iter();
    let mut enums = items.filter_map(|item| match item {
        syn::Item::Enum(found) if found.ident == "System" => Some(found),
        _ => None,
    });
    let variants = enums.next().into_iter().flat_map(|found| found.variants.iter());
    let made = |variant: &str| {
        let arm = live
            .text
            .split(&format!("Self::{variant}(settings) => Arc::new("))
            .nth(1)?;
        Some(arm.split("::new").next()?.to_owned())
    };
    variants
        .map(|variant| (variant.ident.to_string(), made(&variant.ident.to_string())))
        .collect()
}

/// Which of them have a connector that no test beside it holds to the contract.
fn complaints(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (system, connector) in systems(sources) {
        let home = connector.as_ref().and_then(|connector| {
            let written = format!("impl Connector for {connector} {{");
            sources.iter().find(|source| source.text.contains(&written))
        });
        let Some(home) = home else {
            found.push(format!("{system}: which connector it is cannot be found"));
            continue;
        };
        let folder = format!("{}/", home.path.trim_end_matches(".rs"));
        let beside = sources.iter().filter(|source| source.path.starts_with(&folder));
        let mut lines = beside.flat_map(|source| source.text.lines());
        if !lines.any(|line| line.starts_with("conforms!(")) {
            found.push(format!("{system}: no `conforms!` beside {}", home.path));
        }
    }
    found
}

#[test]
fn every_system_that_is_pulled_passes_the_suite() {
    let sources = below("connectors");
    assert!(systems(&sources).len() >= 2, "{:?}", systems(&sources));
    assert_eq!(complaints(&sources), Vec::<String>::new());
}

#[test]
fn a_system_without_the_suite_is_found() {
    let live = "pub enum System { Old(u8), New(u8), Odd(u8) }
        fn connect() { match 0 { Self::Old(settings) => Arc::new(Old::new(0)), Self::New(settings) => Arc::new(New::new(0)) } }";
    let sources = [
        Source::of("connectors/src/live.rs", live),
        Source::of("connectors/src/old.rs", "impl Connector for Old {}"),
        Source::of("connectors/src/old/tests.rs", "conforms!(old, super::old);"),
        Source::of("connectors/src/new.rs", "impl Connector for New {}"),
        Source::of("connectors/src/new/tests.rs", "// conforms!(new, super::new);"),
        Source::of("connectors/src/newer/tests.rs", "conforms!(newer, super::newer);"),
    ];
    assert_eq!(
        complaints(&sources),
        [
            "New: no `conforms!` beside connectors/src/new.rs",
            "Odd: which connector it is cannot be found",
        ]
    );
}
