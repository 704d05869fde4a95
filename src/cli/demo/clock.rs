//! The clock of a demo: it may show a day of the school year that was, and never goes back.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::time::{SchoolYear, brussels_day};

use super::{Failure, refused};
use crate::demo::today::days_behind;
use crate::runtime::ClockBehind;

/// Where a demo keeps by how many days it is behind, and how late it was when it was begun last.
const FILE: &str = "clock";

fn behind(days: i64) -> Result<ClockBehind, Failure> {
    let days = TimeDelta::try_days(days).ok_or_else(|| refused("its clock is none; remove its folder"))?;
    Ok(ClockBehind(days))
}

/// What is kept of the clock of the demo in this folder; `None` where it has none yet.
fn kept(folder: &Path) -> Result<Option<(i64, DateTime<Utc>)>, Failure> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)?;
    let parts = text.trim().split_once(' ');
    let parts = parts.and_then(|(days, begun)| Some((days.parse().ok()?, begun.parse().ok()?)));
    parts
        .map(Some)
        .ok_or_else(|| refused("its clock is none; remove its folder"))
}

/// The clock of the demo in this folder, as it was begun last.
pub(super) fn running(folder: &Path) -> Result<ClockBehind, Failure> {
    behind(kept(folder)?.map_or(0, |(days, _)| days))
}

/// The clock of the demo that is begun in this folder at this instant; and, where it is behind, a line that says so.
///
/// # Errors
/// The demo in this folder has come further already than what it would show now.
pub(super) fn begin(folder: &Path, real: DateTime<Utc>) -> Result<(ClockBehind, Option<String>), Failure> {
    let days = days_behind(brussels_day(real));
    let clock = behind(days)?;
    let now = clock.of(real);
    let today = brussels_day(now);
    if let Some((_, begun)) = kept(folder)?.filter(|(_, begun)| *begun > now) {
        return Err(refused(&format!(
            "it has come to {} already, and would show {today} now: remove its folder, or name another one",
            brussels_day(begun)
        )));
    }
    std::fs::write(folder.join(FILE), format!("{days} {}\n", now.to_rfc3339()))?;
    let told = (days > 0).then(|| {
        format!(
            "there is little to see of this school year yet: it shows {today}, {days} days ago, as today; school year {}",
            SchoolYear::of(today)
        )
    });
    Ok((clock, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    // Whoever asks for a token goes by the clock of the demo that was begun, whatever day it has become.
    #[test]
    fn a_demo_in_september_shows_the_year_before_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running(folder.path()).unwrap().0, TimeDelta::zero());
        let (clock, told) = begin(folder.path(), at("2027-09-03T10:00:00Z")).unwrap();
        assert_eq!(clock.of(at("2027-09-03T10:00:00Z")), at("2027-05-21T10:00:00Z"));
        assert_eq!(
            told.unwrap(),
            "there is little to see of this school year yet: it shows 2027-05-21, 105 days ago, as today; school year \
             2026-2027"
        );
        assert_eq!(running(folder.path()).unwrap().0, TimeDelta::days(105));
        // The next morning, and when the school year has enough to show: later than it was each time.
        assert!(begin(folder.path(), at("2027-09-04T07:00:00Z")).is_ok());
        let (clock, told) = begin(folder.path(), at("2027-10-14T07:00:00Z")).unwrap();
        assert_eq!((clock.0, told), (TimeDelta::zero(), None));
        assert_eq!(running(folder.path()).unwrap().0, TimeDelta::zero());
    }

    #[test]
    fn time_does_not_go_back_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path(), at("2027-06-30T10:00:00Z")).unwrap();
        let refusal = begin(folder.path(), at("2027-07-01T10:00:00Z"))
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("it has come to 2027-06-30 already, and would show 2027-03-18 now"),
            "{refusal}"
        );
        assert_eq!(running(folder.path()).unwrap().0, TimeDelta::zero());
    }
}
