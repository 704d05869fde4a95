//! A small HTTP server for fakes: over a real socket, so that what is cut, slow or a lie is so on the wire.
//!
//! A fake of a system is a [`Site`]: it answers requests, and says how an answer is to be delivered.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

mod unruly;

pub use unruly::{Trouble, Unruly};

/// The largest request that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A request as a fake sees it.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// The first value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({})", self.method)
    }
}

/// How an answer reaches the one who asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As it should.
    #[default]
    Whole,
    /// So many bytes of it, and then the connection is closed although more was announced.
    Cut(usize),
    /// So many bytes of it, and then the connection is reset.
    Reset(usize),
    /// So many bytes of it, and then nothing more, with the connection open.
    Stall(usize),
    /// In pieces of so many bytes, with so long between them.
    Slow(usize, Duration),
    /// Over and over again, without end.
    Endless,
    /// So many bytes of it, and then one letter over and over again, without end.
    Flood(usize),
    /// All of it, with so many bytes announced: the connection is closed when fewer came, and nothing follows when that
    /// is fewer.
    Announced(u64),
    /// The connection is reset without an answer.
    Hangup,
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers; the length is added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How it is delivered.
    pub delivery: Delivery,
}

impl Answer {
    /// With this status and nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            delivery: Delivery::Whole,
        }
    }

    /// With a body of this type.
    pub fn of(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::status(status);
        answer
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.body = body.into();
        answer
    }

    /// With JSON.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::of(status, "application/json", body)
    }

    /// With this header too; one that cannot be sent is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Delivered so.
    #[must_use]
    pub const fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {:?})", self.status.as_u16(), self.delivery)
    }
}

/// Who answers.
#[async_trait]
pub trait Site: Send + Sync + 'static {
    /// The answer to a request.
    async fn answer(&self, request: Request) -> Answer;
}

/// A running server on a port of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Host {
    /// Serves on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(site: Arc<dyn Site>) -> io::Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").await?, site)
    }

    /// Serves on a listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn on(listener: TcpListener, site: Arc<dyn Site>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, site)).abort_handle();
        Ok(Self { address, serving })
    }

    /// Where it is, such as `http://127.0.0.1:40123`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, site: Arc<dyn Site>) {
    // Its connections end with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(one(stream, Arc::clone(&site)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn one(stream: TcpStream, site: Arc<dyn Site>) {
    // Small pieces are to arrive as small pieces.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        Box::pin(async move {
            let Some(request) = received(request).await else {
                return Ok(response(Answer::status(413)));
            };
            let answer = site.answer(request).await;
            if answer.delivery == Delivery::Hangup {
                return Err(Abort);
            }
            Ok::<_, Abort>(response(answer))
        })
    });
    let mut connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err_and(|error| is_reset(&error)) {
        let stream = connection.into_parts().io.into_inner();
        // With nothing to wait for, closing it sends a reset.
        drop(stream.set_zero_linger());
    }
}

async fn received(request: http::Request<Incoming>) -> Option<Request> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await.ok()?.to_bytes();
    let pairs = |query: &str| url_pairs(query);
    Some(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(pairs).unwrap_or_default(),
        headers: head.headers,
        body,
    })
}

/// The pairs of a query or a form, decoded.
pub fn url_pairs(text: &str) -> Vec<(String, String)> {
    oauth2::url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// Why a connection is closed in the middle.
#[derive(Debug, thiserror::Error)]
#[error("reset")]
struct Abort;

#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

fn is_reset(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Abort>() {
            return true;
        }
        cause = error.source();
    }
    false
}

type Failing = Box<dyn std::error::Error + Send + Sync>;
type Pieces = BoxStream<'static, Result<Frame<Bytes>, Failing>>;

fn response(answer: Answer) -> http::Response<UnsyncBoxBody<Bytes, Failing>> {
    let Answer {
        status,
        headers,
        body,
        delivery,
    } = answer;
    let length = body.len();
    let whole = || {
        Full::new(body.clone())
            .map_err(|never: Infallible| match never {})
            .boxed_unsync()
    };
    let some = |most: usize| body.slice(..most.min(length));
    let streamed = |pieces: Pieces| StreamBody::new(pieces).boxed_unsync();
    let body = match delivery {
        Delivery::Whole | Delivery::Hangup => whole(),
        Delivery::Cut(most) => streamed(then(some(most), Some(Cut.into()))),
        Delivery::Reset(most) => streamed(then(some(most), Some(Abort.into()))),
        Delivery::Flood(most) => {
            let flood = Bytes::from_static(&[b'x'; 16 * 1024]);
            let first = stream::once(std::future::ready(some(most)));
            streamed(
                first
                    .chain(stream::repeat(flood))
                    .map(|some| Ok(Frame::data(some)))
                    .boxed(),
            )
        }
        Delivery::Announced(_) => streamed(then(body.clone(), Some(Cut.into()))),
        Delivery::Stall(most) => streamed(then(some(most), None)),
        Delivery::Slow(step, between) => streamed(slowly(body, step.max(1), between)),
        Delivery::Endless => streamed(stream::repeat_with(move || Ok(Frame::data(body.clone()))).boxed()),
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    match delivery {
        Delivery::Endless | Delivery::Flood(_) => None,
        Delivery::Announced(length) => response.headers_mut().insert(CONTENT_LENGTH, length.into()),
        _ => response.headers_mut().insert(CONTENT_LENGTH, length.into()),
    };
    response
}

/// Some bytes, on their way before anything else happens; then a failure, or nothing ever.
fn then(bytes: Bytes, failure: Option<Failing>) -> Pieces {
    let first = stream::once(async move { Ok(Frame::data(bytes)) });
    let last = stream::once(async move {
        // What is written leaves when the body has nothing more for now.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        match failure {
            Some(failure) => Err(failure),
            None => std::future::pending().await,
        }
    });
    first.chain(last).boxed()
}

fn slowly(body: Bytes, step: usize, between: Duration) -> Pieces {
    stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(between).await;
        let piece = left.split_to(step.min(left.len()));
        Some((Ok(Frame::data(piece)), left))
    })
    .boxed()
}
