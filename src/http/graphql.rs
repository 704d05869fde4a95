//! `POST /graphql`: who, why, what; then the answer.

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Response as GraphqlResponse, ServerError, Value, Variables};
use axum::extract::{Query, Request, State};
use axum::response::Response;
use futures::FutureExt as _;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use hub_entities::operation::{Operation, Purpose, Realm};
use sha2::{Digest as _, Sha256};
use tracing::{Instrument as _, Span, field};
use uuid::Uuid;

use super::answer::{REQUEST_ID, Refusal, of_refused_document, of_response, outward};
use super::body::{self, BodyRefused};
use super::negotiate::{Media, accepted, is_json_body};
use super::params::Params;
use super::{Edge, limits};
use crate::app::SignedIn;
use crate::auth::{Identity, Refused};
use crate::telemetry;

/// The header that says why it is asked.
const PURPOSE: &str = "clb-purpose";

/// Answers one request, and counts and traces it without a word of its content.
pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
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

fn count_refusal(reason: &'static str) {
    metrics::counter!("clb_hub_refusals_total", "reason" => reason).increment(1);
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

/// Who asks, as far as the token proves it, and why.
struct Asking {
    identity: Identity,
    purpose: Option<Purpose>,
    request: Uuid,
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
async fn who(edge: &Edge, parts: &Parts) -> Result<Identity, Refusal> {
    let judged = edge.verifier.authenticate(&parts.headers, edge.clock.now()).await;
    judged.map_err(token_refused)
}

/// The principal, as of this moment: the last thing before the operation runs, in one statement with what is decided
/// on, so that rights follow relations at once.
async fn sign_in(edge: &Edge, asking: Asking) -> Result<(Realm, Operation, SignedIn), Refusal> {
    let (identity, now) = (asking.identity, edge.clock.now());
    let found = edge.principals.find(&identity.issuer, &identity.subject, now).await;
    let found = found.map_err(|_down| unavailable())?;
    let Some((signed_in, realm)) = found.and_then(|one| one.actor.realm().map(|realm| (one, realm))) else {
        let text = "this sign-in has no role in the hub";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "NO_PRINCIPAL", text));
    };
    let operation = Operation {
        actor: signed_in.actor.clone(),
        purpose: asking.purpose,
        now,
        request: asking.request,
    };
    Ok((realm, operation, signed_in))
}

fn purpose(parts: &Parts) -> Result<Option<Purpose>, Refusal> {
    let mut sent = parts.headers.get_all(PURPOSE).iter();
    let refusal = Refusal::new(
        StatusCode::BAD_REQUEST,
        "BAD_PURPOSE",
        "CLB-Purpose is not one of the closed list",
    );
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or(refusal),
        (Some(_), Some(_)) => Err(refusal),
    }
}

/// Limits on the text, the parser, limits on the document; then the principal and the schema.
async fn run(edge: &Edge, method: &Method, params: Params, media: Media, asking: Asking) -> Result<Response, Refusal> {
    let id = asking.request;
    limits::text::check(&params.query, &edge.limits).map_err(limited)?;
    let document = match parse_query(&params.query) {
        Ok(document) => document,
        Err(error) => return Ok(refused_document(&ServerError::from(error), media, id)),
    };
    limits::check(&document, &params.variables, &edge.limits).map_err(limited)?;
    let chosen = match choose(&document, params.operation_name.as_deref()) {
        Ok(chosen) => chosen,
        Err(text) => return Ok(refused_document(&ServerError::new(text, None), media, id)),
    };
    match chosen.ty {
        OperationType::Query => {}
        OperationType::Mutation if method == Method::POST => {}
        OperationType::Mutation => return Err(not_allowed("POST")),
        OperationType::Subscription => {
            let text = "subscriptions run over /graphql/ws and /graphql/stream";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "SUBSCRIPTION_HERE", text));
        }
    }
    if !has_required(chosen, &params.variables) {
        let error = ServerError::new("a required variable is missing or null", None);
        return Ok(refused_document(&error, media, id));
    }
    trace_document(&params);
    let mut request = async_graphql::Request::new(params.query).variables(params.variables);
    request.operation_name = params.operation_name;
    request.set_parsed_query(document);
    let (realm, operation, signed_in) = sign_in(edge, asking).await?;
    Span::current().record("realm", realm.name());
    let running = edge.service.execute(realm, request, operation, signed_in);
    let mut response = of_response(&in_time(edge, running).await?, media, id);
    response.extensions_mut().insert(realm);
    Ok(response)
}

fn refused_document(error: &ServerError, media: Media, id: Uuid) -> Response {
    count_refusal("INVALID_DOCUMENT");
    of_refused_document(&[outward(error, true, id)], media)
}

/// The operation that will run; the schema would choose the same.
fn choose<'doc>(
    document: &'doc ExecutableDocument,
    name: Option<&str>,
) -> Result<&'doc OperationDefinition, &'static str> {
    let mut operations = document.operations.iter();
    match name {
        Some(name) => operations
            .find(|(own, _)| own.is_some_and(|own| own.as_str() == name))
            .map(|(_, operation)| &operation.node)
            .ok_or("`operationName` names no operation of the document"),
        None => match (operations.next(), operations.next()) {
            (Some((_, only)), None) => Ok(&only.node),
            _ => Err("`operationName` is needed where there are several operations"),
        },
    }
}

/// Whether every non-null variable without default is given. async-graphql looks at a variable
/// only where it is used; the specification (§6.1.2) asks it of all.
fn has_required(operation: &OperationDefinition, variables: &Variables) -> bool {
    operation.variable_definitions.iter().all(|definition| {
        let definition = &definition.node;
        match variables.get(&definition.name.node) {
            Some(Value::Null) => definition.var_type.node.nullable,
            Some(_) => true,
            None => definition.var_type.node.nullable || definition.default_value.is_some(),
        }
    })
}

/// Runs the operation within its time; a panic in a resolver ends this request only.
async fn in_time(
    edge: &Edge,
    running: impl Future<Output = GraphqlResponse> + Send,
) -> Result<GraphqlResponse, Refusal> {
    let running = std::panic::AssertUnwindSafe(running).catch_unwind();
    match tokio::time::timeout(edge.bounds.request_time, running).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_panic)) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "internal error",
        )),
        Err(_elapsed) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TIMEOUT",
            "the answer took too long",
        )),
    }
}

/// The name and a hash tell operations apart in a trace; neither shows what was asked for.
fn trace_document(params: &Params) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let hash = Sha256::digest(limits::text::shape(&params.query));
    let short = hash.first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
    span.record("document", field::display(format_args!("{short:016x}")));
    if let Some(name) = &params.operation_name {
        // The client's text: only what a GraphQL name may hold, and not much of it.
        let allowed = |one: &char| one.is_ascii_alphanumeric() || *one == '_';
        span.record("operation", name.chars().filter(allowed).take(64).collect::<String>());
    }
}

fn limited(refusal: limits::Refusal) -> Refusal {
    let text = match refusal {
        limits::Refusal::Introspection => "introspection is off; the schema is published with the product",
        limits::Refusal::Page => "`first` must be from 1 to 200",
        limits::Refusal::Cost => "the query costs too much; ask for smaller pages or fewer fields",
        _ => "the query passes a limit",
    };
    Refusal::new(StatusCode::BAD_REQUEST, refusal.code(), text)
}

fn token_refused(refused: Refused) -> Refusal {
    metrics::counter!("clb_hub_token_refusals_total", "reason" => refused.code()).increment(1);
    tracing::info!(reason = refused.code(), "token refused");
    if refused == Refused::KeysUnavailable {
        return unavailable();
    }
    let challenge = match refused {
        Refused::Missing => "Bearer realm=\"clb-hub\"",
        _ => "Bearer realm=\"clb-hub\", error=\"invalid_token\"",
    };
    let mut refusal = Refusal::new(
        StatusCode::UNAUTHORIZED,
        "UNAUTHENTICATED",
        "a valid access token is needed",
    );
    refusal.header = Some((header::WWW_AUTHENTICATE, challenge));
    refusal
}

fn body_refused(refused: BodyRefused) -> Refusal {
    match refused {
        BodyRefused::TooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "the body is too large"),
        BodyRefused::TooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "the body took too long"),
        BodyRefused::Broken => bad_request("the body broke off"),
    }
}

const fn bad_request(text: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", text)
}

fn not_allowed(allow: &'static str) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "this method is not allowed here",
    );
    refusal.header = Some((header::ALLOW, allow));
    refusal
}

fn unavailable() -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "not available now; try again",
    );
    refusal.header = Some((header::RETRY_AFTER, "5"));
    refusal
}
