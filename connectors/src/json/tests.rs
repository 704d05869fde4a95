use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The records of an answer that comes in these pieces.
fn split<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Vec<Value>, Trouble> {
    let mut splitter = Splitter::new("users");
    let mut found = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut |record| {
            found.push(serde_json::from_slice(record).map_err(|error| rule_of(&error))?);
            Ok(())
        })?;
    }
    splitter.end()?;
    assert_eq!(splitter.records(), u64::try_from(found.len()).expect("few"));
    Ok(found)
}

fn whole(text: &str) -> Result<Vec<Value>, Trouble> {
    split([text.as_bytes()])
}

fn trouble<T>(record: u64, rule: &'static str) -> Result<T, Trouble> {
    Err(Trouble { record, rule })
}

#[test]
fn records_are_handed_on_whatever_stands_around_them() {
    let two = Ok(vec![json!({"a": "]}\"\\", "b": [{"c": []}]}), json!({"a": 1})]);
    let list = r#"[ {"a":"]}\"\\","b":[{"c":[]}]} , {"a":1}]"#;
    assert_eq!(whole(&format!(r#"{{"users":{list}}}"#)), two);
    assert_eq!(
        whole(&format!(
            " {{ \"statusInfoSet\" : [{{\"imsx_codeMajor\":\"success\"}}] ,\n\"users\" :\t{list} , \"n\":null,\"t\":\"x\" }} \n"
        )),
        two,
        "as Blackbaud answers"
    );
    assert_eq!(whole(&format!("\u{feff}{{\"users\":{list}}}")), two);
    assert_eq!(whole(&format!(r#"{{"use\u0072s":{list}}}"#)), two);
    assert_eq!(whole(r#"{"users":[]}"#), Ok(vec![]));
    assert_eq!(
        whole(r#"{"users":[1,"x",null,true,-2.5e3]}"#),
        Ok(vec![json!(1), json!("x"), json!(null), json!(true), json!(-2500.0)])
    );
}

#[test]
fn what_is_no_answer_is_named_by_record_and_rule() {
    let deep = |levels: usize| {
        format!(
            r#"{{"users":[{{"a":1}},{{"x":{}1{}}}]}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(whole(&deep(MOST_DEPTH - 1)).is_ok());
    for (text, record, rule) in [
        (deep(MOST_DEPTH), 2, "json.depth"),
        (deep(10_000), 2, "json.depth"),
        (format!(r#"{{"x":{}"#, "{\"a\":".repeat(10_000)), 0, "json.depth"),
        (
            format!(r#"{{"users":[{{"a":"{}"}}]}}"#, "x".repeat(MOST_BYTES)),
            1,
            "json.record_too_large",
        ),
        (
            format!(r#"{{"{}":1}}"#, "x".repeat(MOST_BYTES)),
            0,
            "json.record_too_large",
        ),
        (r#"{"users":[{"a":1},{"a":1e400}]}"#.into(), 2, "json.syntax"),
        (r#"{"users":[{"a":"\ud800"}]}"#.into(), 1, "json.syntax"),
        (r#"{"users":[{"a":"\ud800\u0041"}]}"#.into(), 1, "json.syntax"),
        (r#"{"users":[{"a":1 "b":2}]}"#.into(), 1, "json.syntax"),
        (r#"{"users":[{"a":1]}"#.into(), 1, "json.syntax"),
        (r#"{"users":[{"a":1},]}"#.into(), 2, "json.syntax"),
        (r#"{"users":[{"a":1}{"a":1}]}"#.into(), 2, "json.syntax"),
        (r#"{"users":[],}"#.into(), 0, "json.syntax"),
        (r#"{"users":[],"users":[]}"#.into(), 0, "json.duplicate_key"),
        (r#"{"users":[]}{"users":[]}"#.into(), 0, "json.syntax"),
        (r#"{"users":{"a":1}}"#.into(), 0, "json.no_list"),
        (r#"{"users":null}"#.into(), 0, "json.no_list"),
        (r#"{"user":[]}"#.into(), 0, "json.no_list"),
        ("{}".into(), 0, "json.no_list"),
        ("[]".into(), 0, "json.syntax"),
        ("<html>".into(), 0, "json.syntax"),
        ("\u{feff}\u{feff}{}".into(), 0, "json.syntax"),
        (r#"{"users":[{"a":1}"#.into(), 1, "json.cut_off"),
        (String::new(), 0, "json.cut_off"),
        (r#"{"x":tru,"users":[]}"#.into(), 0, "json.syntax"),
        (r#"{"x":[1}],"users":[]}"#.into(), 0, "json.syntax"),
    ] {
        let start: String = text.chars().take(60).collect();
        assert_eq!(whole(&text), trouble(record, rule), "{start}");
    }
    assert_eq!(
        split([&b"{\"users\":[{\"a\":\"\xff\"}]}"[..]]),
        trouble(1, "json.syntax")
    );
    // A trouble of whoever takes the record stands where it was met.
    let mut splitter = Splitter::new("users");
    let picky = splitter.push(br#"{"users":[1,2,3]}"#, &mut |record| {
        if record == b"2" { Err("two") } else { Ok(()) }
    });
    assert_eq!(picky, trouble(2, "two"));
}

#[test]
fn an_endless_list_is_read_in_the_memory_of_one_record() {
    let record = format!(r#"{{"sourcedId":"{}"}},"#, "x".repeat(100)).into_bytes();
    let mut splitter = Splitter::new("users");
    let mut each = |_: &[u8]| Ok(());
    splitter.push(br#"{"users":["#, &mut each).expect("a beginning");
    let flood = record.repeat(1_000);
    for piece in flood.chunks(1_021).cycle().take(20_000) {
        splitter.push(piece, &mut each).expect("more of it");
    }
    assert!(splitter.records() > 150_000);
    assert!(splitter.held.capacity() < 4_096, "{}", splitter.held.capacity());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\\PC\"\\\\{}\\[\\]]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z\"\\\\]{0,4}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_answer_in_any_pieces_gives_the_same_records(
        list in prop::collection::vec(any_json(), 0..6),
        other in any_json(),
        pretty in any::<bool>(),
        step in 1_usize..40,
    ) {
        let answer = json!({ "a": other, "users": list, "z": 1 });
        let text = if pretty { serde_json::to_vec_pretty(&answer) } else { serde_json::to_vec(&answer) }.expect("json");
        prop_assert_eq!(split(text.chunks(step)), Ok(list));
    }

    #[test]
    fn any_bytes_end_in_records_or_a_rule(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..40) {
        let begun = [&br#"{"users":["#[..], &bytes].concat();
        for input in [&bytes, &begun] {
            let pieces = split(input.chunks(step));
            prop_assert_eq!(&pieces, &split([&input[..]]));
            // What is read as an answer is one.
            if pieces.is_ok() {
                let parsed: Result<Value, _> = serde_json::from_slice(input);
                prop_assert!(parsed.is_ok());
            }
        }
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_whole(list in prop::collection::vec(any_json(), 1..5), at in any::<prop::sample::Index>()) {
        let text = serde_json::to_vec(&json!({ "users": list })).expect("json");
        let cut = at.index(text.len());
        prop_assert!(split([&text[..cut]]).is_err());
    }
}
