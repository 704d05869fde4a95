//! What the limits cost (R15): within them less than 5 ms, ten times over each of them less than 20 ms and 32 MB. That is
//! judged of what is built to be used, and of what is built to be looked into ten times as mildly, its memory not at all.
//!
//! `cargo test --release --workspace --lib -- --ignored --nocapture what_a_judgement_costs`

use std::time::{Duration, Instant};

use async_graphql::Variables;

use super::{Limits, Lists, check};
use crate::http::documents::{Documents, Unread};

/// So often is each text judged: the least of it is what it costs when nothing else runs.
const TIMES: usize = 50;

/// Whoever takes so long for all of them is not asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a text may take at this multiple of the limits, by R15.
const fn most(by: usize) -> Duration {
    let most = Duration::from_millis(if by == 1 { 5 } else { 20 });
    if cfg!(debug_assertions) {
        most.saturating_mul(10)
    } else {
        most
    }
}

/// What all of them may take of memory, by R15, in KiB.
const MOST_MEMORY: u64 = 32 * 1024;

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
#[ignore = "measures, and needs the processor for itself"]
fn what_a_judgement_costs() {
    let lists = Lists::of_schemas();
    for by in [1, 10] {
        let before = peak();
        for (name, text) in texts(by) {
            let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
            let mut told = "";
            while took.len() < TIMES && took.iter().sum::<Duration>() < PATIENCE {
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
                took[took.len() / 2]
            );
            assert!(took[0] < most(by), "{by} × {name}: {:?}", took[0]);
        }
        let more = peak() - before;
        println!("{by:>2} × all: {more} KiB more than before at the most");
        assert!(cfg!(debug_assertions) || more < MOST_MEMORY, "{by} × all: {more} KiB");
    }
}
