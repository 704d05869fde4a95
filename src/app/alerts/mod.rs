//! What happens, told to those who follow: one reader of the outbox per process.
//!
//! [`Desk`] reads behind the sequencer, once for each school or CLB that anyone follows for and that the new events
//! concern, and decides anew for each who follows. A subscriber takes from what was read for its group; what is not
//! there (its cursor is older, it was slow, a reading failed) it reads for itself from its own position. So there is
//! one rule for no gap and no double: a subscriber goes by its position, and what follows it is either all in the
//! group's hands or read from the table (R39). Nothing is queued for anyone.

mod group;
mod subscription;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::category::Categories;
use hub_entities::id::PrincipalId;
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Decision, Relations, Scope, decide};
use hub_entities::time::{Clock, brussels_day};
use hub_graphql::hub::{Alerts, Answer, Position, Update};
use tokio::sync::watch;
use uuid::Uuid;

use super::changes::BEGINNING;
use super::{App, failed, lock};
use crate::store::outbox::{self, Head};
use crate::store::read::event::{self, LOOK};
use crate::store::{DbError, relations};
use group::{Group, Key, Party};
use subscription::{REFRESH, Subscription, at_present};

/// How long who follows is believed while nothing happens: a stream ends so long after the relation that carried it,
/// and not much more (R22: 5 s).
const BELIEVED: TimeDelta = TimeDelta::seconds(2);

/// How often the desk looks whether somebody must be decided on again.
const TICK: Duration = Duration::from_secs(1);

/// The events read in one statement.
const PAGE: u32 = 200;

/// Tells what happens. A clone is the same desk.
#[derive(Clone)]
pub struct Desk(Arc<Inside>);

struct Inside {
    app: Arc<App>,
    clock: Arc<dyn Clock>,
    /// How far the sequencer is, as this process knows it.
    head: watch::Receiver<Option<Head>>,
    state: Mutex<State>,
    /// When all who follow were last decided on; held while a round goes on.
    decided: tokio::sync::Mutex<Option<DateTime<Utc>>>,
    refresh: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Up to where was read; `None` before the first head.
    at: Option<Position>,
    groups: HashMap<Key, Arc<Group>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("state", &self.0.state)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// The desk of this hub; `head` tells how far the sequencer is.
    pub fn new(app: Arc<App>, clock: Arc<dyn Clock>, head: watch::Receiver<Option<Head>>) -> Self {
        Self(Arc::new(Inside {
            app,
            clock,
            head,
            state: Mutex::default(),
            decided: tokio::sync::Mutex::default(),
            refresh: REFRESH,
        }))
    }

    /// Works until told to stop. A fault of the database is logged and tried again: nothing is skipped.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut head = self.0.head.clone();
        loop {
            if let Err(fault) = self.round().await {
                tracing::error!(
                    error = fault.kind(),
                    "what happens could not be read and is tried again"
                );
            }
            let news = async {
                // Nobody tells any more: then the tick is all there is.
                if head.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = &mut stop => return,
                _news_or_tick = tokio::time::timeout(TICK, news) => {}
            }
        }
    }

    /// Reads what is new for those who follow, and decides anew on those who were believed long enough.
    pub async fn round(&self) -> Result<(), DbError> {
        let mut decided = self.0.decided.lock().await;
        let head = *self.0.head.borrow();
        if let Some(head) = head {
            self.read_up_to(head).await?;
        }
        let now = self.0.clock.now();
        if decided.is_none_or(|last| (now - last).abs() >= BELIEVED) {
            let groups = self.groups();
            let relations = self.relations_of(&groups).await?;
            for group in &groups {
                scope_of(group, &relations, now);
            }
            *decided = Some(now);
        }
        self.tidy(now);
        Ok(())
    }

    /// How many events wait for the subscription of this request.
    pub fn waiting(&self, request: Uuid) -> u64 {
        let groups = self.groups();
        groups
            .iter()
            .find_map(|group| group.waiting_for(request))
            .unwrap_or_default()
    }

    fn groups(&self) -> Vec<Arc<Group>> {
        lock(&self.0.state).groups.values().cloned().collect()
    }

    async fn read_up_to(&self, head: Head) -> Result<(), DbError> {
        let end = Position {
            epoch: head.epoch,
            position: head.position,
        };
        let begun = lock(&self.0.state).at;
        let Some(mut at) = begun.filter(|at| at.epoch == end.epoch && at.position <= end.position) else {
            // The first head, or the database was put back: whoever followed it is told when it looks again.
            let mut state = lock(&self.0.state);
            state.at = Some(end);
            state.groups.values().for_each(|group| group.restart(end));
            return Ok(());
        };
        while at.position < end.position {
            let to = end.position.min(at.position.saturating_add(LOOK));
            self.read_between(at, to).await?;
            at.position = to;
        }
        Ok(())
    }

    /// Reads for each group that is concerned. The others have nothing to read, and are so far as well.
    async fn read_between(&self, at: Position, to: i64) -> Result<(), DbError> {
        let now = self.0.clock.now();
        let groups = self.groups();
        let concerned = if groups.is_empty() {
            std::collections::BTreeSet::new()
        } else {
            relations::concerned(&self.0.app.db, (at.position, to), brussels_day(now)).await?
        };
        let (of_these, others): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| concerned.contains(&group.key.party.id()));
        let relations = self.relations_of(&of_these).await?;
        let end = Position {
            epoch: at.epoch,
            position: to,
        };
        let mut read: HashSet<Key> = HashSet::new();
        for group in &of_these {
            match self.read_for(group, &relations, (at.position, to), now).await {
                Ok(true) => {
                    read.insert(group.key);
                }
                Ok(false) => {}
                Err(fault) => {
                    tracing::error!(error = fault.kind(), "events could not be read for a group");
                }
            }
        }
        for group in &others {
            if group.to() == Some(at.position) {
                group.push(Vec::new(), to, now);
                read.insert(group.key);
            }
        }
        // Of a group that came meanwhile, that nobody may follow for or that could not be read, what lies before is
        // not known: who is in it reads for itself.
        let mut state = lock(&self.0.state);
        state.at = Some(end);
        for group in state.groups.values().filter(|group| !read.contains(&group.key)) {
            group.restart(end);
        }
        Ok(())
    }

    /// Says whether there was somebody to read for.
    async fn read_for(
        &self,
        group: &Group,
        relations: &HashMap<PrincipalId, Relations>,
        (after, until): (i64, i64),
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let Some(scope) = scope_of(group, relations, now) else {
            return Ok(false);
        };
        let mut at = after;
        while at < until {
            let found = event::between(&self.0.app.db, &scope, (at, until), PAGE, group.key.columns).await?;
            at = found.end;
            if !found.told.is_empty() || at == until {
                group.push(found.told, at, now);
                group.wake();
                // Those who follow take what there is before more comes.
                tokio::task::yield_now().await;
            }
        }
        Ok(true)
    }

    /// The relations of all who follow in these groups, as of now.
    async fn relations_of(&self, groups: &[Arc<Group>]) -> Result<HashMap<PrincipalId, Relations>, DbError> {
        let members = groups.iter().flat_map(|group| group.members());
        let principals: HashSet<PrincipalId> = members.filter_map(|member| principal(&member.operation)).collect();
        if principals.is_empty() {
            return Ok(HashMap::new());
        }
        let principals: Vec<PrincipalId> = principals.into_iter().collect();
        relations::load_all(&self.0.app.db, &principals).await
    }

    /// Lets go of what nobody needs any more, and counts.
    fn tidy(&self, now: DateTime<Utc>) {
        let mut state = lock(&self.0.state);
        state.groups.retain(|_, group| !group.is_empty());
        let waiting = state.groups.values().map(|group| group.most_waiting()).max();
        for group in state.groups.values() {
            group.prune(now);
        }
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a count, for a graph")]
        metrics::gauge!("clb_hub_stream_waiting_most").set(waiting.unwrap_or_default() as f64);
    }

    /// The group of those who follow for this party with these columns, and a place in it.
    fn join(&self, key: Key, operation: &Operation, at: Position) -> Subscription {
        let mut state = lock(&self.0.state);
        let begun = state.at;
        let group = state.groups.entry(key);
        let group = Arc::clone(group.or_insert_with(|| Arc::new(Group::new(key, begun))));
        // Under the lock: a group without members is let go of.
        Subscription::new(self.clone(), group, operation, at)
    }
}

fn principal(operation: &Operation) -> Option<PrincipalId> {
    match &operation.actor {
        Actor::Principal { id, .. } => Some(*id),
        Actor::Source { .. } | Actor::Hub => None,
    }
}

/// Decides on each who follows in a group; who may no longer is told so. What those may see who still may: it is the
/// same for all of them, for they act for the same party.
fn scope_of(group: &Group, relations: &HashMap<PrincipalId, Relations>, now: DateTime<Utc>) -> Option<Scope> {
    let mut common = None;
    for member in group.members() {
        let own = principal(&member.operation).and_then(|id| relations.get(&id));
        let decision = own.map(|own| decide(&at_present(&member.operation, now), own, Action::ReadSignals));
        match decision {
            Some(Decision::Allowed(scope)) if Party::of(&scope) == Some(group.key.party) => common = Some(scope),
            Some(Decision::Allowed(_) | Decision::Refused(_)) | None => {
                member.end();
                group.wake();
            }
        }
    }
    common
}

#[async_trait]
impl Alerts for Desk {
    async fn signals(
        &self,
        operation: &Operation,
        after: Option<Position>,
        columns: Categories,
    ) -> Answer<BoxStream<'static, Answer<Update>>> {
        let at = if let Some(after) = after {
            after
        } else {
            let head = outbox::head(&self.0.app.db).await.map_err(|fault| failed(&fault))?;
            head.map_or(BEGINNING, |head| Position {
                epoch: head.epoch,
                position: head.position,
            })
        };
        let operation = at_present(operation, self.0.clock.now());
        let relations = relations::load(&self.0.app.db, &operation).await;
        let relations = relations.map_err(|fault| failed(&fault))?;
        let party = match decide(&operation, &relations, Action::ReadSignals) {
            Decision::Allowed(scope) => Party::of(&scope),
            Decision::Refused(_) => None,
        };
        let Some(party) = party else {
            return Ok(futures::stream::iter(refused(&operation, at)).boxed());
        };
        let subscription = self.join(Key { party, columns }, &operation, at);
        let updates = futures::stream::unfold(subscription, async |mut subscription: Subscription| {
            let next = subscription.next().await?;
            Some((next, subscription))
        });
        Ok(updates.boxed())
    }
}

/// Who may follow nothing is told where it stands, and that it is over.
fn refused(operation: &Operation, at: Position) -> [Answer<Update>; 2] {
    let (school, clb) = match &operation.actor {
        Actor::Principal { school, clb, .. } => (*school, *clb),
        Actor::Source { .. } | Actor::Hub => (None, None),
    };
    [Ok(Update::Stands(at)), Ok(Update::NoLongerYours { at, school, clb })]
}
