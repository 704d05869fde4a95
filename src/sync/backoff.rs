//! When a source is asked again: healthy ones by the clock, sick ones later and later, and never all at once (R47).

use std::time::Duration;

use hub_connectors::fault::Fault;
use hub_connectors::http::Pause;

use super::SyncError;

/// The soonest that a sick source is asked again.
const SOONEST: Duration = Duration::from_mins(1);

/// The latest.
const LATEST: Duration = Duration::from_hours(1);

/// From so many failures on a source is only knocked at, and read once it opens.
pub(super) const KNOCK_AFTER: i32 = 3;

/// How long until the next turn of a healthy stream: about `every`, spread by a tenth so that sources that began
/// together do not stay together.
pub(super) fn healthy(every: Duration, chance: &dyn Pause) -> Duration {
    every.mul_f64(0.9).saturating_add(chance.up_to(every.mul_f64(0.2)))
}

/// How long until a stream is tried again that has failed so often: a minute, and a share by chance of what doubles with
/// each failure up to an hour; no sooner than the source itself asked for.
pub(super) fn sick(failures: i32, fault: &SyncError, chance: &dyn Pause) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(6);
    let most = SOONEST.saturating_mul(1 << doublings).min(LATEST);
    let asked = match fault {
        SyncError::Source(Fault::Transient { retry_after, .. }) => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    SOONEST.saturating_add(chance.up_to(most)).max(asked)
}

/// A fault in words that hold nothing of a pupil and nothing that a source or a database said.
pub(super) fn in_words(fault: &SyncError) -> String {
    match fault {
        SyncError::Store(fault) => fault.kind().to_owned(),
        SyncError::Faulty(_) => "the data is faulty and nothing was changed".to_owned(),
        SyncError::Unreadable(_) => "the data could not be read".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use hub_connectors::http::Hurried;

    use super::*;

    fn minutes(duration: Duration) -> u64 {
        duration.as_secs() / 60
    }

    #[test]
    fn a_sick_source_is_asked_later_and_later() {
        // The chance of a test is always half.
        let chance = Hurried::default();
        let fault = SyncError::Source(Fault::transient("no answer"));
        let waits: Vec<u64> = [1, 2, 3, 4, 5, 6, 7, 8, 1_000]
            .into_iter()
            .map(|failures| sick(failures, &fault, &chance).as_secs())
            .collect();
        assert_eq!(waits, [90, 120, 180, 300, 540, 1_020, 1_860, 1_860, 1_860]);
        let asked = |seconds| {
            SyncError::Source(Fault::Transient {
                reason: "busy",
                retry_after: Some(Duration::from_secs(seconds)),
            })
        };
        assert_eq!(minutes(sick(1, &asked(7_200), &chance)), 120);
        assert_eq!(sick(1, &asked(5), &chance).as_secs(), 90);
    }

    #[test]
    fn a_healthy_one_comes_about_when_it_should() {
        assert_eq!(
            healthy(Duration::from_mins(10), &Hurried::default()),
            Duration::from_mins(10)
        );
    }

    #[test]
    fn no_fault_repeats_what_was_said() {
        let fault = SyncError::Unreadable(std::io::Error::other("canary"));
        assert!(!in_words(&fault).contains("canary"));
        let report = hub_connectors::report::Report::default();
        assert!(in_words(&SyncError::Faulty(Box::new(report))).starts_with("the data is faulty"));
    }
}
