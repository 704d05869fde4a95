//! `clb-hub policy`: the rules of secrecy, as a table and one decision at a time.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_entities::policy::secret::matrix::{personas, tables, word};
use hub_entities::policy::secret::{Asked, Class, Field, Part, Step};

use super::{Failure, say};

/// Print the policy of secrecy, or explain one of its decisions.
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
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        let text = match &self.what {
            What::Matrix => tables(),
            What::Explain(explain) => explain.text()?,
        };
        say(text.trim_end(), false);
        Ok(ExitCode::SUCCESS)
    }
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
