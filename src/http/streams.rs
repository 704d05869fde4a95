//! What stays open: how many, for whom, and how all of it is closed at a stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::watch;

use super::Edge;
use super::answer::Refusal;
use crate::auth::{Identity, Refused};

/// The bounds of what stays open (R40).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// From which pages of a browser a stream may be opened. A client that is no browser names none.
    pub origins: Vec<String>,
    /// Sockets and event streams of this process.
    pub open: usize,
    /// Sockets of one client.
    pub sockets: usize,
    /// Operations under way of one client, on its sockets and event streams together.
    pub subscriptions: usize,
    /// A client that takes nothing is cut off when so many events wait for it.
    pub waiting: u64,
    /// How long a socket may take to say who it is.
    pub init: Duration,
    /// How often a quiet client is asked whether it is there; one that does not answer until the next time is not.
    pub ping: Duration,
    /// How often it is looked whether a token has expired, or a client takes nothing.
    pub tick: Duration,
    /// How often the issuer of a token that says nothing itself is asked whether it still counts (R22).
    pub again: Duration,
}

impl Bounds {
    /// R40, and 5,000 streams; no browsers.
    pub const DEFAULT: Self = Self {
        origins: Vec::new(),
        open: 5_000,
        sockets: 5,
        subscriptions: 50,
        waiting: 1_000,
        init: Duration::from_secs(10),
        ping: Duration::from_secs(30),
        tick: Duration::from_secs(1),
        again: Duration::from_secs(5),
    };
}

/// Who has streams open: one client is one (issuer, subject).
type Client = (String, String);

#[derive(Debug, Default)]
struct Open {
    sockets: usize,
    subscriptions: usize,
}

/// All that stays open in this process.
#[derive(Debug)]
pub struct Streams {
    pub(super) bounds: Bounds,
    clients: Mutex<HashMap<Client, Open>>,
    open: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

impl Streams {
    /// Nothing is open yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            clients: Mutex::default(),
            open: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// Closes all of it when this ends, and ends itself: the clients go on elsewhere (R48).
    pub fn until(
        self: &Arc<Self>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let streams = Arc::clone(self);
        async move {
            stop.await;
            streams.stopping.send_replace(true);
        }
    }

    /// Ends when nothing is open any more.
    pub async fn closed(&self) {
        // The sender is ours: waiting does not fail.
        drop(self.open.subscribe().wait_for(|open| *open == 0).await);
    }

    /// How many are open.
    #[cfg(test)]
    pub(super) fn open_now(&self) -> usize {
        *self.open.borrow()
    }

    /// Ends when all of it must close.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.subscribe();
        async move {
            if stopping.wait_for(|stopping| *stopping).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A place for one more, if there is one and it does not stop.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Entered, Refusal> {
        let full = || {
            let mut refusal = Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "TOO_MANY_STREAMS",
                "no more streams here; try again",
            );
            refusal.header = Some((header::RETRY_AFTER, "5"));
            refusal
        };
        if *self.stopping.borrow() {
            return Err(full());
        }
        let entered = self.open.send_if_modified(|open| {
            let room = *open < self.bounds.open;
            *open = open.saturating_add(usize::from(room));
            room
        });
        if entered {
            Ok(Entered(Arc::clone(self)))
        } else {
            Err(full())
        }
    }

    /// One more socket of this client; `None` where it has as many as it may.
    pub(super) fn socket(self: &Arc<Self>, identity: &Identity) -> Option<Held> {
        self.hold(identity, |open| &mut open.sockets, self.bounds.sockets)
    }

    /// One more operation of this client; `None` where it has as many as it may.
    pub(super) fn subscription(self: &Arc<Self>, identity: &Identity) -> Option<Held> {
        self.hold(identity, |open| &mut open.subscriptions, self.bounds.subscriptions)
    }

    fn hold(self: &Arc<Self>, identity: &Identity, which: fn(&mut Open) -> &mut usize, most: usize) -> Option<Held> {
        let client = (identity.issuer.clone(), identity.subject.clone());
        let mut clients = self.clients();
        let open = which(clients.entry(client.clone()).or_default());
        if *open >= most {
            return None;
        }
        *open = open.saturating_add(1);
        Some(Held {
            streams: Arc::clone(self),
            client,
            which,
        })
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Client, Open>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a page of a browser that is not one of ours. Browsers name the page; what names none is no browser.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        let (first, second) = (sent.next(), sent.next());
        let allowed = match (first, second) {
            (None, _) => true,
            (Some(one), None) => self.bounds.origins.iter().any(|own| own.as_bytes() == one.as_bytes()),
            (Some(_), Some(_)) => false,
        };
        if allowed {
            return Ok(());
        }
        let text = "streams are not opened from this page";
        Err(Refusal::new(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", text))
    }
}

/// One that is open, until it is dropped.
#[derive(Debug)]
pub(super) struct Entered(Arc<Streams>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}

/// What counts for a client, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    streams: Arc<Streams>,
    client: Client,
    which: fn(&mut Open) -> &mut usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut clients = self.streams.clients();
        let Some(open) = clients.get_mut(&self.client) else {
            return;
        };
        let count = (self.which)(open);
        *count = count.saturating_sub(1);
        if open.sockets == 0 && open.subscriptions == 0 {
            clients.remove(&self.client);
        }
    }
}

/// Ends when the token that something open rests on is believed no longer, and says why. One that is good until it
/// expires needs no watching.
pub(super) fn taken_back(edge: &Arc<Edge>, authorization: &str) -> BoxFuture<'static, Refused> {
    let Some(token) = edge.verifier.to_be_asked_again(authorization) else {
        return std::future::pending().boxed();
    };
    let edge = Arc::clone(edge);
    let watch = async move {
        let every = edge.streams.bounds.again;
        let mut again = tokio::time::interval(every);
        again.reset();
        loop {
            again.tick().await;
            if let Err(refused) = edge.verifier.again(&token, edge.clock.now(), every).await {
                return refused;
            }
        }
    };
    watch.boxed()
}

/// Watches whether a client takes what it is sent.
#[derive(Debug, Default)]
pub(super) struct Taking(u64);

impl Taking {
    /// Whether it took nothing since this was asked last, having taken so much in all.
    pub(super) const fn nothing_since(&mut self, taken: u64) -> bool {
        let nothing = self.0 == taken;
        self.0 = taken;
        nothing
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn someone(subject: &str) -> Identity {
        Identity {
            issuer: "https://issuer.example".to_owned(),
            subject: subject.to_owned(),
            assured: false,
            step_up: None,
            expires_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_client_has_so_many_and_others_are_not_counted() {
        let streams = Arc::new(Streams::new(Bounds {
            sockets: 2,
            subscriptions: 3,
            ..Bounds::DEFAULT
        }));
        let (a, b) = (someone("a"), someone("b"));
        let sockets: Vec<_> = (0..2).map(|_| streams.socket(&a).expect("room")).collect();
        assert!(streams.socket(&a).is_none());
        let subscriptions: Vec<_> = (0..3).map(|_| streams.subscription(&a).expect("room")).collect();
        assert!(streams.subscription(&a).is_none());
        assert!(streams.socket(&b).is_some() && streams.subscription(&b).is_some());
        drop(sockets);
        assert!(streams.socket(&a).is_some());
        assert!(streams.subscription(&a).is_none());
        drop(subscriptions);
        assert!(streams.clients().is_empty(), "nothing is remembered of who is gone");
    }

    #[tokio::test]
    async fn a_process_has_so_many_and_none_once_it_stops() {
        let streams = Arc::new(Streams::new(Bounds {
            open: 1,
            ..Bounds::DEFAULT
        }));
        let one = streams.enter().expect("room");
        assert_eq!(streams.enter().expect_err("no room").code, "TOO_MANY_STREAMS");
        drop(one);
        streams.closed().await;
        let one = streams.enter().expect("room again");
        streams.until(std::future::ready(())).await;
        streams.stopped().await;
        drop(one);
        assert!(streams.enter().is_err());
        streams.closed().await;
    }

    #[test]
    fn browsers_open_streams_from_our_pages_only() {
        let streams = Streams::new(Bounds {
            origins: vec!["https://front.example".to_owned()],
            ..Bounds::DEFAULT
        });
        let from = |origins: &[&str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().expect("a header"));
            }
            streams.check_origin(&headers).is_ok()
        };
        assert!(from(&[]) && from(&["https://front.example"]));
        for refused in [
            "https://evil.example",
            "https://front.example.evil.example",
            "http://front.example",
            "https://front.example:8443",
            "null",
            "",
        ] {
            assert!(!from(&[refused]), "{refused}");
        }
        assert!(!from(&["https://front.example", "https://front.example"]));
    }
}
