//! `clb-hub register`: parties, sources, principals and first agreements, from a file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::house::{Running, law_settings};
use super::{Failure, open, say};
use crate::config::Config;
use crate::register::{Count, EXAMPLE, File, Outcome, Register as Book};

/// Register CLBs, schools, sources, principals and first agreements from a file.
#[derive(Debug, Args)]
pub(super) struct Register {
    /// The file.
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Say what it would do, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print an annotated example of a file.
    #[arg(long, conflicts_with_all = ["file", "dry_run"])]
    example: bool,
}

impl Register {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let Some(path) = self.file else {
            say(EXAMPLE.trim_end(), false);
            return Ok(ExitCode::SUCCESS);
        };
        let text = std::fs::read_to_string(&path)?;
        let file = File::parse(&text)
            .map_err(|faults| Failure::Refused(format!("{}: nothing was changed\n{faults}", path.display())))?;
        let running = Running::over(open(config).await?, law_settings(config), None)?;
        let book = Book::open(&running.db, running.clock.clone(), running.ids.clone()).await?;
        let outcome = book.apply(&file, self.dry_run).await?;
        let head = if self.dry_run { "would register" } else { "registered" };
        say(&format!("{head}\n{}", told(&outcome)), false);
        if !self.dry_run {
            let sync = running.sync(None, Arc::new(|_, _| {}));
            for (school, year) in &outcome.recount {
                let found = sync.recheck(*year, Some(*school), true).await?;
                say(
                    &format!(
                        "other days off in {year}: {} pupils counted again, {} signals raised, {} withdrawn",
                        found.unsettled, found.raised, found.withdrawn
                    ),
                    false,
                );
            }
            running.sequencer.once().await?;
        }
        tracing::info!(dry_run = self.dry_run, ?outcome, "registered from a file");
        Ok(ExitCode::SUCCESS)
    }
}

/// Counts only: what was registered stands in the file.
fn told(outcome: &Outcome) -> String {
    let line = |what: &str, count: Count| {
        let Count {
            new,
            changed,
            unchanged,
        } = count;
        format!("{what:<11} {new:>5} new {changed:>5} changed {unchanged:>5} unchanged")
    };
    [
        line("CLBs", outcome.clbs),
        line("schools", outcome.schools),
        line("sources", outcome.sources),
        line("principals", outcome.principals),
        line("agreements", outcome.agreements),
    ]
    .join("\n")
}
