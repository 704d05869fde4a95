//! What the hub reads over HTTP: the keys of the issuers that its configuration names (R18, R28), and the client that
//! live sources are pulled with.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hub_connectors::fault::Fault;
use hub_connectors::http::{Call, Http, Limits, Network, Reach, Url};

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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;

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
}
