//! Listening, not waiting for those who never finish asking (R16), and stopping without losing a request (R48).

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// How long the hub waits for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the head of a request may take to arrive, counted from the connection or the last answer: so long an
    /// idle connection is kept too.
    pub head: Duration,
    /// How long requests in flight may take to end after the signal to stop.
    pub drain: Duration,
}

impl Patience {
    /// A head in 15 s (R16), an end in 30 s (R48).
    pub const DEFAULT: Self = Self {
        head: Duration::from_secs(15),
        drain: Duration::from_secs(30),
    };
}

/// Serves until `stop`, then takes no more connections and ends when the last request has, or
/// after the drain.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    patience: Patience,
) -> io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, _) = tokio::select! {
            biased;
            () = &mut stop => break,
            // Not the listener's own: this one goes on where accepting fails.
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that hung up or never finished: nothing of ours went wrong.
            if connection.await.is_err() {
                tracing::debug!("a connection ended before its request did");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(patience.drain) => {}
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
