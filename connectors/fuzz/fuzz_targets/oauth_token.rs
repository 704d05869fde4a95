//! An answer of a token endpoint; the first byte says with which status.

#![no_main]

use hub_connectors::oauth::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, body)) = data.split_first() else { return };
    let status = [200, 400, 401, 403][usize::from(*which) % 4];
    // An error or a token, never a panic; and no token but with a 200.
    let given = decode(status, "application/json", body);
    assert!(given.is_err() || status == 200);
});
