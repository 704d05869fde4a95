//! `clb-hub keys`: the key files that the configuration names.

use std::process::ExitCode;

use super::{Failure, say};
use crate::config::Config;
use crate::runtime::{key_file, random};

/// Makes the key files that are not there yet. One that is there is never touched: losing the key of the blind index
/// loses the links across schools.
pub(super) fn run(config: &Config) -> Result<ExitCode, Failure> {
    let named = [
        ("cursor_file", &config.keys.cursor_file),
        ("blind_index_file", &config.keys.blind_index_file),
    ];
    for (key, path) in named {
        let Some(path) = path else {
            say(&format!("[keys] {key} names no file"), false);
            continue;
        };
        let was = path.exists();
        key_file(path, || Ok(random::<32>()?.to_vec()))?;
        let done = if was { "is there" } else { "made" };
        say(&format!("[keys] {key} {done}: {}", path.display()), false);
    }
    Ok(ExitCode::SUCCESS)
}
