//! Half-days on their way from a file to the ledger: six bytes each.
//!
//! A million of them are six megabytes, so a run of any size is put aside in little memory.

use chrono::{DateTime, NaiveDate};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::absence::mark::Mark;
use hub_entities::time::{HalfDay, Part};

/// Bytes of one half-day.
pub const WIDTH: usize = 6;

const PRESENT: u8 = 0;
const NO_SCHOOL: u8 = 50;
const UNRESOLVED: u8 = 51;
const UNKNOWN: u8 = 52;

/// Adds a half-day to a pack.
pub fn push(pack: &mut Vec<u8>, at: HalfDay, reading: Reading) {
    let reading = match reading {
        Reading::Present => PRESENT,
        Reading::NoSchool => NO_SCHOOL,
        Reading::Unresolved => UNRESOLVED,
        Reading::Unknown => UNKNOWN,
        // The stored numbers of codes are small and fixed.
        Reading::Absent(code) => u8::try_from(Mark::Code(code).to_i16()).unwrap_or(UNKNOWN),
    };
    let part = match at.part {
        Part::Am => 0,
        Part::Pm => 1,
    };
    pack.extend_from_slice(&days(at.day).to_be_bytes());
    pack.extend_from_slice(&[part, reading]);
}

/// Days since 1970-01-01.
fn days(day: NaiveDate) -> i32 {
    let days = day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days();
    i32::try_from(days).unwrap_or_default()
}

/// The half-days of a pack, in the order they were added. `None` for bytes that are none.
pub fn read(pack: &[u8]) -> impl Iterator<Item = Option<(HalfDay, Reading)>> {
    pack.chunks(WIDTH).map(|bytes| {
        let [a, b, c, d, part, reading] = *bytes else {
            return None;
        };
        let days = i32::from_be_bytes([a, b, c, d]);
        let day = DateTime::UNIX_EPOCH
            .date_naive()
            .checked_add_signed(chrono::TimeDelta::days(i64::from(days)))?;
        let reading = match reading {
            PRESENT => Reading::Present,
            NO_SCHOOL => Reading::NoSchool,
            UNRESOLVED => Reading::Unresolved,
            UNKNOWN => Reading::Unknown,
            code => Reading::Absent(code_of(code)?),
        };
        Some((HalfDay::new(day, Part::from_i16(i16::from(part))?), reading))
    })
}

fn code_of(stored: u8) -> Option<Code> {
    match Mark::from_i16(i16::from(stored))? {
        Mark::Code(code) => Some(code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let at = |day: &str, part| HalfDay::new(day.parse().unwrap(), part);
        let said = [
            (at("2026-09-01", Part::Am), Reading::Absent(Code::B)),
            (at("2026-09-01", Part::Am), Reading::Absent(Code::Z)),
            (at("1969-12-31", Part::Pm), Reading::Present),
            (at("2027-06-30", Part::Pm), Reading::Unresolved),
            (at("2026-10-07", Part::Am), Reading::NoSchool),
            (at("2026-10-08", Part::Am), Reading::Unknown),
        ];
        let mut pack = Vec::new();
        for (at, reading) in said {
            push(&mut pack, at, reading);
        }
        assert_eq!(pack.len(), said.len() * WIDTH);
        assert_eq!(read(&pack).collect::<Option<Vec<_>>>().unwrap(), said);
    }

    #[test]
    fn bytes_that_are_no_half_day_are_seen() {
        assert_eq!(read(&[0, 0, 0]).collect::<Vec<_>>(), [None]);
        assert_eq!(read(&[0, 0, 0, 0, 2, 0]).collect::<Vec<_>>(), [None]);
        assert_eq!(read(&[0, 0, 0, 0, 0, 200]).collect::<Vec<_>>(), [None]);
    }
}
