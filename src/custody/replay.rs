//! What the policy of this binary would decide of what was decided in a period (`policy replay`): every verdict of the access
//! log is decided again on the facts that its line keeps.

use std::collections::BTreeMap;

use hub_entities::id::Ids;
use hub_entities::policy::secret::{Asked, Facts, Outcome, Past, Rule};

use super::Custody;
use crate::store::DbError;
use crate::store::secret::brought_out::Span;
use crate::store::secret::line::Line;

/// A verdict, as the log and the reviewers' table spell it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruled {
    /// As if the pupil were unknown.
    Nothing,
    /// Withheld for this reason.
    Withheld(String),
    /// Granted by this rule.
    Granted(String),
}

impl std::fmt::Display for Ruled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Withheld(code) => write!(f, "withheld {code}"),
            Self::Granted(rule) => write!(f, "granted by {rule}"),
        }
    }
}

impl From<Outcome> for Ruled {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Nothing => Self::Nothing,
            Outcome::Withheld(code) => Self::Withheld(code.name().to_owned()),
            Outcome::Granted(rule) => Self::Granted(rule.to_owned()),
        }
    }
}

/// A verdict that is another one now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it was about.
    pub asked: String,
    /// What was decided.
    pub before: Ruled,
    /// What would be.
    pub after: Ruled,
}

impl Change {
    /// The rule that would grant what was denied.
    pub fn opens(&self) -> Option<&str> {
        match (&self.before, &self.after) {
            (Ruled::Nothing | Ruled::Withheld(_), Ruled::Granted(rule)) => Some(rule),
            _ => None,
        }
    }
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Verdicts that were decided again.
    pub verdicts: u64,
    /// Lines that say of no decision, or not on what: of what the hub did by itself, or of before facts were kept.
    pub without_facts: u64,
    /// Lines whose facts, or what they were about, this version does not know: nothing is said of them.
    pub unreadable: u64,
    /// What changes, and how often.
    pub changes: BTreeMap<Change, u64>,
}

/// What a line was about, each with its verdict; nothing of one that this version cannot read.
fn verdicts(line: &Line) -> Option<Vec<(Asked, Ruled)>> {
    let granted = line.granted.iter().map(|one| (one, true));
    let withheld = line.withheld.iter().map(|one| (one, false));
    let verdict = |(one, granted): (&String, bool)| {
        let (what, why) = one.split_once('=')?;
        let ruled = match why {
            why if granted => Ruled::Granted(why.to_owned()),
            "nothing" => Ruled::Nothing,
            code => Ruled::Withheld(code.to_owned()),
        };
        Some((Asked::of_line(&line.action, what)?, ruled))
    };
    granted.chain(withheld).map(verdict).collect()
}

impl Replayed {
    fn add(&mut self, line: &Line, rules: &[Rule]) {
        if line.facts.is_empty() {
            self.without_facts = self.without_facts.saturating_add(1);
            return;
        }
        let (Ok(facts), Some(verdicts)) = (line.facts.parse::<Facts>(), verdicts(line)) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        let past = Past {
            role: line.role,
            purpose: line.purpose,
            assured: line.assured,
            at: line.at,
        };
        for (asked, before) in verdicts {
            self.verdicts = self.verdicts.saturating_add(1);
            let after = Ruled::from(facts.decide(&past, asked, rules));
            if after != before {
                let asked = asked.to_string();
                let count = self.changes.entry(Change { asked, before, after }).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
}

impl Custody {
    /// Decides again, by these rules, what every log says of the period; that it was read is a line of each.
    pub async fn replay(&self, span: Span, rules: &[Rule], ids: &dyn Ids) -> Result<Replayed, DbError> {
        let mut replayed = Replayed::default();
        for clb in self.clbs().await? {
            let Some(mut lines) = self.lines(clb, span, "replay", ids).await? else {
                continue;
            };
            loop {
                let page = lines.more().await?;
                if page.is_empty() {
                    break;
                }
                for (line, _) in &page {
                    replayed.add(line, rules);
                }
            }
        }
        Ok(replayed)
    }
}
