//! `clb-hub policy`: the rules of secrecy, as a table, one decision at a time, and over what was decided before.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_entities::policy::secret::matrix::{personas, tables, word};
use hub_entities::policy::secret::{Asked, Class, Field, Part, RULES, Step};
use hub_entities::time::Clock as _;

use super::period::Period;
use super::{Failure, open, open_apart, say};
use crate::config::Config;
use crate::custody::Custody;
use crate::custody::replay::{Change, Replayed};
use crate::runtime::{SystemClock, SystemIds};

/// Print the policy of secrecy, explain one of its decisions, or decide again what was decided.
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print who reads and does what: a table for reviewers.
    Matrix,
    /// Explain what a persona of the table may, with the rules that were read and their grounds.
    Explain(Explain),
    /// Decide again, by the policy of this binary, whatever the access logs say of a period, and print what would change.
    /// Something that was denied and would be granted is a failure unless it is accepted, rule by rule. Only counts are
    /// printed; that the logs were read is a line of each.
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    period: Period,
    /// A rule that may grant what was denied; can be given several times.
    #[arg(long, value_name = "RULE")]
    accept_allow: Vec<String>,
}

#[derive(Debug, Args)]
struct Explain {
    /// A persona of the table, such as `team_learning`.
    persona: String,
    /// A class, such as `secret.learning`.
    class: String,
    /// A part of the class, such as `entries`, or a step, such as `write_entry`.
    what: String,
}

impl Policy {
    pub(super) async fn run(&self, config: &Config) -> Result<ExitCode, Failure> {
        let text = match &self.what {
            What::Matrix => tables(),
            What::Explain(explain) => explain.text()?,
            What::Replay(replay) => return replay.run(config).await,
        };
        say(text.trim_end(), false);
        Ok(ExitCode::SUCCESS)
    }
}

impl Replay {
    async fn run(&self, config: &Config) -> Result<ExitCode, Failure> {
        let span = self.period.span()?;
        let unknown = |name: &&String| !RULES.iter().any(|rule| rule.name == name.as_str());
        if let Some(rule) = self.accept_allow.iter().find(unknown) {
            return Err(Failure::Refused(format!("no rule is called {rule}")));
        }
        let Some(apart) = open_apart(config).await? else {
            return Err(Failure::Refused("[secrecy] url names no secrecy store".to_owned()));
        };
        let custody = Custody::open(&open(config).await?, &apart, SystemClock.now()).await?;
        let replayed = custody.replay(span, RULES, &SystemIds::new()?).await?;
        say(&told(&replayed), false);
        let accepted = |rule: &str| self.accept_allow.iter().any(|accepted| accepted == rule);
        let opens: Vec<&str> = replayed.changes.keys().filter_map(Change::opens).collect();
        Ok(if opens.into_iter().all(accepted) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn told(replayed: &Replayed) -> String {
    let change = |(change, count): (&Change, &u64)| {
        let sign = if change.opens().is_some() { "DENY→ALLOW " } else { "" };
        format!("{sign}{}: {} → {}: {count}", change.asked, change.before, change.after)
    };
    let mut lines: Vec<String> = replayed.changes.iter().map(change).collect();
    let changed: u64 = replayed.changes.values().sum();
    lines.push(format!(
        "{} verdicts decided again, {changed} of them otherwise; {} lines say of no decision or not on what, {} cannot be read by this version",
        replayed.verdicts, replayed.without_facts, replayed.unreadable
    ));
    lines.join("\n")
}

impl Explain {
    fn text(&self) -> Result<String, Failure> {
        let refused =
            |what: &str, names: Vec<&str>| Failure::Refused(format!("no such {what}; say {}", names.join(", ")));
        let all = personas();
        let persona = all.iter().find(|persona| persona.name == self.persona);
        let persona = persona.ok_or_else(|| refused("persona", all.iter().map(|persona| persona.name).collect()))?;
        let class: Class = self
            .class
            .parse()
            .map_err(|_unknown| refused("class", Class::ALL.iter().copied().map(Class::name).collect()))?;
        let field = self.what.parse::<Part>().ok().and_then(|part| Field::new(class, part));
        let step = self.what.parse::<Step>().ok();
        let asked = match (field, step) {
            (Some(field), _) => Asked::Read(field),
            (None, Some(step)) => Asked::Do(step, class),
            (None, None) => {
                let parts = Field::all().filter(|field| field.class() == class);
                let parts = parts.map(|field| field.part().name());
                let names = parts.chain(Step::ALL.iter().copied().map(Step::name)).collect();
                return Err(refused("part of this class, nor step", names));
            }
        };
        let explained = persona.explain(asked);
        let mut lines = vec![
            format!("{} {asked}: {}", persona.name, word(&explained.verdict)),
            match explained.by {
                Some(rule) => format!("decided by {}: {}\nground: {}", rule.name, rule.sentence, rule.ground),
                None => "no rule decides it, so it is denied".to_owned(),
            },
        ];
        let before: Vec<&str> = persona
            .read(asked)
            .into_iter()
            .filter(|(_, applies)| !applies)
            .map(|(rule, _)| rule.name)
            .collect();
        if !before.is_empty() {
            lines.push(format!("read before it, and not in the case: {}", before.join(", ")));
        }
        Ok(lines.join("\n"))
    }
}
