//! `clb-hub retention`: which dossiers are due by their term and why the others stay; and erasing those that are due.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;
use hub_entities::law::Laws;
use hub_entities::law::retention::{Fate, Kind, Settings, Stays};
use hub_entities::time::{Clock as _, brussels_day};

use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::Custody;
use crate::custody::retention::{Becomes, Erased, Seen, Terms};
use crate::runtime::{SystemClock, SystemIds};

/// Say which dossiers are due by their term and why each of the others stays, and which terms are not known. Names and contents
/// are not told. Nothing is changed without `--carry-out`.
#[derive(Debug, Args)]
pub(super) struct Retention {
    /// Erase exactly what is due: each dossier by destroying its key, on the list beside the keys first, and the lines of the
    /// access log of basic data that are beyond their term. It cannot be undone. Cut off, it goes on when it is called again.
    #[arg(long)]
    carry_out: bool,
}

impl Retention {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let (Some(apart), Some(folder)) = (open_apart(config).await?, &config.secrecy.key_folder) else {
            return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
        };
        let laws = Laws::embedded()?;
        let terms = Terms {
            law: laws.retention(),
            settings: settings(config),
        };
        let now = SystemClock.now();
        let custody = Custody::open(&open(config).await?, &apart, now).await?;
        let seen = custody.dossiers(folder, terms).await?;
        report(&seen);
        if self.carry_out {
            carry_out(&custody, folder, terms, &seen).await?;
        }
        access_log(&custody, terms, self.carry_out).await?;
        unknown(&laws, terms, brussels_day(now));
        if !self.carry_out {
            say("nothing was changed; --carry-out erases what is due", false);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The answers of this configuration to what the sources leave open.
fn settings(config: &Config) -> Settings {
    Settings {
        ordinary_age: config.law.dossier_until_age,
        access_log_years: config.law.access_log_years,
    }
}

fn names(why: &[Stays]) -> String {
    let names: Vec<&str> = why.iter().map(|one| one.name()).collect();
    names.join(" ")
}

/// Why a dossier stays, and until when by its term as far as that is known.
fn stays(until: Option<NaiveDate>, why: &[Stays]) -> String {
    let until = until.map_or_else(|| "term unknown".to_owned(), |day| format!("term through {day}"));
    format!("{until}: {}", names(why))
}

/// Each dossier on its line, and how many there are of each.
fn report(seen: &[Seen]) {
    let mut reasons: BTreeMap<Stays, usize> = BTreeMap::new();
    for one in seen {
        let what = match &one.becomes {
            Becomes::Destroyed => "due    its key was destroyed before".to_owned(),
            Becomes::Lawful(Fate::Due(since)) => format!("due    since {since}"),
            Becomes::Lawful(Fate::Stays(until, why)) => {
                for reason in why {
                    let count = reasons.entry(*reason).or_default();
                    *count = count.saturating_add(1);
                }
                format!("stays  {}", stays(*until, why))
            }
        };
        say(&format!("{} {} {what}", one.clb, one.pupil), false);
    }
    let due = seen.iter().filter(|one| one.goes()).count();
    say(
        &format!(
            "dossiers: {} due, {} stay, {} in all",
            due,
            seen.len().saturating_sub(due),
            seen.len()
        ),
        false,
    );
    for (reason, count) in reasons {
        say(&format!("  {count} for {reason}"), false);
    }
}

async fn carry_out(custody: &Custody, folder: &Path, terms: Terms<'_>, seen: &[Seen]) -> Result<(), Failure> {
    let ids = SystemIds::new()?;
    let mut erased = 0_usize;
    for one in seen.iter().filter(|one| one.goes()) {
        let what = match custody.carry_out(folder, terms, one, &ids).await? {
            Erased::Done => {
                erased = erased.saturating_add(1);
                "erased".to_owned()
            }
            Erased::Stays(Fate::Stays(until, why)) => format!("stays after all, {}", stays(until, &why)),
            Erased::Stays(Fate::Due(_)) | Erased::Gone => "is gone already".to_owned(),
        };
        say(&format!("{} {} {what}", one.clb, one.pupil), false);
    }
    say(
        &format!("dossiers: {erased} erased; take care that no copy of key_folder lacks its list"),
        false,
    );
    Ok(())
}

async fn access_log(custody: &Custody, terms: Terms<'_>, carry_out: bool) -> Result<(), Failure> {
    let kind = Kind::AccessLog;
    let text = match custody.lines_due(terms).await? {
        None => return Ok(()),
        Some((through, _)) if carry_out => {
            let gone = custody.delete_lines(through).await?;
            format!("{kind}: {gone} lines of through {through} deleted")
        }
        Some((through, count)) => format!("{kind}: {count} lines of through {through} due"),
    };
    say(&text, false);
    Ok(())
}

/// Of what no term is known, by name: nothing of it goes.
fn unknown(laws: &Laws, terms: Terms<'_>, today: NaiveDate) {
    for kind in Kind::ALL {
        let text = match (kind, terms.law.due_until(*kind, terms.settings, today)) {
            (Kind::SecretLog, _) => "each line is linked to the one before it, and no term is known: all stay",
            (_, None) => "no term is known: nothing goes by age",
            (_, Some(_)) => continue,
        };
        say(&format!("{kind}: {text}"), false);
    }
    for row in laws.unknown().iter().filter(|row| row.starts_with("retention.toml")) {
        say(&format!("{row}: no source, so nothing goes by it"), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each answer goes to its own question.
    #[test]
    fn what_the_sources_leave_open_is_answered_one_by_one() {
        let mut config = Config::default();
        assert_eq!(settings(&config), Settings::default());
        config.law.dossier_until_age = Some(18);
        let age = Settings {
            ordinary_age: Some(18),
            access_log_years: None,
        };
        assert_eq!(settings(&config), age);
        config.law.access_log_years = Some(7);
        let both = Settings {
            access_log_years: Some(7),
            ..age
        };
        assert_eq!(settings(&config), both);
    }
}
