//! One question for all who wait for its answer.
//!
//! Every sign-in asks the database for one number ([`super::known`]). Where many come at once, they need not ask one by one: an
//! answer is as good as one's own when its question was asked after one came. So whoever comes while a question is on its way
//! waits for the next, which is asked once for all who wait.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// A number that is asked for together.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// How many questions were begun.
    begun: AtomicU64,
    /// Which of them was answered last, and what was said. Who holds it asks.
    answered: Mutex<(u64, i64)>,
}

impl Together {
    /// What `ask` says, or what it said to somebody else who began to ask after this one came. A question that fails is that
    /// one's alone; the next who waits asks anew.
    pub(super) async fn ask<E>(&self, ask: impl AsyncFnOnce() -> Result<i64, E>) -> Result<i64, E> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut answered = self.answered.lock().await;
        let (question, said) = *answered;
        if question > before {
            return Ok(said);
        }
        let question = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let said = ask().await?;
        *answered = (question, said);
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;

    use super::*;

    /// Four who come one behind the other: the first is asking when the others come.
    #[tokio::test]
    async fn an_answer_is_as_new_as_ones_own() {
        let together = Together::default();
        let asked = Cell::new(0);
        let (let_go, held) = oneshot::channel::<()>();
        let first = together.ask(async || {
            asked.set(asked.get() + 1);
            held.await.unwrap();
            // What was true when it was asked.
            Ok::<_, ()>(1)
        });
        let next = || {
            together.ask(async || {
                asked.set(asked.get() + 1);
                // What came true while the first was on its way.
                Ok::<_, ()>(2)
            })
        };
        let release = async {
            // Polled last, so all others have come.
            let_go.send(()).unwrap();
            Ok::<i64, ()>(0)
        };
        let answers = tokio::join!(first, next(), next(), next(), release);
        assert_eq!(answers, (Ok(1), Ok(2), Ok(2), Ok(2), Ok(0)));
        assert_eq!(asked.get(), 2, "three who wait ask once");
    }

    #[tokio::test]
    async fn a_question_that_fails_or_is_given_up_is_asked_again() {
        let together = Together::default();
        assert_eq!(together.ask(async || Err("gone")).await, Err("gone"));
        assert_eq!(together.ask(async || Ok::<_, &str>(3)).await, Ok(3));
        let given_up = together.ask(async || std::future::pending::<Result<i64, &str>>().await);
        let gone = tokio::select! {
            biased;
            _ = given_up => false,
            () = std::future::ready(()) => true,
        };
        assert!(gone);
        assert_eq!(together.ask(async || Ok::<_, &str>(4)).await, Ok(4));
    }
}
