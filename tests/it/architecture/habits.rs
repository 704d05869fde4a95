//! What no lint of the compiler knows: files that can be read in one go, exceptions that say why,
//! lints that every member inherits, a README that names what is there.

use std::path::Path;

use syn::visit::Visit;

use crate::support::source::{Source, all, root};

/// The longest file, in lines: what a reader can keep in mind.
const LONGEST: usize = 600;

/// Files that are longer, each with the number of lines it may not exceed. This list only shrinks.
const LONGER: &[(&str, usize)] = &[];

fn too_long(sources: &[Source], longer: &[(&str, usize)]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        let exempt = longer.iter().find(|(path, _)| *path == source.path);
        match exempt {
            Some((path, _)) if lines <= LONGEST => {
                found.push(format!("{path}: is short enough now, take it off the list"));
            }
            Some((path, most)) if lines > *most => found.push(format!("{path}: {lines} lines, {most} at most")),
            None if lines > LONGEST => found.push(format!("{}: {lines} lines, {LONGEST} at most", source.path)),
            _ => {}
        }
    }
    let gone = longer
        .iter()
        .filter(|(path, _)| !sources.iter().any(|source| source.path == *path));
    found.extend(gone.map(|(path, _)| format!("{path}: is gone, take it off the list")));
    found
}

fn exceptions_without_reason(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut exceptions = Exceptions(Vec::new());
        exceptions.visit_file(&source.syntax);
        found.extend(
            exceptions
                .0
                .iter()
                .map(|lints| format!("{}: {lints} without a reason", source.path)),
        );
    }
    found
}

struct Exceptions(Vec<String>);

impl<'ast> Visit<'ast> for Exceptions {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        let tokens = list.tokens.to_string();
        let hidden = list.path.is_ident("cfg_attr") && (tokens.contains("allow") || tokens.contains("expect"));
        let excepts = list.path.is_ident("allow") || list.path.is_ident("expect") || hidden;
        if excepts && !tokens.contains("reason =") {
            self.0.push(tokens);
        }
    }
}

/// A member that does not inherit the lints has none.
fn members_without_lints(manifests: &[(&str, &str)]) -> Vec<String> {
    let inherits = |text: &str| {
        let manifest: toml::Table = toml::from_str(text).unwrap();
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    };
    manifests
        .iter()
        .filter(|(_, text)| !inherits(text))
        .map(|(member, _)| format!("{member}: does not inherit the workspace's lints"))
        .collect()
}

/// The files that a text names in back-quotes, as far as they lie in our folders.
fn named_files(text: &str) -> Vec<&str> {
    let ours = [
        "src/",
        "entities/",
        "graphql/",
        "connectors/",
        "tests/",
        ".ci/",
        "./tests/",
    ];
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .map(|quote| quote.split_whitespace().next().unwrap_or_default())
        .filter(|quote| ours.iter().any(|folder| quote.starts_with(folder)) && !quote.contains(['*', '<', '{']))
        .collect()
}

const NONE: [String; 0] = [];

#[test]
fn files_can_be_read_in_one_go() {
    assert_eq!(too_long(&all(), LONGER), NONE);
    let long = Source::of("src/long.rs", &"// x\n".repeat(601));
    let longer = Source::of("src/longer.rs", &"// x\n".repeat(701));
    let short = Source::of("src/short.rs", &"// x\n".repeat(600));
    let listed = [("src/longer.rs", 700), ("src/short.rs", 700), ("src/gone.rs", 600)];
    assert_eq!(
        too_long(&[long, longer, short], &listed),
        [
            "src/long.rs: 601 lines, 600 at most",
            "src/longer.rs: 701 lines, 700 at most",
            "src/short.rs: is short enough now, take it off the list",
            "src/gone.rs: is gone, take it off the list",
        ]
    );
}

#[test]
fn every_exception_says_why() {
    assert_eq!(exceptions_without_reason(&all()), NONE);
    let planted = Source::of(
        "src/x.rs",
        "#![expect(clippy::panic, reason = \"because\")] #[allow(dead_code)] fn f() {}
         #[cfg_attr(test, allow(unused))] struct X; fn g() { #[expect(unused)] let x = 1; }",
    );
    assert_eq!(
        exceptions_without_reason(&[planted]),
        [
            "src/x.rs: dead_code without a reason",
            "src/x.rs: test , allow (unused) without a reason",
            "src/x.rs: unused without a reason",
        ]
    );
}

#[test]
fn every_member_inherits_the_lints() {
    let members = [".", "entities", "graphql", "connectors"];
    let workspace: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let listed: Vec<&str> = workspace["workspace"]["default-members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap())
        .collect();
    assert_eq!(listed, members, "a plain `cargo test` runs every member");

    let texts: Vec<String> = members
        .iter()
        .map(|member| read(format!("{member}/Cargo.toml")))
        .collect();
    let manifests: Vec<(&str, &str)> = members.into_iter().zip(texts.iter().map(String::as_str)).collect();
    assert_eq!(members_without_lints(&manifests), NONE);
    // A member's own file would replace the root's list, not add to it.
    for member in members.into_iter().skip(1) {
        for name in ["clippy.toml", ".clippy.toml"] {
            assert!(!root().join(member).join(name).exists(), "{member} has its own {name}");
        }
    }

    let planted = [
        ("a", "[lints]\nworkspace = true"),
        ("b", "[package]\nname = 'b'"),
        ("c", "[lints]\nworkspace = false"),
    ];
    assert_eq!(
        members_without_lints(&planted),
        [
            "b: does not inherit the workspace's lints",
            "c: does not inherit the workspace's lints",
        ]
    );
}

#[test]
fn the_readme_names_what_is_there() {
    let readme = read("README.md");
    let named = named_files(&readme);
    assert!(!named.is_empty(), "the README names files");
    let gone: Vec<&&str> = named.iter().filter(|file| !root().join(file).exists()).collect();
    assert_eq!(gone, Vec::<&&str>::new());
    assert_eq!(
        named_files("see `src/a.rs` and `src/store`, run `./tests/run --long`; not `cargo run` nor `src/{a,b}.rs`"),
        ["src/a.rs", "src/store", "./tests/run"]
    );
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}
