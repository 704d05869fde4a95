//! The half-days of a day of Smartschool.

#![no_main]

use hub_connectors::absences::AbsenceRow;
use hub_connectors::contract::{Gap, Sink};
use hub_connectors::roster::Roster;
use hub_connectors::smartschool::decode;
use libfuzzer_sys::fuzz_target;

struct Nothing;

impl Sink for Nothing {
    fn roster(&mut self, _: Roster) {}

    fn absence(&mut self, row: AbsenceRow<'_>) {
        assert!(!row.pupil_key.is_empty() && !row.deleted);
    }

    fn gap(&mut self, gap: Gap) {
        assert!(gap.records > 0);
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

fuzz_target!(|data: &[u8]| {
    // An error or rows, never a panic; and the same in one piece as in many.
    let whole = decode::half_days([data], chrono::NaiveDate::MIN, &mut Nothing);
    let pieces = decode::half_days(data.chunks(7), chrono::NaiveDate::MIN, &mut Nothing);
    assert_eq!(whole.is_ok(), pieces.is_ok());
});
