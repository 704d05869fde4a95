//! A page of a list of OneRoster; the first byte says which list it is.

#![no_main]

use hub_connectors::oneroster::rest::decode;
use libfuzzer_sys::fuzz_target;

const LISTS: [&str; 6] = ["orgs", "academicSessions", "classes", "users", "demographics", "enrollments"];

fuzz_target!(|data: &[u8]| {
    let Some((which, answer)) = data.split_first() else { return };
    let name = LISTS[usize::from(*which) % LISTS.len()];
    // An error or a roster, never a panic; and the same in one piece as in many.
    let whole = decode::pages("s1", [(name, [answer])]);
    let pieces = decode::pages("s1", [(name, answer.chunks(7))]);
    assert_eq!(whole.is_ok(), pieces.is_ok());
    if let (Ok((records, roster)), Ok(again)) = (whole, pieces) {
        assert!(roster.pupils.iter().all(|pupil| !pupil.source_key.is_empty()));
        assert_eq!((records, roster), again);
    }
});
