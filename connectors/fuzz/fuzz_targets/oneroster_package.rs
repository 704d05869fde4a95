//! A package of OneRoster.

#![no_main]

use std::io::Cursor;

use hub_connectors::archive::Package;
use hub_connectors::oneroster::{Settings, read};
use hub_connectors::report::Report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A report or a roster, never a panic; and no roster with an error.
    let mut report = Report::default();
    if let Ok(mut package) = Package::zip(Cursor::new(data.to_vec()), &mut report)
        && let Ok(roster) = read(&mut package, &Settings::default(), report)
    {
        assert!(roster.report.usable());
        assert!(roster.pupils.iter().all(|pupil| !pupil.source_key.is_empty()));
    }
});
