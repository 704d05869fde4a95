//! Pulling a live source: `plan → read → filter by agreement → match → stage → merge → evaluate → watermark`, with the
//! very code that files go through (design §5).
//!
//! A read that breaks off leaves everything as it was, the watermark included; so does one that says nothing new, and
//! then there is no run.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use chrono::NaiveDate;
use hub_connectors::absences::AbsenceRow;
use hub_connectors::contract::{self, Ask, Connector, Finished, Sink, State, Stream};
use hub_connectors::fault::Fault;
use hub_connectors::live::Live;
use hub_connectors::roster::Roster;
use hub_entities::absence::letters::Reading;
use hub_entities::policy::{Action, Scope};
use hub_entities::source::{KeyKind, RunKind, RunState, connection, run};
use hub_entities::time::{HalfDay, SchoolYear};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::files::{key_kind, school_key_of, settings_of};
use super::staging::{Packs, Staging};
use super::{Source, Sync, SyncError, absences, filter, half_day};
use crate::store::DbError;
use crate::store::lease::Lease;
use crate::store::loss::{Gap, Unmatched, note_gaps, replace_in_quarantine, waiting};
use crate::store::pull::{Pulled, pulled, sources, stands};
use crate::store::roster::keys;
use crate::store::{ledger, run as runs};

/// How often the lease is lengthened while a source answers.
const BEAT: Duration = Duration::from_secs(5);

/// The longest that one read may take, whatever the source does (R47).
pub const BUDGET: Duration = Duration::from_mins(15);

/// A source that is pulled, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSource {
    /// The connection.
    pub connection: connection::Model,
    /// Institution number of its school.
    pub school: String,
    /// The system.
    pub live: Live,
}

/// What is pulled from where.
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// The connection as it is registered.
    pub connection: &'a connection::Model,
    /// Institution number of its school.
    pub school: &'a str,
    /// The way to the system.
    pub connector: &'a dyn Connector,
    /// What of it.
    pub stream: Stream,
    /// Everything, whatever was read before.
    pub full: bool,
    /// The first day of absence that is asked for; otherwise that of the running school year.
    pub since: Option<NaiveDate>,
    /// Whether it is first asked if it can be reached at all: one that failed so often is not read at once.
    pub knock: bool,
    /// The longest that the read may take, with what is asked before it: [`BUDGET`].
    pub budget: Duration,
    /// What it shares with the other pulls of its process.
    pub room: Option<&'a Room>,
}

/// What the pulls of one process share.
#[derive(Debug)]
pub struct Room {
    stop: watch::Sender<bool>,
    merges: Semaphore,
}

/// Pulls that merge at once: what weighs on the database.
const MERGES: usize = 4;

impl Default for Room {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            merges: Semaphore::new(MERGES),
        }
    }
}

impl Room {
    /// Reads under way are given up, and none begins. What is being merged comes to its end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    async fn stopped(&self) {
        drop(self.stop.subscribe().wait_for(|stop| *stop).await);
    }
}

/// What a pull brought, or would.
#[derive(Debug, Default)]
pub struct Brought {
    /// Records that were read.
    pub records: i64,
    /// Of those, the ones that say what is known.
    pub known: i64,
    /// Pupils that would be ended, or were, because a complete read did not hold them.
    pub left: i64,
    /// Pupils that the records name.
    pub named: i64,
    /// Of those, the ones that the roster knows.
    pub found: i64,
    /// Categories that were in it and are not agreed.
    pub dropped: Vec<&'static str>,
    /// What could not be taken over.
    pub gaps: Vec<Gap>,
    /// The run, where there was something new.
    pub run: Option<run::Model>,
}

/// What a read hands over besides half-days.
struct Taken<'s, 'a> {
    roster: Option<Roster>,
    half_days: Option<&'s mut Staging<'a>>,
    gaps: Vec<Gap>,
    progress: &'s (dyn Fn(u64, u64) + Send + std::marker::Sync),
}

impl Sink for Taken<'_, '_> {
    fn roster(&mut self, roster: Roster) {
        self.roster = Some(roster);
    }

    fn absence(&mut self, row: AbsenceRow<'_>) {
        if let Some(half_days) = &mut self.half_days {
            half_days.take(&row);
        }
    }

    fn gap(&mut self, gap: contract::Gap) {
        self.gaps.push(Gap {
            rule: gap.rule,
            detail: gap.detail,
            rows: i64::try_from(gap.records).unwrap_or(i64::MAX),
        });
    }

    fn progress(&mut self, done: u64, of: Option<u64>) {
        (self.progress)(done, of.unwrap_or(done));
    }
}

/// What a run of this stream brings.
pub(super) const fn kind_of(stream: Stream) -> RunKind {
    match stream {
        Stream::Roster => RunKind::Roster,
        Stream::Absences => RunKind::Absences,
    }
}

impl Pull<'_> {
    const fn source(&self) -> Source {
        Source {
            id: self.connection.id,
            school: self.connection.school_id,
        }
    }

    const fn kind(&self) -> RunKind {
        kind_of(self.stream)
    }
}

impl Sync {
    /// The live sources, by school and name.
    ///
    /// # Errors
    /// The store failed, or holds settings that this version does not know.
    pub async fn live_sources(&self) -> Result<Vec<LiveSource>, SyncError> {
        let scope = self.hub_scope(Action::ReadOperations).await?;
        let mut found = Vec::new();
        for (connection, school) in sources(&self.db, &scope).await? {
            if let Some(live) = settings_of(&connection)?.live {
                found.push(LiveSource {
                    connection,
                    school,
                    live,
                });
            }
        }
        Ok(found)
    }

    /// Pulls one stream of a live source.
    ///
    /// # Errors
    /// The read did not come to its end, or what it held could not be merged whole: see [`SyncError`].
    pub async fn pull(&self, pull: &Pull<'_>) -> Result<Brought, SyncError> {
        let lease = self.lease(pull.source()).await?;
        let outcome = match pull.stream {
            Stream::Roster => self.pull_roster(&lease, pull).await,
            Stream::Absences => self.pull_absences(&lease, pull).await,
        };
        lease.release(&self.db).await?;
        outcome
    }

    /// Reads one stream and says what would change; nothing is.
    ///
    /// # Errors
    /// As [`Sync::pull`].
    pub async fn preview(&self, pull: &Pull<'_>) -> Result<Brought, SyncError> {
        match pull.stream {
            Stream::Roster => {
                let scope = self.scope(pull.source()).await?;
                let (roster, gaps, _) = self.read_roster(&scope, None, pull).await?;
                let school = school_key_of(&roster, pull.school, &settings_of(pull.connection)?.roster)?;
                let pupils = count(roster.pupils.len());
                let news = self.preview_roster(&scope, &school, roster).await?;
                Ok(Brought {
                    records: news.read,
                    known: news.known,
                    left: news.left,
                    named: pupils,
                    found: pupils,
                    dropped: news.dropped,
                    gaps,
                    run: None,
                })
            }
            Stream::Absences => Ok(self.read_absences(None, pull).await?.brought),
        }
    }

    async fn pull_roster(&self, lease: &Lease, pull: &Pull<'_>) -> Result<Brought, SyncError> {
        let scope = self.scope(pull.source()).await?;
        let (roster, gaps, state) = self.read_roster(&scope, Some(lease), pull).await?;
        let _place = self.place(lease, pull).await?;
        let school = school_key_of(&roster, pull.school, &settings_of(pull.connection)?.roster)?;
        let pupils = count(roster.pupils.len());
        let (news, run) = self.roster_under(lease, pull.source(), &school, roster, None).await?;
        self.tell_gaps(&scope, lease, pull, run.as_ref(), &gaps).await?;
        let brought = Brought {
            records: news.read,
            known: news.known,
            left: news.left,
            named: pupils,
            found: pupils,
            dropped: news.dropped,
            gaps,
            run,
        };
        self.advance(&scope, lease, pull, &brought, state).await?;
        Ok(brought)
    }

    async fn read_roster(
        &self,
        scope: &Scope,
        lease: Option<&Lease>,
        pull: &Pull<'_>,
    ) -> Result<(Roster, Vec<Gap>, State), SyncError> {
        let ask = self.ask(scope, pull).await?;
        let mut taken = Taken {
            roster: None,
            half_days: None,
            gaps: Vec::new(),
            progress: &*self.progress,
        };
        let finished = self.read(lease, pull, &ask, &mut taken).await?;
        let mut roster = taken.roster.ok_or(Fault::Broken {
            stream: "roster",
            record: 0,
            rule: "roster.missing",
        })?;
        if !roster.report.usable() {
            return Err(SyncError::Faulty(Box::new(roster.report)));
        }
        // Who is missing is gone only when both say that this is everyone.
        roster.complete.pupils &= finished.complete;
        roster.complete.memberships &= finished.complete;
        Ok((roster, taken.gaps, finished.state))
    }

    async fn pull_absences(&self, lease: &Lease, pull: &Pull<'_>) -> Result<Brought, SyncError> {
        let scope = self.scope(pull.source()).await?;
        // Half-days of a run that was killed are older than whatever comes, and so are those that wait for a pupil.
        self.finish_cut_off(&scope, lease, pull.source()).await?;
        self.work_off(&scope, lease, pull.source()).await?;
        let Read {
            mut brought,
            packs,
            unmatched,
            state,
        } = self.read_absences(Some(lease), pull).await?;
        let _place = self.place(lease, pull).await?;
        if !packs.is_empty() || !unmatched.is_empty() {
            brought.run = Some(self.bring(&scope, lease, pull, &brought, packs, unmatched).await?);
        }
        self.tell_gaps(&scope, lease, pull, brought.run.as_ref(), &brought.gaps)
            .await?;
        self.advance(&scope, lease, pull, &brought, state).await?;
        Ok(brought)
    }

    async fn read_absences(&self, lease: Option<&Lease>, pull: &Pull<'_>) -> Result<Read, SyncError> {
        let scope = self.scope(pull.source()).await?;
        if !filter::keeps_absences(&scope) {
            return Err(SyncError::NotAgreed);
        }
        let letters = absences::letters(self, pull.connection)?;
        let by = key_kind(&pull.connector.spec().pupil_key)?;
        let by_key = keys(&self.db, &scope, by).await?;
        let ask = self.ask(&scope, pull).await?;
        let stands = ledger::standing(&self.db, &scope, &ask.days).await?;
        let mut staging = Staging::new(self, &scope, &letters, &by_key).beside(stands);
        let mut taken = Taken {
            roster: None,
            half_days: Some(&mut staging),
            gaps: Vec::new(),
            progress: &*self.progress,
        };
        let finished = self.read(lease, pull, &ask, &mut taken).await?;
        let mut gaps = taken.gaps;
        gaps.extend(staging.gaps());
        let join = staging.join();
        let unknown = join.named.saturating_sub(join.found);
        gaps.extend((unknown > 0).then(|| Gap {
            rule: "absence.unknown_pupil",
            detail: by.name().to_owned(),
            rows: unknown,
        }));
        let packs = staging.empty();
        let brought = Brought {
            records: staging.rows,
            known: staging.known,
            named: join.named,
            found: join.found,
            gaps,
            ..Brought::default()
        };
        let unmatched = self.not_waiting_yet(&scope, by, staging.unmatched).await?;
        Ok(Read {
            brought,
            packs,
            unmatched,
            state: finished.state,
        })
    }

    /// What waits in quarantine with what was read now, of keys of which that says something new. A later word on a
    /// half-day takes the place of an earlier one, so that a window read again and again does not pile up.
    async fn not_waiting_yet(
        &self,
        scope: &Scope,
        by: KeyKind,
        unmatched: BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<Unmatched>, SyncError> {
        let mut waits: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        if !unmatched.is_empty() {
            let rows = waiting(&self.db, scope, RunKind::Absences).await?;
            let of_kind = rows.into_iter().filter(|row| row.key_kind == Some(by));
            waits.extend(of_kind.map(|row| (row.source_key, row.body)));
        }
        let mut new = Vec::new();
        for (key, body) in unmatched {
            let before = waits.remove(&key).unwrap_or_default();
            let mut last: BTreeMap<HalfDay, Reading> = BTreeMap::new();
            for one in half_day::read(&before).chain(half_day::read(&body)) {
                let (at, reading) = one.ok_or(DbError::Unreadable {
                    column: "quarantine.body",
                })?;
                last.insert(at, reading);
            }
            let mut both = Vec::new();
            for (at, reading) in last {
                half_day::push(&mut both, at, reading);
            }
            if both != before {
                new.push(Unmatched::of_half_days(key, by, both));
            }
        }
        Ok(new)
    }

    /// Puts half-days aside and merges them.
    async fn bring(
        &self,
        scope: &Scope,
        lease: &Lease,
        pull: &Pull<'_>,
        brought: &Brought,
        packs: Packs,
        unmatched: Vec<Unmatched>,
    ) -> Result<run::Model, SyncError> {
        let hash = hash_of(&packs, &unmatched);
        let run = self
            .begin(scope, lease, pull.source(), RunKind::Absences, hash, false)
            .await?;
        runs::discard(&self.db, lease, run.id).await?;
        self.put_aside(lease, run.id, 0, packs).await?;
        let quarantined = unmatched.iter().map(|one| i64::from(one.rows)).sum();
        let work = self.work(scope, lease, run.id);
        replace_in_quarantine(&self.db, work, RunKind::Absences, unmatched).await?;
        let next = run::Model {
            state: RunState::Merging,
            staged: brought.records,
            quarantined,
            named: Some(brought.named),
            found: Some(brought.found),
            ..run
        };
        let run = runs::staged(&self.db, lease, next, brought.known).await?;
        self.merge_absences(scope, lease, run).await
    }

    /// Notes what could not be taken over: with the run, or with the latest one when there is nothing else to say.
    async fn tell_gaps(
        &self,
        scope: &Scope,
        lease: &Lease,
        pull: &Pull<'_>,
        run: Option<&run::Model>,
        gaps: &[Gap],
    ) -> Result<(), SyncError> {
        if gaps.is_empty() {
            return Ok(());
        }
        let latest = match run {
            Some(run) => Some(run.clone()),
            None => runs::latest(&self.db, scope, pull.kind()).await?,
        };
        let id = if let Some(run) = latest {
            run.id
        } else {
            let none = Sha256::digest([]).to_vec();
            let run = self
                .begin(scope, lease, pull.source(), pull.kind(), none, false)
                .await?;
            self.finish(lease, run).await?.id
        };
        note_gaps(&self.db, self.work(scope, lease, id), gaps.to_vec()).await?;
        Ok(())
    }

    /// All of it is merged: the watermark. A roster that is held was not.
    async fn advance(
        &self,
        scope: &Scope,
        lease: &Lease,
        pull: &Pull<'_>,
        brought: &Brought,
        state: State,
    ) -> Result<(), SyncError> {
        if brought.run.as_ref().is_some_and(|run| run.state != RunState::Done) {
            return Ok(());
        }
        let done = Pulled {
            state: state.0,
            at: self.clock.now(),
            records: brought.records,
            named: brought.named,
            found: brought.found,
        };
        Ok(pulled(&self.db, lease, scope, pull.kind(), done).await?)
    }

    /// What is asked for.
    async fn ask(&self, scope: &Scope, pull: &Pull<'_>) -> Result<Ask, SyncError> {
        let today = scope.day();
        let since = pull.since.unwrap_or_else(|| SchoolYear::of(today).first_day());
        let state = stands(&self.db, scope, pull.kind()).await?;
        Ok(Ask {
            stream: pull.stream,
            school: pull.school.to_owned(),
            state: state.map(State).unwrap_or_default(),
            full: pull.full || pull.since.is_some(),
            days: since.min(today)..=today,
            now: self.clock.now(),
        })
    }

    /// Reads to the end, and keeps the lease meanwhile.
    async fn read(
        &self,
        lease: Option<&Lease>,
        pull: &Pull<'_>,
        ask: &Ask,
        taken: &mut Taken<'_, '_>,
    ) -> Result<Finished, SyncError> {
        let read = async {
            if pull.knock
                && let Err(fault) = pull.connector.check().await
                // Whoever answers, however oddly, is there again: the read will tell.
                && !matches!(fault, Fault::Broken { .. })
            {
                return Err(fault);
            }
            pull.connector.read(ask, taken).await
        };
        let in_time = self.kept(lease, pull, tokio::time::timeout(pull.budget, read)).await?;
        Ok(in_time.map_err(|_elapsed| Fault::transient("it took longer than a read may"))??)
    }

    /// Waits until few enough others merge.
    async fn place<'a>(&self, lease: &Lease, pull: &Pull<'a>) -> Result<Option<SemaphorePermit<'a>>, SyncError> {
        let Some(room) = pull.room else { return Ok(None) };
        Ok(self.kept(Some(lease), pull, room.merges.acquire()).await?.ok())
    }

    /// Waits, and keeps the lease meanwhile; no longer than the hub itself goes on.
    async fn kept<T>(
        &self,
        lease: Option<&Lease>,
        pull: &Pull<'_>,
        waited_for: impl Future<Output = T>,
    ) -> Result<T, SyncError> {
        let mut waited_for = pin!(waited_for);
        let mut stopped = pin!(async {
            match pull.room {
                Some(room) => room.stopped().await,
                None => std::future::pending().await,
            }
        });
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                done = &mut waited_for => return Ok(done),
                () = &mut stopped => return Err(SyncError::Stopped),
                _ = beat.tick() => if let Some(lease) = lease {
                    lease.keep(&self.db).await?;
                },
            }
        }
    }
}

/// Half-days that were read to the end.
struct Read {
    brought: Brought,
    packs: Packs,
    unmatched: Vec<Unmatched>,
    state: State,
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// The same half-days again, after a kill, are the same run.
fn hash_of(packs: &Packs, unmatched: &[Unmatched]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for ((_, record), pack) in packs {
        hash.update(record.0.as_bytes());
        hash.update(pack);
    }
    for one in unmatched {
        hash.update(&one.source_key);
        hash.update(&one.body);
    }
    hash.finalize().to_vec()
}
