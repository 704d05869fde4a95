//! Signals, and the two steps on them.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PupilId, SignalId};
use hub_entities::operation::Operation;
use hub_entities::policy::{Action, Reach, Scope};
use hub_entities::signal::Track;
use hub_graphql::hub::{Answer, Signals, Stepped};
use hub_graphql::page::{Mark, Page, Slice};
use hub_graphql::signal::{ProofRow, ReportedRow, SignalFilter, SignalRow, party_of};

use super::answer::{counted, schools, slice, text, time};
use super::{App, failed};
use crate::store::read::report;
use crate::store::read::signal::{self as signals, Filter, Signal, Step};
use crate::store::signal::{self as tracks, NewStep};

fn proof(step: &Step) -> ProofRow {
    ProofRow {
        track: step.track,
        by: step.by,
        party: party_of(step.track, step.party),
        at: step.at,
    }
}

/// For which school or CLB the scope takes a step.
fn party(scope: &Scope, track: Track) -> String {
    match scope.reach() {
        Reach::School(school) => party_of(track, school.0),
        Reach::Clb { clb, .. } => party_of(track, clb.0),
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => String::new(),
    }
}

fn row(signal: Signal) -> SignalRow {
    SignalRow {
        id: signal.id,
        kind: signal.kind,
        state: signal.state,
        generation: signal.generation,
        year: signal.year,
        count: signal.half_days,
        reached_on: signal.reached_on,
        raised_at: signal.raised_at,
        withdrawn_at: signal.withdrawn_at,
        backfill: signal.backfill,
        version: signal.version,
        pupil: Some(signal.pupil),
        proofs: signal.steps.iter().map(proof).collect(),
    }
}

fn mark(signal: &Signal) -> Mark {
    Mark {
        key: time(signal.raised_at),
        id: signal.id.0,
    }
}

#[async_trait]
impl Signals for App {
    async fn signals_by_id(&self, operation: &Operation, ids: &[SignalId]) -> Answer<HashMap<SignalId, SignalRow>> {
        let Some(scope) = self.decide(operation, Action::ReadSignals)? else {
            return Ok(HashMap::new());
        };
        let found = signals::by_id(&self.db, &scope, ids)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note_signals(operation, found.iter())?;
        Ok(found.into_iter().map(|signal| (signal.id, row(signal))).collect())
    }

    async fn signals(&self, operation: &Operation, filter: &SignalFilter, page: &Page) -> Answer<Slice<SignalRow>> {
        let Some(scope) = self.decide(operation, Action::ReadSignals)? else {
            return Ok(Slice::empty(page.count));
        };
        let filter = Filter {
            state: filter.state,
            kind: filter.kind,
            year: filter.year,
        };
        let after = page
            .after
            .as_ref()
            .and_then(|mark| Some((text(page)?.parse().ok()?, SignalId(mark.id))));
        let total = counted(page, signals::count(&self.db, &scope, &filter)).await?;
        let found = signals::page(&self.db, &scope, &filter, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let first = usize::try_from(page.first).unwrap_or(usize::MAX);
        self.note_signals(operation, found.iter().take(first))?;
        Ok(slice(found, page, total, |signal| (mark(&signal), row(signal))))
    }

    async fn signals_of(&self, operation: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<SignalRow>>> {
        let Some(scope) = self.decide(operation, Action::ReadSignals)? else {
            return Ok(HashMap::new());
        };
        let found = signals::of_pupils(&self.db, &scope, of)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note_signals(operation, found.iter())?;
        let mut answer: HashMap<PupilId, Vec<SignalRow>> = HashMap::new();
        for signal in found {
            answer.entry(signal.pupil).or_default().push(row(signal));
        }
        Ok(answer)
    }

    async fn reported(
        &self,
        operation: &Operation,
        of: &[SignalId],
        columns: Categories,
    ) -> Answer<HashMap<SignalId, ReportedRow>> {
        let Some(scope) = self.decide(operation, Action::ReadReport)? else {
            return Ok(HashMap::new());
        };
        let found = report::of_signals(&self.db, &scope, of)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note(operation, found.values().map(|one| one.pupil), columns)?;
        let schools = schools(&self.db, &scope, found.values().map(|one| one.school)).await?;
        let answer = |(signal, one): (SignalId, report::Reported)| {
            let row = ReportedRow {
                given_name: one.given_name,
                family_name: one.family_name,
                birth_date: one.birth_date,
                school: schools.get(&one.school)?.clone(),
                classes: one.classes,
                count: one.half_days,
            };
            Some((signal, row))
        };
        Ok(found.into_iter().filter_map(answer).collect())
    }

    async fn report(&self, operation: &Operation, signal: SignalId, version: Option<i32>) -> Answer<Stepped> {
        self.step(operation, signal, version, Track::Report, Action::ReportSignal)
            .await
    }

    async fn accept(&self, operation: &Operation, signal: SignalId, version: Option<i32>) -> Answer<Stepped> {
        self.step(operation, signal, version, Track::Accept, Action::AcceptSignal)
            .await
    }
}

impl App {
    /// Notes for the access log that these signals left: what follows from half-days of B is of category `truancy`.
    fn note_signals<'a>(&self, operation: &Operation, left: impl Iterator<Item = &'a Signal>) -> Answer<()> {
        let truancy = Categories::NONE.with(Category::Truancy);
        self.note(operation, left.map(|signal| signal.pupil), truancy)
    }

    async fn step(
        &self,
        operation: &Operation,
        signal: SignalId,
        version: Option<i32>,
        track: Track,
        action: Action,
    ) -> Answer<Stepped> {
        let Some(scope) = self.decide(operation, action)? else {
            return Ok(Stepped::Unknown);
        };
        let new = NewStep {
            signal,
            track,
            version,
            request: operation.request,
            now: operation.now,
        };
        let stepped = tracks::step(&self.db, &scope, &*self.ids, new)
            .await
            .map_err(|fault| failed(&fault))?;
        match stepped {
            tracks::Stepped::Done { by, at } | tracks::Stepped::Already { by, at } => {
                self.wake.notify_one();
                let found = self.signals_by_id(operation, &[signal]).await?.remove(&signal);
                let Some(found) = found else {
                    return Ok(Stepped::Unknown);
                };
                // By the party, not by the time: what was just written is told as the database keeps it.
                let party = party(&scope, track);
                let kept = found
                    .proofs
                    .iter()
                    .find(|proof| proof.track == track && proof.party == party);
                let proof = kept.cloned().unwrap_or(ProofRow { track, by, party, at });
                Ok(Stepped::Done(Box::new(found), proof))
            }
            tracks::Stepped::Withdrawn => Ok(Stepped::Withdrawn),
            tracks::Stepped::Changed { version } => Ok(Stepped::Changed(version)),
            tracks::Stepped::Unknown => Ok(Stepped::Unknown),
        }
    }
}
