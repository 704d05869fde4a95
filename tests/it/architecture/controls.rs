//! The table of requirements: each has its row, each test that a row names exists and has been seen to fail or rests on
//! values from outside, and a row says so where a plain run leaves its test out.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::source::{Source, all, root};

const TABLE: &str = include_str!("../../controls.md");

/// Behind a test whose expected values are not ours: a standard's own, or what software of others says.
const OUTSIDE: char = '†';

/// One test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Test {
    /// Where it is: the modules it lies in and its name, as cargo calls it.
    path: String,
    /// Whether a plain `cargo test` leaves it out.
    is_ignored: bool,
}

/// All tests by their names: functions that are marked as one, and those of
/// [`crate::support::database::both_databases`].
fn tests(sources: &[Source]) -> BTreeMap<String, Vec<Test>> {
    let mut tests: BTreeMap<String, Vec<Test>> = BTreeMap::new();
    for source in sources {
        let modules = source.module();
        let (mut inner, mut marked, mut is_ignored) = (None, false, false);
        for whole in source.text.lines() {
            // A module that stands in the file begins and ends at the margin.
            if let Some(name) = whole.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
                inner = Some(name.to_owned());
            } else if whole.starts_with('}') {
                inner = None;
            }
            let line = whole.trim();
            let line = line.strip_prefix("both_databases!(").map_or(line, |rest| {
                marked = true;
                rest
            });
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            is_ignored |= marked && line.starts_with("#[ignore");
            // Other attributes stand between the mark and the name.
            if !marked || line.is_empty() || line.starts_with('#') || line.starts_with("//") {
                continue;
            }
            let name = ["async ", "empty ", "fn "]
                .iter()
                .fold(line, |name, word| name.strip_prefix(word).unwrap_or(name));
            let name = name.split(['(', ',']).next().unwrap_or_default().to_owned();
            let path = modules
                .iter()
                .chain(&inner)
                .chain([&name])
                .cloned()
                .collect::<Vec<_>>()
                .join("::");
            tests.entry(name).or_default().push(Test { path, is_ignored });
            (marked, is_ignored) = (false, false);
        }
    }
    tests
}

/// What the committed faults name as the tests that catch them.
fn filters() -> BTreeSet<String> {
    let patches = std::fs::read_dir(root().join("tests/mutants")).unwrap();
    let patches = patches.map(|entry| entry.unwrap().path());
    let patches = patches.filter(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let (_, filters) = text.lines().next().unwrap().split_once(": ").unwrap();
            // One of the two databases is enough.
            let of_one = |filter: &str| {
                filter
                    .trim_end_matches("::on_sqlite")
                    .trim_end_matches("::on_postgres")
                    .to_owned()
            };
            filters.split_whitespace().map(of_one).collect::<Vec<_>>()
        })
        .collect()
}

/// The ignored tests that `./tests/run` runs without `--long`: what it names before it asks for that.
fn run_always(script: &str) -> Vec<&str> {
    let (plain, _) = script.split_once("if [ \"$long\" = yes ]; then").unwrap();
    let named = plain.lines().filter_map(|line| line.split_once("-- --ignored "));
    named.map(|(_, filter)| filter.trim()).collect()
}

/// What a table is held against.
struct Facts<'a> {
    tests: BTreeMap<String, Vec<Test>>,
    filters: BTreeSet<String>,
    always: Vec<&'a str>,
}

impl Facts<'_> {
    /// What is wrong with a table: requirements without a row, rows that show nothing and say nothing of it, tests that are
    /// none, that nothing was seen to break, or that a plain run leaves out without a word.
    fn complaints(&self, table: &str) -> Vec<String> {
        let mut found = Vec::new();
        let rows: Vec<Vec<&str>> = table
            .lines()
            .filter(|line| line.starts_with("| R"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.first().copied()).collect();
        let wanted: Vec<String> = (1..=68).map(|number| format!("R{number:02}")).collect();
        if ids != wanted {
            found.push("not one row for each of R01 to R68".to_owned());
        }
        for row in &rows {
            let &[id, _short, shown, open] = row.as_slice() else {
                found.push(format!("not four columns: {row:?}"));
                continue;
            };
            let parts: Vec<&str> = shown.split('`').collect();
            let cited: Vec<(&str, &str)> = parts[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            if cited.is_empty() && open.is_empty() {
                found.push(format!("{id}: nothing shows it, and nothing says so"));
            }
            for (name, behind) in cited {
                let wrong = self.wrong_with(name, behind.starts_with(OUTSIDE), open);
                found.extend(wrong.map(|wrong| format!("{id}: `{name}` {wrong}")));
            }
        }
        found
    }

    /// What is wrong with a test that a row names, if anything.
    fn wrong_with(&self, name: &str, from_outside: bool, open: &str) -> Option<&'static str> {
        let Some(tests) = self.tests.get(name) else {
            return Some("is no test");
        };
        let is_in = |filter: &str| tests.iter().any(|test| test.path.contains(filter));
        let is_broken = self.filters.iter().any(|filter| is_in(filter));
        let is_told = open.contains(&format!("`{name}`"));
        let left_out = tests.iter().all(|test| test.is_ignored) && !self.always.iter().any(|filter| is_in(filter));
        match (is_broken, from_outside || is_told) {
            (false, false) => Some("is named by no fault, has no values from outside, and the row does not say so"),
            (true, _) if is_told => Some("is named by a fault: the row needs not say that none is there"),
            _ if left_out && !open.contains("--long") => Some("runs with --long alone, and the row does not say so"),
            _ => None,
        }
    }
}

#[test]
fn every_control_names_tests_that_exist() {
    let tests = tests(&all());
    assert!(tests.len() > 500, "{}", tests.len());
    let script = std::fs::read_to_string(root().join("tests/run")).unwrap();
    let facts = Facts {
        tests,
        filters: filters(),
        always: run_always(&script),
    };
    assert!(facts.filters.len() > 300 && facts.always.len() > 4);
    assert_eq!(facts.complaints(TABLE), Vec::<String>::new());
}

#[test]
fn a_control_that_nobody_shows_is_found() {
    let source = Source::of(
        "tests/it/some.rs",
        "#[test]\nfn there() {}\nboth_databases!(empty seen, async |x| {});\n#[test]\n#[ignore = \"slow\"]\nfn slow() {}\n\
         mod inside {\n    #[test]\n    #[ignore = \"Node\"]\n    fn other() {}\n}\n#[test]\nfn alone() {}\n",
    );
    let facts = Facts {
        tests: tests(&[source]),
        filters: ["some::there", "some::se", "slow", "inside::"]
            .map(str::to_owned)
            .into(),
        always: run_always(
            "step x cargo test -- --ignored other\nif [ \"$long\" = yes ]; then\nstep cargo -- --ignored slow\n",
        ),
    };
    let row = |shown: &str, open: &str| {
        let head: Vec<String> = (1..68)
            .map(|number| format!("| R{number:02} | x | `there` | |\n"))
            .collect();
        let head = head.concat();
        facts.complaints(&format!("{head}| R68 | x | {shown} | {open} |\n"))
    };
    let fine = Vec::<String>::new();
    assert_eq!(row("`there`, `seen`", ""), fine);
    assert_eq!(row("", "not built"), fine);
    assert_eq!(row("", ""), ["R68: nothing shows it, and nothing says so"]);
    assert_eq!(row("`there`, `gone`", ""), ["R68: `gone` is no test"]);
    assert_eq!(facts.complaints(""), ["not one row for each of R01 to R68"]);
    let unseen = "R68: `alone` is named by no fault, has no values from outside, and the row does not say so";
    assert_eq!(row("`alone`", ""), [unseen]);
    assert_eq!(row("`alone`†, `there`", ""), fine);
    assert_eq!(row("`alone`", "no fault breaks `alone`"), fine);
    let needless = "R68: `seen` is named by a fault: the row needs not say that none is there";
    assert_eq!(row("`seen`", "no fault breaks `seen`"), [needless]);
    assert_eq!(
        row("`other`, `slow`", "`slow` needs --long")[..],
        [needless.replace("seen", "slow")]
    );
    assert_eq!(row("`other`, `slow`", "the slow one with `--long`"), fine);
    let silent = "R68: `slow` runs with --long alone, and the row does not say so";
    assert_eq!(row("`other`, `slow`", ""), [silent]);
}
