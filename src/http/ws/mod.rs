//! `GET /graphql/ws`: graphql-transport-ws, with the close codes of the protocol.
//!
//! A loop of our own, because the library's closes with other codes, waits for ever for a token and takes a second
//! operation with the id of the first (graphql.md §0). One task reads and decides, another writes: a client that takes
//! nothing stops neither the clock nor the stop signal, and nothing is queued for it but the few messages under way.

mod message;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use futures::future::BoxFuture;
use futures::stream::{AbortHandle, Abortable, BoxStream, SelectAll, SplitSink, StreamExt as _};
use futures::{FutureExt as _, SinkExt as _};
use http::request::Parts;
use http::{Method, StatusCode, header};
use hub_entities::operation::{Purpose, Realm};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Edge;
use super::answer::{Refusal, payload};
use super::follow::{Piece, operate};
use super::graphql::{PURPOSE, not_allowed};
use super::negotiate::Media;
use super::operation::{Asking, has_secrets, purpose_of, sign_in, token_refused};
use super::params::Params;
use super::streams::{Entered, Held, Taking, taken_back};
use crate::auth::{Identity, Refused};
use message::{Close, PROTOCOL, Said, Told};

/// Messages between the one who reads and the one who writes.
const UNDER_WAY: usize = 8;

/// How long a close may take to be said and answered.
const CLOSING: Duration = Duration::from_secs(2);

/// Opens a socket, if the head of the request is one of ours.
pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let id = edge.ids.next(edge.clock.now());
    let (mut parts, _no_body) = request.into_parts();
    match open(&edge, &mut parts).await {
        Ok((upgrade, entered)) => upgrade.on_upgrade(move |socket| run(edge, socket, entered)),
        Err(refusal) => {
            super::operation::count_refusal(refusal.code);
            refusal.answer(Media::Json, id)
        }
    }
}

async fn open(edge: &Edge, parts: &mut Parts) -> Result<(WebSocketUpgrade, Entered), Refusal> {
    if parts.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    edge.streams.check_origin(&parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
    let upgrade = upgrade.map_err(|_other| {
        let text = "this is opened as a WebSocket";
        let mut refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", text);
        refusal.header = Some((header::UPGRADE, "websocket"));
        refusal
    })?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let text = "the sub-protocol is graphql-transport-ws";
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "SUBPROTOCOL_NOT_ACCEPTABLE",
            text,
        ));
    }
    let most = edge.bounds.body;
    let entered = edge.streams.enter()?;
    Ok((upgrade.max_message_size(most).max_frame_size(most), entered))
}

/// Whoever is at the other end.
struct Client {
    identity: Identity,
    realm: Realm,
    purpose: Option<Purpose>,
    /// Ends when the token is believed no longer.
    taken_back: BoxFuture<'static, Refused>,
    _socket: Held,
}

/// An operation under way.
struct Running {
    request: Uuid,
    stop: AbortHandle,
}

type Pieces = BoxStream<'static, (String, Piece)>;

struct Session {
    edge: Arc<Edge>,
    client: Option<Client>,
    running: HashMap<String, Running>,
    pieces: SelectAll<Pieces>,
}

/// How a socket ended.
enum End {
    /// We close it.
    Close(Close),
    /// The other end is gone, or says nothing any more.
    Gone(&'static str),
}

async fn run(edge: Arc<Edge>, socket: WebSocket, entered: Entered) {
    let open = metrics::gauge!("clb_hub_streams_open", "transport" => "ws");
    open.increment(1.0);
    let (sink, mut said) = socket.split();
    let written = Arc::new(AtomicU64::new(0));
    let (out, waiting) = mpsc::channel(UNDER_WAY);
    let mut writing = tokio::spawn(write(sink, waiting, Arc::clone(&written)));
    let mut session = Session {
        edge,
        client: None,
        running: HashMap::new(),
        pieces: SelectAll::new(),
    };
    let end = session.serve(&mut said, &out, &written).await;
    let reason = match end {
        End::Close(close) => {
            tracing::info!(code = close.code, reason = close.reason, "socket closed");
            let say = out.send(Message::Close(Some(close.frame())));
            let said_it = tokio::time::timeout(CLOSING, say).await;
            drop(out);
            if matches!(said_it, Ok(Ok(()))) {
                // Until it is written, and answered: what the other end still says is let go of.
                let answered = async {
                    drop((&mut writing).await);
                    while let Some(Ok(_)) = said.next().await {}
                };
                drop(tokio::time::timeout(CLOSING, answered).await);
            }
            close.reason
        }
        End::Gone(reason) => {
            tracing::info!(reason, "socket gone");
            reason
        }
    };
    metrics::counter!("clb_hub_streams_ended_total", "reason" => reason).increment(1);
    writing.abort();
    open.decrement(1.0);
    drop(entered);
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>, written: Arc<AtomicU64>) {
    while let Some(message) = waiting.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
        written.fetch_add(1, Ordering::Release);
    }
    drop(sink.flush().await);
}

impl Session {
    async fn serve(
        &mut self,
        said: &mut (impl futures::Stream<Item = Result<Message, axum::Error>> + Unpin),
        out: &mpsc::Sender<Message>,
        written: &AtomicU64,
    ) -> End {
        let edge = Arc::clone(&self.edge);
        let bounds = &edge.streams.bounds;
        let mut stopped = std::pin::pin!(edge.streams.stopped());
        let mut init = std::pin::pin!(tokio::time::sleep(bounds.init));
        let mut tick = tokio::time::interval(bounds.tick);
        let mut ping = tokio::time::interval(bounds.ping);
        ping.reset();
        let (mut heard, mut taking) = (true, Taking::default());
        // One message may be written: only then is something taken that could need it.
        let mut permit: Option<mpsc::Permit<'_, Message>> = None;
        loop {
            let may_write = permit.is_some();
            tokio::select! {
                biased;
                () = &mut stopped => return End::Close(Close::GOING_AWAY),
                () = &mut init, if self.client.is_none() => return End::Close(Close::INIT_TIMEOUT),
                refused = believed_no_longer(&mut self.client) => return End::Close(refused_by(&token_refused(refused))),
                _ = tick.tick() => {
                    if self.has_expired() {
                        return End::Close(Close::EXPIRED);
                    }
                    let took_nothing = taking.nothing_since(written.load(Ordering::Acquire));
                    if took_nothing && !may_write && self.waiting() >= bounds.waiting {
                        return End::Gone("slow");
                    }
                }
                _ = ping.tick() => {
                    if !std::mem::replace(&mut heard, false) {
                        return End::Gone("silent");
                    }
                    if let Some(permit) = permit.take() {
                        permit.send(Message::Ping(bytes::Bytes::new()));
                    }
                }
                place = out.reserve(), if !may_write => match place {
                    Ok(place) => permit = Some(place),
                    Err(_nobody_writes) => return End::Gone("gone"),
                },
                message = said.next(), if may_write => {
                    heard = true;
                    match self.hear(message).await {
                        Ok(Some(text)) => say(&mut permit, text),
                        Ok(None) => {}
                        Err(end) => return end,
                    }
                }
                Some((id, piece)) = self.pieces.next(), if may_write && !self.pieces.is_empty() => {
                    match self.piece(&id, piece).await {
                        Ok(Some(text)) => say(&mut permit, text),
                        Ok(None) => {}
                        Err(close) => return End::Close(close),
                    }
                }
            }
        }
    }

    /// What the other end says, and what is answered at once.
    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<Option<Utf8Bytes>, End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
            Some(Ok(Message::Binary(_))) => return Err(End::Close(Close::invalid("a message is not text"))),
            Some(Ok(Message::Close(_))) | None => return Err(End::Gone("closed by the client")),
            Some(Err(fault)) if is_too_big(&fault) => return Err(End::Close(Close::TOO_BIG)),
            Some(Err(_)) => return Err(End::Gone("gone")),
        };
        match Said::read(&text).map_err(End::Close)? {
            Said::Init(payload) => {
                if self.client.is_some() {
                    return Err(End::Close(Close::INIT_TWICE));
                }
                let client = identify(&self.edge, &payload).await.map_err(End::Close)?;
                let step_up = client.identity.step_up.as_ref().filter(|_| has_secrets(client.realm));
                let acknowledged = Told::acknowledged(step_up);
                self.client = Some(client);
                Ok(Some(acknowledged))
            }
            Said::Ping(payload) => Ok(Some(Told::pong(payload))),
            Said::Pong => Ok(None),
            Said::Subscribe { id, params } => self.subscribe(id, params).map_err(End::Close),
            Said::Complete { id } => {
                if let Some(running) = self.running.remove(&id) {
                    running.stop.abort();
                }
                Ok(None)
            }
        }
    }

    /// Begins an operation; what is said of it comes in pieces.
    fn subscribe(&mut self, id: String, params: Params) -> Result<Option<Utf8Bytes>, Close> {
        let Some(client) = &self.client else {
            return Err(Close::UNAUTHORIZED);
        };
        if self.running.contains_key(&id) {
            return Err(Close::EXISTS);
        }
        if self.has_expired() {
            return Err(Close::EXPIRED);
        }
        let asking = Asking {
            identity: client.identity.clone(),
            purpose: client.purpose,
            request: self.edge.ids.next(self.edge.clock.now()),
        };
        let request = asking.request;
        let Some(held) = self.edge.streams.subscription(&client.identity) else {
            let text = "too many operations of this client at once";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_SUBSCRIPTIONS", text);
            return Ok(Some(Told::error(&id, vec![refusal.error(request)])));
        };
        let (stop, stopped) = AbortHandle::new_pair();
        let pieces = operate(Arc::clone(&self.edge), params, asking, "ws").flatten_stream();
        let named = id.clone();
        let pieces = pieces.map(move |piece| {
            // Held as long as there are pieces.
            let _ = &held;
            (named.clone(), piece)
        });
        self.pieces.push(Abortable::new(pieces, stopped).boxed());
        self.running.insert(id, Running { request, stop });
        Ok(None)
    }

    /// What is said of a piece.
    async fn piece(&mut self, id: &str, piece: Piece) -> Result<Option<Utf8Bytes>, Close> {
        let Some(running) = self.running.get(id) else {
            return Ok(None);
        };
        if self.has_expired() {
            return Err(Close::EXPIRED);
        }
        let request = running.request;
        match piece {
            Piece::Next(response) => Ok(Some(Told::next(id, payload(&response, request)))),
            Piece::Errors(payload) => {
                self.over(id);
                Ok(Some(Told::error(id, payload)))
            }
            Piece::Complete => {
                self.over(id);
                let identity = self.client.as_ref().map(|client| client.identity.clone());
                is_still_somebody(&self.edge, identity).await?;
                Ok(Some(Told::complete(id)))
            }
        }
    }

    fn over(&mut self, id: &str) {
        if let Some(running) = self.running.remove(id) {
            running.stop.abort();
        }
    }

    fn has_expired(&self) -> bool {
        let now = self.edge.clock.now();
        self.client
            .as_ref()
            .is_some_and(|client| now >= client.identity.expires_at)
    }

    /// The most events that wait for one of its operations.
    fn waiting(&self) -> u64 {
        let waiting = self.running.values().map(|one| self.edge.service.waiting(one.request));
        waiting.max().unwrap_or_default()
    }
}

/// Who it is: the token and the purpose of `connection_init`, and a principal that is in force.
async fn identify(edge: &Arc<Edge>, payload: &Map<String, Value>) -> Result<Client, Close> {
    let text = |name: &str| {
        let named = payload.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str().unwrap_or_default())
    };
    let purpose = match text(PURPOSE) {
        Some(purpose) => Some(purpose_of(purpose).map_err(|refusal| Close::invalid(refusal.text))?),
        None => None,
    };
    let token = text("authorization").unwrap_or_default();
    let judged = edge.verifier.authorize(token, edge.clock.now()).await;
    let identity = judged.map_err(|why| refused_by(&token_refused(why)))?;
    let asking = Asking {
        identity,
        purpose,
        request: edge.ids.next(edge.clock.now()),
    };
    let (realm, ..) = sign_in(edge, &asking).await.map_err(|refusal| refused_by(&refusal))?;
    let socket = edge.streams.socket(&asking.identity).ok_or(Close::SOCKETS)?;
    Ok(Client {
        identity: asking.identity,
        realm,
        purpose,
        taken_back: taken_back(edge, token),
        _socket: socket,
    })
}

/// How a socket is closed to whom is not let in.
fn refused_by(refusal: &Refusal) -> Close {
    match refusal.status {
        StatusCode::SERVICE_UNAVAILABLE => Close::TRY_AGAIN,
        _ => Close::FORBIDDEN,
    }
}

/// Ends when the token of whoever signed in is believed no longer.
async fn believed_no_longer(client: &mut Option<Client>) -> Refused {
    match client {
        Some(client) => (&mut client.taken_back).await,
        None => std::future::pending().await,
    }
}

/// What ended by itself may have ended because nobody acts here any more.
async fn is_still_somebody(edge: &Edge, identity: Option<Identity>) -> Result<(), Close> {
    let Some(identity) = identity else {
        return Ok(());
    };
    let found = edge
        .principals
        .find(&identity.issuer, &identity.subject, edge.clock.now());
    match found.await {
        Ok(None) => Err(Close::FORBIDDEN),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

fn say(permit: &mut Option<mpsc::Permit<'_, Message>>, text: Utf8Bytes) {
    if let Some(permit) = permit.take() {
        permit.send(Message::Text(text));
    }
}

/// Whether a message was refused for its size: the library tells so by text alone.
fn is_too_big(fault: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(fault);
    while let Some(one) = cause {
        if one.to_string().contains("Message too long") {
            return true;
        }
        cause = one.source();
    }
    false
}
