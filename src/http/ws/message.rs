//! The messages of graphql-transport-ws, and the codes with which a socket is closed.

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::params::Params;

/// The sub-protocol.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// The longest id of an operation.
const LONGEST_ID: usize = 128;

/// What a client says.
#[derive(Debug)]
pub(super) enum Said {
    /// Who it is, and why it asks.
    Init(Map<String, Value>),
    /// Whether anyone is there.
    Ping(Option<Value>),
    /// That it is there.
    Pong,
    /// One operation.
    Subscribe { id: String, params: Params },
    /// That it wants no more of one.
    Complete { id: String },
}

/// Why a socket is closed: a code of the protocol, or of RFC 6455, and a reason without any content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: &'static str,
}

impl Close {
    /// The process stops; another goes on.
    pub(super) const GOING_AWAY: Self = Self::new(1001, "Going away");
    /// A message over the bound of a body.
    pub(super) const TOO_BIG: Self = Self::new(1009, "Message too big");
    /// Something that is needed to decide cannot be asked now.
    pub(super) const TRY_AGAIN: Self = Self::new(1013, "Try again later");
    /// An operation before the connection was acknowledged.
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// The token is refused, or proves nobody who acts here.
    pub(super) const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    /// The token has expired: a client comes back with another.
    pub(super) const EXPIRED: Self = Self::new(4403, "Forbidden: the token has expired");
    /// Nobody said who is there.
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// The id of an operation under way.
    pub(super) const EXISTS: Self = Self::new(4409, "Subscriber for this id already exists");
    /// It said twice who it is.
    pub(super) const INIT_TWICE: Self = Self::new(4429, "Too many initialisation requests");
    /// It has as many sockets as it may.
    pub(super) const SOCKETS: Self = Self::new(4429, "Too many sockets");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// A message that is none of the protocol.
    pub(super) const fn invalid(reason: &'static str) -> Self {
        Self::new(4400, reason)
    }

    pub(super) const fn frame(self) -> CloseFrame {
        CloseFrame {
            code: self.code,
            reason: Utf8Bytes::from_static(self.reason),
        }
    }
}

impl Said {
    /// Reads a message; what is none of the protocol closes the socket.
    pub(super) fn read(text: &str) -> Result<Self, Close> {
        let invalid = Close::invalid;
        let message = serde_json::from_str(text).map_err(|_malformed| invalid("a message is not JSON"))?;
        let Value::Object(mut message) = message else {
            return Err(invalid("a message is not a JSON object"));
        };
        let payload = message.remove("payload");
        let kind = message.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "connection_init" => Ok(Self::Init(map(payload)?.unwrap_or_default())),
            "ping" => Ok(Self::Ping(map(payload)?.map(Value::Object))),
            "pong" => map(payload).map(|_any| Self::Pong),
            "subscribe" => {
                let id = id(&message)?;
                let payload = map(payload)?.ok_or(invalid("`subscribe` has no payload"))?;
                let params = Params::of_map(payload).map_err(|bad| invalid(bad.0))?;
                Ok(Self::Subscribe { id, params })
            }
            "complete" => Ok(Self::Complete { id: id(&message)? }),
            _ => Err(invalid("a message is of no type that a client sends")),
        }
    }
}

fn map(payload: Option<Value>) -> Result<Option<Map<String, Value>>, Close> {
    match payload {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(Close::invalid("a payload is not a JSON object")),
    }
}

fn id(message: &Map<String, Value>) -> Result<String, Close> {
    match message.get("id") {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id.clone()),
        _ => Err(Close::invalid("`id` is not a text of 1 to 128 bytes")),
    }
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told<'a, P> {
    ConnectionAck {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<P>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<P>,
    },
    Next {
        id: &'a str,
        payload: P,
    },
    Error {
        id: &'a str,
        payload: P,
    },
    Complete {
        id: &'a str,
    },
}

impl Told<'_, Value> {
    /// With what an answer over HTTP would say in this header.
    pub(super) fn acknowledged(step_up: Option<&HeaderValue>) -> Utf8Bytes {
        let challenge = step_up.and_then(|challenge| challenge.to_str().ok());
        let payload = challenge.map(|challenge| json!({ (WWW_AUTHENTICATE.as_str()): challenge }));
        Self::ConnectionAck { payload }.text()
    }

    pub(super) fn pong(payload: Option<Value>) -> Utf8Bytes {
        Self::Pong { payload }.text()
    }

    pub(super) fn error(id: &str, errors: Vec<Value>) -> Utf8Bytes {
        let payload = Value::Array(errors);
        Told::Error { id, payload }.text()
    }

    pub(super) fn complete(id: &str) -> Utf8Bytes {
        let told: Told<'_, Value> = Told::Complete { id };
        told.text()
    }

    pub(super) fn next(id: &str, payload: impl Serialize) -> Utf8Bytes {
        Told::Next { id, payload }.text()
    }
}

impl<P: Serialize> Told<'_, P> {
    fn text(&self) -> Utf8Bytes {
        // Plain data with text for keys: it can always be written.
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_read() {
        let good = |text: &str| Said::read(text).expect(text);
        assert!(matches!(good(r#"{"type":"connection_init"}"#), Said::Init(map) if map.is_empty()));
        assert!(matches!(good(r#"{"type":"connection_init","payload":null}"#), Said::Init(map) if map.is_empty()));
        let init = good(r#"{"type":"connection_init","payload":{"authorization":"Bearer x"}}"#);
        assert!(matches!(init, Said::Init(map) if map["authorization"] == "Bearer x"));
        assert!(matches!(good(r#"{"type":"ping"}"#), Said::Ping(None)));
        assert!(matches!(
            good(r#"{"type":"ping","payload":{"a":1}}"#),
            Said::Ping(Some(_))
        ));
        assert!(matches!(good(r#"{"type":"pong","payload":{}}"#), Said::Pong));
        assert!(matches!(good(r#"{"id":"1","type":"complete"}"#), Said::Complete { id } if id == "1"));
        let subscribe = good(r#"{"id":"a","type":"subscribe","payload":{"query":"{x}","operationName":null}}"#);
        assert!(matches!(subscribe, Said::Subscribe { id, params } if id == "a" && params.query == "{x}"));
    }

    #[test]
    fn what_is_none_of_the_protocol_closes_with_4400() {
        let long = format!(r#"{{"id":"{}","type":"complete"}}"#, "x".repeat(129));
        for text in [
            "",
            "x",
            "[]",
            "null",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{x}"}}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"subscribe","payload":{"query":"{x}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{x}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{x}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{x}","variables":[]}}"#,
            r#"{"type":"complete"}"#,
            &long,
        ] {
            assert_eq!(Said::read(text).expect_err(text).code, 4400, "{text}");
        }
    }

    #[test]
    fn what_a_client_is_told_is_spelled_as_the_protocol_says() {
        for (told, text) in [
            (
                Told::next("1", serde_json::json!({ "data": null })),
                r#"{"type":"next","id":"1","payload":{"data":null}}"#,
            ),
            (Told::acknowledged(None), r#"{"type":"connection_ack"}"#),
            (
                Told::acknowledged(Some(&HeaderValue::from_static("Bearer max_age=\"1\""))),
                r#"{"type":"connection_ack","payload":{"www-authenticate":"Bearer max_age=\"1\""}}"#,
            ),
            (Told::pong(None), r#"{"type":"pong"}"#),
            (
                Told::pong(Some(serde_json::json!({ "a": 1 }))),
                r#"{"type":"pong","payload":{"a":1}}"#,
            ),
            (
                Told::error("1", Vec::new()),
                r#"{"type":"error","id":"1","payload":[]}"#,
            ),
            (Told::complete("1"), r#"{"type":"complete","id":"1"}"#),
        ] {
            assert_eq!(told.as_str(), text);
        }
    }

    /// A close frame holds 123 bytes of reason (RFC 6455 §5.5).
    #[test]
    fn every_reason_fits_its_frame() {
        for close in [Close::EXPIRED, Close::EXISTS, Close::INIT_TIMEOUT, Close::INIT_TWICE] {
            assert!(close.reason.len() <= 123);
        }
    }
}
