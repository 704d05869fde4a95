//! The parameters of a GraphQL request, from a JSON body or the query of a GET.

use async_graphql::Variables;
use serde_json::{Map, Value};

/// What a client asks. `extensions` must be a map and is not used.
#[derive(Debug)]
pub(super) struct Params {
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// The request is not one of GraphQL; the text names the parameter, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadParams(pub(super) &'static str);

impl Params {
    /// From a body. A list is a batch, and there are none.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, BadParams> {
        match serde_json::from_slice(body).map_err(|_malformed| BadParams("the body is not JSON"))? {
            Value::Object(map) => Self::of_map(map),
            Value::Array(_) => Err(BadParams("batches are not supported")),
            _ => Err(BadParams("the body is not a JSON object")),
        }
    }

    /// From the query of a GET, where the maps are JSON texts.
    pub(super) fn of_query(pairs: Vec<(String, String)>) -> Result<Self, BadParams> {
        let mut map = Map::new();
        for (name, text) in pairs {
            let value = match name.as_str() {
                "variables" | "extensions" => serde_json::from_str(&text)
                    .map_err(|_malformed| BadParams("`variables` or `extensions` is not JSON"))?,
                _ => Value::String(text),
            };
            if map.insert(name, value).is_some() {
                return Err(BadParams("a parameter is given twice"));
            }
        }
        Self::of_map(map)
    }

    /// From what names its parameters.
    pub(super) fn of_map(mut map: Map<String, Value>) -> Result<Self, BadParams> {
        let query = match map.remove("query") {
            Some(Value::String(query)) => query,
            Some(_) => return Err(BadParams("`query` is not a text")),
            None => return Err(BadParams("`query` is missing")),
        };
        let operation_name = match map.remove("operationName") {
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(Value::Null) | None => None,
            Some(_) => return Err(BadParams("`operationName` is not a text")),
        };
        let variables = match map.remove("variables") {
            Some(variables @ Value::Object(_)) => Variables::from_json(variables),
            Some(Value::Null) | None => Variables::default(),
            Some(_) => return Err(BadParams("`variables` is not a map")),
        };
        match map.remove("extensions") {
            Some(Value::Object(_) | Value::Null) | None => {}
            Some(_) => return Err(BadParams("`extensions` is not a map")),
        }
        Ok(Self {
            query,
            operation_name,
            variables,
        })
    }
}
