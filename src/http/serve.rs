//! Listening, and stopping without losing a request (R48).

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long requests in flight may take to end after the signal to stop.
pub const DRAIN: Duration = Duration::from_secs(30);

/// Serves until `stop`, then takes no more connections and ends when the last request has, or
/// after `drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    drain: Duration,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel::<()>();
    let signal = async move {
        stop.await;
        drop(stopping);
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(signal);
    tokio::select! {
        ended = async move { serving.await } => ended,
        () = async move {
            drop(stopped.await);
            tokio::time::sleep(drain).await;
        } => Ok(()),
    }
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
