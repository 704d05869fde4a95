//! `POST /graphql/stream`: one operation over server-sent events, graphql-sse's distinct connections mode.
//!
//! A document that is refused is told as an event, for a client reads the stream and not the status; who may not open
//! a stream at all gets a status. Each event has the cursor of its update for an id, where the update tells it, and a
//! client that comes back with `Last-Event-ID` goes on there. A stream that breaks off without `complete` is one to
//! come back to: elsewhere, with another token, or less far behind.

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::{Response as GraphqlResponse, Value};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use hub_graphql::alert::Resume;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Edge;
use super::answer::{REQUEST_ID, Refusal, payload};
use super::follow::{Piece, begin, span};
use super::graphql::{body_refused, not_allowed, purpose, who};
use super::negotiate::{Media, accepts_events, is_json_body};
use super::operation::{Asking, bad_request, count_refusal, has_secrets, prepare};
use super::params::Params;
use super::streams::{Entered, Held, Taking, taken_back};
use super::{body, operation};
use crate::auth::{Identity, Refused};

/// Events between the one who makes them and the one who writes.
const UNDER_WAY: usize = 8;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A proxy must not hold events back until it has enough of them.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Opens an event stream.
pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let id = edge.ids.next(edge.clock.now());
    let mut response = match open(&edge, request, id).await {
        Ok(response) => response,
        Err(refusal) => {
            count_refusal(refusal.code);
            refusal.answer(Media::Json, id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn open(edge: &Arc<Edge>, request: Request, id: Uuid) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(not_allowed("POST"));
    }
    if !accepts_events(&parts.headers) {
        let text = "answers are text/event-stream";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", text));
    }
    if !is_json_body(&parts.headers) {
        let text = "the body must be application/json in utf-8";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            text,
        ));
    }
    edge.streams.check_origin(&parts.headers)?;
    let entered = edge.streams.enter()?;
    let asking = Asking {
        identity: who(edge, &parts).await?,
        purpose: purpose(&parts)?,
        request: id,
    };
    let held = edge.streams.subscription(&asking.identity).ok_or_else(|| {
        let text = "too many operations of this client at once";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_SUBSCRIPTIONS", text)
    })?;
    let bounds = edge.bounds;
    let bytes = body::read(&parts.headers, body, bounds.body, bounds.body_time).await;
    let params = Params::of_body(&bytes.map_err(body_refused)?).map_err(|bad| bad_request(bad.0))?;
    // Nobody who acts here: a status says so before a stream does.
    let (realm, ..) = operation::sign_in(edge, &asking).await?;

    let span = span(id, "sse");
    let resume = parts.headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let resume = resume
        .filter(|cursor| !cursor.is_empty())
        .map(|cursor| Resume(cursor.to_owned()));
    let prepared = span.in_scope(|| prepare(params, edge)).map(|mut prepared| {
        if let Some(resume) = resume {
            prepared.request = prepared.request.data(resume);
        }
        prepared
    });
    let identity = asking.identity.clone();
    let step_up = identity.step_up.clone();
    let pieces = begin(edge, prepared, asking).instrument(span).await;
    let (out, mut events) = mpsc::channel(UNDER_WAY);
    let authorization = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let taken_back = taken_back(edge, authorization.unwrap_or_default());
    let stream = Stream {
        edge: Arc::clone(edge),
        identity,
        request: id,
        out,
        _open: (entered, held),
    };
    tokio::spawn(stream.run(pieces, taken_back));
    let events =
        futures::stream::poll_fn(move |context| events.poll_recv(context).map(|event| event.map(Ok::<_, Infallible>)));
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Some(challenge) = step_up.filter(|_| has_secrets(realm)) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}

/// One event stream.
struct Stream {
    edge: Arc<Edge>,
    identity: Identity,
    request: Uuid,
    out: mpsc::Sender<Bytes>,
    _open: (Entered, Held),
}

impl Stream {
    async fn run(self, pieces: BoxStream<'static, Piece>, taken_back: BoxFuture<'static, Refused>) {
        let open = metrics::gauge!("clb_hub_streams_open", "transport" => "sse");
        open.increment(1.0);
        let reason = self.serve(pieces, taken_back).await;
        metrics::counter!("clb_hub_streams_ended_total", "reason" => reason).increment(1);
        tracing::info!(reason, "event stream ended");
        open.decrement(1.0);
    }

    async fn serve(
        &self,
        mut pieces: BoxStream<'static, Piece>,
        mut taken_back: BoxFuture<'static, Refused>,
    ) -> &'static str {
        let bounds = &self.edge.streams.bounds;
        let mut stopped = std::pin::pin!(self.edge.streams.stopped());
        let mut tick = tokio::time::interval(bounds.tick);
        let mut beat = tokio::time::interval(bounds.ping);
        beat.reset();
        // At once, so that the client knows that it is connected.
        if self.out.send(Bytes::from_static(BEAT.as_bytes())).await.is_err() {
            return "gone";
        }
        let (mut sent, mut taking) = (1_u64, Taking::default());
        let mut permit: Option<mpsc::Permit<'_, Bytes>> = None;
        loop {
            let may_write = permit.is_some();
            tokio::select! {
                biased;
                () = &mut stopped => return "Going away",
                refused = &mut taken_back => return ended_with(refused),
                _ = tick.tick() => {
                    if self.has_expired() {
                        return "Forbidden: the token has expired";
                    }
                    // What was sent and is not under way any more was taken.
                    let under_way = UNDER_WAY.saturating_sub(self.out.capacity());
                    let taken = sent.saturating_sub(u64::try_from(under_way).unwrap_or_default());
                    let waiting = self.edge.service.waiting(self.request);
                    if taking.nothing_since(taken) && !may_write && waiting >= bounds.waiting {
                        return "slow";
                    }
                }
                place = self.out.reserve(), if !may_write => match place {
                    Ok(place) => permit = Some(place),
                    Err(_gone) => return "gone",
                },
                () = self.out.closed() => return "gone",
                _ = beat.tick(), if may_write => {
                    put(&mut permit, &mut sent, BEAT.to_owned());
                }
                piece = pieces.next(), if may_write => {
                    if self.has_expired() {
                        return "Forbidden: the token has expired";
                    }
                    let over = match piece {
                        Some(Piece::Next(response)) => {
                            put(&mut permit, &mut sent, next(&response, self.request));
                            false
                        }
                        Some(Piece::Errors(errors)) => {
                            put(&mut permit, &mut sent, event(None, &json!({ "errors": errors })));
                            true
                        }
                        Some(Piece::Complete) | None => {
                            put(&mut permit, &mut sent, COMPLETE.to_owned());
                            return "complete";
                        }
                    };
                    if over {
                        // The refusal is the only result: then it is done.
                        drop(self.out.send(Bytes::from_static(COMPLETE.as_bytes())).await);
                        return "refused";
                    }
                }
            }
        }
    }

    fn has_expired(&self) -> bool {
        self.edge.clock.now() >= self.identity.expires_at
    }
}

/// Why a stream ended whose token is believed no longer.
const fn ended_with(refused: Refused) -> &'static str {
    if refused.is_not_the_clients() {
        "Try again later"
    } else {
        "Forbidden"
    }
}

/// A comment: nothing but a sign of life.
const BEAT: &str = ":\n\n";

const COMPLETE: &str = "event: complete\ndata:\n\n";

fn put(permit: &mut Option<mpsc::Permit<'_, Bytes>>, sent: &mut u64, text: String) {
    if let Some(permit) = permit.take() {
        permit.send(text.into());
        *sent = sent.saturating_add(1);
    }
}

fn next(response: &GraphqlResponse, request: Uuid) -> String {
    event(cursor(&response.data), &payload(response, request))
}

/// JSON has no line ends: one line of data.
fn event(id: Option<&str>, data: &impl Serialize) -> String {
    // Plain data with text for keys: it can always be written.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("event: next\n{id}data: {data}\n\n")
}

/// The cursor of an update, where the client asked for it. It is base64url: no line ends.
fn cursor(data: &Value) -> Option<&str> {
    let Value::Object(root) = data else {
        return None;
    };
    let (Some(Value::Object(update)), true) = (root.values().next(), root.len() == 1) else {
        return None;
    };
    match update.get("cursor") {
        Some(Value::String(cursor)) => Some(cursor),
        _ => None,
    }
}
