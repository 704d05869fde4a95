//! The access log of what is under secrecy: a line is committed before what it tells of has left (R04).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId, PrincipalId, PupilId};
use hub_entities::operation::{Purpose, Role};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::SecretDb;
use crate::store::DbError;
use crate::store::sql::bulk;
use crate::store::together::Answers;
use crate::store::transaction::Transaction;

/// One line: one request, one pupil. It names fields and grounds, and never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id, which is also the decision that a withheld field names.
    pub id: DecisionId,
    /// Whose log: the viewer's own CLB, whatever pupil was asked for.
    pub clb: ClbId,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: PrincipalId,
    /// In which role.
    pub role: Role,
    /// Why, where it was said.
    pub purpose: Option<Purpose>,
    /// Whether the sign-in was strong and fresh.
    pub assured: bool,
    /// About whom it was asked; of an unknown pupil the id that was asked for.
    pub pupil: PupilId,
    /// `read`, or the step.
    pub action: String,
    /// What was granted, each `class/part=rule`.
    pub granted: Vec<String>,
    /// What was not, each `class/part=code`, or `class/part=nothing` without a relation.
    pub withheld: Vec<String>,
    /// What it was decided on, as [`hub_entities::policy::secret::Facts`] says it; empty where nothing was decided.
    pub facts: String,
    /// Ties it to the log and trace of the same request.
    pub request: Uuid,
}

impl Line {
    /// The same, decided on this.
    #[must_use]
    pub fn on(self, facts: String) -> Self {
        Self { facts, ..self }
    }
}

/// A commit costs the database more than most of what is asked of it for a read, so the lines of all who read at the same time
/// are committed by one transaction. It writes and reads nothing, so it may name several CLBs; what each of them reads stays
/// in a transaction of its own.
#[async_trait]
impl Answers<Vec<Line>> for SecretDb {
    type Answer = ();

    async fn all(&self, lines: &[&Vec<Line>]) -> Result<Vec<()>, DbError> {
        let all: Vec<&Line> = lines.iter().copied().flatten().collect();
        let mut clbs: Vec<ClbId> = all.iter().map(|line| line.clb).collect();
        clbs.sort_unstable();
        clbs.dedup();
        let tx = self.within(&clbs).await?;
        write_each(&tx, &all).await?;
        tx.commit().await?;
        Ok(vec![(); lines.len()])
    }
}

const COLUMNS: &str =
    "id, clb_id, at, principal_id, role, assured, pupil_id, action, granted, withheld, request_id, facts";

/// The columns of a line, as [`read`] reads them.
pub(super) const ALL: &str =
    "id, clb_id, at, principal_id, role, assured, pupil_id, action, granted, withheld, request_id, facts, purpose";
pub(super) const COUNT: usize = 13;

/// The line in a row of [`ALL`].
pub(super) fn read(row: &QueryResult) -> Result<Line, DbError> {
    let names = |at: usize| {
        let text: String = row.try_get_by_index(at)?;
        Ok::<Vec<String>, DbError>(
            text.split(' ')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    };
    Ok(Line {
        id: row.try_get_by_index(0)?,
        clb: row.try_get_by_index(1)?,
        at: row.try_get_by_index(2)?,
        by: row.try_get_by_index(3)?,
        role: row.try_get_by_index(4)?,
        assured: row.try_get_by_index(5)?,
        pupil: row.try_get_by_index(6)?,
        action: row.try_get_by_index(7)?,
        granted: names(8)?,
        withheld: names(9)?,
        request: row.try_get_by_index(10)?,
        facts: row.try_get_by_index(11)?,
        purpose: row.try_get_by_index(12)?,
    })
}

/// Writes lines in a transaction that goes on to what they tell of.
pub(super) async fn write(tx: &Transaction, lines: &[Line]) -> Result<(), DbError> {
    write_each(tx, &lines.iter().collect::<Vec<_>>()).await
}

/// The same, of lines that are not side by side.
pub(super) async fn write_each(tx: &Transaction, lines: &[&Line]) -> Result<(), DbError> {
    // Those that name no purpose apart: rows without nulls go the short way.
    let named = lines.iter().filter_map(|line| Some((line, line.purpose?)));
    let named: Vec<Vec<Value>> = named
        .map(|(line, purpose)| [row(line), vec![purpose.into()]].concat())
        .collect();
    let unnamed = lines.iter().filter(|line| line.purpose.is_none());
    let unnamed: Vec<Vec<Value>> = unnamed.map(|line| row(line)).collect();
    let head = format!("insert into access_line ({COLUMNS})");
    bulk(tx, &head, 12, unnamed.into_iter(), "").await?;
    let head = format!("insert into access_line ({COLUMNS}, purpose)");
    bulk(tx, &head, 13, named.into_iter(), "").await
}

fn row(line: &Line) -> Vec<Value> {
    vec![
        line.id.into(),
        line.clb.into(),
        line.at.into(),
        line.by.into(),
        line.role.into(),
        line.assured.into(),
        line.pupil.into(),
        line.action.clone().into(),
        line.granted.join(" ").into(),
        line.withheld.join(" ").into(),
        line.request.into(),
        line.facts.clone().into(),
    ]
}
