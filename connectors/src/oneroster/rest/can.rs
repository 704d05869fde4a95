//! What a source can do, found out by asking: filters, order and choice of fields are promised by all and kept by few
//! (standards §1.4).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::ORGS;
use super::source::{KEYS, Query, Reply, Source};
use super::tally::Tally;
use crate::fault::Fault;

/// What a source does as the standard says. What it does not is done without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Can {
    /// It tells what has changed since a moment.
    pub(super) filter: bool,
    /// It accepts an order.
    pub(super) sort: bool,
    /// It leaves out fields that are not asked for.
    pub(super) fields: bool,
}

/// What one small question brought.
struct Tried {
    accepted: bool,
    records: u64,
    named: bool,
}

/// Asks for one organisation in several ways. Reads no person.
pub(super) async fn probe(source: &Source) -> Result<Can, Fault> {
    let one = Query {
        first: Some(1),
        ..Query::default()
    };
    let plain = tried(source, one).await?;
    if !plain.accepted || plain.records == 0 {
        return Ok(Can::default());
    }
    let since = |since| Query {
        since: Some(since),
        ..one
    };
    let (early, late) = (DateTime::UNIX_EPOCH, far());
    // One that must match nothing and one that must match all: servers answer a filter that they do not understand
    // with everything, with nothing, or with an error.
    let (nothing, all) = (tried(source, since(late)).await?, tried(source, since(early)).await?);
    let sorted = tried(source, Query { sort: true, ..one }).await?;
    let chosen = tried(
        source,
        Query {
            fields: Some(KEYS),
            ..one
        },
    )
    .await?;
    Ok(Can {
        filter: nothing.accepted && nothing.records == 0 && all.records > 0,
        sort: sorted.accepted && sorted.records > 0,
        fields: chosen.records > 0 && plain.named && !chosen.named,
    })
}

async fn tried(source: &Source, query: Query<'_>) -> Result<Tried, Fault> {
    let mut named = false;
    let reply = source
        .walk(&ORGS, query, &mut Tally::default(), &mut |record, _| {
            named |= record.value("name").text().is_some();
        })
        .await?;
    Ok(match reply {
        Reply::Read(walked) => Tried {
            accepted: true,
            records: walked.keys.count(),
            named,
        },
        Reply::NotSo => Tried {
            accepted: false,
            records: 0,
            named,
        },
        other => {
            return other.answered().map(|_| Tried {
                accepted: true,
                records: 0,
                named,
            });
        }
    })
}

/// A moment at which nothing has changed yet: the last second of the year 2999.
fn far() -> DateTime<Utc> {
    DateTime::from_timestamp(32_503_679_999, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
