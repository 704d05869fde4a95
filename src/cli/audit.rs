//! `clb-hub audit`: whether the access log of the secrecy store is whole, and what it says, for others to read.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_entities::id::ClbId;
use hub_entities::time::Clock as _;

use super::period::Period;
use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::Custody;
use crate::custody::audit_event::audit_event;
use crate::custody::log::{Verified, Wrong};
use crate::keys::heads::Heads;
use crate::runtime::{SystemClock, SystemIds};

/// Whether the access log of the secrecy store is whole, and what it says.
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
    /// Print the log of one CLB as `AuditEvent` resources of FHIR R4 (IHE BALP), one a line. That it was is a line of the log, written
    /// first.
    Export {
        /// The CLB.
        #[arg(long, value_name = "clb_…")]
        clb: ClbId,
        #[command(flatten)]
        period: Period,
    },
}

impl Audit {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.step {
            Step::Verify => verify(config).await,
            Step::Export { clb, period } => export(config, clb, period).await,
        }
    }
}

async fn verify(config: &Config) -> Result<ExitCode, Failure> {
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

async fn export(config: &Config, clb: ClbId, period: Period) -> Result<ExitCode, Failure> {
    let span = period.span()?;
    let Some(apart) = open_apart(config).await? else {
        return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
    };
    let custody = Custody::open(&open(config).await?, &apart, SystemClock.now()).await?;
    let lines = custody.lines(clb, span, "export", &SystemIds::new()?).await?;
    let Some(mut lines) = lines else {
        return Err(Failure::Refused(format!("{clb} is not registered")));
    };
    loop {
        let page = lines.more().await?;
        if page.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        // Whoever reads it may stop to: that is no fault of the hub.
        let mut out = std::io::stdout().lock();
        for line in &page {
            writeln!(out, "{}", audit_event(line))?;
        }
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
