//! How PHP writes things down.

use std::fmt::Write as _;

use serde_json::Value;

/// As `json_encode` does without flags: what is not ASCII by number, slashes behind backslashes. Both stand in strings
/// only, so the text as a whole can be gone over.
pub(super) fn json(value: &Value) -> String {
    let mut text = String::new();
    for one in value.to_string().chars() {
        match one {
            '/' => text.push_str("\\/"),
            one if one.is_ascii() => text.push(one),
            one => {
                let mut units = [0; 2];
                for unit in one.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _written = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// As `serialize` does.
pub(super) fn serialized(value: &Value) -> String {
    match value {
        Value::Null => "N;".to_owned(),
        Value::Bool(yes) => format!("b:{};", u8::from(*yes)),
        Value::Number(number) if number.is_f64() => format!("d:{number};"),
        Value::Number(number) => format!("i:{number};"),
        Value::String(text) => format!("s:{}:\"{text}\";", text.len()),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .enumerate()
                .map(|(at, item)| format!("i:{at};{}", serialized(item)))
                .collect();
            format!("a:{}:{{{}}}", items.len(), items.concat())
        }
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| format!("s:{}:\"{name}\";{}", name.len(), serialized(value));
            format!("a:{}:{{{}}}", map.len(), map.iter().map(entry).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_written_as_php_does() {
        let value = json!({"a": "é/€", "b": [1, true, null]});
        assert_eq!(json(&value), r#"{"a":"\u00e9\/\u20ac","b":[1,true,null]}"#);
        assert_eq!(json(&json!("😀")), r#""\ud83d\ude00""#);
        // What `php -r 'echo serialize(["a" => "é/€", "b" => [1, true, null]]);'` prints.
        assert_eq!(
            serialized(&value),
            "a:2:{s:1:\"a\";s:6:\"é/€\";s:1:\"b\";a:3:{i:0;i:1;i:1;b:1;i:2;N;}}"
        );
    }
}
