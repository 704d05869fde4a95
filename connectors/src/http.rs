//! The one HTTP client: the only place that builds one.
//!
//! Every call has a time to connect, to answer, between two reads and in all, a largest answer, no redirect and no
//! proxy from the environment; it reaches only the networks of its connection ([`Reach`], R19). What can be asked again
//! without harm is asked again, with full jitter and no sooner than the source said (R47). Nothing here shows an
//! address, a header or a body: not in an error, not in a log, not in `Debug` (R61).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::utf8_percent_encode;
pub use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::fault::Fault;
use crate::signature::{ESCAPED, Signer};

mod pages;
mod pause;
mod reach;
mod retry;
#[cfg(test)]
mod tests;

pub use pages::Trail;
pub use pause::{Hurried, Pause, Stamp};
pub use reach::{Names, Network, NotANetwork, Reach};
use retry::Again;

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To connect, name and TLS included.
    pub connect: Duration,
    /// From the question to the first line of the answer.
    pub answer: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// One call with all its tries and waits.
    pub total: Duration,
    /// How often a call is made at most.
    pub attempts: u32,
    /// The longest wait between two tries that is waited out here; a source that asks for more is tried another time.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_mins(1),
            idle: Duration::from_secs(20),
            total: Duration::from_mins(5),
            attempts: 4,
            longest_wait: Duration::from_secs(90),
        }
    }
}

/// The client cannot be built: no TLS backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be built")]
pub struct NoClient;

/// The largest answer that is read unless a call says otherwise, in bytes.
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// One call. What may be asked again without harm says so: a `GET` does, a `POST` only when told.
#[derive(Clone)]
pub struct Call<'a> {
    url: &'a Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    signer: Option<&'a Signer>,
    again: bool,
    read: &'static [u16],
    most: u64,
}

impl<'a> Call<'a> {
    /// Reads.
    pub fn get(url: &'a Url) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            signer: None,
            again: true,
            read: &[200],
            most: MOST_BYTES,
        }
    }

    /// Sends a text.
    pub fn post(url: &'a Url, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let call = Self {
            method: Method::POST,
            body: body.into(),
            again: false,
            ..Self::get(url)
        };
        call.header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// Sends a form.
    pub fn form(url: &'a Url, fields: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| format!("{}={}", escaped(name), escaped(value));
        let fields: Vec<String> = fields.iter().map(field).collect();
        Self::post(url, "application/x-www-form-urlencoded", fields.join("&"))
    }

    /// As this client, by HTTP Basic: name and secret are escaped as in a form (RFC 6749 §2.3.1).
    ///
    /// # Errors
    /// They cannot stand in a header.
    pub fn basic(self, client: &str, secret: &SecretString) -> Result<Self, Fault> {
        let pair = format!("{}:{}", escaped(client), escaped(secret.expose_secret()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_unprintable| Fault::Config("the client cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }

    /// It reads only, whatever its method: it may be asked again.
    #[must_use]
    pub fn harmless(mut self) -> Self {
        self.again = true;
        self
    }

    /// What is understood.
    #[must_use]
    pub fn accept(self, media_type: &'static str) -> Self {
        self.header(ACCEPT, HeaderValue::from_static(media_type))
    }

    /// With this token.
    ///
    /// # Errors
    /// The token cannot stand in a header.
    pub fn bearer(self, token: &SecretString) -> Result<Self, Fault> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_unprintable| Fault::Config("the token cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }

    /// Signed (OAuth 1.0a), each try anew: a server takes no signature twice.
    #[must_use]
    pub fn signed(mut self, signer: &'a Signer) -> Self {
        self.signer = Some(signer);
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Of which statuses the body is read: 200 unless said otherwise. SOAP says faults with a 500.
    #[must_use]
    pub fn read(mut self, statuses: &'static [u16]) -> Self {
        self.read = statuses;
        self
    }

    /// The largest answer that is read, in bytes.
    #[must_use]
    pub fn most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }
}

/// As a value of a form.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.method)
    }
}

/// What an answer says before its body.
#[derive(Clone)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The type of the body without parameters, in lower case; empty when it is not said.
    pub fn media_type(&self) -> String {
        let said = self.header("content-type").unwrap_or_default();
        said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({})", self.status.as_u16())
    }
}

/// Takes a body piece by piece. A call that is made again begins again: `begin` forgets what came before.
pub trait Take: Send {
    /// An answer with a status that is read begins.
    ///
    /// # Errors
    /// It is not what was asked for; it is not asked again.
    fn begin(&mut self, head: &Head) -> Result<(), Fault>;

    /// The next bytes.
    ///
    /// # Errors
    /// They cannot be read; the call is not made again.
    fn some(&mut self, bytes: &[u8]) -> Result<(), Fault>;

    /// The answer is whole.
    ///
    /// # Errors
    /// It cannot end here; the call is not made again.
    fn end(&mut self) -> Result<(), Fault>;
}

/// A body that is small enough to be held.
impl Take for Vec<u8> {
    fn begin(&mut self, _head: &Head) -> Result<(), Fault> {
        self.clear();
        Ok(())
    }

    fn some(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The client of all connections that may reach the same networks. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    /// For `https`, and for `http` where any network may be reached.
    open: reqwest::Client,
    /// For `http`: only to networks that were named.
    plain: Option<reqwest::Client>,
    reach: Arc<Reach>,
    limits: Limits,
    pause: Arc<dyn Pause>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("reach", &self.reach)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Http {
    /// A client that finds names as this machine does.
    ///
    /// # Errors
    /// There is no TLS backend.
    pub fn new(reach: Reach, limits: Limits, pause: Arc<dyn Pause>) -> Result<Self, NoClient> {
        let names: Arc<dyn Names> = Arc::new(reach::SystemNames);
        Self::with_names(reach, limits, pause, &names)
    }

    /// A client that finds names by `names`.
    ///
    /// # Errors
    /// There is no TLS backend.
    pub fn with_names(
        reach: Reach,
        limits: Limits,
        pause: Arc<dyn Pause>,
        names: &Arc<dyn Names>,
    ) -> Result<Self, NoClient> {
        let reach = Arc::new(reach);
        let build = |plain| {
            // No proxy is taken from the environment: it is read in the hub's configuration only.
            #[expect(clippy::disallowed_methods, reason = "the one place that builds a client")]
            let client = reqwest::Client::builder()
                .connect_timeout(limits.connect)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .pool_max_idle_per_host(2)
                .pool_idle_timeout(Duration::from_secs(30))
                .dns_resolver(reach::Guarded::new(Arc::clone(&reach), plain, Arc::clone(names)))
                .user_agent(concat!("clb-hub/", env!("CARGO_PKG_VERSION")))
                .build();
            client.map_err(|_no_backend| NoClient)
        };
        let plain = if reach.names_networks() {
            Some(build(true)?)
        } else {
            None
        };
        Ok(Self {
            open: build(false)?,
            plain,
            limits,
            pause,
            reach,
        })
    }

    /// The same client with other limits.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The time, and chance.
    pub fn pause(&self) -> &dyn Pause {
        &*self.pause
    }

    /// Makes a call and hands its body to `take`, again where that does no harm and may help. The answer's status is
    /// one that is read, or one that says no and does so for good: the caller decides.
    ///
    /// # Errors
    /// There was no whole answer, or `take` could not use it.
    pub async fn fetch(&self, call: &Call<'_>, take: &mut dyn Take) -> Result<Head, Fault> {
        let client = self.client_for(call.url)?;
        let begun = self.pause.since();
        let mut attempt = 1;
        loop {
            let left = self
                .limits
                .total
                .saturating_sub(self.pause.since().saturating_sub(begun));
            let tried = tokio::time::timeout(left, self.attempt(client, call, take)).await;
            let again = match tried.unwrap_or_else(|_elapsed| Err(Stop::Again(Again::because("it took too long")))) {
                Ok(head) => return Ok(head),
                Err(Stop::Fault(fault)) => return Err(fault),
                Err(Stop::Again(again)) => again,
            };
            let spent = self.pause.since().saturating_sub(begun);
            let wait = again.wait(attempt, &self.limits, spent, &*self.pause);
            let (true, Some(wait)) = (call.again || again.unasked, wait) else {
                return Err(Fault::Transient {
                    reason: again.reason,
                    retry_after: again.retry_after,
                });
            };
            self.pause.wait(wait).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// As [`Http::fetch`], with the body as a whole.
    ///
    /// # Errors
    /// As [`Http::fetch`].
    pub async fn whole(&self, call: &Call<'_>) -> Result<(Head, Vec<u8>), Fault> {
        let mut body = Vec::new();
        let head = self.fetch(call, &mut body).await?;
        Ok((head, body))
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, Fault> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::Config("an address with a user in it"));
        }
        let client = match (url.scheme(), &*self.reach) {
            ("https", _) | ("http", Reach::Anywhere) => &self.open,
            ("http", Reach::Public { .. }) => {
                let plain = Fault::Config("http is spoken only to a network that the connection names");
                self.plain.as_ref().ok_or(plain)?
            }
            _ => return Err(Fault::Config("an address that is neither http nor https")),
        };
        // An address instead of a name is never resolved, so it is judged here.
        let literal = url.host_str().map(|host| host.trim_matches(['[', ']']).parse());
        match literal {
            None => Err(Fault::Config("an address without a host")),
            Some(Ok(address)) if !self.reach.allows(address, url.scheme() == "http") => Err(reach::out_of_reach()),
            Some(_) => Ok(client),
        }
    }

    async fn attempt(&self, client: &reqwest::Client, call: &Call<'_>, take: &mut dyn Take) -> Result<Head, Stop> {
        let mut headers = call.headers.clone();
        if let Some(signer) = call.signer {
            headers.insert(AUTHORIZATION, signer.sign(&call.method, call.url, self.pause.stamp())?);
        }
        let request = client
            .request(call.method.clone(), call.url.clone())
            .headers(headers)
            .body(call.body.clone());
        let answer = match tokio::time::timeout(self.limits.answer, request.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if reach::was_refused(&error) => return Err(Stop::Fault(reach::out_of_reach())),
            Ok(Err(error)) => {
                return Err(Stop::Again(Again {
                    unasked: error.is_connect(),
                    ..Again::because(if error.is_connect() {
                        "no connection"
                    } else {
                        "no answer"
                    })
                }));
            }
            Err(_elapsed) => return Err(Stop::Again(Again::because("no answer in time"))),
        };
        let head = Head {
            status: answer.status(),
            headers: answer.headers().clone(),
        };
        if !call.read.contains(&head.status.as_u16()) {
            return match Again::of(&head) {
                Some(again) => Err(Stop::Again(again)),
                None if head.status.is_redirection() => {
                    Err(Stop::Fault(Fault::Config("the address leads to another one")))
                }
                None => Ok(head),
            };
        }
        take.begin(&head)?;
        let too_large = Fault::Broken {
            stream: "http",
            record: 0,
            rule: "http.too_large",
        };
        if answer.content_length().is_some_and(|length| length > call.most) {
            return Err(Stop::Fault(too_large));
        }
        let mut left = call.most;
        let mut pieces = answer.bytes_stream();
        loop {
            let piece = match tokio::time::timeout(self.limits.idle, pieces.next()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => break,
                Ok(Some(Err(_broken_off))) => return Err(Stop::Again(Again::because("the answer broke off"))),
                Err(_elapsed) => return Err(Stop::Again(Again::because("the answer stood still"))),
            };
            left = u64::try_from(piece.len())
                .ok()
                .and_then(|length| left.checked_sub(length))
                .ok_or_else(|| Stop::Fault(too_large.clone()))?;
            take.some(&piece)?;
        }
        take.end()?;
        Ok(head)
    }
}

/// Why an attempt came to no end.
enum Stop {
    /// For good.
    Fault(Fault),
    /// It may go better another time.
    Again(Again),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
