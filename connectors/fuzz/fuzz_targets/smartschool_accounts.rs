//! Accounts of a group of Smartschool.

#![no_main]

use hub_connectors::smartschool::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // An error or a reading, never a panic.
    let _either = decode::accounts(data.chunks(64));
});
