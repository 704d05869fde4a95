//! Lines of the access log that are committed together.
//!
//! A commit costs the database more than most of what it is asked for a read. Readers who come at the same time need not
//! commit one by one: whoever comes while lines are on their way waits, and the next transaction writes the lines of all who
//! wait. It writes and reads nothing, so it may name several CLBs; what each of them reads stays in a transaction of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::SecretDb;
use super::line::{self, Line};
use crate::store::DbError;

/// How many readers' lines go into one transaction.
const AT_ONCE: usize = 64;

/// Where lines are committed.
#[async_trait]
pub(super) trait Log: Clone + Send + Sync + 'static {
    /// Commits all of them, or none.
    async fn commit(&self, lines: &[&Line]) -> Result<(), DbError>;
}

#[async_trait]
impl Log for SecretDb {
    async fn commit(&self, lines: &[&Line]) -> Result<(), DbError> {
        let mut clbs: Vec<_> = lines.iter().map(|line| line.clb).collect();
        clbs.sort_unstable();
        clbs.dedup();
        let tx = self.within(&clbs).await?;
        line::write_each(&tx, lines).await?;
        Ok(tx.commit().await?)
    }
}

/// What one reader waits for.
struct Waiting {
    lines: Vec<Line>,
    told: oneshot::Sender<Result<(), DbError>>,
}

/// Lines that wait to be committed.
#[derive(Default)]
pub(super) struct Committing {
    waiting: Mutex<Vec<Waiting>>,
    /// Who holds it commits.
    turn: tokio::sync::Mutex<()>,
}

impl Committing {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the lines are committed: alone, or with those of others who came meanwhile.
    ///
    /// # Errors
    /// They are not; what was wrong with the lines of others is no error here.
    pub(super) async fn commit(self: &Arc<Self>, log: &impl Log, lines: Vec<Line>) -> Result<(), DbError> {
        if lines.is_empty() {
            return Ok(());
        }
        let (told, done) = oneshot::channel();
        self.waiting().push(Waiting { lines, told });
        let (own, log) = (Arc::clone(self), log.clone());
        // Whoever hangs up must not take the lines of others along.
        tokio::spawn(async move { own.take_turn(&log).await });
        let done = done.await;
        done.unwrap_or_else(|_stopped| Err(DbErr::Custom("nobody writes the access log any more".to_owned()).into()))
    }

    /// Commits what waits by then. There are as many turns as readers, so nobody is left.
    async fn take_turn(&self, log: &impl Log) {
        let _turn = self.turn.lock().await;
        let some: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let most = waiting.len().min(AT_ONCE);
            waiting.drain(..most).collect()
        };
        if some.len() > 1 {
            let all: Vec<&Line> = some.iter().flat_map(|one| &one.lines).collect();
            if log.commit(&all).await.is_ok() {
                for one in some {
                    // Who has gone need not know.
                    let _gone = one.told.send(Ok(()));
                }
                return;
            }
        }
        // What is wrong with the lines of one is not the fault of the others.
        join_all(some.into_iter().map(async |one| {
            let lines: Vec<&Line> = one.lines.iter().collect();
            let done = log.commit(&lines).await;
            let _gone = one.told.send(done);
        }))
        .await;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use hub_entities::id::{ClbId, DecisionId, PrincipalId, PupilId};
    use hub_entities::operation::Role;
    use tokio::sync::Semaphore;
    use uuid::Uuid;

    use super::*;

    /// A log that commits when it is let to, and refuses what nobody may read.
    #[derive(Clone)]
    struct Slow {
        let_go: Arc<Semaphore>,
        committed: Arc<Mutex<Vec<Vec<u128>>>>,
    }

    const REFUSED: u128 = 13;

    #[async_trait]
    impl Log for Slow {
        async fn commit(&self, lines: &[&Line]) -> Result<(), DbError> {
            self.let_go.acquire().await.unwrap().forget();
            let ids: Vec<u128> = lines.iter().map(|line| line.id.0.as_u128()).collect();
            let is_refused = ids.contains(&REFUSED);
            self.committed.lock().unwrap().push(ids);
            if is_refused { Err(DbError::Held) } else { Ok(()) }
        }
    }

    fn line(id: u128) -> Vec<Line> {
        vec![Line {
            id: DecisionId(Uuid::from_u128(id)),
            clb: ClbId(Uuid::nil()),
            at: DateTime::UNIX_EPOCH,
            by: PrincipalId(Uuid::nil()),
            role: Role::ClbWorker,
            purpose: None,
            assured: true,
            pupil: PupilId(Uuid::nil()),
            action: "read".to_owned(),
            granted: Vec::new(),
            withheld: Vec::new(),
            facts: String::new(),
            request: Uuid::nil(),
        }]
    }

    fn slow() -> (Arc<Committing>, Slow) {
        let log = Slow {
            let_go: Arc::new(Semaphore::new(0)),
            committed: Arc::default(),
        };
        (Arc::default(), log)
    }

    /// Who waits, with the id of the line.
    fn come(committing: &Arc<Committing>, log: &Slow, id: u128) -> tokio::task::JoinHandle<bool> {
        let (committing, log) = (Arc::clone(committing), log.clone());
        tokio::spawn(async move { committing.commit(&log, line(id)).await.is_ok() })
    }

    /// Until all who came have done what they can.
    async fn settle() {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_committed_together() {
        let (committing, log) = slow();
        let first = come(&committing, &log, 1);
        settle().await;
        let others = [2, 3, 4].map(|id| come(&committing, &log, id));
        settle().await;
        assert!(!first.is_finished(), "nobody is told before it is committed");
        log.let_go.add_permits(1);
        settle().await;
        assert!(first.is_finished() && others.iter().all(|one| !one.is_finished()));
        log.let_go.add_permits(1);
        settle().await;
        for one in others.into_iter().chain([first]) {
            assert!(one.is_finished() && one.await.unwrap());
        }
        assert_eq!(*log.committed.lock().unwrap(), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn one_that_is_refused_takes_nobody_along() {
        let (committing, log) = slow();
        let first = come(&committing, &log, 1);
        settle().await;
        let others = [2, REFUSED, 4].map(|id| come(&committing, &log, id));
        settle().await;
        log.let_go.add_permits(5);
        let [two, refused, four] = others;
        assert!(first.await.unwrap() && two.await.unwrap() && four.await.unwrap());
        assert!(!refused.await.unwrap());
        let committed = [vec![1], vec![2, REFUSED, 4], vec![2], vec![REFUSED], vec![4]];
        assert_eq!(*log.committed.lock().unwrap(), committed);
    }

    #[tokio::test]
    async fn who_hangs_up_takes_nobody_along() {
        let (committing, log) = slow();
        let first = come(&committing, &log, 1);
        settle().await;
        let next = come(&committing, &log, 2);
        settle().await;
        first.abort();
        assert!(first.await.is_err());
        log.let_go.add_permits(2);
        assert!(next.await.unwrap());
        assert_eq!(*log.committed.lock().unwrap(), [[1], [2]]);
    }

    #[tokio::test]
    async fn more_than_fit_into_one_are_committed_by_the_next() {
        let (committing, log) = slow();
        let most = u128::try_from(AT_ONCE).unwrap();
        let all: Vec<_> = (100..=100 + most + 2).map(|id| come(&committing, &log, id)).collect();
        log.let_go.add_permits(10);
        for one in all {
            assert!(one.await.unwrap());
        }
        let sizes: Vec<usize> = log.committed.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [AT_ONCE, 3]);
    }
}
