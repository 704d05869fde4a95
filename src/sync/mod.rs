//! From what a source says to what the hub knows:
//! `read → filter by agreement → match → stage → merge → evaluate → watermark` (design §5).
//!
//! A faulty or partial read changes nothing. What cannot be matched waits in quarantine. A run is
//! leased and fenced, and one that was killed goes on where it was.

pub mod absences;
mod backoff;
pub mod carried;
pub mod files;
mod filter;
pub mod half_day;
mod keeping;
mod keys;
pub mod look;
mod news;
pub mod pull;
pub mod push;
mod quarantine;
pub mod recheck;
pub mod roster;
pub mod schedule;
mod staging;
pub mod stop;

use std::sync::Arc;
use std::time::Duration;

use hub_connectors::fault::Fault;
use hub_entities::evaluation::LawBook;
use hub_entities::id::{Ids, RunId, SchoolId, SourceId};
use hub_entities::number::national::BlindIndexKey;
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Decision, Scope, decide};
use hub_entities::source::{RunKind, RunState, run};
use hub_entities::time::Clock;
use stop::Stop;
use tracing::{Instrument as _, field};

use crate::store::intake::lease_of;
use crate::store::lease::Lease;
use crate::store::ledger::Work;
use crate::store::run::{Begun, Coming, begin, set_state};
use crate::store::{Db, DbError, relations};

/// What a sync works with.
#[derive(Clone)]
pub struct Sync {
    /// The database.
    pub db: Db,
    /// The laws.
    pub book: Arc<LawBook>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// The key of the blind index, where an authorisation to use national numbers is configured.
    pub national_numbers: Option<Arc<BlindIndexKey>>,
    /// Told how far a run has come: (rows done, rows in all).
    pub progress: Arc<dyn Fn(u64, u64) + Send + std::marker::Sync>,
    /// What tells that the process stops: an import of files is given up then, and goes on when it is begun again.
    pub stop: Stop,
}

impl std::fmt::Debug for Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sync").field("db", &self.db).finish_non_exhaustive()
    }
}

/// The connection a run works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The connection.
    pub id: SourceId,
    /// Its school.
    pub school: SchoolId,
}

/// Why a run did not come to its end. Nothing it had not committed is visible.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The store failed. The run resumes when it is started again.
    #[error(transparent)]
    Store(#[from] DbError),
    /// The data was faulty; nothing was changed.
    #[error("the data is faulty and nothing was changed\n{0}")]
    Faulty(Box<hub_connectors::report::Report>),
    /// The data could not be read.
    #[error("the data could not be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// What was read is not what was looked at first, and by which the same import would be known again.
    #[error(
        "the file was replaced or changed while it was read; nothing was changed: the same again, once it lies still"
    )]
    Replaced,
    /// Another process works on this source.
    #[error("another process is working on this source; its lease ends by itself when it is gone")]
    Busy,
    /// A run with other data must come to its end first.
    #[error("run {} ({}) must come to its end first", .0, .1)]
    InTheWay(RunId, RunState),
    /// No agreement in force lets the hub keep anything of this kind.
    #[error("no agreement in force today lets the hub keep any of this; nothing was read")]
    NotAgreed,
    /// Absences name pupils by a number that the hub does not keep.
    #[error("absences can name a pupil by sourcedId, identifier or stamnummer; `{0}` is not kept")]
    NoSuchKey(String),
    /// No school in the package is the connection's, by the name that it has there.
    #[error(
        "the package holds no school with number {0}; where it is called otherwise there, its source in the register says `school` under [source.roster]"
    )]
    NoSuchSchool(String),
    /// The source could not be read to the end: nothing was changed, and the next read begins where this one did.
    #[error(transparent)]
    Source(#[from] Fault),
    /// The process was told to stop. What was not committed is as it was.
    #[error("it was told to stop; the same again goes on from here")]
    Stopped,
    /// The source's letter table is not one this version knows.
    #[error("the source names a letter table that does not exist")]
    NoSuchLetters,
}

/// How long a lease lasts; each chunk lengthens it.
const LEASE: Duration = Duration::from_secs(15);

/// An import under a span: of which source and what, and what came of it in numbers; nothing of its rows (R61).
async fn traced(
    kind: RunKind,
    source: Source,
    import: impl Future<Output = Result<run::Model, SyncError>>,
) -> Result<run::Model, SyncError> {
    let span = tracing::info_span!(
        "import",
        kind = kind.name(),
        source = %source.id,
        run = field::Empty,
        state = field::Empty,
        changed = field::Empty,
        raised = field::Empty,
    );
    let outcome = import.instrument(span.clone()).await;
    if let Ok(run) = &outcome {
        span.record("run", field::display(run.id));
        span.record("state", run.state.name());
        span.record("changed", run.changed);
        span.record("raised", run.raised);
    }
    outcome
}

impl Sync {
    /// What a source may bring in today.
    pub async fn scope(&self, source: Source) -> Result<Scope, SyncError> {
        let now = self.clock.now();
        let operation = Operation {
            actor: Actor::Source {
                id: source.id,
                school: source.school,
            },
            purpose: None,
            now,
            request: self.ids.next(now),
        };
        let relations = relations::load(&self.db, &operation).await?;
        match decide(&operation, &relations, Action::Sync) {
            Decision::Allowed(scope) => Ok(scope),
            Decision::Refused(_) => Err(SyncError::NotAgreed),
        }
    }

    /// Takes the lease of a source. One process at a time works on it.
    pub async fn lease(&self, source: Source) -> Result<Lease, SyncError> {
        let holder = self.ids.next(self.clock.now()).to_string();
        let taken = Lease::acquire(&self.db, &lease_of(source.id), &holder, LEASE).await?;
        taken.ok_or(SyncError::Busy)
    }

    /// Begins a run, or finds the one to resume.
    async fn begin(
        &self,
        scope: &Scope,
        lease: &Lease,
        source: Source,
        kind: RunKind,
        content_hash: Vec<u8>,
        complete: bool,
    ) -> Result<run::Model, SyncError> {
        let now = self.clock.now();
        let coming = Coming {
            id: RunId(self.ids.next(now)),
            source: source.id,
            kind,
            content_hash,
            complete,
            now,
        };
        match begin(&self.db, scope, lease, coming).await? {
            Begun::Fresh(run) | Begun::Resumed(run) => Ok(run),
            Begun::InTheWay(run) => Err(SyncError::InTheWay(run.id, run.state)),
        }
    }

    /// What a transaction of a run needs.
    fn work<'a>(&'a self, scope: &'a Scope, lease: &'a Lease, run: RunId) -> Work<'a> {
        Work {
            scope,
            lease,
            run,
            book: &self.book,
            ids: &*self.ids,
            now: self.clock.now(),
        }
    }

    /// Lets the roster of a source go on that was held because it would end too many pupils or places in classes (R08).
    /// `false` when none is held.
    pub async fn approve(&self, source: Source) -> Result<bool, SyncError> {
        let scope = self.scope(source).await?;
        let latest = crate::store::run::latest(&self.db, &scope, RunKind::Roster).await?;
        let Some(held) = latest.filter(|run| run.state == RunState::Held) else {
            return Ok(false);
        };
        let scope = self.hub_scope(Action::ApproveHeldRun).await?;
        Ok(
            crate::store::run::approve(&self.db, &scope, held.id, None, self.clock.now())
                .await?
                .is_some(),
        )
    }

    /// What the hub itself may do.
    async fn hub_scope(&self, action: Action) -> Result<Scope, SyncError> {
        let now = self.clock.now();
        let operation = Operation {
            actor: Actor::Hub,
            purpose: None,
            now,
            request: self.ids.next(now),
        };
        let relations = relations::load(&self.db, &operation).await?;
        match decide(&operation, &relations, action) {
            Decision::Allowed(scope) => Ok(scope),
            Decision::Refused(_) => Err(SyncError::Store(DbError::OutOfScope)),
        }
    }

    /// The data was faulty: the run ends as refused, with where and what, and its staged rows go.
    async fn refuse(&self, lease: &Lease, run: run::Model, report: hub_connectors::report::Report) -> SyncError {
        let refused = run::Model {
            state: RunState::Refused,
            report: faults(&report),
            finished_at: Some(self.clock.now()),
            ..run
        };
        match set_state(&self.db, lease, refused).await {
            Ok(_) => SyncError::Faulty(Box::new(report)),
            Err(fault) => SyncError::Store(fault),
        }
    }

    /// A roster that could not be read: a run of its own says so to the school. One that is under way stays as it is.
    async fn refuse_roster(
        &self,
        source: Source,
        content_hash: Vec<u8>,
        report: hub_connectors::report::Report,
    ) -> SyncError {
        let kept = async {
            let lease = self.lease(source).await?;
            let kept = async {
                let scope = self.scope(source).await?;
                let latest = crate::store::run::latest(&self.db, &scope, RunKind::Roster).await?;
                let under_way = |run: &run::Model| matches!(run.state, RunState::Held | RunState::Merging);
                if latest.as_ref().is_some_and(under_way) {
                    return Ok(SyncError::Faulty(Box::new(report.clone())));
                }
                let run = self
                    .begin(&scope, &lease, source, RunKind::Roster, content_hash, false)
                    .await?;
                Ok(self.refuse(&lease, run, report.clone()).await)
            }
            .await;
            lease.release(&self.db).await?;
            kept
        };
        kept.await.unwrap_or_else(|fault: SyncError| fault)
    }

    /// All is merged.
    async fn finish(&self, lease: &Lease, run: run::Model) -> Result<run::Model, SyncError> {
        let done = run::Model {
            state: RunState::Done,
            finished_at: Some(self.clock.now()),
            ..run
        };
        Ok(set_state(&self.db, lease, done).await?)
    }
}

/// A report as it is kept with its run: files, lines and rules, never a value.
fn faults(report: &hub_connectors::report::Report) -> serde_json::Value {
    serde_json::to_value(report).unwrap_or_default()
}
