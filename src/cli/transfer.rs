//! `clb-hub transfer`: dossiers of pupils whose new school works with another CLB are announced, and go on their day.

use std::process::ExitCode;

use clap::Args;

use super::house::{Running, law_settings};
use super::serve::guarded;
use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::transfers::Moved;

/// Compare the dossiers with who is competent for their pupils, announce what has to go, and carry out what is due today: what
/// `serve` does by itself. Harmless at any time, beside a hub that serves.
#[derive(Debug, Args)]
pub(super) struct Transfer {
    /// Only say what is to be done.
    #[arg(long)]
    dry_run: bool,
}

/// Of whom is said by no number here: it stands in the access logs of the CLBs.
fn lines(moved: &Moved) -> Vec<String> {
    [
        (moved.announced, "announced"),
        (moved.withdrawn, "withdrawn, as the dossier stays"),
        (moved.whole, "carried out whole"),
        (moved.partly, "carried out after an objection: the obligatory part"),
        (
            moved.wait_for_receiver,
            "due, and waiting until the new CLB keeps its dossiers here (`dossiers = \"hub\"` in the register)",
        ),
        (
            moved.wait_for_one,
            "due, and waiting as several other CLBs are competent",
        ),
        (moved.wait_for_hold, "due, and waiting until a legal hold is lifted"),
        (moved.without_term, "not announced, as no term is known"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect()
}

impl Transfer {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let Some(apart) = open_apart(config).await? else {
            return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
        };
        let db = open(config).await?;
        let (secrets, _) = guarded(&db, apart, config).await?;
        let running = Running::over(db, law_settings(config), None)?;
        let (_, mover) = running.apart(secrets).await?;
        let moved = if self.dry_run {
            mover.look().await?
        } else {
            let Some(moved) = mover.round().await? else {
                return Err(Failure::Refused(
                    "another process is transferring dossiers now".to_owned(),
                ));
            };
            moved
        };
        if moved.is_nothing() {
            say("no dossier has to go", false);
        }
        for line in lines(&moved) {
            say(&line, false);
        }
        Ok(ExitCode::SUCCESS)
    }
}
