//! `clb-hub audit`: whether the access log of the secrecy store is whole.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_entities::time::Clock as _;

use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::Custody;
use crate::custody::log::{Verified, Wrong};
use crate::keys::heads::Heads;
use crate::runtime::SystemClock;

/// Whether the access log of the secrecy store is whole.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Go through the log of every CLB from its first line, and compare its end with what was signed in the second place:
    /// names the first line that was changed, removed, put in between, or cut off.
    Verify,
}

impl Audit {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let Step::Verify = self.step;
        let (Some(apart), Some((keys, folder))) = (open_apart(config).await?, config.secrecy.folders()) else {
            return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
        };
        let heads = Heads::open(keys, folder).map_err(crate::store::DbError::from)?;
        let custody = Custody::open(&open(config).await?, &apart, SystemClock.now()).await?;
        let mut whole = true;
        for one in custody.verify(&heads).await? {
            whole &= one.wrong.is_none();
            say(&told(&one), false);
        }
        Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn told(one: &Verified) -> String {
    let found = match one.wrong {
        None => format!("{} lines, all whole", one.whole),
        Some((line, why)) => {
            let why = match why {
                Wrong::Changed => "was changed, or is not where it was written",
                Wrong::Missing => "is missing",
                Wrong::Cut => "and what followed was cut off",
                Wrong::NotSigned => "is not the one that was signed",
            };
            format!("WRONG: line {line} {why}; {} lines before it are whole", one.whole)
        }
    };
    let waiting = match one.waiting {
        None => "none waits".to_owned(),
        Some((count, since)) => format!("{count} not linked yet, since {}", since.to_rfc3339()),
    };
    format!("{}: {found}; signed up to line {}; {waiting}", one.clb, one.signed)
}
