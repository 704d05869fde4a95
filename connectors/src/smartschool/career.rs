//! The career of a pupil (schoolloopbaan): each row a movement that begins on a day.
//!
//! It is where the first and last day at a school and in a class come from. Its register numbers are not used: one
//! that was written before 1 September can stand on the row of the year before (school-apis §1.4).

use chrono::NaiveDate;

use super::account::date;
use super::envelope::Flaw;
use super::groups::institution;
use super::json::Fields;

/// The largest row, in bytes.
pub(super) const MOST_ROW: usize = 64 * 1024;

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Movement {
    day: NaiveDate,
    /// Where the pupil is from that day on; `None` outside any school.
    place: Option<Place>,
}

/// Where a pupil is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The institution number; none when the row does not say.
    school: Option<String>,
    /// The code of the class; empty between classes.
    class: String,
}

/// Days at a school or in a class: from the first one to the first one that no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) begins: NaiveDate,
    pub(super) ends: Option<NaiveDate>,
}

impl Stay {
    pub(super) fn holds(self, day: NaiveDate) -> bool {
        self.begins <= day && self.ends.is_none_or(|ends| day < ends)
    }
}

/// A career, in the order of its days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Career {
    movements: Vec<Movement>,
    /// Rows without a day that can be read.
    pub(super) unreadable: u64,
}

impl Career {
    /// Takes a row.
    pub(super) fn row(&mut self, json: &[u8]) -> Result<(), Flaw> {
        let row = Fields::of_bytes(json)?;
        let Some(day) = date(&row.text("date")) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return Ok(());
        };
        let place = (!row.yes("outschool")).then(|| Place {
            school: institution(&row.text("institutenumber")),
            class: if row.yes("inclass") {
                row.text("groupcode")
            } else {
                String::new()
            },
        });
        // Of two movements of one day the later row is where the pupil ended up.
        self.movements.push(Movement { day, place });
        Ok(())
    }

    /// All rows are there.
    pub(super) fn sorted(mut self) -> Self {
        self.movements.sort_by_key(|movement| movement.day);
        self
    }

    /// The stays for which `at` says yes, in order.
    fn stays(&self, at: impl Fn(&Place) -> bool) -> Vec<Stay> {
        let mut stays: Vec<Stay> = Vec::new();
        let mut open: Option<NaiveDate> = None;
        for movement in &self.movements {
            let is_there = movement.place.as_ref().is_some_and(&at);
            match (open, is_there) {
                (None, true) => open = Some(movement.day),
                (Some(begins), false) => {
                    open = None;
                    // Gone again on the day of arrival: never there.
                    if begins < movement.day {
                        stays.push(Stay {
                            begins,
                            ends: Some(movement.day),
                        });
                    }
                }
                _ => {}
            }
        }
        stays.extend(open.map(|begins| Stay { begins, ends: None }));
        stays
    }

    /// The stays at a school. Whether a row that names none is of this school, `unsaid` says.
    pub(super) fn at_school(&self, school: &str, unsaid: bool) -> Vec<Stay> {
        self.stays(|place| place.school.as_deref().map_or(unsaid, |own| own == school))
    }

    /// The stays in a class.
    pub(super) fn in_class(&self, code: &str) -> Vec<Stay> {
        self.stays(|place| place.class == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn career(rows: &[&str]) -> Career {
        let mut career = Career::default();
        for row in rows {
            career.row(row.as_bytes()).expect("a row");
        }
        career.sorted()
    }

    fn stay(begins: &str, ends: Option<&str>) -> Stay {
        Stay {
            begins: day(begins),
            ends: ends.map(day),
        }
    }

    #[test]
    fn stays_follow_from_movements() {
        let career = career(&[
            r#"{"inClass":true,"outSchool":false,"date":"2026-09-01","groupCode":"3LAT","instituteNumber":"123456"}"#,
            r#"{"inClass":true,"outSchool":false,"date":"2024-09-01","groupCode":"1A","instituteNumber":34512}"#,
            r#"{"INCLASS":"1","OUTSCHOOL":"0","DATE":"2026-10-5","GROUPCODE":"3WET","INSTITUTENUMBER":"123456"}"#,
            r#"{"inClass":true,"outSchool":false,"date":"2025-09-01","groupCode":"2A","instituteNumber":"034512"}"#,
        ]);
        assert_eq!(
            career.at_school("034512", true),
            [stay("2024-09-01", Some("2026-09-01"))]
        );
        assert_eq!(career.at_school("123456", true), [stay("2026-09-01", None)]);
        assert_eq!(career.in_class("3LAT"), [stay("2026-09-01", Some("2026-10-05"))]);
        assert_eq!(career.in_class("3WET"), [stay("2026-10-05", None)]);
        assert_eq!(career.at_school("999999", true), []);
    }

    #[test]
    fn who_leaves_ends_and_who_comes_back_begins_again() {
        let career = career(&[
            r#"{"inClass":true,"outSchool":false,"date":"2026-09-01","groupCode":"3LAT","instituteNumber":"123456"}"#,
            r#"{"inClass":false,"outSchool":true,"date":"2026-10-01","groupCode":"","instituteNumber":""}"#,
            r#"{"inClass":false,"outSchool":false,"date":"2026-11-03","groupCode":"3LAT","instituteNumber":""}"#,
        ]);
        assert_eq!(
            career.at_school("123456", true),
            [stay("2026-09-01", Some("2026-10-01")), stay("2026-11-03", None)]
        );
        assert_eq!(career.in_class("3LAT"), [stay("2026-09-01", Some("2026-10-01"))]);
        assert!(career.at_school("123456", true)[0].holds(day("2026-09-30")));
        assert!(!career.at_school("123456", true)[0].holds(day("2026-10-01")));
    }

    #[test]
    fn a_row_without_a_school_is_of_a_school_only_where_that_is_taken_for_granted() {
        let career = career(&[r#"{"inClass":true,"outSchool":false,"date":"2026-09-01","groupCode":"3LAT"}"#]);
        assert_eq!(career.at_school("123456", true), [stay("2026-09-01", None)]);
        assert_eq!(career.at_school("123456", false), []);
    }

    #[test]
    fn a_row_without_a_day_is_counted() {
        let career = career(&[r#"{"date":"0000-00-00"}"#, r#"{"date":"gisteren"}"#, "{}"]);
        assert_eq!(career.unreadable, 3);
        assert_eq!(career.at_school("123456", true), []);
    }
}
