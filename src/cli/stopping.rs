//! The word to stop, for a verb that works and ends: what it is at comes to its end in order, or ends where it is.

use std::process::exit;

use super::{Failure, say};
use crate::http::serve::stop_signal;

/// The code of a process that a signal ended, as shells know it.
const ENDED_BY_SIGNAL: i32 = 130;

/// At SIGTERM or ctrl-c calls this, so that what is under way ends in order. At the second the process ends where it is:
/// what was committed stands, and the lease of the run ends by itself.
///
/// # Errors
/// The signals cannot be listened to; found before the work begins.
pub(super) fn when_told_to_stop(stop: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let first = stop_signal()?;
    tokio::spawn(async move {
        first.await;
        // Listened for before the first is obeyed: none is lost between the two.
        let second = stop_signal();
        stop();
        say("stopping; told again, it ends where it is", true);
        if let Ok(second) = second {
            second.await;
            exit(ENDED_BY_SIGNAL);
        }
    });
    Ok(())
}
