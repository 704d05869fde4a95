//! An operation on a stream: a query or a mutation gives one piece, a subscription as many as come.

use std::sync::Arc;

use async_graphql::Response as GraphqlResponse;
use async_graphql::parser::types::OperationType;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::Value;
use tracing::{Instrument as _, Span, field};
use uuid::Uuid;

use super::Edge;
use super::answer::{Refusal, errors_of, outward};
use super::operation::{Asking, Prepared, Unfit, answer_once, count_refusal, prepare, sign_in};
use super::params::Params;

/// What comes of an operation, piece by piece.
#[derive(Debug)]
pub(super) enum Piece {
    /// One answer.
    Next(GraphqlResponse),
    /// It was refused, or failed: nothing follows.
    Errors(Vec<Value>),
    /// It is done.
    Complete,
}

/// The span of one operation: its name and a hash, no value (R61).
pub(super) fn span(request: Uuid, transport: &'static str) -> Span {
    tracing::info_span!(
        "operation",
        otel.name = "graphql",
        %request,
        transport,
        operation = field::Empty,
        document = field::Empty,
        realm = field::Empty,
        refused = field::Empty,
    )
}

/// Holds an operation to the limits, signs in for it and runs it.
pub(super) async fn operate(
    edge: Arc<Edge>,
    params: Params,
    asking: Asking,
    transport: &'static str,
) -> BoxStream<'static, Piece> {
    let span = span(asking.request, transport);
    let prepared = span.in_scope(|| prepare(params, &edge));
    begin(&edge, prepared, asking).instrument(span).await
}

/// Runs what was prepared.
pub(super) async fn begin(edge: &Edge, prepared: Result<Prepared, Unfit>, asking: Asking) -> BoxStream<'static, Piece> {
    let request = asking.request;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(Unfit::Refused(refusal)) => return refused(&refusal, request),
        Err(Unfit::Document(error)) => {
            count_refusal("INVALID_DOCUMENT");
            return once(Piece::Errors(vec![outward(&error, true, request)]));
        }
    };
    if prepared.kind == OperationType::Subscription {
        return match sign_in(edge, &asking).await {
            Ok((realm, operation, _)) => {
                Span::current().record("realm", realm.name());
                tracing::info!("followed");
                let responses = edge.service.subscribe(realm, prepared.request, operation);
                follow(responses, request)
            }
            Err(refusal) => refused(&refusal, request),
        };
    }
    match answer_once(edge, prepared, asking).await {
        Ok((_, response)) => {
            tracing::info!("answered");
            match errors_of(&response, request) {
                // It never ran.
                Some(errors) if response.errors.iter().all(|error| error.path.is_empty()) => {
                    once(Piece::Errors(errors))
                }
                _ => stream::iter([Piece::Next(response), Piece::Complete]).boxed(),
            }
        }
        Err(refusal) => refused(&refusal, request),
    }
}

fn follow(responses: BoxStream<'static, GraphqlResponse>, request: Uuid) -> BoxStream<'static, Piece> {
    let pieces = responses.map(move |response| match errors_of(&response, request) {
        Some(errors) => Piece::Errors(errors),
        None => Piece::Next(response),
    });
    pieces.chain(stream::iter([Piece::Complete])).boxed()
}

fn once(piece: Piece) -> BoxStream<'static, Piece> {
    stream::iter([piece]).boxed()
}

/// An operation that is refused as a whole.
pub(super) fn refused(refusal: &Refusal, request: Uuid) -> BoxStream<'static, Piece> {
    Span::current().record("refused", refusal.code);
    count_refusal(refusal.code);
    once(Piece::Errors(vec![refusal.error(request)]))
}
