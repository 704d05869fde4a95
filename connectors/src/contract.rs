//! The contract of every connector that pulls: `spec, check, discover, read(state)`.
//!
//! A connector yields records and never decides: what is agreed, who a record is and what follows from it is the hub's.
//! What it could not read without doubt is a [`Gap`], never silence; a read that did not come to its end is a
//! [`Fault`] and no [`Finished`]. `SPEC.md` says what each must do, and one suite shows it for all of them.

use std::fmt;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::absences::{AbsenceRow, PupilKey};
use crate::fault::Fault;
use crate::roster::Roster;

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stream {
    /// Pupils, classes, who is in which.
    Roster,
    /// Half-days of absence.
    Absences,
}

/// What a connector is, before anything is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The name of the service, as in the register.
    pub name: &'static str,
    /// What it can bring.
    pub streams: &'static [Stream],
    /// By which number its absences name a pupil.
    pub pupil_key: PupilKey,
}

/// What a connector found when it looked: plain words for `doctor`, and what it will do about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Discovery {
    /// The institution numbers of the schools it can see, where the source names them.
    pub schools: Vec<String>,
    /// What the source can and cannot do, such as `filter: ignored, every read is a full one`; no person, no address.
    pub notes: Vec<String>,
}

/// Where a stream stands: written by the connector, opaque to the hub, and kept only after everything that was read
/// with it is committed. The default is the beginning: read everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(pub serde_json::Value);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which stream.
    pub stream: Stream,
    /// The institution number of the school, six digits.
    pub school: String,
    /// Where the stream stands.
    pub state: State,
    /// Everything, whatever the state says: the periodic reconciliation of ids.
    pub full: bool,
    /// The days of absence to read, by date in Europe/Brussels. A roster does not look at it.
    pub days: RangeInclusive<NaiveDate>,
    /// The present.
    pub now: DateTime<Utc>,
}

/// Loss is data: a kind of thing that could not be taken over, and how often it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The rule that could not be met, such as `oneroster.user_without_school`.
    pub rule: &'static str,
    /// What it was about, such as a field's name; never a person.
    pub detail: String,
    /// In how many records.
    pub records: u64,
}

/// Takes what is read. Calls come in the order of the source; nothing is used before the read has finished.
pub trait Sink: Send {
    /// The roster, once per read.
    fn roster(&mut self, roster: Roster);

    /// One half-day. Among the days asked for, a later row of the same half-day wins.
    fn absence(&mut self, row: AbsenceRow<'_>);

    /// What could not be taken over.
    fn gap(&mut self, gap: Gap);

    /// How far the read has come: records so far, and of how many where the source says so.
    fn progress(&mut self, done: u64, of: Option<u64>);
}

/// A read that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Where the stream stands now.
    pub state: State,
    /// Whether what was not said is gone: only after a read of everything that agrees with what the source says of
    /// its own size. Who is missing from it is *suspected* gone (standards §9).
    pub complete: bool,
}

/// A system that is pulled from. One value is one connection: a tenant, its credentials, its settings.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync {
    /// What it is. Calls nobody.
    fn spec(&self) -> Spec;

    /// Whether the source can be reached with these credentials.
    ///
    /// # Errors
    /// Why not, by what must happen next.
    async fn check(&self) -> Result<(), Fault>;

    /// What the source can do: schools, filters, what it ignores. Reads no pupil.
    ///
    /// # Errors
    /// As [`Connector::check`].
    async fn discover(&self) -> Result<Discovery, Fault>;

    /// Reads one stream from where it stands. Safe to be cut off anywhere and begun again.
    ///
    /// # Errors
    /// The read did not come to its end: whatever the sink has taken must not be used.
    async fn read(&self, ask: &Ask, sink: &mut dyn Sink) -> Result<Finished, Fault>;
}
