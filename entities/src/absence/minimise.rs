//! What of an absence may be kept (design §3): not agreed is not stored.

use super::letters::Reading;
use super::mark::Mark;
use crate::category::{Categories, Category};

/// The mark to store for a half-day, or `None` when nothing is to be stored.
///
/// `previous` is the mark stored for the same record and half-day. `None` with a previous mark means
/// that this mark is removed.
///
/// | agreed | says | was B, pending or no longer B | was another code | was nothing |
/// |---|---|---|---|---|
/// | `attendance` | a code or pending | the new mark | the new mark | the new mark |
/// | `attendance` | present, no school | `NoLongerB` | removed | nothing |
/// | `truancy` only | B or pending | the new mark | the new mark | the new mark |
/// | `truancy` only | another code, present, no school | `NoLongerB` | removed | nothing |
/// | neither | anything | removed | removed | nothing |
///
/// A half-day that left B stays as `NoLongerB` whatever it became, present included: the signal is
/// withdrawn all the same, the new reason is never told, and who sent the correction can see that it
/// arrived. Another code that turns into presence leaves nothing worth keeping.
pub fn minimise(reading: Reading, agreed: Categories, previous: Option<Mark>) -> Option<Mark> {
    let attendance = agreed.has(Category::Attendance);
    if !attendance && !agreed.has(Category::Truancy) {
        return None;
    }
    let says = match reading {
        Reading::Absent(code) => Some(Mark::Code(code)),
        Reading::Unresolved => Some(Mark::Unresolved),
        Reading::Unknown => Some(Mark::UnknownLetter),
        Reading::Present | Reading::NoSchool => None,
    };
    says.filter(|mark| attendance || mark.is_about_truancy()).or_else(|| {
        previous
            .filter(|mark| mark.is_about_truancy())
            .map(|_was| Mark::NoLongerB)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absence::code::Code;

    const B: Mark = Mark::Code(Code::B);
    const Z: Mark = Mark::Code(Code::Z);

    fn only(category: Category) -> Categories {
        Categories::NONE.with(category)
    }

    /// The rows and columns of the table above, cell by cell.
    #[test]
    fn the_table_of_minimisation() {
        use Reading::{Absent, NoSchool, Present, Unknown, Unresolved};
        let was = [
            None,
            Some(Z),
            Some(B),
            Some(Mark::Unresolved),
            Some(Mark::UnknownLetter),
            Some(Mark::NoLongerB),
        ];
        let gone = Some(Mark::NoLongerB);
        let away = [None, None, gone, gone, gone, gone];
        let truancy = only(Category::Truancy);
        let attendance = only(Category::Attendance);
        let rows: [(Categories, Reading, [Option<Mark>; 6]); 17] = [
            (truancy, Absent(Code::B), [Some(B); 6]),
            (truancy, Unresolved, [Some(Mark::Unresolved); 6]),
            (truancy, Unknown, [Some(Mark::UnknownLetter); 6]),
            (truancy, Absent(Code::Z), away),
            (truancy, Absent(Code::N), away),
            (truancy, Present, away),
            (truancy, NoSchool, away),
            (attendance, Absent(Code::B), [Some(B); 6]),
            (attendance, Absent(Code::Z), [Some(Z); 6]),
            (attendance, Unresolved, [Some(Mark::Unresolved); 6]),
            (attendance, Unknown, [Some(Mark::UnknownLetter); 6]),
            (attendance, Present, away),
            (attendance, NoSchool, away),
            (Categories::NONE, Absent(Code::B), [None; 6]),
            (only(Category::Enrolment), Absent(Code::B), [None; 6]),
            (only(Category::Identity), Unresolved, [None; 6]),
            (
                Categories::all().without(truancy).without(attendance),
                Unknown,
                [None; 6],
            ),
        ];
        for (agreed, reading, expected) in rows {
            for (previous, expected) in was.into_iter().zip(expected) {
                assert_eq!(
                    minimise(reading, agreed, previous),
                    expected,
                    "{reading:?} after {previous:?} with {agreed:?}"
                );
            }
        }
    }

    #[test]
    fn without_attendance_no_other_code_is_ever_kept() {
        let agreed = Categories::default_agreement();
        for code in Code::ALL {
            for previous in Mark::ALL.into_iter().map(Some).chain([None]) {
                let kept = minimise(Reading::Absent(code), agreed, previous);
                let leaks = matches!(kept, Some(Mark::Code(code)) if code != Code::B);
                assert!(!leaks, "{code} after {previous:?} left {kept:?}");
            }
        }
    }

    #[test]
    fn the_same_reading_twice_changes_nothing() {
        let readings = Code::ALL.map(Reading::Absent);
        let others = [
            Reading::Present,
            Reading::NoSchool,
            Reading::Unresolved,
            Reading::Unknown,
        ];
        for agreed in [Category::Truancy, Category::Attendance, Category::Birth].map(only) {
            for reading in readings.into_iter().chain(others) {
                for previous in Mark::ALL.into_iter().map(Some).chain([None]) {
                    let once = minimise(reading, agreed, previous);
                    assert_eq!(minimise(reading, agreed, once), once, "{reading:?} after {previous:?}");
                }
            }
        }
    }
}
