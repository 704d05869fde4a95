//! The table of result codes of Smartschool.

#![no_main]

use hub_connectors::smartschool::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // An error or a reading, never a panic; and the same in one piece as in many.
    let whole = decode::result_codes([data]);
    let pieces = decode::result_codes(data.chunks(7));
    assert_eq!(whole.ok(), pieces.ok());
});
