//! Reading a body no further than its bound.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyRefused {
    /// More bytes than allowed.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke.
    Broken,
}

/// Reads at most `cap` bytes within `time`. A declared length over the cap is refused unread.
pub(super) async fn read(headers: &HeaderMap, body: Body, cap: usize, time: Duration) -> Result<Vec<u8>, BodyRefused> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > cap)) {
        return Err(BodyRefused::TooLarge);
    }
    tokio::time::timeout(time, collect(body, cap))
        .await
        .unwrap_or(Err(BodyRefused::TooSlow))
}

async fn collect(mut body: Body, cap: usize) -> Result<Vec<u8>, BodyRefused> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| BodyRefused::Broken)?;
        let Some(chunk) = frame.data_ref() else {
            continue;
        };
        if bytes.len().saturating_add(chunk.len()) > cap {
            return Err(BodyRefused::TooLarge);
        }
        bytes.extend_from_slice(chunk);
    }
    Ok(bytes)
}
