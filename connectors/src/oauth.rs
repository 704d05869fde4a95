//! The one OAuth 2.0 flow: client credentials (RFC 6749 §4.4), over the one client.
//!
//! A token is kept until shortly before its end and asked for by one caller at a time. Where it is asked, how the client
//! says who it is and which scopes it asks for is the connection's to say: no two vendors agree (standards §1.3).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http::HeaderValue;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::http::{Call, Http, Url};

#[cfg(test)]
mod tests;

/// The largest answer of a token endpoint, in bytes.
const MOST_BYTES: u64 = 64 * 1024;
/// A token is renewed this long before its end, or after nine tenths of its time when that is short.
const EARLY: Duration = Duration::from_mins(1);
/// How long a token is trusted that does not say for how long.
const UNSAID: Duration = Duration::from_mins(5);

/// How the client says who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sends {
    /// By HTTP Basic, as the standard demands of every server.
    #[default]
    Basic,
    /// In the form.
    Body,
    /// By HTTP Basic, and in the form where that is refused.
    Either,
}

/// Where and as whom a connection asks for tokens. The secret is kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the token endpoint.
    pub token_url: String,
    /// The name of the client.
    pub client_id: String,
    /// The scopes to ask for, as this server spells them; none asks for none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How the client says who it is.
    #[serde(default)]
    pub sends: Sends,
}

/// A token in use. It shows nothing of itself.
#[derive(Debug, Clone)]
pub struct Token {
    secret: Arc<SecretString>,
    number: u64,
}

impl Token {
    /// The token itself.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

/// The tokens of one connection.
pub struct Tokens {
    http: Http,
    url: Url,
    settings: Settings,
    secret: SecretString,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// By the clock of the client.
    until: Duration,
    given: u64,
    /// What worked, once something did.
    by_body: Option<bool>,
    withheld: Vec<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The address of the token endpoint is none.
    pub fn new(http: Http, settings: Settings, secret: SecretString) -> Result<Self, Fault> {
        let url = settings.token_url.parse();
        Ok(Self {
            url: url.map_err(|_malformed| Fault::Config("the token endpoint is no address"))?,
            http,
            settings,
            secret,
            held: Mutex::default(),
        })
    }

    /// A token that is valid for some time yet.
    ///
    /// # Errors
    /// The endpoint gives none.
    pub async fn token(&self) -> Result<Token, Fault> {
        self.given(&mut *self.held.lock().await).await
    }

    /// Another token than one that was refused, unless somebody asked for it already.
    ///
    /// # Errors
    /// The endpoint gives none.
    pub async fn other_than(&self, refused: &Token) -> Result<Token, Fault> {
        let mut held = self.held.lock().await;
        held.token = held.token.take().filter(|token| token.number != refused.number);
        self.given(&mut held).await
    }

    /// The scopes that were asked for and not granted, as far as the endpoint says.
    pub async fn withheld(&self) -> Vec<String> {
        self.held.lock().await.withheld.clone()
    }

    async fn given(&self, held: &mut Held) -> Result<Token, Fault> {
        let now = self.http.pause().since();
        if let Some(token) = held.token.as_ref().filter(|_| now < held.until) {
            return Ok(token.clone());
        }
        let answer = match (self.settings.sends, held.by_body) {
            (Sends::Basic, _) | (Sends::Either, Some(false)) => self.ask(AuthType::BasicAuth).await?,
            (Sends::Body, _) | (Sends::Either, Some(true)) => self.ask(AuthType::RequestBody).await?,
            (Sends::Either, None) => match self.ask(AuthType::BasicAuth).await {
                Err(Fault::Refused(_) | Fault::Config(_)) => {
                    let answer = self.ask(AuthType::RequestBody).await?;
                    held.by_body = Some(true);
                    answer
                }
                by_header => {
                    let answer = by_header?;
                    held.by_body = Some(false);
                    answer
                }
            },
        };
        let lifetime = answer.expires_in().unwrap_or(UNSAID);
        held.until = now.saturating_add(lifetime.saturating_sub(EARLY.min(lifetime / 10)));
        held.given = held.given.saturating_add(1);
        // A scope that is not spoken of was granted as it was asked for (RFC 6749 §5.1).
        held.withheld = answer.scopes().map_or_else(Vec::new, |granted| {
            let missing = |asked: &&String| !granted.iter().any(|scope| scope.as_str() == asked.as_str());
            self.settings.scopes.iter().filter(missing).cloned().collect()
        });
        let token = Token {
            secret: Arc::new(SecretString::from(answer.access_token().secret().as_str())),
            number: held.given,
        };
        held.token = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self, auth_type: AuthType) -> Result<BasicTokenResponse, Fault> {
        let client = BasicClient::new(ClientId::new(self.settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            .set_token_uri(TokenUrl::from_url(self.url.clone()))
            .set_auth_type(auth_type);
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let wire = Wire {
            http: &self.http,
            status: AtomicU16::new(0),
        };
        let answer = client
            .exchange_client_credentials()
            .add_scopes(scopes)
            .request_async(&wire)
            .await;
        judged(answer, wire.status.load(Ordering::Relaxed))
    }
}

/// An answer of a token endpoint without a call: for who attacks it (`connectors/fuzz`). For how long its token is good, where
/// it says so.
///
/// # Errors
/// It gives none.
pub fn decode(status: u16, media_type: &'static str, body: &[u8]) -> Result<Option<Duration>, Fault> {
    let url = TokenUrl::new("https://token.invalid/".to_owned()).map_err(|_never| unreadable())?;
    let client = BasicClient::new(ClientId::new(String::new())).set_token_uri(url);
    let given = |_: HttpRequest| {
        let mut response = HttpResponse::new(body.to_vec());
        *response.status_mut() = http::StatusCode::from_u16(status).map_err(|_none| Carried(unreadable()))?;
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Ok::<_, Carried>(response)
    };
    let answer = client.exchange_client_credentials().request(&given);
    Ok(judged(answer, status)?.expires_in())
}

/// The token of an answer with this status.
fn judged(answer: Result<BasicTokenResponse, Failed>, status: u16) -> Result<BasicTokenResponse, Fault> {
    let answer = answer.map_err(|error| fault(error, status))?;
    if answer.access_token().secret().is_empty() || *answer.token_type() != BasicTokenType::Bearer {
        return Err(unreadable());
    }
    Ok(answer)
}

const fn unreadable() -> Fault {
    Fault::Broken {
        stream: "token",
        record: 0,
        rule: "oauth.answer",
    }
}

type Failed = RequestTokenError<Carried, BasicErrorResponse>;

/// What the endpoint says, in our words: its own may hold anything.
fn fault(error: Failed, status: u16) -> Fault {
    use BasicErrorResponseType::{InvalidClient, InvalidScope, UnauthorizedClient};
    match error {
        RequestTokenError::Request(Carried(fault)) => fault,
        RequestTokenError::ServerResponse(said) => match said.error() {
            InvalidClient | UnauthorizedClient => {
                Fault::Refused("the token endpoint does not know this client or secret")
            }
            InvalidScope => Fault::Refused("the client may not have the scopes that the connection asks for"),
            _ if status == 401 || status == 403 => Fault::Refused("the token endpoint gives this client no token"),
            _ => Fault::Config("the token endpoint does not accept how the connection asks"),
        },
        _ => match status {
            400 => Fault::Config("the token endpoint does not accept how the connection asks"),
            401 | 403 => Fault::Refused("the token endpoint gives this client no token"),
            _ => unreadable(),
        },
    }
}

/// A fault on its way through the crate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(Fault);

/// Our client, as the crate wants it.
struct Wire<'h> {
    http: &'h Http,
    status: AtomicU16,
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = Carried;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Carried>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { self.exchange(request).await.map_err(Carried) })
    }
}

impl Wire<'_> {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let (head, body) = request.into_parts();
        let malformed = Fault::Config("the token endpoint is no address");
        let url: Url = head.uri.to_string().parse().map_err(|_malformed| malformed)?;
        // A token more than needed does no harm.
        let mut call = Call::post(&url, "application/x-www-form-urlencoded", body)
            .harmless()
            .read(&[200, 400, 401, 403])
            .most(MOST_BYTES)
            .accept("application/json");
        if let Some(basic) = head.headers.get(http::header::AUTHORIZATION) {
            let mut basic: HeaderValue = basic.clone();
            basic.set_sensitive(true);
            call = call.header(http::header::AUTHORIZATION, basic);
        }
        let (head, body) = self.http.whole(&call).await?;
        self.status.store(head.status.as_u16(), Ordering::Relaxed);
        if !matches!(head.status.as_u16(), 200 | 400 | 401 | 403) {
            return Err(Fault::Config("there is no token endpoint at the address"));
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = head.status;
        if let Some(media_type) = head.header("content-type").and_then(|said| said.parse().ok()) {
            response.headers_mut().insert(http::header::CONTENT_TYPE, media_type);
        }
        Ok(response)
    }
}
