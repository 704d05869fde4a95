//! Listening, not waiting for those who never finish asking (R16), and stopping without losing a request (R48).

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::impatient::Impatient;

/// How long the hub waits for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the head of a request may take to arrive, counted from the connection or the last answer: so long an
    /// idle connection is kept too.
    pub head: Duration,
    /// How long a client may take nothing of what it is sent.
    pub write: Duration,
    /// How long a stop may take in all, from the signal on (R48).
    pub drain: Duration,
}

impl Patience {
    /// A head in 15 s (R16), something taken in 30 s, an end in 30 s (R48).
    pub const DEFAULT: Self = Self {
        head: Duration::from_secs(15),
        write: Duration::from_secs(30),
        drain: Duration::from_secs(30),
    };

    /// What of the drain whoever writes last has for itself, when all others have ended or were cut off: a sixth.
    pub fn last_words(&self) -> Duration {
        self.drain / 6
    }

    /// What of it requests in flight, streams and pulls have, all at once.
    pub fn last_requests(&self) -> Duration {
        self.drain.saturating_sub(self.last_words())
    }
}

/// What a connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Nothing.
    GoOn,
    /// To end with the request it is at.
    Finish,
    /// To end.
    Cut,
}

/// Until a connection is told this, or more.
async fn told(from: &mut watch::Receiver<Told>, what: Told) {
    // The sender outlives its connections; without one, there is nothing to go on for.
    drop(from.wait_for(|told| *told >= what).await);
}

/// Serves until `stop`, then takes no more connections and ends when the last request has. What has not ended by
/// [`Patience::last_requests`] is cut off: a client that takes nothing, or never ends asking, holds no stop.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    patience: Patience,
) -> io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    // Each connection holds a receiver: when none is left, all have ended.
    let stopping = watch::Sender::new(Told::GoOn);
    let mut stop = pin!(stop);
    loop {
        let (stream, _) = tokio::select! {
            biased;
            () = &mut stop => break,
            // Not the listener's own: this one goes on where accepting fails.
            accepted = Listener::accept(&mut listener) => accepted,
        };
        // A small message, an event, is not held back until another follows.
        drop(stream.set_nodelay(true));
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(Impatient::new(stream, patience.write));
        let (http, mut stopped) = (http.clone(), stopping.subscribe());
        tokio::spawn(async move {
            let mut connection = pin!(http.serve_connection(stream, service).with_upgrades());
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = told(&mut stopped, Told::Finish) => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => ended,
                        () = told(&mut stopped, Told::Cut) => return,
                    }
                }
            };
            // A client that hung up or never finished: nothing of ours went wrong.
            if ended.is_err() {
                tracing::debug!("a connection ended before its request did");
            }
        });
    }
    drop(listener);
    stopping.send_replace(Told::Finish);
    if tokio::time::timeout(patience.last_requests(), stopping.closed())
        .await
        .is_err()
    {
        tracing::warn!("a request did not end in time");
        stopping.send_replace(Told::Cut);
        // At once: they let go of what they hold, and the hub's last lines can be written.
        stopping.closed().await;
    }
    Ok(())
}

/// Ends at SIGTERM or ctrl-c.
///
/// # Errors
/// The signals cannot be listened to; found before serving begins, not when one is needed.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
