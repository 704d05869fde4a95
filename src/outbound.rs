//! The one HTTP client: every call out has a timeout and a size, and follows no redirect (R18).

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::header::{ACCEPT, CACHE_CONTROL};

use crate::auth::jwks::{FetchFailed, FetchKeys, Fetched};
use crate::auth::keys::KeySet;

/// The longest a call may take, body included.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest key set that is read, in bytes.
pub const MAX_KEY_SET: usize = 256 * 1024;

/// The client.
#[derive(Debug, Clone)]
pub struct Outbound(reqwest::Client);

/// The client cannot be built: no TLS backend.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built")]
pub struct NoClient(#[source] reqwest::Error);

/// A call failed. The text names no address and no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallFailed {
    /// No connection, no TLS, or no answer in time.
    #[error("no answer")]
    NoAnswer,
    /// A status other than 200; a redirect is one.
    #[error("answered with status {0}")]
    Status(u16),
    /// More bytes than allowed.
    #[error("the answer is too large")]
    TooLarge,
}

impl Outbound {
    /// Builds the client. No proxy is taken from the environment: it is read in `config` only.
    pub fn new() -> Result<Self, NoClient> {
        #[expect(clippy::disallowed_methods, reason = "the one place that builds a client")]
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("clb-hub/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(NoClient)
    }

    /// The body of a 200 answer of at most `cap` bytes, and the `max-age` sent with it.
    pub async fn get_json(&self, url: &str, cap: usize) -> Result<(Vec<u8>, Option<Duration>), CallFailed> {
        let call = self.0.get(url).header(ACCEPT, "application/json").send();
        let answer = call.await.map_err(|_unreachable| CallFailed::NoAnswer)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(CallFailed::Status(answer.status().as_u16()));
        }
        let max_age = answer
            .headers()
            .get(CACHE_CONTROL)
            .and_then(|value| max_age(value.to_str().ok()?));
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_broken| CallFailed::NoAnswer)?;
            if body.len().saturating_add(chunk.len()) > cap {
                return Err(CallFailed::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, max_age))
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
    async fn no_redirect_is_followed_and_no_flood_is_read() {
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
        assert_eq!(call("/there").await, Err(CallFailed::Status(307)));
        assert_eq!(call("/flood").await, Err(CallFailed::TooLarge));
        assert_eq!(call("/nowhere").await, Err(CallFailed::Status(404)));
        server.abort();
    }
}
