//! The tree of groups of Smartschool.

#![no_main]

use hub_connectors::smartschool::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // An error or a reading, never a panic.
    let _either = decode::tree(data.chunks(64));
});
