//! Answers that go wrong on their way, whatever system they come from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::header::CONTENT_TYPE;

use super::{Answer, Delivery, Request, Site};

/// What can befall an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is reset in the middle.
    Reset,
    /// The connection is closed in the middle, although more was announced.
    Cut,
    /// Half of it comes, and then nothing.
    Stall,
    /// The server breaks down: 500.
    Breakdown,
    /// The server is asked too often: 429, as HTML, with an hour to wait.
    Busy,
    /// The token or the code is not valid any more: 401.
    Unauthorised,
    /// A page of HTML with status 200, as a portal in front of the server does.
    Portal,
    /// The answer itself, called a picture.
    OtherType,
    /// The first half of the answer, delivered as if it were whole.
    Half,
    /// The answer over and over again, without end.
    Endless,
    /// Brackets or elements in one another, ten thousand deep.
    Deep,
    /// The first half of the answer, and then one letter over and over again, without end.
    Flood,
    /// The answer itself, after this time.
    Late(Duration),
}

impl Trouble {
    /// Every kind that keeps an answer from being read.
    pub const ALL: [Self; 12] = [
        Self::Reset,
        Self::Cut,
        Self::Stall,
        Self::Breakdown,
        Self::Busy,
        Self::Unauthorised,
        Self::Portal,
        Self::OtherType,
        Self::Half,
        Self::Endless,
        Self::Deep,
        Self::Flood,
    ];

    fn befall(self, answer: Answer) -> Answer {
        let half = answer.body.len() / 2;
        match self {
            Self::Reset => answer.delivered(Delivery::Reset(half)),
            Self::Cut => answer.delivered(Delivery::Cut(half)),
            Self::Stall => answer.delivered(Delivery::Stall(half)),
            Self::Breakdown => Answer::of(500, "text/plain", "something broke"),
            Self::Busy => Answer::of(429, "text/html", "<html>Too many requests</html>").with("retry-after", "3600"),
            Self::Unauthorised => Answer::of(401, "text/plain", "no"),
            Self::Portal => Answer::of(200, "text/html", "<!doctype html><title>Welcome</title>"),
            Self::OtherType => answer.with("content-type", "image/png"),
            Self::Half => Answer {
                body: answer.body.slice(..half),
                ..answer
            },
            Self::Endless => answer.delivered(Delivery::Endless),
            Self::Deep => {
                let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let open = if kind.is_some_and(|kind| kind.contains("xml")) {
                    "<a>"
                } else {
                    "{\"a\":"
                };
                Answer {
                    body: open.repeat(10_000).into(),
                    ..answer
                }
            }
            Self::Flood => answer.delivered(Delivery::Flood(half)),
            Self::Late(_) => answer,
        }
    }
}

#[derive(Debug, Default)]
struct Mood {
    answered: usize,
    /// From which answer on, until which, what.
    trouble: Option<(usize, usize, Trouble)>,
}

/// A site whose answers can be made to go wrong while it runs.
pub struct Unruly {
    site: Arc<dyn Site>,
    counts: fn(&Request) -> bool,
    mood: Mutex<Mood>,
}

impl std::fmt::Debug for Unruly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unruly").finish_non_exhaustive()
    }
}

impl Unruly {
    /// A site in good order. Only requests that `counts` are counted and get into trouble: those for data, so that
    /// a token is still given.
    pub fn over(site: Arc<dyn Site>, counts: fn(&Request) -> bool) -> Self {
        Self {
            site,
            counts,
            mood: Mutex::default(),
        }
    }

    /// Begins to count again, in good order.
    pub fn calm(&self) {
        self.set(None);
    }

    /// Begins to count again; the `k`-th answer, from 1, and all after it are in trouble.
    pub fn from(&self, k: usize, trouble: Trouble) {
        self.set(Some((k, usize::MAX, trouble)));
    }

    /// Begins to count again; only the `k`-th answer, from 1, is in trouble.
    pub fn only(&self, k: usize, trouble: Trouble) {
        self.set(Some((k, k, trouble)));
    }

    /// How many answers were given since it was told how to be.
    pub fn answered(&self) -> usize {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner).answered
    }

    fn set(&self, trouble: Option<(usize, usize, Trouble)>) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = Mood { answered: 0, trouble };
    }

    fn next(&self) -> Option<Trouble> {
        let mut mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        mood.answered = mood.answered.saturating_add(1);
        let (from, until, trouble) = mood.trouble?;
        (from..=until).contains(&mood.answered).then_some(trouble)
    }
}

#[async_trait]
impl Site for Unruly {
    async fn answer(&self, request: Request) -> Answer {
        let trouble = if (self.counts)(&request) { self.next() } else { None };
        let answer = self.site.answer(request).await;
        if let Some(Trouble::Late(time)) = trouble {
            tokio::time::sleep(time).await;
        }
        match trouble {
            Some(trouble) => trouble.befall(answer),
            None => answer,
        }
    }
}
