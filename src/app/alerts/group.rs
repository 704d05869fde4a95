//! Those who follow for the same school or CLB: what happens is read once for all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::category::Categories;
use hub_entities::id::{ClbId, SchoolId};
use hub_entities::operation::Operation;
use hub_entities::policy::{Reach, Scope};
use hub_graphql::hub::Position;
use tokio::sync::watch;
use uuid::Uuid;

use super::super::lock;
use crate::store::read::event::Event;

/// How long what was decided may be told. After that it is read and decided anew: whoever takes its events late is
/// told of none that it may no longer know (R22).
pub(super) const FRESH: TimeDelta = TimeDelta::seconds(3);

/// The events kept at once. Whoever is further behind reads for itself.
const KEPT: usize = 1_000;

/// For whom one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Party {
    School(SchoolId),
    Clb(ClbId),
}

impl Party {
    /// The one that a scope is for.
    pub(super) const fn of(scope: &Scope) -> Option<Self> {
        match scope.reach() {
            Reach::School(school) => Some(Self::School(*school)),
            Reach::Clb { clb, .. } => Some(Self::Clb(*clb)),
            Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => None,
        }
    }

    /// The number of its id.
    pub(super) const fn id(self) -> Uuid {
        match self {
            Self::School(school) => school.0,
            Self::Clb(clb) => clb.0,
        }
    }
}

/// For whom, and with which columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) party: Party,
    pub(super) columns: Categories,
}

/// One who follows.
#[derive(Debug)]
pub(super) struct Member {
    /// Who, and why; its time is that of the beginning.
    pub(super) operation: Operation,
    over: AtomicBool,
    /// Of all events told to the group, the number of the last one it took or need not take.
    taken: AtomicU64,
}

impl Member {
    /// It may no longer follow.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// An event that was decided on for the group.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) event: Arc<Event>,
    pub(super) at: DateTime<Utc>,
}

/// What was read for a group: every event that concerns it between two positions.
#[derive(Debug, Default)]
struct Ring {
    /// From behind this position on it holds all; nothing is known before the first reading.
    from: Option<Position>,
    /// Up to this position.
    to: i64,
    events: VecDeque<Decided>,
    /// How many were ever told.
    told: u64,
}

impl Ring {
    /// Holds nothing from this position on.
    fn restart(&mut self, at: Position) {
        self.from = Some(at);
        self.to = at.position;
        self.events.clear();
    }

    fn drop_first(&mut self) {
        if let (Some(dropped), Some(from)) = (self.events.pop_front(), &mut self.from) {
            from.position = dropped.event.position;
        }
    }
}

/// What a member finds in its group.
#[derive(Debug)]
pub(super) enum Next {
    /// All that follows its position, up to this one; it may be nothing.
    Told(Vec<Decided>, i64),
    /// What follows its position is not here: it reads for itself.
    Elsewhere,
    /// Its position is of another epoch.
    Expired,
}

/// Those who follow for one party with the same columns.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    ring: Mutex<Ring>,
    members: Mutex<HashMap<Uuid, Arc<Member>>>,
    news: watch::Sender<()>,
}

impl Group {
    /// A group that knows nothing of before this position.
    pub(super) fn new(key: Key, at: Option<Position>) -> Self {
        let mut ring = Ring::default();
        if let Some(at) = at {
            ring.restart(at);
        }
        Self {
            key,
            ring: Mutex::new(ring),
            members: Mutex::default(),
            news: watch::Sender::new(()),
        }
    }

    /// Takes one in, by the id of its request.
    pub(super) fn join(&self, operation: Operation) -> (Arc<Member>, watch::Receiver<()>) {
        let id = operation.request;
        let member = Arc::new(Member {
            operation,
            over: AtomicBool::new(false),
            taken: AtomicU64::new(lock(&self.ring).told),
        });
        lock(&self.members).insert(id, Arc::clone(&member));
        (member, self.news.subscribe())
    }

    pub(super) fn leave(&self, request: Uuid) {
        lock(&self.members).remove(&request);
    }

    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        lock(&self.members).values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.members).is_empty()
    }

    /// How many events wait for the member of this request; `None` when it is not of this group.
    pub(super) fn waiting_for(&self, request: Uuid) -> Option<u64> {
        let member = lock(&self.members).get(&request).cloned()?;
        Some(self.waiting(&member))
    }

    fn waiting(&self, member: &Member) -> u64 {
        let told = lock(&self.ring).told;
        told.saturating_sub(member.taken.load(Ordering::Acquire))
    }

    /// The most events that wait for one of its members.
    pub(super) fn most_waiting(&self) -> u64 {
        let waiting = self.members().into_iter().map(|member| self.waiting(&member));
        waiting.max().unwrap_or_default()
    }

    /// Wakes the members.
    pub(super) fn wake(&self) {
        self.news.send_replace(());
    }

    /// Up to where it is read; `None` before the first reading.
    pub(super) fn to(&self) -> Option<i64> {
        let ring = lock(&self.ring);
        ring.from.map(|_known| ring.to)
    }

    /// Adds what follows what it holds, up to a position.
    pub(super) fn push(&self, events: Vec<Event>, to: i64, now: DateTime<Utc>) {
        let mut ring = lock(&self.ring);
        ring.told = ring
            .told
            .saturating_add(u64::try_from(events.len()).unwrap_or_default());
        ring.events.extend(events.into_iter().map(|event| Decided {
            event: Arc::new(event),
            at: now,
        }));
        ring.to = to;
        while ring.events.len() > KEPT {
            ring.drop_first();
        }
    }

    /// Forgets what it holds: from this position on it is read again.
    pub(super) fn restart(&self, at: Position) {
        lock(&self.ring).restart(at);
        self.wake();
    }

    /// Drops what may no longer be told.
    pub(super) fn prune(&self, now: DateTime<Utc>) {
        let mut ring = lock(&self.ring);
        while ring.events.front().is_some_and(|first| is_stale(first, now)) {
            ring.drop_first();
        }
    }

    /// What follows a member's position, at most so many events.
    pub(super) fn next(&self, member: &Member, at: Position, most: usize, now: DateTime<Utc>) -> Next {
        let ring = lock(&self.ring);
        let Some(from) = ring.from else {
            return Next::Elsewhere;
        };
        if at.epoch != from.epoch {
            return if at.position > 0 {
                Next::Expired
            } else {
                Next::Elsewhere
            };
        }
        // Behind what is held; or ahead of it, having read for itself, or because the database was put back.
        if at.position < from.position || at.position > ring.to {
            return Next::Elsewhere;
        }
        let after = ring.events.partition_point(|one| one.event.position <= at.position);
        let told: Vec<Decided> = ring.events.iter().skip(after).take(most).cloned().collect();
        if told.iter().any(|one| is_stale(one, now)) {
            return Next::Elsewhere;
        }
        let end = after.saturating_add(told.len());
        let left = ring.events.len().saturating_sub(end);
        let taken = ring.told.saturating_sub(u64::try_from(left).unwrap_or_default());
        member.taken.store(taken, Ordering::Release);
        let to = match told.last() {
            Some(last) if left > 0 => last.event.position,
            _ => ring.to,
        };
        Next::Told(told, to)
    }

    /// A member has read for itself up to this position.
    pub(super) fn caught_up(&self, member: &Member, to: i64) {
        let ring = lock(&self.ring);
        let after = ring.events.partition_point(|one| one.event.position <= to);
        let left = ring.events.len().saturating_sub(after);
        let taken = ring.told.saturating_sub(u64::try_from(left).unwrap_or_default());
        member.taken.store(taken, Ordering::Release);
    }
}

fn is_stale(decided: &Decided, now: DateTime<Utc>) -> bool {
    // A clock that stepped back makes nothing fresh for ever.
    (now - decided.at).abs() > FRESH
}
