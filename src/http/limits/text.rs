//! The look at a query's text before the parser sees it.
//!
//! async-graphql's parser recurses once per nested bracket without a bound: one kilobyte of `[`
//! aborts the process. Counting too much here is safe, counting too little is not; so a string
//! that the parser would read differently must never hide a bracket that the parser would see.

use super::{Limits, Refusal};

/// What a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// Lexical tokens: names, numbers, strings and punctuators. `...` counts as three.
    pub tokens: usize,
    /// The deepest nesting of `{`, `[` and `(`.
    pub nesting: usize,
}

/// Refuses a text that the parser should not be given.
pub fn check(query: &str, limits: &Limits) -> Result<Scan, Refusal> {
    let scan = scan(query);
    if scan.nesting > limits.nesting {
        return Err(Refusal::Nesting);
    }
    if scan.tokens > limits.tokens {
        return Err(Refusal::Tokens);
    }
    Ok(scan)
}

/// Counts tokens and nesting outside comments and strings, in one pass over the bytes.
pub fn scan(query: &str) -> Scan {
    let mut scan = Scan::default();
    let mut depth = 0_usize;
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => after,
            b'#' => skip_while(after, |byte| byte != b'\n' && byte != b'\r'),
            _ => {
                scan.tokens = scan.tokens.saturating_add(1);
                match byte {
                    b'{' | b'[' | b'(' => {
                        depth = depth.saturating_add(1);
                        scan.nesting = scan.nesting.max(depth);
                        after
                    }
                    b'}' | b']' | b')' => {
                        depth = depth.saturating_sub(1);
                        after
                    }
                    b'"' => match after {
                        [b'"', b'"', inside @ ..] => after_block_string(inside),
                        _ => after_string(after),
                    },
                    b'_' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => skip_while(
                        after,
                        |byte| matches!(byte, b'_' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'),
                    ),
                    _ => after,
                }
            }
        };
    }
    scan
}

/// The text without what is in its strings and numbers, so that a hash of it cannot be used to
/// guess a name or a number that was asked for. Comments go too.
pub fn shape(query: &str) -> Vec<u8> {
    let mut shape = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'#' => skip_while(after, |byte| byte != b'\n' && byte != b'\r'),
            b'"' => {
                shape.push(b'"');
                match after {
                    [b'"', b'"', inside @ ..] => after_block_string(inside),
                    _ => after_string(after),
                }
            }
            b'-' | b'0'..=b'9' => {
                shape.push(b'0');
                skip_while(after, |byte| {
                    matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E' | b'0'..=b'9')
                })
            }
            _ => {
                shape.push(byte);
                after
            }
        };
    }
    shape
}

fn skip_while(mut rest: &[u8], keep: impl Fn(u8) -> bool) -> &[u8] {
    while let [byte, after @ ..] = rest {
        if !keep(*byte) {
            break;
        }
        rest = after;
    }
    rest
}

/// Behind the closing quote; or at the end of the line, where an open string is an error anyway
/// and what follows must still be counted.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] => return rest,
            [b'"', after @ ..] => return after,
            // An escape is the backslash and one more byte, but never the end of the line.
            [b'\\', next, after @ ..] if *next != b'\n' && *next != b'\r' => after,
            [_, after @ ..] => after,
        };
    }
}

fn after_block_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', b'"', b'"', after @ ..] => return after,
            [b'\\', b'"', b'"', b'"', after @ ..] | [_, after @ ..] => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(query: &str) -> (usize, usize) {
        let scan = scan(query);
        (scan.nesting, scan.tokens)
    }

    #[test]
    fn brackets_are_counted_outside_strings_and_comments_only() {
        assert_eq!(counted("{ a(b: [1, {c: 2}]) }"), (4, 15));
        assert_eq!(counted(r#"{ a(b: "[[[[[") } # [[[[[["#), (2, 8));
        assert_eq!(counted("{ a(b: \"\"\"[[[ \\\"\"\" [[[\"\"\") { c } }"), (2, 11));
        assert_eq!(counted(r#"{ a(b: "\\", c: "\"[[[") }"#), (2, 11));
        assert_eq!(counted("# {{{{\r{a}"), (1, 3));
        assert_eq!(counted("\u{feff}{a}"), (1, 3));
    }

    #[test]
    fn an_open_string_does_not_hide_what_follows_on_the_next_line() {
        assert_eq!(counted("\"abc\n[[[").0, 3);
        assert_eq!(counted("\"abc\\\n[[[").0, 3);
        assert_eq!(counted("\"\" [[[").0, 3);
        assert_eq!(counted("\"\"\"\"\"\"[[[").0, 3);
    }

    #[test]
    fn the_limits_hold_at_the_limit_and_not_one_over() {
        let nested = |levels: usize| format!("{}{}", "{a".repeat(levels), "}".repeat(levels));
        assert!(check(&nested(64), &Limits::DEFAULT).is_ok());
        assert_eq!(check(&nested(65), &Limits::DEFAULT), Err(Refusal::Nesting));
        let long = |names: usize| format!("{{{}}}", "a ".repeat(names));
        assert!(check(&long(1_998), &Limits::DEFAULT).is_ok());
        assert_eq!(check(&long(1_999), &Limits::DEFAULT), Err(Refusal::Tokens));
    }

    #[test]
    fn a_flood_of_brackets_is_refused_whatever_its_size() {
        for levels in [500, 2_000, 200_000] {
            let query = format!("{{ pupils(after: {}", "[".repeat(levels));
            assert_eq!(check(&query, &Limits::DEFAULT), Err(Refusal::Nesting));
        }
    }

    #[test]
    fn the_shape_holds_no_value() {
        let shape = |query| String::from_utf8(shape(query)).expect("utf-8");
        assert_eq!(
            shape("query Q { a(b: \"Jan\", c: 85073003328, d: -1.5e3, e: \"\"\"An\"\"\") } # Piet"),
            "query Q { a(b: \", c: 0, d: 0, e: \") } "
        );
    }

    proptest::proptest! {
        /// Whatever the scan lets through, the parser survives: this aborts the process if not.
        #[test]
        fn the_parser_survives_what_the_scan_lets_through(query in "[\\[\\]{}()\"\\\\#\n a:$,.]{0,400}") {
            if check(&query, &Limits::DEFAULT).is_ok() {
                drop(async_graphql::parser::parse_query(&query));
            }
        }
    }
}
