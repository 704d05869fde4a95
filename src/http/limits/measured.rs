//! What the limits cost (R15): within them, and ten times over each of them. Prints; nothing here is judged by a clock.
//!
//! `cargo test --release --workspace --lib -- --ignored --nocapture what_a_judgement_costs`

use std::time::{Duration, Instant};

use async_graphql::Variables;

use super::{Limits, Lists, check};
use crate::http::documents::{Documents, Unread};

/// So often is each text judged: the least of it is what it costs when nothing else runs.
const TIMES: usize = 50;

fn times(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(" ")
}

/// A text at a multiple of each limit, by its name.
fn texts(by: usize) -> Vec<(&'static str, String)> {
    let paged = |first: usize, fields: usize| {
        let fields = times(fields, |_| "id".to_owned());
        format!("{{ pupils(first: {first}) {{ edges {{ node {{ {fields} }} }} }} }}")
    };
    vec![
        (
            "depth",
            format!("{}a{}", "{a".repeat(9 * by) + "{", "}".repeat(9 * by + 1)),
        ),
        (
            "nesting",
            format!("{{ a(b: {}1{}) }}", "[".repeat(62 * by), "]".repeat(62 * by)),
        ),
        (
            "tokens",
            format!("{{ viewer {{ {} }} }}", times(1_990 * by, |_| "id".to_owned())),
        ),
        (
            "aliases",
            format!("{{ viewer {{ {} }} }}", times(30 * by, |n| format!("a{n}: id"))),
        ),
        ("root fields", format!("{{ {} }}", times(10 * by, |n| format!("f{n}")))),
        (
            "directives",
            format!(
                "{{ viewer {} {{ id }} }}",
                times(50 * by, |_| "@include(if: true)".to_owned())
            ),
        ),
        ("cost", paged(200, 97 * by)),
        ("page", paged(200 * by, 1)),
        ("no page", times(by, |_| "{ pupils { totalCount } }".to_owned())),
    ]
}

/// The outcome, as a limit's code.
fn judge(documents: &Documents, lists: &Lists, text: &str) -> &'static str {
    let read = match documents.read(text, &Limits::DEFAULT) {
        Ok(read) => read,
        Err(Unread::Refused(refusal)) => return refusal.code(),
        Err(Unread::Malformed(_)) => return "malformed",
    };
    match check(read.document.document(), &Variables::default(), &Limits::DEFAULT, lists) {
        Ok(_) => "within",
        Err(refusal) => refusal.code(),
    }
}

/// The most memory that this process has held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[test]
#[ignore = "measures, and prints"]
fn what_a_judgement_costs() {
    let lists = Lists::of_schemas();
    for by in [1, 10] {
        let before = peak();
        for (name, text) in texts(by) {
            let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
            let mut told = "";
            for _ in 0..TIMES {
                // Read anew each time: what is kept is not paid for again.
                let documents = Documents::default();
                #[expect(clippy::disallowed_methods, reason = "this measures, and decides nothing")]
                let begun = Instant::now();
                told = judge(&documents, &lists, &text);
                took.push(begun.elapsed());
            }
            took.sort_unstable();
            let bytes = text.len();
            println!(
                "{by:>2} × {name:<12} {bytes:>7} bytes, {told:<18} least {:?}, median {:?}",
                took[0],
                took[TIMES / 2]
            );
        }
        println!("{by:>2} × all: {} KiB more than before at the most", peak() - before);
    }
}
