//! Small things about the JSON of a PHP server: names whatever their case, numbers as strings, nothing in many shapes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::envelope::Flaw;

/// A map with its names in lower case: older and newer tenants differ in that (school-apis §1.4).
#[derive(Default)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The map in these bytes.
    pub(super) fn of_bytes(json: &[u8]) -> Result<Self, Flaw> {
        let value: Value = serde_json::from_slice(json).map_err(|_malformed| "json.malformed")?;
        Self::of(value).ok_or("json.not_a_map")
    }

    /// The map, if it is one. PHP writes an empty one as an empty list.
    pub(super) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => {
                let lower = |(name, value): (String, Value)| (name.to_lowercase(), value);
                Some(Self(map.into_iter().map(lower).collect()))
            }
            Value::Array(items) if items.is_empty() => Some(Self::default()),
            _ => None,
        }
    }

    /// A text, trimmed; a number as it is written; empty when there is none.
    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).map(text).unwrap_or_default()
    }

    /// Whether it says yes, in one of the ways of PHP.
    pub(super) fn yes(&self, name: &str) -> bool {
        matches!(self.text(name).to_lowercase().as_str(), "1" | "true" | "yes" | "ja")
    }

    /// Takes a list of maps out.
    pub(super) fn take_list(&mut self, name: &str) -> Vec<Self> {
        match self.0.remove(name) {
            Some(Value::Array(items)) => items.into_iter().filter_map(Self::of).collect(),
            Some(Value::Object(map)) => map.into_iter().filter_map(|(_, value)| Self::of(value)).collect(),
            _ => Vec::new(),
        }
    }

    /// The names of what holds something.
    pub(super) fn held(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(_, value)| holds(value))
            .map(|(name, _)| name.as_str())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// Whether a value says anything: a field that nobody filled in has many shapes.
fn holds(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        other => !matches!(text(other).as_str(), "" | "0" | "false" | "NULL" | "0000-00-00"),
    }
}
