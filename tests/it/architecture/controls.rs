//! The table of requirements: each has its row, and each test that a row names exists.

use std::collections::BTreeSet;

use crate::support::source::{Source, all};

const TABLE: &str = include_str!("../../controls.md");

/// The names of all tests: functions that are marked as one, and those of [`crate::support::database::both_databases`].
fn tests(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        let mut marked = false;
        for line in source.text.lines().map(str::trim) {
            let line = line.strip_prefix("both_databases!(").map_or(line, |rest| {
                marked = true;
                rest
            });
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                marked = true;
            }
            // Other attributes stand between the mark and the name.
            if !marked || line.is_empty() || line.starts_with('#') || line.starts_with("//") {
                continue;
            }
            marked = false;
            let name = line.strip_prefix("async ").unwrap_or(line);
            let name = name.strip_prefix("fn ").unwrap_or(name);
            names.extend(name.split(['(', ',']).next().map(str::to_owned));
        }
    }
    names
}

/// What is wrong with a table: requirements without a row, rows that show nothing and say nothing of it, tests that are none.
fn complaints(table: &str, tests: &BTreeSet<String>) -> Vec<String> {
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
        let cited: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if cited.is_empty() && open.is_empty() {
            found.push(format!("{id}: nothing shows it, and nothing says so"));
        }
        let missing = cited.iter().filter(|test| !tests.contains(**test));
        found.extend(missing.map(|test| format!("{id}: `{test}` is no test")));
    }
    found
}

#[test]
fn every_control_names_tests_that_exist() {
    let tests = tests(&all());
    assert!(tests.len() > 500, "{}", tests.len());
    assert_eq!(complaints(TABLE, &tests), Vec::<String>::new());
}

#[test]
fn a_control_that_nobody_shows_is_found() {
    let tests = BTreeSet::from(["there".to_owned()]);
    let row = |shown: &str, open: &str| {
        let head: Vec<String> = (1..68)
            .map(|number| format!("| R{number:02} | x | `there` | |\n"))
            .collect();
        let head = head.concat();
        complaints(&format!("{head}| R68 | x | {shown} | {open} |\n"), &tests)
    };
    assert_eq!(row("`there`", ""), Vec::<String>::new());
    assert_eq!(row("", "not built"), Vec::<String>::new());
    assert_eq!(row("", ""), ["R68: nothing shows it, and nothing says so"]);
    assert_eq!(row("`there`, `gone`", ""), ["R68: `gone` is no test"]);
    assert_eq!(complaints("", &tests), ["not one row for each of R01 to R68"]);
}
