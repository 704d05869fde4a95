//! One read of a source: everything, or what has changed since the last one.
//!
//! Organisations, sessions and classes are few and read whole each time. Of the rest a source that can filter is asked
//! for what has changed, from a while before the last read. It never says what it has removed, so whatever the state
//! says, everything is read again after a day.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::can::{Can, probe};
use super::page::Each;
use super::reading::{Reading, school};
use super::record::{CLASSES, DEMOGRAPHICS, ENROLLMENTS, ORGS, Record, SESSIONS, Table, USERS};
use super::settings::Settings;
use super::source::{KEYS, Query, Reply, Source, Walked};
use super::tally::Tally;
use crate::contract::{Ask, Finished, Sink, State};
use crate::fault::Fault;
use crate::roster::{Complete, OrgRow};

/// Where the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    /// Every change before this moment has been read, by the clock of the source.
    since: DateTime<Utc>,
    /// When everything was read.
    whole: DateTime<Utc>,
    /// What the source could do then.
    can: Can,
}

/// Goes through lists, tells how far it is, and remembers what was lost.
struct Walker<'w> {
    source: &'w Source,
    can: Can,
    sink: &'w mut dyn Sink,
    tally: Tally,
    done: u64,
    /// Whether every list was seen whole.
    settled: bool,
}

impl Walker<'_> {
    /// A list, whole or since a moment. None when the rights do not reach so far or there is none.
    async fn list(
        &mut self,
        table: &'static Table,
        since: Option<DateTime<Utc>>,
        each: &mut Each<'_>,
    ) -> Result<Reply<(Walked, bool)>, Fault> {
        let query = Query {
            since,
            sort: self.can.sort,
            ..Query::default()
        };
        let done = &mut self.done;
        let mut counted = |record: &Record<'_>, tally: &mut Tally| {
            *done = done.saturating_add(1);
            each(record, tally);
        };
        let walked = match self.source.walk(table, query, &mut self.tally, &mut counted).await? {
            Reply::Read(walked) => walked,
            Reply::Forbidden => return Ok(Reply::Forbidden),
            Reply::Absent => return Ok(Reply::Absent),
            Reply::NotSo => return Ok(Reply::NotSo),
        };
        self.sink.progress(self.done, None);
        let keys = Query {
            fields: self.can.fields.then_some(KEYS),
            ..query
        };
        let settled = self.source.settled(table, keys, &walked, &mut self.tally).await?;
        self.settled &= settled;
        Ok(Reply::Read((walked, settled)))
    }
}

/// The schools of a source.
pub(super) async fn schools(source: &Source) -> Result<Vec<OrgRow>, Fault> {
    let mut found = Vec::new();
    let walked = source
        .walk(&ORGS, Query::default(), &mut Tally::default(), &mut |record, tally| {
            found.extend(school(record, tally));
        })
        .await?;
    walked.answered()?;
    Ok(found)
}

/// The school that is asked for, among those of the source; with the number that it is asked for by.
fn find(schools: &[OrgRow], settings: &Settings, number: &str) -> Result<OrgRow, Fault> {
    let bare = |number: &str| number.trim().trim_start_matches('0').to_owned();
    let is_it = |school: &&OrgRow| match &settings.school {
        Some(key) => school.source_key == *key,
        // Whoever keeps a number as a number loses its zeros.
        None => school
            .identifier
            .as_deref()
            .is_some_and(|found| bare(found) == bare(number)),
    };
    let mut found = schools.iter().filter(is_it);
    let one = found.next().ok_or(Fault::Config(match settings.school {
        Some(_) => "the source has no school with the key that the connection names",
        None => "no school of the source carries the institution number of this school",
    }))?;
    if found.next().is_some() {
        return Err(Fault::Config(
            "several schools of the source carry the institution number of this school: the connection must name one",
        ));
    }
    Ok(OrgRow {
        identifier: Some(number.to_owned()),
        ..one.clone()
    })
}

/// Reads the roster.
pub(super) async fn read(
    source: &Source,
    settings: &Settings,
    ask: &Ask,
    sink: &mut dyn Sink,
) -> Result<Finished, Fault> {
    let stands: Option<Stand> = serde_json::from_value(ask.state.0.clone()).ok();
    let fresh = |stands: &Stand| {
        let age = ask.now.signed_duration_since(stands.whole);
        (TimeDelta::zero()..settings.whole_every()).contains(&age)
    };
    let stands = stands.filter(|stands| !ask.full && stands.can.filter && fresh(stands));
    if let Some(stands) = stands
        && let Some(finished) = attempt(source, settings, ask, sink, stands.can, Some(stands)).await?
    {
        return Ok(finished);
    }
    // From the beginning; or the source cannot be asked for changes any more.
    let can = probe(source).await?;
    let finished = attempt(source, settings, ask, sink, can, None).await?;
    finished.ok_or(Fault::Config("the source does not accept how the connection asks"))
}

/// One read: of the changes since the last one, or of everything. None when the source cannot be asked for changes.
async fn attempt(
    source: &Source,
    settings: &Settings,
    ask: &Ask,
    sink: &mut dyn Sink,
    can: Can,
    stands: Option<Stand>,
) -> Result<Option<Finished>, Fault> {
    let mut walker = Walker {
        source,
        can,
        sink,
        tally: Tally::default(),
        done: 0,
        settled: true,
    };
    let since = stands.and_then(|stands| stands.since.checked_sub_signed(settings.overlap()));
    let mut found = Vec::new();
    let (orgs, _) = walker
        .list(&ORGS, None, &mut |record, tally| found.extend(school(record, tally)))
        .await?
        .answered()?;
    let keys: BTreeSet<String> = found.iter().map(|school| school.source_key.clone()).collect();
    let mut reading = Reading::new(settings, find(&found, settings, &ask.school)?, keys);
    let Some(complete) = lists(&mut walker, settings, since, &mut reading).await? else {
        return Ok(None);
    };
    let Walker {
        sink,
        tally,
        done,
        settled,
        ..
    } = walker;
    // A source whose clock is ahead is asked from our own moment on: earlier is never too little.
    let mark = orgs.clock.map_or(ask.now, |clock| clock.min(ask.now));
    let next = match stands {
        // Of a list that moved while it was read, what it said may not be all that had changed.
        Some(stands) => Some(Stand {
            since: if settled { mark.max(stands.since) } else { stands.since },
            ..stands
        }),
        None => (can.filter && tally.undated == 0).then_some(Stand {
            since: mark,
            whole: ask.now,
            can,
        }),
    };
    tally.tell(sink);
    sink.progress(done, None);
    sink.roster(reading.finish(complete, &tally));
    let state = next.and_then(|next| serde_json::to_value(next).ok());
    Ok(Some(Finished {
        state: state.map(State).unwrap_or_default(),
        complete: complete.pupils && complete.classes && complete.memberships,
    }))
}

/// Everything behind the organisations; says which lists are the whole truth. None when a list cannot be asked for
/// changes.
async fn lists(
    walker: &mut Walker<'_>,
    settings: &Settings,
    since: Option<DateTime<Utc>>,
    reading: &mut Reading<'_>,
) -> Result<Option<Complete>, Fault> {
    walker
        .list(&SESSIONS, None, &mut |record, tally| reading.session(record, tally))
        .await?
        .answered()?;
    let (_, classes) = walker
        .list(&CLASSES, None, &mut |record, tally| reading.class(record, tally))
        .await?
        .answered()?;
    // A pupil's contacts stand with those who are reached, and these with the pupil: one record alone would leave some
    // out, so that all are read when one has changed.
    let mut all_users = since.is_none();
    if since.is_some() {
        let mut changed = |record: &Record<'_>, _: &mut Tally| all_users |= reading.concerns(record);
        match walker.list(&USERS, since, &mut changed).await? {
            Reply::NotSo => return Ok(None),
            reply => drop(reply.answered()?),
        }
    }
    let mut users = false;
    if all_users {
        let (_, settled) = walker
            .list(&USERS, None, &mut |record, tally| reading.user(record, tally))
            .await?
            .answered()?;
        users = settled;
    }
    if settings.demographics {
        let mut births = |record: &Record<'_>, tally: &mut Tally| reading.demographics(record, all_users, tally);
        match walker.list(&DEMOGRAPHICS, since, &mut births).await? {
            Reply::Read(_) => {}
            Reply::NotSo if since.is_some() => return Ok(None),
            _ => walker.tally.lose("oneroster.no_demographics", "demographics", ""),
        }
    }
    let mut places = |record: &Record<'_>, tally: &mut Tally| reading.enrollment(record, all_users, tally);
    let enrollments = match walker.list(&ENROLLMENTS, since, &mut places).await? {
        Reply::NotSo if since.is_some() => return Ok(None),
        reply => reply.answered()?.1,
    };
    // A school that is being filled, in summer, or one that everybody has left: the hub lets a person look (R08).
    if all_users && !reading.has_pupils() {
        walker.tally.lose("oneroster.school_without_pupils", "users", "");
    }
    let sound = !walker.tally.hides;
    Ok(Some(Complete {
        pupils: sound && all_users && users,
        classes: sound && classes,
        memberships: sound && since.is_none() && enrollments,
    }))
}
