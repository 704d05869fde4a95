//! Pulling by itself: every stream of every live source has its turn, over any number of replicas.
//!
//! What a source does is no other's burden: reads only wait for their source, so many may be under way at once; who
//! failed last waits in a line of its own; and what weighs on this machine and the database, the merging, is done a few
//! at a time. Time and chance are arguments.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hub_connectors::contract::{Connector, Stream};
use hub_connectors::http::Pause;
use hub_connectors::live::{Live, Systems};
use hub_entities::id::SourceId;
use hub_entities::policy::{Action, Scope};
use hub_entities::source::{RunKind, turn};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::backoff::{KNOCK_AFTER, healthy, in_words, left_alone, sick};
use super::pull::{BUDGET, Brought, LiveSource, Pull, Room, kind_of};
use super::{Sync, SyncError};
use crate::store::DbError;
use crate::store::turn::{due, failing, health, keep_turns, leave_alone, settle, take};

/// How often it is looked whose turn it is.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked which sources there are, and how they are.
const REFRESH: TimeDelta = TimeDelta::minutes(1);

/// For how long a turn is taken: should its taker die, another takes it then.
const TAKEN: TimeDelta = TimeDelta::minutes(2);

/// So much later than its roster a new source is asked for absences, or as soon as these come again where that is sooner:
/// they name pupils that it brings.
const AFTER_ITS_ROSTER: TimeDelta = TimeDelta::minutes(1);

/// Healthy sources that are read at once.
const READS: usize = 32;

/// Sick ones.
const KNOCKS: usize = 8;

/// The most turns that are looked at in one go.
const MOST: u64 = 500;

/// How often each stream of a healthy source is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// Rosters.
    pub roster: Duration,
    /// Half-days of absence.
    pub absences: Duration,
}

/// The scheduler of this process.
#[derive(Clone)]
pub struct Scheduler(Arc<Inside>);

struct Inside {
    sync: Sync,
    systems: Systems,
    chance: Arc<dyn Pause>,
    every: Every,
    room: Room,
    reads: Arc<Semaphore>,
    knocks: Arc<Semaphore>,
    /// Woken when there is something to tell.
    wake: Arc<Notify>,
    known: Mutex<Known>,
}

/// The sources as they were registered when it was last looked.
#[derive(Default)]
struct Known {
    looked: Option<DateTime<Utc>>,
    sources: HashMap<SourceId, Arc<LiveSource>>,
    /// Kept from turn to turn: a connector remembers its token, and whose half-days are whose.
    connectors: HashMap<SourceId, (Live, Arc<dyn Connector>)>,
    /// Those that this process works on.
    under_way: HashSet<SourceId>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("every", &self.0.every)
            .finish_non_exhaustive()
    }
}

/// A source that is worked on, and its place in the line; both are given back however that ends.
struct Worked(
    Scheduler,
    SourceId,
    #[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit,
);

impl Drop for Worked {
    fn drop(&mut self) {
        self.0.known(|known| known.under_way.remove(&self.1));
    }
}

const fn stream_of(kind: RunKind) -> Option<Stream> {
    match kind {
        RunKind::Roster => Some(Stream::Roster),
        RunKind::Absences => Some(Stream::Absences),
        RunKind::CarriedIn => None,
    }
}

impl Scheduler {
    /// The one of this process. It wakes `wake` when a pull has changed something.
    pub fn new(sync: Sync, systems: Systems, chance: Arc<dyn Pause>, every: Every, wake: Arc<Notify>) -> Self {
        Self(Arc::new(Inside {
            sync,
            systems,
            chance,
            every,
            room: Room::default(),
            reads: Arc::new(Semaphore::new(READS)),
            knocks: Arc::new(Semaphore::new(KNOCKS)),
            wake,
            known: Mutex::default(),
        }))
    }

    /// Works until told to stop. Reads under way are given up then: they changed nothing. What is being merged comes to
    /// its end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut under_way = JoinSet::new();
        loop {
            if let Err(fault) = self.begin_due(&mut under_way).await {
                tracing::error!(error = in_words(&fault), "nobody's turn could be found");
            }
            tokio::select! {
                () = &mut stop => break,
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = self.0.chance.wait(TICK) => {}
            }
        }
        self.0.room.stop();
        while under_way.join_next().await.is_some() {}
    }

    /// Takes every turn that is due and for which there is room, and waits until all of them are done.
    ///
    /// # Errors
    /// The store failed.
    pub async fn once(&self) -> Result<usize, SyncError> {
        let mut under_way = JoinSet::new();
        let mut done = 0_usize;
        loop {
            self.begin_due(&mut under_way).await?;
            if under_way.join_next().await.is_none() {
                return Ok(done);
            }
            done = done.saturating_add(1);
        }
    }

    async fn begin_due(&self, under_way: &mut JoinSet<()>) -> Result<(), SyncError> {
        let now = self.0.sync.clock.now();
        let scope = self.0.sync.hub_scope(Action::ReadOperations).await?;
        self.refresh(&scope, now).await?;
        let due = due(&self.0.sync.db, &scope, now, MOST).await?;
        if due.is_empty() {
            return Ok(());
        }
        let failing = failing(&self.0.sync.db, &scope).await?;
        for turn in due {
            // One stream of a source at a time: they would wait for each other's lease.
            if self.known(|known| known.under_way.contains(&turn.source_id)) {
                continue;
            }
            let is_sick = failing.contains(&turn.source_id);
            let line = if is_sick { &self.0.knocks } else { &self.0.reads };
            let Ok(place) = Arc::clone(line).try_acquire_owned() else {
                continue;
            };
            let source = self.known(|known| known.sources.get(&turn.source_id).cloned());
            let (Some(source), Some(stream)) = (source, stream_of(turn.kind)) else {
                continue;
            };
            if take(&self.0.sync.db, &scope, &turn, now + TAKEN).await? {
                self.known(|known| known.under_way.insert(turn.source_id));
                let work = Worked(self.clone(), turn.source_id, place);
                let scope = scope.clone();
                under_way.spawn(async move { work.0.turn(&scope, &source, stream, turn).await });
            }
        }
        Ok(())
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks which sources there are, how they are, and whether what they brought waits for too long.
    async fn refresh(&self, scope: &Scope, now: DateTime<Utc>) -> Result<(), SyncError> {
        let fresh = |known: &mut Known| {
            known
                .looked
                .is_some_and(|looked| now - looked < REFRESH && now >= looked)
        };
        if self.known(fresh) {
            return Ok(());
        }
        let sources = self.0.sync.live_sources().await?;
        let mut turns = Vec::new();
        let after_its_roster =
            AFTER_ITS_ROSTER.min(TimeDelta::from_std(self.0.every.absences).unwrap_or(AFTER_ITS_ROSTER));
        for source in &sources {
            for stream in [Stream::Roster, Stream::Absences] {
                if source.live.brings(stream) {
                    let after = match stream {
                        Stream::Roster => TimeDelta::zero(),
                        Stream::Absences => after_its_roster,
                    };
                    turns.push((source.connection.id, kind_of(stream), now + after));
                }
            }
        }
        keep_turns(&self.0.sync.db, scope, &turns).await?;
        let of = |source: LiveSource| (source.connection.id, Arc::new(source));
        let sources: HashMap<_, _> = sources.into_iter().map(of).collect();
        self.known(|known| {
            known.connectors.retain(|id, _| sources.contains_key(id));
            known.sources = sources;
            known.looked = Some(now);
        });
        let health = health(&self.0.sync.db, scope).await?;
        let age = health.oldest_waiting.map_or(0, |since| (now - since).num_seconds());
        gauge("clb_hub_sources_failing", health.failing);
        gauge("clb_hub_quarantine_oldest_seconds", age);
        self.0.sync.tell_of_waiting(scope).await
    }

    /// The connector of a source: the same one as long as its settings are the same and nothing went wrong.
    fn connector(&self, source: &LiveSource) -> Result<Arc<dyn Connector>, SyncError> {
        let id = source.connection.id;
        let kept = self.known(|known| known.connectors.get(&id).cloned());
        if let Some((_, connector)) = kept.filter(|(live, _)| *live == source.live) {
            return Ok(connector);
        }
        let connector = self.0.systems.connect(&source.live)?;
        let kept = (source.live.clone(), Arc::clone(&connector));
        self.known(|known| known.connectors.insert(id, kept));
        Ok(connector)
    }

    async fn turn(&self, scope: &Scope, source: &LiveSource, stream: Stream, turn: turn::Model) {
        let begun = self.0.chance.since();
        let outcome = self.pull(source, stream, turn.failures).await;
        let took = self.0.chance.since().saturating_sub(begun);
        let now = self.0.sync.clock.now();
        let told = match &outcome {
            Ok(_) => "done",
            Err(SyncError::Stopped | SyncError::Busy | SyncError::NotAgreed) => "left",
            Err(_) => "failed",
        };
        metrics::counter!("clb_hub_pulls_total", "kind" => turn.kind.name(), "outcome" => told).increment(1);
        metrics::histogram!("clb_hub_pull_seconds", "kind" => turn.kind.name()).record(took.as_secs_f64());
        let every = match stream {
            Stream::Roster => self.0.every.roster,
            Stream::Absences => self.0.every.absences,
        };
        let well = |turn| turn::Model {
            due_at: later(now, healthy(every, &*self.0.chance)),
            failures: 0,
            failing_since: None,
            fault: None,
            ..turn
        };
        let mut alone = None;
        let next = match outcome {
            Ok(brought) => {
                if brought.run.is_some() {
                    self.0.wake.notify_one();
                }
                well(turn)
            }
            // Nobody was asked for anything, and the source is none the worse.
            Err(SyncError::NotAgreed) => well(turn),
            // Another takes the turn, or this process after it has begun again.
            Err(SyncError::Stopped) => turn::Model { due_at: now, ..turn },
            Err(SyncError::Busy) => return,
            Err(fault) => {
                // Whatever it remembers may be what is wrong; a new secret is read.
                self.known(|known| known.connectors.remove(&source.connection.id));
                alone = left_alone(&fault);
                let failures = turn.failures.saturating_add(1);
                let fault_told = in_words(&fault);
                tracing::warn!(source = %source.connection.id, kind = turn.kind.name(), failures, fault = fault_told, "a source could not be pulled");
                turn::Model {
                    due_at: later(now, sick(failures, &fault, &*self.0.chance)),
                    failures,
                    failing_since: turn.failing_since.or(Some(now)),
                    fault: Some(fault_told),
                    ..turn
                }
            }
        };
        if let Err(fault) = self.settled(scope, next, alone.map(|alone| later(now, alone))).await {
            // The turn comes again by itself.
            tracing::error!(error = fault.kind(), "what came of a turn could not be written down");
        }
    }

    /// Writes down what came of a turn, and until when its source is left alone.
    async fn settled(&self, scope: &Scope, next: turn::Model, alone: Option<DateTime<Utc>>) -> Result<(), DbError> {
        let source = next.source_id;
        settle(&self.0.sync.db, scope, next).await?;
        match alone {
            Some(until) => leave_alone(&self.0.sync.db, scope, source, until).await,
            None => Ok(()),
        }
    }

    async fn pull(&self, source: &LiveSource, stream: Stream, failures: i32) -> Result<Brought, SyncError> {
        let connector = self.connector(source)?;
        let pull = Pull {
            connection: &source.connection,
            school: &source.school,
            connector: &*connector,
            stream,
            full: false,
            since: None,
            knock: failures >= KNOCK_AFTER,
            budget: BUDGET,
            room: Some(&self.0.room),
        };
        self.0.sync.pull(&pull).await
    }
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).map_or(now, |by| now + by)
}

fn gauge(name: &'static str, value: i64) {
    // Counts and seconds of some years: exact.
    metrics::gauge!(name).set(f64::from(i32::try_from(value).unwrap_or(i32::MAX)));
}
