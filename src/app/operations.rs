//! Sources, runs and gaps: no pupil content.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::id::{RunId, SchoolId, SourceId};
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Scope};
use hub_entities::source::{gap, run};
use hub_graphql::hub::{Answer, Operations};
use hub_graphql::operations::{GapRow, RunRow, SourceRow};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::scalar::Gid;
use uuid::Uuid;

use super::answer::{counted, number, schools, slice};
use super::{App, failed};
use crate::store::read::operations;
use crate::store::run as runs;

/// Where the next row of an operator's list stands: how many were told before it.
fn numbered<T>(answer: Slice<(Uuid, T)>, skip: u64) -> Slice<T> {
    let rows = answer
        .rows
        .into_iter()
        .zip(skip.saturating_add(1)..)
        .map(|((_, (id, row)), place)| {
            (
                Mark {
                    key: SortKey::Number(i64::try_from(place).unwrap_or(i64::MAX)),
                    id,
                },
                row,
            )
        });
    Slice {
        rows: rows.collect(),
        more: answer.more,
        total: answer.total,
    }
}

fn skip(page: &Page) -> u64 {
    number(page)
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or_default()
}

fn run_row(run: &run::Model, school: SchoolId) -> RunRow {
    RunRow {
        id: Gid(run.id),
        source_id: Gid(run.source_id),
        school_id: Gid(school),
        kind: run.kind.into(),
        state: run.state.into(),
        staged: run.staged,
        changed: run.changed,
        unchanged: run.unchanged,
        quarantined: run.quarantined,
        ended: run.ended,
        raised: run.raised,
        withdrawn: run.withdrawn,
        started_at: run.started_at,
        finished_at: run.finished_at,
        approved_at: run.approved_at,
    }
}

fn gap_row(gap: gap::Model) -> GapRow {
    GapRow {
        id: Gid(gap.id),
        source_id: Gid(gap.source_id),
        rule: gap.rule,
        detail: gap.detail,
        occurrences: gap.occurrences,
        first_seen_at: gap.first_seen_at,
        last_seen_at: gap.last_seen_at,
    }
}

impl App {
    async fn schools_of_sources(&self, scope: &Scope, ids: Vec<SourceId>) -> Answer<HashMap<SourceId, SchoolId>> {
        let found = operations::schools_of(&self.db, scope, &ids)
            .await
            .map_err(|fault| failed(&fault))?;
        Ok(found.into_iter().collect())
    }
}

#[async_trait]
impl Operations for App {
    async fn sources(&self, operation: &Operation, page: &Page) -> Answer<Slice<SourceRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(Slice::empty(page.count));
        };
        let total = counted(page, async { Ok(operations::counts(&self.db, &scope).await?.0) }).await?;
        let found = operations::sources(&self.db, &scope, skip(page), page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let schools = schools(&self.db, &scope, found.iter().map(|source| source.school_id)).await?;
        let answer = slice(found, page, total, |source| {
            let row = schools.get(&source.school_id).map(|school| SourceRow {
                id: Gid(source.id),
                name: source.name,
                letters: source.letters,
                school: school.clone(),
            });
            (
                Mark {
                    key: SortKey::Id,
                    id: source.id.0,
                },
                (source.id.0, row),
            )
        });
        let numbered = numbered(answer, skip(page));
        let rows = numbered.rows.into_iter().filter_map(|(mark, row)| Some((mark, row?)));
        Ok(Slice {
            rows: rows.collect(),
            more: numbered.more,
            total: numbered.total,
        })
    }

    async fn runs(&self, operation: &Operation, page: &Page) -> Answer<Slice<RunRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(Slice::empty(page.count));
        };
        let total = counted(page, async { Ok(operations::counts(&self.db, &scope).await?.1) }).await?;
        let found = operations::runs(&self.db, &scope, skip(page), page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let schools = self
            .schools_of_sources(&scope, found.iter().map(|run| run.source_id).collect())
            .await?;
        let answer = slice(found, page, total, |run| {
            let school = schools.get(&run.source_id).copied().unwrap_or(SchoolId(Uuid::nil()));
            (
                Mark {
                    key: SortKey::Id,
                    id: run.id.0,
                },
                (run.id.0, run_row(&run, school)),
            )
        });
        Ok(numbered(answer, skip(page)))
    }

    async fn gaps(&self, operation: &Operation, page: &Page) -> Answer<Slice<GapRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(Slice::empty(page.count));
        };
        let total = counted(page, async { Ok(operations::counts(&self.db, &scope).await?.2) }).await?;
        let found = operations::gaps(&self.db, &scope, skip(page), page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let answer = slice(found, page, total, |gap| {
            (
                Mark {
                    key: SortKey::Id,
                    id: gap.id.0,
                },
                (gap.id.0, gap_row(gap)),
            )
        });
        Ok(numbered(answer, skip(page)))
    }

    async fn approve_run(&self, operation: &Operation, run: RunId) -> Answer<Option<RunRow>> {
        let Some(scope) = self.decide(operation, Action::ApproveHeldRun)? else {
            return Ok(None);
        };
        let by = match &operation.actor {
            Actor::Principal { id, .. } => Some(*id),
            Actor::Source { .. } | Actor::Hub => None,
        };
        let approved = runs::approve(&self.db, &scope, run, by, operation.now).await;
        let Some(approved) = approved.map_err(|fault| failed(&fault))? else {
            return Ok(None);
        };
        let schools = self.schools_of_sources(&scope, vec![approved.source_id]).await?;
        let school = schools
            .get(&approved.source_id)
            .copied()
            .unwrap_or(SchoolId(Uuid::nil()));
        Ok(Some(run_row(&approved, school)))
    }
}
