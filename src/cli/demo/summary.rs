//! What a start of the demo brought, as the runs of the hub tell an operator.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{FRONT_ENDS, Failure, Region};
use crate::demo::side_by_side::Answers;

const RUNS: &str = "query($after: String) { syncRuns(first: 100, after: $after) {
    edges { node { startedAt staged changed unchanged quarantined raised withdrawn } }
    pageInfo { hasNextPage endCursor } } }";

const STANDING: &str = "{ signals(first: 1, filter: { state: RAISED }) { totalCount } }";

/// What a start brought.
#[derive(Debug, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    clbs: usize,
    schools: usize,
    pupils: usize,
    sources: usize,
    runs: usize,
    rows: i64,
    changed: i64,
    unchanged: i64,
    quarantined: i64,
    signals_raised: i64,
    signals_withdrawn: i64,
    /// Per CLB.
    signals_standing: Vec<i64>,
    /// One dossier, as personas are answered who may see different things of it.
    dossier: Value,
}

fn number(of: &Value, name: &str) -> i64 {
    of.get(name).and_then(Value::as_i64).unwrap_or_default()
}

impl Summary {
    /// From the runs that began then or later, and from what no run tells: what was `known`, and the answers about a dossier.
    pub(super) async fn of(
        region: &Region<'_>,
        since: DateTime<Utc>,
        (known, answers): (i64, &Answers),
    ) -> Result<Self, Failure> {
        let population = region.population;
        let mut summary = Self {
            clbs: population.clbs.len(),
            schools: population.schools.len(),
            pupils: population.len(),
            rows: known,
            unchanged: known,
            dossier: answers.to_json(),
            ..Self::default()
        };
        let mut after = Value::Null;
        loop {
            let page = region.client.ask("operator", RUNS, json!({ "after": after })).await?;
            let page = page.get("syncRuns").cloned().unwrap_or_default();
            let rows = page.get("edges").and_then(Value::as_array).into_iter().flatten();
            let rows = rows.filter_map(|edge| edge.get("node"));
            // Latest first.
            let is_new = |row: &&Value| {
                let begun = row.get("startedAt").and_then(Value::as_str);
                begun.is_some_and(|begun| begun.parse::<DateTime<Utc>>().is_ok_and(|begun| begun >= since))
            };
            let counted = summary.runs;
            for row in rows.take_while(is_new) {
                summary.add(row);
            }
            let info = page.get("pageInfo").cloned().unwrap_or_default();
            let is_last = info.get("hasNextPage").and_then(Value::as_bool) != Some(true);
            if is_last || summary.runs == counted {
                break;
            }
            after = info.get("endCursor").cloned().unwrap_or_default();
        }
        let sources = region
            .client
            .ask("operator", "{ sources(first: 1) { totalCount } }", Value::Null);
        let sources = sources.await?;
        let count = sources.get("sources").map(|list| number(list, "totalCount"));
        summary.sources = usize::try_from(count.unwrap_or_default()).unwrap_or_default();
        for subject in FRONT_ENDS {
            let standing = region.client.ask(subject, STANDING, Value::Null).await?;
            let list = standing.get("signals").map(|list| number(list, "totalCount"));
            summary.signals_standing.push(list.unwrap_or_default());
        }
        Ok(summary)
    }

    fn add(&mut self, run: &Value) {
        let add = |to: &mut i64, name| *to = to.saturating_add(number(run, name));
        self.runs = self.runs.saturating_add(1);
        add(&mut self.rows, "staged");
        add(&mut self.changed, "changed");
        add(&mut self.unchanged, "unchanged");
        add(&mut self.quarantined, "quarantined");
        add(&mut self.signals_raised, "raised");
        add(&mut self.signals_withdrawn, "withdrawn");
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(super) fn told(&self) -> String {
        let standing: Vec<String> = self.signals_standing.iter().map(i64::to_string).collect();
        format!(
            "{} CLBs, {} schools with {} sources, {} synthetic pupils; {} rows came in ({} changed something, {} known \
             already, {} wait), {} signals raised; standing at the CLBs: {}",
            self.clbs,
            self.schools,
            self.sources,
            self.pupils,
            self.rows,
            self.changed,
            self.unchanged,
            self.quarantined,
            self.signals_raised,
            standing.join(" and ")
        )
    }
}
