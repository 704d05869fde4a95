//! Which day the demo shows as today.

use chrono::{Datelike, NaiveDate};

/// The first day (month, day) on which there is nothing to see of the school year that it is: holidays.
const FROM: (u32, u32) = (7, 1);

/// The last one: thirty days of lessons lie behind it, and some pupils have five half-days without a reason.
const UNTIL: (u32, u32) = (10, 13);

/// From [`UNTIL`] back to 30 June, the last day of the school year before.
const DAYS: i64 = 105;

/// So many days the demo is behind: none where the running school year has enough to show; in the holidays and the first
/// weeks of a school year as many as bring it to the end of the one before, so that its last day comes when this is over.
/// Always the same number meanwhile: a demo that is begun again on the next day must not find that time went back.
///
/// ```
/// use clb_hub::demo::today::days_behind;
/// let behind = |day: &str| days_behind(day.parse().unwrap());
/// assert_eq!([behind("2027-06-30"), behind("2027-09-03"), behind("2027-10-14")], [0, 105, 0]);
/// ```
pub fn days_behind(real: NaiveDate) -> i64 {
    if (FROM..=UNTIL).contains(&(real.month(), real.day())) {
        DAYS
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::Days;
    use hub_entities::law::Laws;
    use hub_entities::time::SchoolYear;

    use super::*;
    use crate::demo::absences;
    use crate::demo::feed::Feed;
    use crate::demo::population::Population;
    use crate::demo::schools::Shape;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn shown(real: NaiveDate) -> NaiveDate {
        real - chrono::TimeDelta::days(days_behind(real))
    }

    #[test]
    fn what_is_shown_on_which_day() {
        for (real, expected) in [
            ("2026-11-27", "2026-11-27"),
            ("2027-01-01", "2027-01-01"),
            ("2027-06-30", "2027-06-30"),
            // Holidays, and the first weeks: the school year that was.
            ("2027-07-01", "2027-03-18"),
            ("2027-08-31", "2027-05-18"),
            ("2027-09-01", "2027-05-19"),
            ("2027-09-03", "2027-05-21"),
            ("2027-10-13", "2027-06-30"),
            ("2027-10-14", "2027-10-14"),
        ] {
            assert_eq!(shown(day(real)), day(expected), "{real}");
        }
    }

    #[test]
    fn thirty_days_of_lessons_are_always_behind_it() {
        let laws = Laws::embedded().unwrap();
        for real in day("2026-11-27")
            .iter_days()
            .take_while(|real| *real < day("2036-11-27"))
        {
            let today = shown(real);
            let lessons = laws.calendar(SchoolYear::of(today));
            let passed: BTreeSet<NaiveDate> = lessons.iter().map(|at| at.day).filter(|at| *at <= today).collect();
            // Between 1 September and the thirtieth day of lessons of the school year that it is, another one is shown.
            assert!(passed.len() >= 30, "{real}: {} days", passed.len());
            // Nor does it ever go back while it is behind.
            let next = shown(real + Days::new(1));
            assert!(next > today || days_behind(real) == 0, "{real}");
        }
    }

    // On the days with the least behind them: somebody has five, somebody comes to them and goes below.
    #[test]
    fn there_is_something_to_see_on_the_barest_days() {
        let laws = Laws::embedded().unwrap();
        for real in ["2026-10-14", "2027-09-01", "2028-10-14", "2029-07-01"] {
            let today = shown(day(real));
            let calendar = laws.calendar(SchoolYear::of(today));
            let population = Population::new(Shape::demo(), 20_260_901, today, &calendar);
            // Of the school whose software pushes, and of its CLB.
            let five = (0..population.len()).filter(|index| {
                let pupil = population.pupil(*index);
                let problematic = absences::of(&population, &pupil)
                    .iter()
                    .filter(|one| one.letter == "B")
                    .count();
                pupil.stays.iter().any(|stay| stay.school == 0) && problematic >= 5
            });
            assert!(five.count() > 0, "{real}");
            let feed = Feed::of_last(&population, 18);
            let changes: Vec<_> = (0..40).flat_map(|step| feed.step(step)).collect();
            assert!(changes.iter().any(|change| change.code == "B"), "{real}");
        }
    }
}
