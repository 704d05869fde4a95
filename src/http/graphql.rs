//! `POST /graphql`: who, why, what; then the answer.

use std::sync::Arc;

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use hub_entities::operation::{Purpose, Realm};
use tracing::{Instrument as _, Span, field};
use uuid::Uuid;

use super::Edge;
use super::answer::{REQUEST_ID, Refusal, of_refused_document, of_response, outward};
use super::body::{self, BodyRefused};
use super::negotiate::{Media, accepted, is_json_body};
use super::operation::{
    Asking, Unfit, answer_once, bad_request, count_refusal, has_secrets, prepare, purpose_of, token_refused,
};
use super::params::Params;
use crate::auth::Identity;
use crate::telemetry;

/// The header that says why it is asked.
pub(super) const PURPOSE: &str = "clb-purpose";

/// Answers one request, and counts and traces it without a word of its content.
pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long an answer took is for the metrics alone"
    )]
    let began = std::time::Instant::now();
    let id = edge.ids.next(edge.clock.now());
    let span = tracing::info_span!(
        "request",
        otel.name = "graphql",
        request = %id,
        operation = field::Empty,
        document = field::Empty,
        realm = field::Empty,
        status = field::Empty,
        refused = field::Empty,
    );
    telemetry::adopt_parent(&span, request.headers());
    let (media, mut response) = {
        let media = accepted(request.headers()).unwrap_or(Media::Json);
        let answered = answer(&edge, request, id, media).instrument(span.clone()).await;
        (
            media,
            answered.unwrap_or_else(|refusal| refuse(&span, refusal, media, id)),
        )
    };
    let status = response.status();
    span.record("status", status.as_u16());
    let realm = response
        .extensions()
        .get::<Realm>()
        .map_or("none", |realm| realm.name());
    let class = status_class(status);
    metrics::counter!("clb_hub_requests_total", "realm" => realm, "status" => class).increment(1);
    metrics::histogram!("clb_hub_request_seconds", "realm" => realm).record(began.elapsed().as_secs_f64());
    span.in_scope(|| tracing::info!(media = media.content_type(), "answered"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn refuse(span: &Span, refusal: Refusal, media: Media, id: Uuid) -> Response {
    span.record("refused", refusal.code);
    count_refusal(refusal.code);
    refusal.answer(media, id)
}

const fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

async fn answer(edge: &Edge, request: Request, id: Uuid, media: Media) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    check_head(edge, &parts)?;
    let asking = Asking {
        identity: who(edge, &parts).await?,
        purpose: purpose(&parts)?,
        request: id,
    };
    let params = if parts.method == Method::POST {
        let bounds = edge.bounds;
        let bytes = body::read(&parts.headers, body, bounds.body, bounds.body_time).await;
        Params::of_body(&bytes.map_err(body_refused)?)
    } else {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|_malformed| bad_request("the query of the address is malformed"))?;
        Params::of_query(pairs)
    };
    let params = params.map_err(|bad| bad_request(bad.0))?;
    run(edge, &parts.method, params, media, asking).await
}

/// What can be refused without looking at the token.
fn check_head(edge: &Edge, parts: &Parts) -> Result<(), Refusal> {
    let allow = if edge.bounds.get_queries { "GET, POST" } else { "POST" };
    match parts.method {
        Method::POST => {}
        Method::GET if edge.bounds.get_queries => {}
        _ => return Err(not_allowed(allow)),
    }
    if accepted(&parts.headers).is_none() {
        let text = "answers are application/graphql-response+json or application/json";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", text));
    }
    if parts.method == Method::POST && !is_json_body(&parts.headers) {
        let text = "the body must be application/json in utf-8";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            text,
        ));
    }
    Ok(())
}

/// What the token proves.
pub(super) async fn who(edge: &Edge, parts: &Parts) -> Result<Identity, Refusal> {
    let judged = edge.verifier.authenticate(&parts.headers, edge.clock.now()).await;
    judged.map_err(token_refused)
}

/// Why it is asked, where the one header says so.
pub(super) fn purpose(parts: &Parts) -> Result<Option<Purpose>, Refusal> {
    let mut sent = parts.headers.get_all(PURPOSE).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => purpose_of(one.to_str().unwrap_or_default()).map(Some),
        (Some(_), Some(_)) => purpose_of("").map(Some),
    }
}

/// Limits on the text, the parser, limits on the document; then the principal and the schema.
async fn run(edge: &Edge, method: &Method, params: Params, media: Media, asking: Asking) -> Result<Response, Refusal> {
    let id = asking.request;
    let prepared = match prepare(params, edge) {
        Ok(prepared) => prepared,
        Err(Unfit::Refused(refusal)) => return Err(refusal),
        Err(Unfit::Document(error)) => return Ok(refused_document(&error, media, id)),
    };
    match prepared.kind {
        OperationType::Query => {}
        OperationType::Mutation if method == Method::POST => {}
        OperationType::Mutation => return Err(not_allowed("POST")),
        OperationType::Subscription => {
            let text = "subscriptions run over /graphql/ws and /graphql/stream";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "SUBSCRIPTION_HERE", text));
        }
    }
    let step_up = asking.identity.step_up.clone();
    let (realm, answered) = answer_once(edge, prepared, asking).await?;
    let mut response = of_response(&answered, media, id);
    response.extensions_mut().insert(realm);
    if let Some(challenge) = step_up.filter(|_| has_secrets(realm)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}

fn refused_document(error: &ServerError, media: Media, id: Uuid) -> Response {
    count_refusal("INVALID_DOCUMENT");
    of_refused_document(&[outward(error, true, id)], media)
}

pub(super) fn body_refused(refused: BodyRefused) -> Refusal {
    match refused {
        BodyRefused::TooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "the body is too large"),
        BodyRefused::TooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "the body took too long"),
        BodyRefused::Broken => bad_request("the body broke off"),
    }
}

pub(super) fn not_allowed(allow: &'static str) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "this method is not allowed here",
    );
    refusal.header = Some((header::ALLOW, allow));
    refusal
}
