//! What goes out: status, errors from a closed list, and nothing of the inside.

use std::borrow::Cow;

use async_graphql::{PathSegment, ServerError, Value};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use uuid::Uuid;

use super::negotiate::Media;

/// The header that ties an answer to the log lines of its request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request refused as a whole: no `data` (design §3, the third "no").
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) text: &'static str,
    /// A header that the status asks for.
    pub(super) header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, code: &'static str, text: &'static str) -> Self {
        Self {
            status,
            code,
            text,
            header: None,
        }
    }

    /// As an error of the closed list.
    pub(super) fn error(&self, request: Uuid) -> serde_json::Value {
        json!({ "message": self.text, "extensions": { "code": self.code, "requestId": request } })
    }

    pub(super) fn answer(self, media: Media, request: Uuid) -> Response {
        let mut response = body(self.status, media, &json!({ "errors": [self.error(request)] }));
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// The answer to a document that reached the schema.
pub(super) fn of_response(response: &async_graphql::Response, media: Media, request: Uuid) -> Response {
    // Before execution nothing has a path; a resolver's fault always has one.
    let refused = response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty());
    if refused {
        return of_refused_document(&errors_of(response, request).unwrap_or_default(), media);
    }
    body(StatusCode::OK, media, &payload(response, request))
}

/// The errors of an answer as the client sees them; `None` where there are none.
pub(super) fn errors_of(response: &async_graphql::Response, request: Uuid) -> Option<Vec<serde_json::Value>> {
    let refused = response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
    let errors = response.errors.iter().map(|error| outward(error, refused, request));
    let errors: Vec<_> = errors.collect();
    (!errors.is_empty()).then_some(errors)
}

/// An answer as the client sees it.
pub(super) fn payload(response: &async_graphql::Response, request: Uuid) -> Answer<'_> {
    Answer {
        errors: errors_of(response, request).unwrap_or_default(),
        data: &response.data,
    }
}

/// Written as it stands: a JSON value in between would sort the fields, and clients get them in the order of their
/// question (GraphQL §7.2.2).
#[derive(serde::Serialize)]
pub(super) struct Answer<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<serde_json::Value>,
    data: &'a Value,
}

/// A document that does not parse or validate, or whose variables do not fit.
pub(super) fn of_refused_document(errors: &[serde_json::Value], media: Media) -> Response {
    let status = match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json => StatusCode::OK,
    };
    body(status, media, &json!({ "errors": errors }))
}

/// What is wrong with a value that is none of its type, which is found only when a field takes it: a day that is none, say. No
/// resolver of ours fails without a code, so these words are the library's. The types are named; the value, which may be of a
/// person, is not said again.
pub(super) fn unfit(message: &str) -> Option<String> {
    let named = |text: &str| {
        text.chars()
            .all(|one| one.is_ascii_alphanumeric() || "_[]!".contains(one))
    };
    let mut begins = ["Failed to parse \"", "Expected input type \""].into_iter();
    let rest = begins.find_map(|begin| message.strip_prefix(begin))?;
    let (wanted, rest) = rest.split_once('"').filter(|(wanted, _)| named(wanted))?;
    let within = rest
        .strip_suffix("\")")
        .and_then(|rest| rest.rsplit_once("(occurred while parsing \""));
    Some(match within.filter(|(_, input)| named(input)) {
        Some((_, input)) => format!("a value in {input} is no {wanted}"),
        None => format!("a value is no {wanted}"),
    })
}

/// An error as the client sees it. A fault without a code of ours is told in general words only.
pub(super) fn outward(error: &ServerError, refused: bool, request: Uuid) -> serde_json::Value {
    let coded = error
        .extensions
        .as_ref()
        .and_then(|extensions| match extensions.get("code") {
            Some(Value::String(code)) => Some(code.clone()),
            _ => None,
        });
    let (message, code) = match (coded, unfit(&error.message)) {
        (Some(code), _) => (Cow::from(error.message.as_str()), code),
        (None, _) if refused => (without_suggestion(&error.message).into(), "INVALID_DOCUMENT".to_owned()),
        (None, Some(text)) => (text.into(), "INVALID_DOCUMENT".to_owned()),
        (None, None) => {
            // Not the message: it may hold what was read.
            tracing::error!("a resolver failed without a code");
            ("internal error".into(), "INTERNAL".to_owned())
        }
    };
    let mut out = json!({ "message": message, "extensions": { "code": code, "requestId": request } });
    if let Some(members) = out.as_object_mut() {
        if !error.locations.is_empty() {
            let places = error
                .locations
                .iter()
                .map(|at| json!({ "line": at.line, "column": at.column }));
            members.insert("locations".to_owned(), places.collect());
        }
        if !error.path.is_empty() {
            members.insert("path".to_owned(), error.path.iter().map(segment).collect());
        }
    }
    out
}

fn segment(segment: &PathSegment) -> serde_json::Value {
    match segment {
        PathSegment::Field(name) => json!(name),
        PathSegment::Index(index) => json!(index),
    }
}

/// A suggestion names fields that the client did not name (R57).
fn without_suggestion(message: &str) -> &str {
    message
        .split_once(" Did you mean")
        .map_or(message, |(before, _)| before)
}

fn body(status: StatusCode, media: Media, value: &impl serde::Serialize) -> Response {
    // Plain data with text for keys: it can always be written.
    let mut response = Response::new(Body::from(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    response
}
