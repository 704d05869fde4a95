//! Sources, runs and gaps: no pupil content.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::id::{GapId, RunId, SchoolId, SourceId};
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Scope};
use hub_entities::source::{connection, run};
use hub_graphql::hub::{Answer, Operations};
use hub_graphql::operations::{GapRow, JoinRow, RunRow, SourceRow};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::problem::Problem;
use hub_graphql::scalar::Gid;
use hub_graphql::school::SchoolRow;

use super::answer::{counted, schools, slice, text, time};
use super::{App, failed};
use crate::store::read::gap::{self, Seen};
use crate::store::read::operations::{self, Joined};
use crate::store::run as runs;
use crate::sync::{Source, SyncError};

fn source_row(school: SchoolRow, source: connection::Model, joined: Option<&Joined>) -> SourceRow {
    let last = joined.and_then(|joined| joined.last);
    SourceRow {
        school,
        join: last.map(|(join, measured_at)| JoinRow {
            named: join.named,
            found: join.found,
            measured_at,
        }),
        waiting: joined.map_or(0, |joined| joined.waiting),
        id: Gid(source.id),
        name: source.name,
        letters: source.letters,
    }
}

fn run_row(school: SchoolId, run: &run::Model) -> RunRow {
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
        named: run.named,
        found: run.found,
        ended: run.ended,
        raised: run.raised,
        withdrawn: run.withdrawn,
        started_at: run.started_at,
        finished_at: run.finished_at,
        approved_at: run.approved_at,
    }
}

fn gap_row(gap: Seen) -> GapRow {
    GapRow {
        id: Gid(gap.id),
        source_id: Gid(gap.source),
        rule: gap.rule,
        detail: gap.detail,
        occurrences: gap.occurrences,
        first_seen_at: gap.first_seen_at,
        last_seen_at: gap.last_seen_at,
    }
}

impl App {
    /// What software brought lies ready, and goes on at once; a file is read again.
    async fn go_on(
        &self,
        operation: &Operation,
        scope: &Scope,
        source: Source,
        approved: run::Model,
    ) -> Answer<run::Model> {
        let pushed = runs::is_pushed(&self.db, scope, approved.id).await;
        if !pushed.map_err(|fault| failed(&fault))? {
            return Ok(approved);
        }
        match self.intake(operation).go_on(source).await {
            // Whoever works on it finds the run.
            Ok(()) | Err(SyncError::Busy) => self.wake.notify_one(),
            Err(SyncError::Store(fault)) => return Err(failed(&fault)),
            Err(_) => return Err(Problem::Unavailable),
        }
        let now = operations::run(&self.db, scope, approved.id).await;
        Ok(now.map_err(|fault| failed(&fault))?.unwrap_or(approved))
    }

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
        let after = page.after.as_ref().map(|mark| SourceId(mark.id));
        let total = counted(page, operations::count_sources(&self.db, &scope)).await?;
        let found = operations::sources(&self.db, &scope, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let schools = schools(&self.db, &scope, found.iter().map(|source| source.school_id)).await?;
        let ids: Vec<SourceId> = found.iter().map(|source| source.id).collect();
        let joined = operations::joined(&self.db, &scope, &ids).await;
        let joined = joined.map_err(|fault| failed(&fault))?;
        let row = |source: connection::Model| {
            let joined = joined.get(&source.id);
            Some(source_row(schools.get(&source.school_id)?.clone(), source, joined))
        };
        Ok(slice(found.into_iter().filter_map(row).collect(), page, total, |row| {
            let key = SortKey::Id;
            (Mark { key, id: row.id.0.0 }, row)
        }))
    }

    async fn runs(&self, operation: &Operation, page: &Page) -> Answer<Slice<RunRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, RunId(mark.id))));
        let total = counted(page, operations::count_runs(&self.db, &scope)).await?;
        let found = operations::runs(&self.db, &scope, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let schools = self
            .schools_of_sources(&scope, found.iter().map(|run| run.source_id).collect())
            .await?;
        let row = |run: &run::Model| Some(run_row(*schools.get(&run.source_id)?, run));
        Ok(slice(
            found.iter().filter_map(row).collect(),
            page,
            total,
            |row: RunRow| {
                let key = time(row.started_at);
                (Mark { key, id: row.id.0.0 }, row)
            },
        ))
    }

    async fn gaps(&self, operation: &Operation, page: &Page) -> Answer<Slice<GapRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(Slice::empty(page.count));
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, GapId(mark.id))));
        let total = counted(page, gap::count_gaps(&self.db, &scope)).await?;
        let found = gap::gaps(&self.db, &scope, after, page.first).await;
        Ok(slice(found.map_err(|fault| failed(&fault))?, page, total, |gap| {
            let key = time(gap.last_seen_at);
            (Mark { key, id: gap.id.0 }, gap_row(gap))
        }))
    }

    async fn source(&self, operation: &Operation, id: SourceId) -> Answer<Option<SourceRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(None);
        };
        let found = operations::source(&self.db, &scope, id).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let mut schools = schools(&self.db, &scope, found.iter().map(|source| source.school_id)).await?;
        let joined = operations::joined(&self.db, &scope, &[id]).await;
        let joined = joined.map_err(|fault| failed(&fault))?;
        Ok(found.and_then(|source| Some(source_row(schools.remove(&source.school_id)?, source, joined.get(&id)))))
    }

    async fn run(&self, operation: &Operation, id: RunId) -> Answer<Option<RunRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(None);
        };
        let found = operations::run(&self.db, &scope, id).await;
        let Some(found) = found.map_err(|fault| failed(&fault))? else {
            return Ok(None);
        };
        let schools = self.schools_of_sources(&scope, vec![found.source_id]).await?;
        Ok(schools.get(&found.source_id).map(|school| run_row(*school, &found)))
    }

    async fn gap(&self, operation: &Operation, id: GapId) -> Answer<Option<GapRow>> {
        let Some(scope) = self.decide(operation, Action::ReadOperations)? else {
            return Ok(None);
        };
        let found = gap::gap(&self.db, &scope, id).await;
        Ok(found.map_err(|fault| failed(&fault))?.map(gap_row))
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
        let Some(school) = schools.get(&approved.source_id) else {
            return Ok(None);
        };
        let source = Source {
            id: approved.source_id,
            school: *school,
        };
        let approved = self.go_on(operation, &scope, source, approved).await?;
        Ok(Some(run_row(*school, &approved)))
    }
}
