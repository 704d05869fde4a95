//! What the hub reads over HTTP: the keys of the issuers that its configuration names and what they say of a token (R13,
//! R18, R28), and the client that live sources are pulled with.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hub_connectors::fault::Fault;
use hub_connectors::http::{Call, Http, Limits, Network, Reach, Url};

use crate::auth::introspection::{Ask, Endpoint, Unanswered};
use crate::auth::jwks::{FetchFailed, FetchKeys, Fetched};
use crate::auth::keys::KeySet;
use crate::runtime::SystemPause;

/// A request for keys waits for it, so it is made once and soon given up.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    total: Duration::from_secs(5),
    attempts: 1,
    longest_wait: Duration::ZERO,
};
/// The largest key set that is read, in bytes.
pub const MAX_KEY_SET: u64 = 256 * 1024;

/// The largest answer about a token that is read, in bytes.
const MAX_ANSWER: u64 = 16 * 1024;

/// The client.
#[derive(Debug, Clone)]
pub struct Outbound(Http);

/// The client cannot be built: no TLS backend, or no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be built")]
pub struct NoClient;

/// The client of live sources: to the public internet by HTTPS, and to these networks.
///
/// # Errors
/// The client cannot be built.
pub fn to_sources(networks: Vec<Network>) -> Result<Http, NoClient> {
    let pause = SystemPause::new().map_err(|_no_randomness| NoClient)?;
    let reach = Reach::Public { and: networks };
    Http::new(reach, Limits::default(), Arc::new(pause)).map_err(|_no_backend| NoClient)
}

impl Outbound {
    /// Builds the client. It goes wherever the configuration says: an issuer may well stand in the house.
    pub fn new() -> Result<Self, NoClient> {
        let pause = SystemPause::new().map_err(|_no_randomness| NoClient)?;
        let http = Http::new(Reach::Anywhere, LIMITS, Arc::new(pause));
        http.map(Self).map_err(|_no_backend| NoClient)
    }

    /// The body of a 200 answer of at most `most` bytes, and the `max-age` sent with it.
    pub async fn get_json(&self, url: &str, most: u64) -> Result<(Vec<u8>, Option<Duration>), Fault> {
        let url: Url = url.parse().map_err(|_malformed| Fault::Config("not an address"))?;
        let call = Call::get(&url).accept("application/json").most(most);
        let (head, body) = self.0.whole(&call).await?;
        if head.status.as_u16() != 200 {
            return Err(Fault::Broken {
                stream: "http",
                record: 0,
                rule: "http.status",
            });
        }
        Ok((body, head.header("cache-control").and_then(max_age)))
    }
}

/// `max-age` of a `Cache-Control` (RFC 9111 §5.2.2.1); `no-store` and `no-cache` mean 0.
fn max_age(value: &str) -> Option<Duration> {
    let mut age = None;
    for directive in value.split(',').map(|one| one.trim().to_ascii_lowercase()) {
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            age = seconds.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    age
}

#[async_trait]
impl FetchKeys for Outbound {
    async fn fetch(&self, url: &str) -> Result<Fetched, FetchFailed> {
        let (body, max_age) = self.get_json(url, MAX_KEY_SET).await.map_err(|_failed| FetchFailed)?;
        let keys = KeySet::parse(&body).map_err(|_malformed| FetchFailed)?;
        Ok(Fetched { keys, max_age })
    }
}

#[async_trait]
impl Ask for Outbound {
    /// The token goes in the body, where no log of addresses finds it.
    async fn ask(&self, endpoint: &Endpoint, token: &str) -> Result<Vec<u8>, Unanswered> {
        let url: Url = endpoint.url.parse().map_err(|_malformed| Unanswered::Refused)?;
        let call = Call::form(&url, &[("token", token), ("token_type_hint", "access_token")])
            .basic(&endpoint.client_id, &endpoint.secret)
            .map_err(|_unprintable| Unanswered::Refused)?;
        let call = call.accept("application/json").most(MAX_ANSWER);
        let (head, body) = self.0.whole(&call).await.map_err(|fault| match fault {
            Fault::Transient { .. } => Unanswered::Unavailable,
            Fault::Broken { .. } => Unanswered::Malformed,
            Fault::Config(_) | Fault::Refused(_) => Unanswered::Refused,
        })?;
        match head.status.as_u16() {
            200 if head.media_type() == "application/json" => Ok(body),
            200 => Err(Unanswered::Malformed),
            _ => Err(Unanswered::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::response::{IntoResponse as _, Redirect};
    use axum::routing::{get, post};

    use super::*;

    #[test]
    fn max_age_is_read_as_it_is_sent() {
        let seconds = |value| max_age(value).map(|age| age.as_secs());
        assert_eq!(seconds("public, max-age=21500, must-revalidate"), Some(21_500));
        assert_eq!(seconds("Max-Age=\"60\""), Some(60));
        assert_eq!(seconds("max-age=60, no-store"), Some(0));
        assert_eq!(seconds("public"), None);
        assert_eq!(seconds("max-age=soon"), None);
    }

    #[tokio::test]
    async fn keys_are_read_from_the_address_itself_or_not_at_all() {
        let app = Router::new()
            .route("/here", get(|| async { r#"{"keys":[]}"# }))
            .route("/there", get(|| async { Redirect::temporary("/here") }))
            .route("/flood", get(|| async { "x".repeat(2_000) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let client = Outbound::new().expect("a client");
        let call = async |path: &str| {
            client
                .get_json(&format!("{origin}{path}"), 1_000)
                .await
                .map(|answer| answer.0.len())
        };
        assert_eq!(call("/here").await, Ok(11));
        let broken = |rule| Fault::Broken {
            stream: "http",
            record: 0,
            rule,
        };
        assert_eq!(
            call("/there").await,
            Err(Fault::Config("the address leads to another one"))
        );
        assert_eq!(call("/flood").await, Err(broken("http.too_large")));
        assert_eq!(call("/nowhere").await, Err(broken("http.status")));
        server.abort();
    }

    /// R13: in the body, by a client that says who it is; and only a whole answer of the right kind is one.
    #[tokio::test]
    async fn an_issuer_is_asked_in_a_form_and_only_an_answer_is_one() {
        let said = |kind: &'static str, text: String| async move { ([("content-type", kind)], text).into_response() };
        let asked = async |headers: HeaderMap, body: String| {
            let header = |name: &str| headers[name].to_str().expect("a text").to_owned();
            assert_eq!(body, "token=a~b%2Bc%2Fd%3D&token_type_hint=access_token");
            assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
            assert_eq!(header("authorization"), "Basic aHViJTNBMTpzJTIwJTI1");
            ([("content-type", "application/json; charset=utf-8")], "{}")
        };
        let status =
            |status: u16| post(move || async move { axum::http::StatusCode::from_u16(status).expect("a status") });
        let app = Router::new()
            .route("/asked", post(asked))
            .route("/page", post(move || said("text/html", "{}".to_owned())))
            .route(
                "/jwt",
                post(move || said("application/token-introspection+jwt", "e30".to_owned())),
            )
            .route(
                "/flood",
                post(move || said("application/json", " ".repeat(16 * 1_024 + 1))),
            )
            .route("/there", post(|| async { Redirect::temporary("/asked") }))
            .route("/hangs", post(std::future::pending::<&'static str>))
            .route("/400", status(400))
            .route("/401", status(401))
            .route("/403", status(403))
            .route("/404", status(404))
            .route("/204", status(204))
            .route("/429", status(429))
            .route("/500", status(500))
            .route("/503", status(503));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let soon = Limits {
            answer: Duration::from_millis(200),
            ..LIMITS
        };
        let client = Outbound(Outbound::new().expect("a client").0.within(soon));
        // Where nobody is any more.
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nowhere = format!("http://{}", nobody.local_addr().expect("an address"));
        drop(nobody);
        let ask_at = async |origin: &str, path: &str| {
            let endpoint = Endpoint {
                url: format!("{origin}{path}"),
                client_id: "hub:1".to_owned(),
                secret: "s %".into(),
            };
            client.ask(&endpoint, "a~b+c/d=").await
        };
        let ask = async |path: &str| ask_at(&origin, path).await;
        assert_eq!(ask("/asked").await, Ok(b"{}".to_vec()));
        for (path, unanswered) in [
            ("/page", Unanswered::Malformed),
            ("/jwt", Unanswered::Malformed),
            ("/flood", Unanswered::Malformed),
            ("/there", Unanswered::Refused),
            ("/400", Unanswered::Refused),
            ("/401", Unanswered::Refused),
            ("/403", Unanswered::Refused),
            ("/404", Unanswered::Refused),
            ("/204", Unanswered::Refused),
            ("/hangs", Unanswered::Unavailable),
            ("/429", Unanswered::Unavailable),
            ("/500", Unanswered::Unavailable),
            ("/503", Unanswered::Unavailable),
        ] {
            assert_eq!(ask(path).await, Err(unanswered), "{path}");
        }
        assert_eq!(ask_at(&nowhere, "/asked").await, Err(Unanswered::Unavailable));
        server.abort();
    }
}
