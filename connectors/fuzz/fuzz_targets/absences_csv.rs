//! Half-days of absence as CSV, by the default map.

#![no_main]

use std::convert::Infallible;

use hub_connectors::absences::{AbsenceFormat, AbsenceReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Rows or a report, never a panic.
    let format = AbsenceFormat::default();
    let mut reader = AbsenceReader::new(data, "fuzz", &format);
    let _either = reader.read::<Infallible>(&mut |row| {
        assert!(!row.pupil_key.is_empty());
        Ok(())
    });
});
