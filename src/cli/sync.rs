//! `clb-hub sync`: pulls the live sources now, or says what a pull would bring.

use std::process::ExitCode;
use std::sync::Arc;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use hub_connectors::contract::Stream;
use hub_connectors::live::Systems;
use hub_entities::source::RunState;

use super::house::{Running, key, law_settings};
use super::pulling::Pulling;
use super::stopping::when_told_to_stop;
use super::{Failure, open, say};
use crate::config::Config;
use crate::outbound::to_sources;
use crate::sync::SyncError;
use crate::sync::pull::{Brought, LiveSource, Room};

/// How many sources are read at once, as `serve` does.
const AT_ONCE: usize = 32;

/// One of the things that a source may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Pupils, classes, who is in which.
    Roster,
    /// Half-days of absence.
    Absences,
}

/// Pull the live sources now, or say what a pull would bring.
#[derive(Debug, Args)]
pub(super) struct Sync {
    /// The institution number of a school, or SCHOOL/NAME for one of its sources; all of them when it is left out.
    source: Option<String>,
    /// Read everything and say what would change; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Read everything, whatever was read before.
    #[arg(long)]
    full: bool,
    /// Read absences from this day on, past school years included.
    #[arg(long, value_name = "DATE")]
    since: Option<NaiveDate>,
    /// Pull one thing alone.
    #[arg(long, value_enum)]
    only: Option<Only>,
}

impl Sync {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let room = Arc::new(Room::default());
        let stopping = Arc::clone(&room);
        when_told_to_stop(move || stopping.stop())?;
        let running = Running::over(open(config).await?, law_settings(config), None)?;
        let national_numbers = config.keys.blind_index_file.as_deref().map(key).transpose()?;
        let sync = running.sync(national_numbers, Arc::new(|_, _| {}));
        let systems = systems(config)?;
        let asked = self.source.as_deref();
        let mut sources = sync.live_sources().await?;
        sources.retain(|source| asked.is_none_or(|asked| is_meant(asked, source)));
        if sources.is_empty() {
            return Err(Failure::Refused("no such source is pulled".to_owned()));
        }
        let pulling = Pulling {
            sync: &sync,
            systems: &systems,
            at_once: AT_ONCE,
            dry_run: self.dry_run,
            full: self.full,
            since: self.since,
            room: &room,
        };
        // Absences name pupils that a roster brings, perhaps another source's.
        let streams = match self.only {
            None => [Stream::Roster, Stream::Absences].as_slice(),
            Some(Only::Roster) => &[Stream::Roster],
            Some(Only::Absences) => &[Stream::Absences],
        };
        let mut failed = 0_u32;
        let mut told = |source: &LiveSource, stream, outcome: Result<Brought, SyncError>| {
            let what = match stream {
                Stream::Roster => "roster",
                Stream::Absences => "absences",
            };
            let (good, told) = match outcome {
                Ok(brought) => (!is_held(&brought), self.told(&brought, stream)),
                Err(failure) => (false, failure.to_string()),
            };
            failed = failed.saturating_add(u32::from(!good));
            say(&format!("{} {what}: {told}", name_of(source)), !good);
        };
        pulling.all(streams, &sources, &mut told).await;
        running.sequencer.once().await?;
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// What a pull brought, in a line for a person.
    fn told(&self, brought: &Brought, stream: Stream) -> String {
        let new = brought.records.saturating_sub(brought.known);
        let would = if self.dry_run {
            "would leave"
        } else {
            "not held any more"
        };
        let mut counts = vec![(brought.left, format!("pupils {would}"))];
        let gaps = brought.gaps.iter();
        counts.extend(gaps.map(|gap| (gap.rows, format!("times {} {}", gap.rule, gap.detail))));
        if let Some(run) = &brought.run {
            counts.push((run.raised, "signals raised".to_owned()));
            counts.push((run.withdrawn, "signals withdrawn".to_owned()));
        }
        let counted = counts.into_iter().filter(|(count, _)| *count > 0);
        let mut told: Vec<String> = vec![format!("{} records, {new} of them new", brought.records)];
        if stream == Stream::Absences && brought.named > 0 {
            told.push(format!(
                "{} of the {} pupils named are in the roster",
                brought.found, brought.named
            ));
        }
        told.extend(counted.map(|(count, what)| format!("{count} {}", what.trim_end())));
        let mut parts = vec![told.join(", ")];
        if !brought.dropped.is_empty() {
            parts.push(format!("not agreed and dropped: {}", brought.dropped.join(" ")));
        }
        if is_held(brought) {
            parts.push("held: it would end too many pupils, and waits for the school's data manager".to_owned());
        }
        parts.join("; ")
    }
}

fn is_held(brought: &Brought) -> bool {
    brought.run.as_ref().is_some_and(|run| run.state == RunState::Held)
}

/// What makes the connectors of this configuration.
pub(super) fn systems(config: &Config) -> Result<Systems, Failure> {
    let http = to_sources(config.sources.networks.clone());
    let http = http.map_err(|_unusable| Failure::Refused("no HTTP client can be built".to_owned()))?;
    Ok(Systems::new(http, config.secrets.clone().finder()))
}

/// A source as an operator calls it.
pub(super) fn name_of(source: &LiveSource) -> String {
    format!("{}/{}", source.school, source.connection.name)
}

/// Whether an argument means this source: its school, or its school and name.
fn is_meant(asked: &str, source: &LiveSource) -> bool {
    asked == source.school || asked == name_of(source)
}
