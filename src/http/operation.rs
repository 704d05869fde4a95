//! One operation, whatever brought it: held to the limits, signed in, run.
//!
//! `POST /graphql`, the socket and the event stream have this in common, so that none of them is a way round another.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response as GraphqlResponse, ServerError, Value, Variables};
use futures::FutureExt as _;
use http::{StatusCode, header};
use hub_entities::operation::{Operation, Purpose, Realm};
use tracing::{Span, field};
use uuid::Uuid;

use super::answer::Refusal;
use super::documents::Unread;
use super::params::Params;
use super::{Edge, limits};
use crate::app::SignedIn;
use crate::auth::{Identity, Refused};

/// Who asks, as far as the token proves it, and why.
pub(super) struct Asking {
    pub(super) identity: Identity,
    pub(super) purpose: Option<Purpose>,
    pub(super) request: Uuid,
}

/// A document within the limits, and what it does.
pub(super) struct Prepared {
    pub(super) request: Request,
    pub(super) kind: OperationType,
}

/// Why a document is not run.
pub(super) enum Unfit {
    /// It passes a limit.
    Refused(Refusal),
    /// It does not parse, or does not fit its variables.
    Document(ServerError),
}

/// Limits on the text, the parser, limits on the document: nothing is asked of anyone yet.
pub(super) fn prepare(params: Params, edge: &Edge) -> Result<Prepared, Unfit> {
    let document_error = |text: &str| Unfit::Document(ServerError::new(text, None));
    let read = edge.documents.read(&params.query, &edge.limits);
    let read = read.map_err(|unread| match unread {
        Unread::Refused(refusal) => Unfit::Refused(limited(refusal)),
        Unread::Malformed(error) => Unfit::Document(ServerError::from(error)),
    })?;
    let document = read.document.document();
    limits::check(document, &params.variables, &edge.limits, &edge.lists)
        .map_err(|refusal| Unfit::Refused(limited(refusal)))?;
    let chosen = choose(document, params.operation_name.as_deref()).map_err(document_error)?;
    if !has_required(chosen, &params.variables) {
        return Err(document_error("a required variable is missing or null"));
    }
    let kind = chosen.ty;
    trace_document(&params, read.mark);
    let mut request = Request::new(params.query).variables(params.variables);
    request.operation_name = params.operation_name;
    request.set_parsed_query(document.clone());
    let request = request.data(Arc::clone(&read.document));
    Ok(Prepared { request, kind })
}

/// Signs in and answers a query or a mutation.
pub(super) async fn answer_once(
    edge: &Edge,
    prepared: Prepared,
    asking: Asking,
) -> Result<(Realm, GraphqlResponse), Refusal> {
    let (realm, operation, signed_in) = sign_in(edge, &asking).await?;
    Span::current().record("realm", realm.name());
    let running = edge.service.execute(realm, prepared.request, operation, signed_in);
    Ok((realm, in_time(edge, running).await?))
}

/// The principal, as of this moment: the last thing before the operation runs, in one statement with what is decided
/// on, so that rights follow relations at once.
pub(super) async fn sign_in(edge: &Edge, asking: &Asking) -> Result<(Realm, Operation, SignedIn), Refusal> {
    let (identity, now) = (&asking.identity, edge.clock.now());
    let found = edge.principals.find(&identity.issuer, &identity.subject, now).await;
    let found = found.map_err(|_down| unavailable())?;
    let Some((mut signed_in, realm)) = found.and_then(|one| one.actor.realm().map(|realm| (one, realm))) else {
        let text = "this sign-in has no role in the hub";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "NO_PRINCIPAL", text));
    };
    signed_in.assured = identity.assured;
    let operation = Operation {
        actor: signed_in.actor.clone(),
        purpose: asking.purpose,
        now,
        request: asking.request,
    };
    Ok((realm, operation, signed_in))
}

/// Whether there is anything under secrecy in a realm. Whoever signed in too weakly for it is told there how to step up, with
/// every answer (RFC 9110 §11.6.1): what is withheld is withheld in data (design §3), and a challenge that came with some
/// answers alone would tell of what these are about.
pub(super) const fn has_secrets(realm: Realm) -> bool {
    matches!(realm, Realm::Clb | Realm::Person)
}

/// A purpose of the closed list.
pub(super) fn purpose_of(text: &str) -> Result<Purpose, Refusal> {
    let unknown = "CLB-Purpose is not one of the closed list";
    text.parse()
        .map_err(|_unknown| Refusal::new(StatusCode::BAD_REQUEST, "BAD_PURPOSE", unknown))
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
fn trace_document(params: &Params, mark: u64) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("document", field::display(format_args!("{mark:016x}")));
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

pub(super) fn token_refused(refused: Refused) -> Refusal {
    metrics::counter!("clb_hub_token_refusals_total", "reason" => refused.code()).increment(1);
    tracing::info!(reason = refused.code(), "token refused");
    if refused.is_not_the_clients() {
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

pub(super) fn count_refusal(reason: &'static str) {
    metrics::counter!("clb_hub_refusals_total", "reason" => reason).increment(1);
}

pub(super) const fn bad_request(text: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", text)
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
