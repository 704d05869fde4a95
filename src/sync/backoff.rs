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
    let alone = left_alone(fault).unwrap_or_default();
    SOONEST.saturating_add(chance.up_to(most)).max(alone)
}

/// For how long no stream of a source is asked for after one of them has failed: so long as the source asked for, and a
/// minute in any case. None where it is not the source that failed.
pub(super) fn left_alone(fault: &SyncError) -> Option<Duration> {
    match fault {
        SyncError::Source(Fault::Transient { retry_after, .. }) => Some(retry_after.unwrap_or_default().max(SOONEST)),
        SyncError::Source(_) => Some(SOONEST),
        _ => None,
    }
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
    fn a_source_that_failed_is_left_alone_and_no_other() {
        let busy = |retry_after| {
            SyncError::Source(Fault::Transient {
                reason: "busy",
                retry_after,
            })
        };
        let minute = Duration::from_mins(1);
        assert_eq!(left_alone(&busy(None)), Some(minute));
        assert_eq!(left_alone(&busy(Some(Duration::from_secs(5)))), Some(minute));
        let asked = Duration::from_hours(2);
        assert_eq!(left_alone(&busy(Some(asked))), Some(asked));
        assert_eq!(left_alone(&SyncError::Source(Fault::Refused("no"))), Some(minute));
        assert_eq!(left_alone(&SyncError::NotAgreed), None);
        assert_eq!(left_alone(&SyncError::Busy), None);
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
