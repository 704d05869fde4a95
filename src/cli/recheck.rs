//! `clb-hub recheck`: whether what is counted and signalled is what follows from the half-days.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use hub_entities::time::{SchoolYear, brussels_day};

use super::house::{Running, law_settings};
use super::{Failure, open, say};
use crate::config::Config;
use crate::register::Register;

/// Count all pupils of a school year again from their half-days, and put right what differs: after a change of the
/// laws, of a setting or of a school's days off. Harmless at any time, beside a hub that serves.
#[derive(Debug, Args)]
pub(super) struct Recheck {
    /// The school year, such as `2026-2027`; the running one if none is said.
    #[arg(long)]
    year: Option<SchoolYear>,
    /// Institution number (instellingsnummer): only the pupils of this school.
    #[arg(long)]
    school: Option<String>,
    /// Only say what differs.
    #[arg(long)]
    dry_run: bool,
}

impl Recheck {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let running = Running::over(open(config).await?, law_settings(config), None)?;
        let school = match &self.school {
            Some(number) => {
                let register = Register::open(&running.db, running.clock.clone(), running.ids.clone()).await?;
                let found = register.find_school(number).await?;
                Some(found.ok_or_else(|| Failure::Refused(format!("no school has institution number {number}")))?)
            }
            None => None,
        };
        let year = self
            .year
            .unwrap_or_else(|| SchoolYear::of(brussels_day(running.clock.now())));
        let sync = running.sync(None, Arc::new(|_, _| {}));
        let found = sync.recheck(year, school, !self.dry_run).await?;
        running.sequencer.once().await?;
        say(
            &format!(
                "{year}: {} pupils, {} of them {}; {} signals raised, {} withdrawn",
                found.pupils,
                found.unsettled,
                if self.dry_run {
                    "differ"
                } else {
                    "differed and were put right"
                },
                found.raised,
                found.withdrawn
            ),
            false,
        );
        Ok(ExitCode::SUCCESS)
    }
}
