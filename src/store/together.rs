//! What several ask at the same time, asked together.
//!
//! A way to the database costs it and the hub as much as most of what goes over it. So whoever comes while others are being
//! answered waits, and the next way is for all who wait. An answer is as good as one's own: its question is asked after one
//! came. Who comes alone waits for nobody.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::join_all;
use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::DbError;

/// How many are answered at once.
const AT_ONCE: usize = 64;

/// Who answers questions of this kind.
#[async_trait]
pub(super) trait Answers<Question>: Clone + Send + Sync + 'static {
    /// What is said to one.
    type Answer: Send + 'static;

    /// What is said to each, in their order; or nothing to anyone.
    async fn all(&self, questions: &[&Question]) -> Result<Vec<Self::Answer>, DbError>;
}

/// Who waits for an answer.
struct Waiting<Question, Answer> {
    question: Question,
    told: oneshot::Sender<Result<Answer, DbError>>,
}

/// Those who wait for answers of one kind, and how many more may go to get some.
struct Room<Question, Answer> {
    waiting: Vec<Waiting<Question, Answer>>,
    turns: usize,
}

/// Answers of one kind, for all who ask.
pub(super) struct Together<Question, Answer>(Mutex<Room<Question, Answer>>);

impl<Question, Answer> Default for Together<Question, Answer> {
    fn default() -> Self {
        Self::at_once(1)
    }
}

impl<Question, Answer> Together<Question, Answer> {
    /// So many ways are under way at once.
    pub(super) fn at_once(ways: u32) -> Self {
        Self(Mutex::new(Room {
            waiting: Vec::new(),
            turns: usize::try_from(ways).unwrap_or(usize::MAX).max(1),
        }))
    }
}

impl<Question, Answer> std::fmt::Debug for Together<Question, Answer> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is asked concerns a pupil.
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

fn nobody() -> DbError {
    DbErr::Custom("nobody answers any more".to_owned()).into()
}

impl<Question: Send + Sync + 'static, Answer: Send + 'static> Together<Question, Answer> {
    fn room(&self) -> MutexGuard<'_, Room<Question, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer: alone, or with those of others who came meanwhile.
    ///
    /// # Errors
    /// Of this question; what is wrong with those of others is no error here.
    pub(super) async fn ask(
        self: &Arc<Self>,
        of: &impl Answers<Question, Answer = Answer>,
        question: Question,
    ) -> Result<Answer, DbError> {
        let (told, answer) = oneshot::channel();
        let goes = {
            let mut room = self.room();
            room.waiting.push(Waiting { question, told });
            let goes = room.turns > 0;
            room.turns = room.turns.saturating_sub(1);
            goes
        };
        if goes {
            let (own, of) = (Arc::clone(self), of.clone());
            // Whoever hangs up must not take the questions of others along.
            tokio::spawn(async move { own.go(&of).await });
        }
        answer.await.unwrap_or_else(|_stopped| Err(nobody()))
    }

    /// Goes as long as somebody waits.
    async fn go(&self, of: &impl Answers<Question, Answer = Answer>) {
        loop {
            let some: Vec<_> = {
                let mut room = self.room();
                if room.waiting.is_empty() {
                    room.turns = room.turns.saturating_add(1);
                    return;
                }
                let most = room.waiting.len().min(AT_ONCE);
                room.waiting.drain(..most).collect()
            };
            // Should it panic, those on this way are told so, and the others are not left waiting.
            let _panicked = AssertUnwindSafe(answer(of, some)).catch_unwind().await;
        }
    }
}

/// Tells each of these its answer.
async fn answer<Question, Answer>(of: &impl Answers<Question, Answer = Answer>, some: Vec<Waiting<Question, Answer>>) {
    if some.len() > 1 {
        let questions: Vec<&Question> = some.iter().map(|one| &one.question).collect();
        if let Ok(answers) = of.all(&questions).await {
            for (one, answer) in some.into_iter().zip(answers) {
                // Who has gone need not know.
                let _gone = one.told.send(Ok(answer));
            }
            return;
        }
    }
    // What is wrong with one is not the fault of the others.
    join_all(some.into_iter().map(async |one| {
        let answer = of.all(&[&one.question]).await;
        let answer = answer.and_then(|answers| answers.into_iter().next().ok_or_else(nobody));
        let _gone = one.told.send(answer);
    }))
    .await;
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;

    use super::*;

    /// One who answers when let to, with what was asked and the number of the way on which it was; and refuses one question.
    #[derive(Clone)]
    struct Slow {
        let_go: Arc<Semaphore>,
        ways: Arc<Mutex<Vec<Vec<u32>>>>,
    }

    const REFUSED: u32 = 13;
    const PANICS: u32 = 14;

    #[async_trait]
    impl Answers<u32> for Slow {
        type Answer = (u32, usize);

        async fn all(&self, questions: &[&u32]) -> Result<Vec<Self::Answer>, DbError> {
            let asked: Vec<u32> = questions.iter().map(|one| **one).collect();
            let way = {
                let mut ways = self.ways.lock().unwrap();
                ways.push(asked.clone());
                ways.len()
            };
            self.let_go.acquire().await.unwrap().forget();
            if asked.contains(&REFUSED) {
                return Err(DbError::Held);
            }
            if asked.contains(&PANICS) {
                resume_unwind(Box::new("a fault of ours"));
            }
            Ok(asked.into_iter().map(|one| (one, way)).collect())
        }
    }

    type Waits = Together<u32, (u32, usize)>;

    fn slow() -> (Arc<Waits>, Slow) {
        let slow = Slow {
            let_go: Arc::new(Semaphore::new(0)),
            ways: Arc::default(),
        };
        (Arc::default(), slow)
    }

    fn come(together: &Arc<Waits>, slow: &Slow, question: u32) -> JoinHandle<Option<(u32, usize)>> {
        let (together, slow) = (Arc::clone(together), slow.clone());
        tokio::spawn(async move { together.ask(&slow, question).await.ok() })
    }

    /// Until all who came have done what they can.
    async fn settle() {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_answered_together() {
        let (together, slow) = slow();
        let first = come(&together, &slow, 1);
        settle().await;
        let others = [2, 3, 4].map(|question| come(&together, &slow, question));
        settle().await;
        assert!(!first.is_finished(), "nobody is told before it is answered");
        slow.let_go.add_permits(1);
        settle().await;
        assert!(first.is_finished() && others.iter().all(|one| !one.is_finished()));
        slow.let_go.add_permits(1);
        settle().await;
        assert!(others.iter().all(JoinHandle::is_finished));
        // Each its own, and of a way that began after one came.
        assert_eq!(first.await.unwrap(), Some((1, 1)));
        for (question, one) in [2, 3, 4].into_iter().zip(others) {
            assert_eq!(one.await.unwrap(), Some((question, 2)));
        }
        assert_eq!(*slow.ways.lock().unwrap(), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn one_that_is_refused_takes_nobody_along() {
        let (together, slow) = slow();
        let first = come(&together, &slow, 1);
        settle().await;
        let others = [2, REFUSED, 4].map(|question| come(&together, &slow, question));
        settle().await;
        slow.let_go.add_permits(5);
        let [two, refused, four] = others;
        assert!(first.await.unwrap().is_some());
        assert_eq!(two.await.unwrap().unwrap().0, 2);
        assert_eq!(four.await.unwrap().unwrap().0, 4);
        assert!(refused.await.unwrap().is_none());
        let ways = [vec![1], vec![2, REFUSED, 4], vec![2], vec![REFUSED], vec![4]];
        assert_eq!(*slow.ways.lock().unwrap(), ways);
    }

    #[tokio::test]
    async fn who_hangs_up_takes_nobody_along() {
        let (together, slow) = slow();
        let first = come(&together, &slow, 1);
        settle().await;
        let [second, third] = [2, 3].map(|question| come(&together, &slow, question));
        settle().await;
        slow.let_go.add_permits(1);
        settle().await;
        // Both are asked now, in the turn of the second.
        assert!(first.await.unwrap().is_some());
        second.abort();
        assert!(second.await.is_err());
        slow.let_go.add_permits(1);
        assert_eq!(third.await.unwrap(), Some((3, 2)));
        assert_eq!(*slow.ways.lock().unwrap(), [vec![1], vec![2, 3]]);
    }

    #[tokio::test]
    async fn a_way_that_panics_leaves_nobody_waiting() {
        let (together, slow) = slow();
        let first = come(&together, &slow, PANICS);
        settle().await;
        let second = come(&together, &slow, 2);
        settle().await;
        slow.let_go.add_permits(2);
        settle().await;
        assert!(first.is_finished() && second.is_finished());
        assert_eq!(first.await.unwrap(), None);
        assert_eq!(second.await.unwrap(), Some((2, 2)));
    }

    #[tokio::test]
    async fn who_comes_when_all_are_answered_goes_at_once() {
        let (together, slow) = slow();
        slow.let_go.add_permits(2);
        for question in [1, 2] {
            let one = come(&together, &slow, question);
            settle().await;
            assert!(one.is_finished());
        }
        assert_eq!(*slow.ways.lock().unwrap(), [vec![1], vec![2]]);
    }

    #[tokio::test]
    async fn as_many_ways_at_once_as_there_are_turns() {
        let (_, slow) = slow();
        let together = Arc::new(Waits::at_once(2));
        let mut all = Vec::new();
        for question in [1, 2, 3, 4] {
            all.push((question, come(&together, &slow, question)));
            settle().await;
        }
        assert_eq!(*slow.ways.lock().unwrap(), [[1], [2]], "the others wait for a turn");
        slow.let_go.add_permits(4);
        for (question, one) in all {
            assert_eq!(one.await.unwrap().unwrap().0, question);
        }
    }

    #[tokio::test]
    async fn more_than_fit_on_one_way_go_with_the_next() {
        let (together, slow) = slow();
        let most = u32::try_from(AT_ONCE).unwrap();
        let all: Vec<_> = (100..=100 + most + 2)
            .map(|question| come(&together, &slow, question))
            .collect();
        slow.let_go.add_permits(1_000);
        for one in all {
            assert!(one.await.unwrap().is_some());
        }
        let sizes: Vec<usize> = slow.ways.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [AT_ONCE, 3]);
    }
}
