use proptest::prelude::*;

use super::*;

/// Items as text; entries as name, `=`, value.
fn read_in(json: &[u8], step: usize, most: usize) -> Result<Vec<String>, Flaw> {
    let mut pieces = Pieces::of_at_most(most);
    let mut found = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    for bytes in json.chunks(step) {
        pieces.feed(bytes, &mut |piece| {
            found.push(match piece {
                Piece::Item(item) => text(item),
                Piece::Entry(name, value) => format!("{}={}", text(name), text(value)),
            });
            Ok(())
        })?;
    }
    pieces.finish().map(|()| found)
}

fn read(json: &str) -> Result<Vec<String>, Flaw> {
    read_in(json.as_bytes(), usize::MAX, 1_000)
}

#[test]
fn only_the_outermost_commas_separate() {
    let json = r#" {"a,}":{"b":[1,2],"c":"}\",{"},"d\\":null , "e" : "x:y" } "#;
    let expected = [r#""a,}"={"b":[1,2],"c":"}\",{"}"#, r#""d\\"=null"#, r#""e"="x:y""#];
    for step in 1..json.len() {
        let found = read_in(json.as_bytes(), step, 1_000).expect("a map");
        assert_eq!(found, expected, "in steps of {step}");
    }
    assert_eq!(
        read(r#"[{"a":1},[2,3],"x, y"]"#),
        Ok(vec![r#"{"a":1}"#.into(), "[2,3]".into(), "\"x, y\"".into()])
    );
    assert_eq!(read("[]"), Ok(vec![]));
    assert_eq!(read("{ \n}"), Ok(vec![]));
}

#[test]
fn what_is_no_list_and_no_map_is_refused() {
    let refused = [
        ("json.cut_off", ""),
        ("json.cut_off", "["),
        ("json.cut_off", "[1,2"),
        ("json.cut_off", "{\"a\":\"}"),
        ("json.not_a_list_or_map", "x[1]"),
        ("json.not_a_list_or_map", "[1] 2"),
        ("json.not_a_list_or_map", "{}{}"),
        ("json.brackets", "[1}"),
        ("json.brackets", "{\"a\":1]"),
        ("json.entry_without_name", "{\"a\"}"),
        ("json.entry_without_name", "{\"a\":1,}"),
        ("json.entry_without_name", "{,\"a\":1}"),
    ];
    for (rule, json) in refused {
        assert_eq!(read(json), Err(rule), "{json}");
    }
    // Nothing between two commas is a piece that is not JSON: who reads it says so.
    assert_eq!(read("[1,,2]"), Ok(vec!["1".into(), String::new(), "2".into()]));
    assert_eq!(read("[1,]"), Ok(vec!["1".into(), String::new()]));
}

#[test]
fn no_piece_is_larger_or_deeper_than_allowed() {
    let long = format!("[\"{}\"]", "x".repeat(1_000));
    let deep = format!("[{}{}]", "[".repeat(10_000), "]".repeat(10_000));
    for step in [1, 100, usize::MAX] {
        assert_eq!(read_in(long.as_bytes(), step, 1_000), Err("json.piece_too_large"));
        assert_eq!(read_in(deep.as_bytes(), step, 100_000), Err("json.too_deep"));
        // The end of a list need not be there to see that a piece is too large.
        assert_eq!(
            read_in(&long.as_bytes()[..1_003], step, 999),
            Err("json.piece_too_large")
        );
    }
}

proptest! {
    /// What is JSON comes apart into what `serde_json` finds in it, however it is cut.
    #[test]
    fn json_comes_apart_as_it_is(items in prop::collection::vec(any::<(String, Option<bool>, i32)>(), 0..8), step in 1_usize..40) {
        let json = serde_json::to_string_pretty(&items).expect("JSON");
        let found = read_in(json.as_bytes(), step, 100_000).expect("a list");
        let read: Vec<(String, Option<bool>, i32)> =
            found.iter().map(|item| serde_json::from_str(item).expect("an item")).collect();
        prop_assert_eq!(read, items);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..40) {
        let _any_outcome = read_in(&bytes, step, 50);
    }
}
