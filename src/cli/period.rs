//! From when until when a log is read, as an operator says it.

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use hub_entities::time::brussels_midnight;

use super::Failure;

/// A period of the access log.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Period {
    /// From when: a day, which begins in Brussels, or an instant (RFC 3339).
    #[arg(long, value_name = "2026-09-01", value_parser = instant)]
    from: DateTime<Utc>,
    /// Until when, itself not included.
    #[arg(long, value_name = "2026-10-01", value_parser = instant)]
    until: DateTime<Utc>,
}

impl Period {
    /// Both ends.
    pub(super) fn span(self) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
        if self.from < self.until {
            Ok((self.from, self.until))
        } else {
            Err(Failure::Refused("--until must be behind --from".to_owned()))
        }
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let day = text.parse::<NaiveDate>().ok().map(brussels_midnight);
    let instant = day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()));
    instant.ok_or("a day such as 2026-09-01, or an instant such as 2026-09-01T08:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_brussels() {
        let at = |text: &str| instant(text).map(|at| at.to_rfc3339());
        // Summer time, then winter time.
        assert_eq!(at("2026-09-01").as_deref(), Ok("2026-08-31T22:00:00+00:00"));
        assert_eq!(at("2026-11-01").as_deref(), Ok("2026-10-31T23:00:00+00:00"));
        assert_eq!(
            at("2026-09-01T08:00:00+02:00").as_deref(),
            Ok("2026-09-01T06:00:00+00:00")
        );
        for text in ["", "yesterday", "2026-02-30", "2026-09-01T08:00:00"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
