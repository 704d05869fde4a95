//! Dossiers: read the relations, decide, and only then open, behind a committed line of the access log.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId, EntryId, PostId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::policy::secret::{
    Asked, Class, Facts, Field, Grant, Part, Protected, Step, Ties, Verdict, decide_batch,
};
use hub_entities::policy::{Action, Relations};
use hub_entities::time::Period;
use hub_graphql::dossier::{
    AskedFor, CorrectEntry, DossierRow, EntryRow, NewTrajectory, PutPost, PutWorker, Stepped, TrajectoryRow, Values,
    WriteEntry,
};
use hub_graphql::hub::{Answer, Dossiers};
use uuid::Uuid;

use super::consents::Minority;
use super::{App, failed, referrals, releases};
use crate::store::post::{self, Posted};
use crate::store::secret::basic::Basic;
use crate::store::secret::consent::MayGoOn;
use crate::store::secret::line::Line;
use crate::store::secret::opening::{self, Entry, Found, Trajectory};
use crate::store::secret::ties::{self, Asker, Known};
use crate::store::secret::writing::{self, Changed, Stepping, Written};
use crate::store::secret::{NOBODY, Secrets, What};

/// Someone of a CLB before its secrecy store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) secrets: &'a Secrets,
    pub(super) operation: &'a Operation,
    pub(super) principal: PrincipalId,
    pub(super) role: Role,
    pub(super) clb: ClbId,
    pub(super) assured: bool,
}

/// A step in a dossier that a reader may take.
pub(super) struct Allowed<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) grant: Grant,
    pub(super) line: Line,
}

impl Allowed<'_> {
    pub(super) const fn pupil(&self) -> PupilId {
        self.grant.pupil()
    }

    /// The class in which the step is taken.
    pub(super) const fn class(&self) -> Class {
        self.grant.asked().class()
    }

    pub(super) fn by(&self) -> Stepping<'_> {
        Stepping {
            grant: &self.grant,
            clb: self.reader.clb,
            line: &self.line,
        }
    }
}

impl Reader<'_> {
    /// For whom relations are read.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            principal: self.principal,
            clb: self.clb,
            day: self.operation.today(),
            now: self.operation.now,
        }
    }

    /// Writes a line of which nothing is opened: a refusal is in the log too.
    pub(super) async fn note(&self, line: Line) -> Answer<()> {
        let noted = opening::note(self.secrets, vec![line]).await;
        noted.map_err(|fault| failed(&fault))
    }

    /// The line of one question about one pupil.
    pub(super) fn line(&self, id: Uuid, pupil: PupilId, action: &str, verdicts: &[(Asked, Verdict)]) -> Line {
        let mut line = Line {
            id: DecisionId(id),
            clb: self.clb,
            at: to_micros(self.operation.now),
            by: self.principal,
            role: self.role,
            purpose: self.operation.purpose,
            assured: self.assured,
            pupil,
            action: action.to_owned(),
            granted: Vec::new(),
            withheld: Vec::new(),
            facts: String::new(),
            request: self.operation.request,
        };
        for (asked, verdict) in verdicts {
            let what = match asked {
                Asked::Read(field) => field.to_string(),
                Asked::Do(_, class) => class.to_string(),
            };
            match verdict {
                Verdict::Granted(grant) => line.granted.push(format!("{what}={}", grant.rule())),
                Verdict::Withheld(why) => line.withheld.push(format!("{what}={}", why.code())),
                Verdict::Nothing => line.withheld.push(format!("{what}=nothing")),
            }
        }
        line
    }
}

/// What a decision about these relations rests on, as its line keeps it.
fn decided_on(operation: &Operation, relations: &Relations, ties: &Ties) -> String {
    let facts = Facts::of(operation, relations, ties);
    facts.map(|facts| facts.to_string()).unwrap_or_default()
}

/// What every database keeps of an instant.
fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

fn trajectory_row(one: Trajectory) -> TrajectoryRow {
    let place = |member: opening::Member| (member.worker, member.period.begins, member.period.ends);
    TrajectoryRow {
        id: one.id,
        domain: one.domain,
        phase: one.phase,
        state: one.state,
        asked_by: one.asked_by,
        obligation: one.obligation,
        lapsed_at: one.lapsed_at,
        opened_at: one.opened_at,
        closed_at: one.closed_at,
        version: one.version,
        team: one.team.into_iter().map(place).collect(),
    }
}

fn entry_row(one: Entry) -> EntryRow {
    EntryRow {
        id: one.id,
        trajectory: one.trajectory,
        about: one.about,
        closed: one.closed,
        author: one.author,
        written_at: one.written_at,
        version: one.version,
        own_words: one.own_words,
        adds_to: one.adds_to,
        text: one.text,
    }
}

/// What was opened of one field.
pub(super) fn values(found: &mut Found, field: Field, of: &Minority<'_>) -> Values {
    let at = &(of.pupil, field);
    match field.part() {
        Part::Trajectories => {
            let rows = found.trajectories.remove(at).unwrap_or_default();
            Values::Trajectories(rows.into_iter().map(trajectory_row).collect())
        }
        Part::Consents => {
            let found = found.consents.remove(at).unwrap_or_default();
            Values::Consents(of.consent_rows(found))
        }
        Part::Referrals => {
            let rows = found.referrals.remove(at).unwrap_or_default();
            Values::Referrals(rows.into_iter().map(referrals::row).collect())
        }
        Part::Releases => {
            let rows = found.releases.remove(at).unwrap_or_default();
            Values::Releases(rows.into_iter().map(releases::row).collect())
        }
        _ => {
            let rows = found.entries.remove(at).unwrap_or_default();
            Values::Entries(rows.into_iter().map(entry_row).collect())
        }
    }
}

pub(super) fn stepped<T>(id: T, changed: Changed) -> Stepped<T> {
    match changed {
        Changed::NotNow => Stepped::State,
        Changed::Done(version) => Stepped::Done(id, version),
        Changed::Stale(version) => Stepped::Changed(version),
        Changed::Unknown => Stepped::Unknown,
    }
}

impl App {
    /// Who asks, if it is someone of a CLB, and there is a secrecy store.
    pub(super) fn reader<'a>(&'a self, operation: &'a Operation) -> Answer<Option<Reader<'a>>> {
        let assured = self.request(operation)?.assured;
        let Actor::Principal { id, role, clb, .. } = &operation.actor else {
            return Ok(None);
        };
        Ok(self.secrets.as_ref().zip(*clb).map(|(secrets, clb)| Reader {
            secrets,
            operation,
            principal: *id,
            role: *role,
            clb,
            assured,
        }))
    }

    pub(super) async fn ties(&self, reader: &Reader<'_>, pupils: &[PupilId]) -> Answer<(Vec<Ties>, Vec<Known>)> {
        let law = self.book.laws().consent();
        let loaded = ties::load(&self.db, reader.secrets, law, reader.asker(), pupils).await;
        loaded.map_err(|fault| failed(&fault))
    }

    /// What takes this step where this is; nothing for whom it is not.
    pub(super) async fn allowed<'a>(
        &'a self,
        operation: &'a Operation,
        what: What,
        step: Step,
    ) -> Answer<Option<Allowed<'a>>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(None);
        };
        let (pupil, class) = self.place(&reader, what).await?;
        let may = self.may(&reader, pupil, (step, class)).await?;
        Ok(may.ok().map(|(grant, line)| Allowed { reader, grant, line }))
    }

    /// The right to a step about a pupil, with the line that is to tell of it. Without one the line is written here: a
    /// refusal is in the log too.
    pub(super) async fn may(
        &self,
        reader: &Reader<'_>,
        pupil: PupilId,
        (step, class): (Step, Class),
    ) -> Answer<Result<(Grant, Line), bool>> {
        let request = self.request(reader.operation)?;
        let (ties, _) = self.ties(reader, &[pupil]).await?;
        let asked = Asked::Do(step, class);
        let decided = decide_batch(reader.operation, &request.relations, reader.assured, &ties, &[asked]);
        let verdict = decided.into_iter().flatten().next().unwrap_or(Verdict::Nothing);
        let line = reader.line(self.ids.blind(), pupil, step.name(), &[(asked, verdict.clone())]);
        let facts = ties
            .first()
            .map(|ties| self.facts(reader.operation, ties))
            .transpose()?;
        let line = line.on(facts.unwrap_or_default());
        match verdict {
            Verdict::Granted(grant) => Ok(Ok((grant, line))),
            refused => {
                reader.note(line).await?;
                Ok(Err(matches!(refused, Verdict::Withheld(_))))
            }
        }
    }

    /// What a decision about these relations rests on, as its line keeps it.
    pub(super) fn facts(&self, operation: &Operation, ties: &Ties) -> Answer<String> {
        Ok(decided_on(operation, &self.request(operation)?.relations, ties))
    }

    /// Where something of the asker's CLB is; something unknown is nowhere, and goes the same way.
    pub(super) async fn place(&self, reader: &Reader<'_>, what: What) -> Answer<(PupilId, Class)> {
        let found = opening::place_of(reader.secrets, reader.clb, what).await;
        let found = found.map_err(|fault| failed(&fault))?;
        Ok(found.unwrap_or((NOBODY, Class::Learning)))
    }
}

#[async_trait]
impl Dossiers for App {
    async fn dossiers(
        &self,
        operation: &Operation,
        pupils: &[PupilId],
        AskedFor { fields, teams }: &AskedFor,
    ) -> Answer<HashMap<PupilId, DossierRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(HashMap::new());
        };
        let request = self.request(operation)?;
        // Whether the pupil is the CLB's is asked with a field that everyone of a CLB may read.
        let known = Field::new(Class::Case, Part::States).map(Asked::Read);
        let asked: Vec<Asked> = fields.iter().copied().map(Asked::Read).chain(known).collect();
        let mut all: Vec<(PupilId, DecisionId, Vec<(Asked, Verdict)>)> = Vec::new();
        let decide = |ties: &[Ties]| {
            let decided = decide_batch(operation, &request.relations, reader.assured, ties, &asked);
            let mut grants: Vec<Grant> = Vec::new();
            let mut lines: Vec<Line> = Vec::new();
            for (ties, verdicts) in ties.iter().zip(decided) {
                let of_each: Vec<(Asked, Verdict)> = asked.iter().copied().zip(verdicts).collect();
                let secret = of_each.get(..fields.len()).unwrap_or_default();
                let line = reader.line(self.ids.blind(), ties.pupil(), "read", secret);
                grants.extend(secret.iter().filter_map(|(_, verdict)| match verdict {
                    Verdict::Granted(grant) => Some(grant.clone()),
                    Verdict::Withheld(_) | Verdict::Nothing => None,
                }));
                all.push((ties.pupil(), line.id, of_each));
                lines.push(line.on(decided_on(operation, &request.relations, ties)));
            }
            (grants, lines)
        };
        let law = self.book.laws().consent();
        let basic = Basic::load(&self.db, reader.asker(), pupils).await;
        let basic = basic.map_err(|fault| failed(&fault))?;
        let opened = opening::decide_and_open(reader.secrets, law, basic, *teams, decide).await;
        let (minors, mut found) = opened.map_err(|fault| failed(&fault))?;
        let mut dossiers = HashMap::new();
        for ((pupil, decision, verdicts), minor) in all.into_iter().zip(&minors) {
            if verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Nothing) {
                continue;
            }
            let minority = self.minority(operation, pupil, minor);
            let mut of = HashMap::new();
            for (asked, verdict) in verdicts {
                let Asked::Read(field) = asked else { continue };
                match verdict {
                    Verdict::Granted(grant) if field.class() != Class::Case => {
                        let values = values(&mut found, field, &minority);
                        of.insert(field, Protected::granted(&grant, values));
                    }
                    Verdict::Withheld(why) => {
                        of.insert(field, Protected::withheld(why, decision));
                    }
                    Verdict::Granted(_) | Verdict::Nothing => {}
                }
            }
            dossiers.insert(pupil, DossierRow { fields: of, decision });
        }
        Ok(dossiers)
    }

    async fn open_trajectory(&self, operation: &Operation, new: NewTrajectory) -> Answer<Stepped<TrajectoryId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let class = Class::of(new.domain);
        match self.may(&reader, new.pupil, (Step::OpenTrajectory, class)).await? {
            Err(known) => Ok(if known { Stepped::NotAllowed } else { Stepped::Unknown }),
            Ok((grant, line)) => {
                let by = Stepping {
                    grant: &grant,
                    clb: reader.clb,
                    line: &line,
                };
                let begins = writing::NewTrajectory {
                    domain: new.domain,
                    phase: new.phase,
                    asked_by: new.asked_by,
                    obligation: new.obligation,
                };
                let day = operation.today();
                let opened = writing::open_trajectory(reader.secrets, &*self.ids, by, begins, day).await;
                Ok(Stepped::Done(opened.map_err(|fault| failed(&fault))?, 1))
            }
        }
    }

    async fn assign_team(&self, operation: &Operation, put: PutWorker) -> Answer<Stepped<TrajectoryId>> {
        let what = What::Trajectory(put.trajectory);
        let Some(allowed) = self.allowed(operation, what, Step::AssignTeam).await? else {
            return Ok(Stepped::Unknown);
        };
        let worker = post::worker(&self.db, allowed.reader.clb, put.worker, operation.today()).await;
        if worker.map_err(|fault| failed(&fault))?.is_none() {
            return Ok(Stepped::Invalid("workerId"));
        }
        let period = Period {
            begins: put.begins,
            ends: put.ends,
        };
        let of = (put.trajectory, put.version);
        let assigned = writing::assign(allowed.reader.secrets, &*self.ids, allowed.by(), of, put.worker, period).await;
        Ok(stepped(put.trajectory, assigned.map_err(|fault| failed(&fault))?))
    }

    async fn move_trajectory(
        &self,
        operation: &Operation,
        of: (TrajectoryId, i32),
        phase: Option<hub_entities::dossier::trajectory::Phase>,
        close: bool,
    ) -> Answer<Stepped<TrajectoryId>> {
        let what = What::Trajectory(of.0);
        let Some(allowed) = self.allowed(operation, what, Step::MoveTrajectory).await? else {
            return Ok(Stepped::Unknown);
        };
        let pupil = allowed.pupil();
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, pupil, &known);
        let may_go_on: MayGoOn<'_> = &|obligation, answers| minority.may_go_on(obligation, answers);
        let moved = writing::move_trajectory(allowed.reader.secrets, allowed.by(), of, (phase, close), may_go_on).await;
        Ok(stepped(of.0, moved.map_err(|fault| failed(&fault))?))
    }

    async fn write_entry(&self, operation: &Operation, entry: WriteEntry) -> Answer<Stepped<EntryId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let (pupil, class) = self.place(&reader, What::Trajectory(entry.trajectory)).await?;
        let class = if entry.medical { Class::Medical } else { class };
        let Ok((grant, line)) = self.may(&reader, pupil, (Step::WriteEntry, class)).await? else {
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let text = Written {
            closed: entry.closed,
            about: entry.about,
            text: entry.text,
        };
        let written = writing::write_entry(reader.secrets, &*self.ids, by, entry.trajectory, &text).await;
        let written = written.map_err(|fault| failed(&fault))?;
        Ok(written.map_or(Stepped::Unknown, |id| Stepped::Done(id, 1)))
    }

    async fn correct_entry(&self, operation: &Operation, entry: CorrectEntry) -> Answer<Stepped<EntryId>> {
        let Some(allowed) = self
            .allowed(operation, What::Entry(entry.entry), Step::WriteEntry)
            .await?
        else {
            return Ok(Stepped::Unknown);
        };
        let text = Written {
            closed: entry.closed,
            about: entry.about,
            text: entry.text,
        };
        let of = (entry.entry, entry.version);
        let corrected = writing::correct_entry(allowed.reader.secrets, &*self.ids, allowed.by(), of, &text).await;
        Ok(stepped(entry.entry, corrected.map_err(|fault| failed(&fault))?))
    }

    async fn assign_post(&self, operation: &Operation, put: PutPost) -> Answer<Stepped<PostId>> {
        let Some(scope) = self.decide(operation, Action::AssignPost)? else {
            return Ok(Stepped::Unknown);
        };
        let period = Period {
            begins: put.begins,
            ends: put.ends,
        };
        let who = (put.worker, put.school, put.post);
        let posted = post::assign(&self.db, &scope, &*self.ids, who, period).await;
        Ok(match posted.map_err(|fault| failed(&fault))? {
            Posted::Done(id) => Stepped::Done(id, 1),
            Posted::Discipline => Stepped::Invalid("post"),
            Posted::Unknown => Stepped::Unknown,
        })
    }
}
