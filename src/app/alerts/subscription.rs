//! One who follows: what happened since its cursor, then whatever happens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Decision, Scope, decide};
use hub_graphql::hub::{Answer, Position, Update};
use hub_graphql::problem::Problem;
use tokio::sync::watch;

use super::super::access::Seen;
use super::super::changes::{leaving, read_after, row};
use super::super::failed;
use super::Desk;
use super::group::{Decided, FRESH, Group, Member, Next, Party};
use crate::store::relations;

/// The events handed on at once: so many lie ready, and are in one line of the access log.
const AT_ONCE: u32 = 200;

/// How it goes on.
enum Step {
    /// There is something, or it has come further.
    On,
    /// There is nothing new.
    Wait,
}

/// One who follows.
pub(super) struct Subscription {
    desk: Desk,
    group: Arc<Group>,
    member: Arc<Member>,
    news: watch::Receiver<()>,
    /// Behind the last event that was handed on.
    at: Position,
    /// The cursor that was told last.
    told: Option<Position>,
    /// Decided on, and still to be handed on.
    ready: VecDeque<Decided>,
    /// Where it stands when all that is ready was handed on.
    looked: i64,
    over: bool,
}

impl Subscription {
    pub(super) fn new(desk: Desk, group: Arc<Group>, operation: &Operation, at: Position) -> Self {
        let (member, news) = group.join(operation.clone());
        metrics::gauge!("clb_hub_subscriptions_open").increment(1.0);
        Self {
            desk,
            group,
            member,
            news,
            at,
            told: None,
            ready: VecDeque::new(),
            looked: at.position,
            over: false,
        }
    }

    /// What it is told next; `None` when it is over.
    pub(super) async fn next(&mut self) -> Option<Answer<Update>> {
        if self.over {
            return None;
        }
        if self.told.is_none() {
            return Some(Ok(self.stands()));
        }
        let next = self.find().await;
        self.over = !matches!(next, Ok(Update::Stands(_) | Update::Happened(..)));
        Some(next)
    }

    async fn find(&mut self) -> Answer<Update> {
        loop {
            if self.member.is_over() {
                return Ok(self.no_longer_yours());
            }
            let now = self.desk.0.clock.now();
            // What lay ready for too long was decided on too long ago.
            if self.ready.front().is_some_and(|first| (now - first.at).abs() > FRESH) {
                self.ready.clear();
                self.looked = self.at.position;
            }
            if let Some(decided) = self.ready.pop_front() {
                self.at.position = decided.event.position;
                self.told = Some(self.at);
                metrics::counter!("clb_hub_stream_events_total").increment(1);
                return Ok(Update::Happened(self.at, row(&decided.event)));
            }
            self.at.position = self.looked;
            self.news.borrow_and_update();
            match self.look(now).await? {
                Step::On => {}
                Step::Wait => {
                    let news = tokio::time::timeout(self.desk.0.refresh, self.news.changed());
                    if news.await.is_err() && self.told != Some(self.at) {
                        return Ok(self.stands());
                    }
                }
            }
        }
    }

    /// Looks for what follows: in what was read for the group, or by itself.
    async fn look(&mut self, now: DateTime<Utc>) -> Answer<Step> {
        let most = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        match self.group.next(&self.member, self.at, most, now) {
            Next::Told(told, to) => {
                let on = !told.is_empty() || to > self.at.position;
                self.see(&told, now).await?;
                self.ready.extend(told);
                self.looked = to;
                Ok(if on { Step::On } else { Step::Wait })
            }
            Next::Expired => Err(Problem::CursorExpired),
            Next::Elsewhere => self.read(now).await,
        }
    }

    /// Reads for itself, its authority loaded anew.
    async fn read(&mut self, now: DateTime<Utc>) -> Answer<Step> {
        let Some(scope) = self.scope(now).await? else {
            self.member.end();
            return Ok(Step::On);
        };
        let db = &self.desk.0.app.db;
        let found = read_after(db, &scope, Some(self.at), AT_ONCE, self.group.key.columns).await?;
        let on = !found.events.is_empty() || found.end != self.at;
        let told: Vec<Decided> = found
            .events
            .into_iter()
            .map(|event| Decided {
                event: Arc::new(event),
                at: now,
            })
            .collect();
        self.see(&told, now).await?;
        self.ready.extend(told);
        self.at.epoch = found.end.epoch;
        self.looked = found.end.position;
        self.group.caught_up(&self.member, self.looked);
        Ok(if on { Step::On } else { Step::Wait })
    }

    /// What it may see now, if it may still follow for the same party.
    async fn scope(&self, now: DateTime<Utc>) -> Answer<Option<Scope>> {
        let operation = at_present(&self.member.operation, now);
        let relations = relations::load(&self.desk.0.app.db, &operation).await;
        let relations = relations.map_err(|fault| failed(&fault))?;
        Ok(match decide(&operation, &relations, Action::ReadSignals) {
            Decision::Allowed(scope) if Party::of(&scope) == Some(self.group.key.party) => Some(scope),
            Decision::Allowed(_) | Decision::Refused(_) => None,
        })
    }

    /// Writes down what was read for it: its place in the access log is taken first, so that nothing leaves unlogged.
    async fn see(&self, told: &[Decided], now: DateTime<Utc>) -> Answer<()> {
        if told.is_empty() {
            return Ok(());
        }
        let Some(place) = self.desk.0.app.lines.place().await else {
            tracing::error!("nobody writes the access log: nothing is told");
            return Err(Problem::Unavailable);
        };
        let mut seen = Seen::default();
        for decided in told {
            seen.categories = seen.categories.or(leaving(&decided.event));
            seen.pupils.insert(decided.event.pupil);
        }
        place.put(&at_present(&self.member.operation, now), seen, &*self.desk.0.app.ids);
        Ok(())
    }

    fn stands(&mut self) -> Update {
        self.told = Some(self.at);
        Update::Stands(self.at)
    }

    /// The last update: ids only.
    fn no_longer_yours(&self) -> Update {
        metrics::counter!("clb_hub_streams_ended_total", "reason" => "no_longer_yours").increment(1);
        let (school, clb) = match &self.member.operation.actor {
            Actor::Principal { school, clb, .. } => (*school, *clb),
            Actor::Source { .. } | Actor::Hub => (None, None),
        };
        Update::NoLongerYours {
            at: self.at,
            school,
            clb,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.group.leave(self.member.operation.request);
        metrics::gauge!("clb_hub_subscriptions_open").decrement(1.0);
    }
}

/// The same operation, decided on at this instant.
pub(super) fn at_present(operation: &Operation, now: DateTime<Utc>) -> Operation {
    Operation {
        now,
        ..operation.clone()
    }
}

/// How often a stream on which nothing happens tells where it stands: a client that comes back then has less to look
/// through.
pub(super) const REFRESH: Duration = Duration::from_secs(30);
