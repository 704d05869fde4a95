//! An archive: opened, and everything in it read.

#![no_main]

use std::io::{Cursor, Read as _};

use hub_connectors::archive::Package;
use hub_connectors::report::Report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A report or a package, of which each file is read or fails; never a panic.
    let Ok(mut package) = Package::zip(Cursor::new(data.to_vec()), &mut Report::default()) else {
        return;
    };
    let names: Vec<String> = package.names().map(str::to_owned).collect();
    for name in names {
        if let Ok(Some(mut file)) = package.read(&name) {
            let _either = file.read_to_end(&mut Vec::new());
        }
    }
});
