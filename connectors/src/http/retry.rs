//! What is asked again, and when: full jitter, and never sooner than the source said.

use std::time::Duration;

use chrono::DateTime;

use super::{Head, Limits, Pause};

/// The wait before the second try is at most this; it doubles with each one.
const FIRST: Duration = Duration::from_millis(500);

/// A call that may go better another time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    pub(super) reason: &'static str,
    /// How long the source asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether the source cannot have heard the question.
    pub(super) unasked: bool,
}

impl Again {
    pub(super) const fn because(reason: &'static str) -> Self {
        Self {
            reason,
            retry_after: None,
            unasked: false,
        }
    }

    /// What a status that is not read says of another time.
    pub(super) fn of(head: &Head) -> Option<Self> {
        let again = match head.status.as_u16() {
            429 => Self {
                unasked: true,
                ..Self::because("it is asked too often")
            },
            408 | 425 | 502 | 503 | 504 => Self::because("it is not available"),
            500 => Self::because("it answers with an error of its own"),
            _ => return None,
        };
        Some(Self {
            retry_after: retry_after(head),
            ..again
        })
    }

    /// How long to wait before the next try; none when there is to be none.
    pub(super) fn wait(&self, attempt: u32, limits: &Limits, spent: Duration, pause: &dyn Pause) -> Option<Duration> {
        if attempt >= limits.attempts {
            return None;
        }
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let jitter = pause.up_to(doubled.min(limits.longest_wait));
        let wait = self.retry_after.unwrap_or_default().saturating_add(jitter);
        (wait <= limits.longest_wait && spent.saturating_add(wait) < limits.total).then_some(wait)
    }
}

/// `Retry-After` (RFC 9110 §10.2.3) as seconds, or as a date by the source's own clock.
fn retry_after(head: &Head) -> Option<Duration> {
    let said = head.header("retry-after")?;
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| DateTime::parse_from_rfc2822(text).ok();
    let (until, now) = (date(said)?, date(head.header("date")?)?);
    Some(until.signed_duration_since(now).to_std().unwrap_or_default())
}
