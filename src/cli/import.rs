//! `clb-hub import`: files of one school, through the same path as every pull.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hub_connectors::absences::AbsenceFormat;
use hub_connectors::connection::Connection;
use hub_entities::source::{RunState, run};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use super::house::{Running, key, law_settings};
use super::stopping::when_told_to_stop;
use super::{Failure, open, say};
use crate::config::Config;
use crate::register::Register;
use crate::sync::files::{AbsenceFile, settings_of};
use crate::sync::stop::Stop;
use crate::sync::{Source, Sync};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A OneRoster CSV package 1.1 or 1.2, bulk or delta: a zip or a folder.
    Roster,
    /// Half-day absences as CSV.
    Absences,
    /// Half-day absences in the text format of Informat.
    Informat,
    /// Numbers carried in from former schools as CSV.
    CarriedIn,
}

/// Import files of one school: a OneRoster package, half-day absences, carried-in numbers.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file, or the folder of a package.
    path: PathBuf,
    /// Institution number (instellingsnummer) of the school.
    #[arg(long)]
    school: String,
    /// What the file holds; a zip or a folder is a roster, anything else absences, unless said here.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The school's source, by its name.
    #[arg(long, default_value = "files")]
    source: String,
    /// A TOML file that says how the columns of an absence CSV are to be read, where not as registered.
    #[arg(long, value_name = "FILE")]
    columns: Option<PathBuf>,
    /// Let a roster go on that was held because it would end too many pupils or places in classes.
    #[arg(long)]
    approve: bool,
}

impl Import {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let stop = watch::Sender::new(false);
        let stopping = stop.clone();
        when_told_to_stop(move || {
            stopping.send_replace(true);
        })?;
        let running = Running::over(open(config).await?, law_settings(config), None)?;
        let register = Register::open(&running.db, running.clock.clone(), running.ids.clone()).await?;
        let connection = register
            .find_source(&self.school, &self.source)
            .await?
            .ok_or_else(|| Failure::Refused(format!("school {} has no source `{}`", self.school, self.source)))?;
        let files = settings_of(&connection)?;
        let source = Source {
            id: connection.id,
            school: connection.school_id,
        };
        let national_numbers = config.keys.blind_index_file.as_deref().map(key).transpose()?;
        let bar = ProgressBar::new(0).with_style(bar_style());
        let shown = bar.clone();
        let progress = Arc::new(move |done, total| {
            shown.set_length(total);
            shown.set_position(done);
        });
        let sync = Sync {
            stop: Stop::by(&stop),
            ..running.sync(national_numbers, progress)
        };
        let kind = self.kind.unwrap_or_else(|| guess(&self.path));
        let outcome = match kind {
            Kind::Roster => {
                if self.approve {
                    sync.approve(source).await?;
                }
                sync.roster_package(source, &self.school, &self.path, &files.roster)
                    .await
            }
            Kind::Absences | Kind::Informat => {
                let mut file = AbsenceFile::new(&self.path, self.format(kind, files)?)?;
                sync.absences(source, &connection, &mut file).await
            }
            Kind::CarriedIn => sync.carried_file(source, &self.path).await,
        };
        bar.finish_and_clear();
        let run = outcome?;
        running.sequencer.once().await?;
        say(&told(&run), false);
        Ok(if run.state == RunState::Done {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn format(&self, kind: Kind, files: Connection) -> Result<AbsenceFormat, Failure> {
        if kind == Kind::Informat {
            return Ok(AbsenceFormat::InformatText);
        }
        let Some(path) = &self.columns else {
            return Ok(files.absences);
        };
        let text = std::fs::read_to_string(path)?;
        let map = toml::from_str(&text)
            .map_err(|fault| Failure::Refused(format!("{}: {}", path.display(), fault.message())))?;
        Ok(AbsenceFormat::Csv(Box::new(map)))
    }
}

fn guess(path: &std::path::Path) -> Kind {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    match extension {
        _ if path.is_dir() => Kind::Roster,
        Some(zip) if zip == "zip" => Kind::Roster,
        Some(text) if text == "txt" => Kind::Informat,
        _ => Kind::Absences,
    }
}

/// What came of a run, in a line for a person.
fn told(run: &run::Model) -> String {
    let outcome = match run.state {
        RunState::Done => "done",
        RunState::Held => {
            "held: it would end too many pupils or places in classes; look at it, then run the same with --approve"
        }
        RunState::Staging | RunState::Merging => "under way",
        RunState::Refused => "refused",
    };
    let join = match (run.found, run.named) {
        (Some(found), Some(named)) => format!("{found} of the {named} pupils named are in the roster; "),
        _ => String::new(),
    };
    format!(
        "{outcome}: {} rows, {} changed, {} unchanged, {} in quarantine, {} ended; {join}{} signals raised, {} withdrawn; categories not agreed and dropped: {}",
        run.staged, run.changed, run.unchanged, run.quarantined, run.ended, run.raised, run.withdrawn, run.dropped
    )
}

/// How progress looks.
pub(super) fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:28} {bar:32} {pos:>8}/{len:8} {elapsed}")
        .unwrap_or_else(|_fixed_text| ProgressStyle::default_bar())
}
