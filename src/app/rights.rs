//! The rights of the person: asking to read the own dossier, what a worker opens of it after the talk, and reading that. What
//! is opened is decided again with each look, and its line is written first.

use async_trait::async_trait;
use hub_entities::dossier::access::{LONGEST_DAYS, Opens, Right};
use hub_entities::id::{ClbId, DecisionId, DossierAccessId, DossierRequestId, PrincipalId, PupilId};
use hub_entities::law::consent::Decides;
use hub_entities::operation::{Actor, Discipline, Operation, Role};
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Protected, Step, Ties, Verdict, decide_batch};
use hub_graphql::dossier::own::{Asks, OwnDossierRow, OwnRequestRow, OwnRequestRows};
use hub_graphql::dossier::rights::{EndAccess, OpenDossier, OpenedRow, StandingRow};
use hub_graphql::dossier::{DossierRow, Stepped};
use hub_graphql::hub::{Answer, Rights};
use hub_graphql::school::ClbRow;

use super::asking::{askable, granted};
use super::consents::Minority;
use super::corrections;
use super::dossiers::{Reader, stepped, values};
use super::{App, failed};
use crate::store::secret::access;
use crate::store::secret::line::Line;
use crate::store::secret::rights::{self, New, Opened, Opening, Own, Standing};
use crate::store::secret::ties::{self, Known, Person};
use crate::store::secret::writing::Stepping;
use crate::store::secret::{NOBODY, Secrets, What, opening};

/// A person before the secrecy store.
#[derive(Clone, Copy)]
pub(super) struct Myself<'a> {
    pub(super) secrets: &'a Secrets,
    pub(super) operation: &'a Operation,
    pub(super) principal: PrincipalId,
    pub(super) person: Person,
    assured: bool,
}

impl<'a> Myself<'a> {
    /// The same, for the log of this CLB.
    pub(super) const fn at(&self, clb: ClbId) -> Reader<'a> {
        Reader {
            secrets: self.secrets,
            operation: self.operation,
            principal: self.principal,
            role: self.person.role,
            clb,
            assured: self.assured,
        }
    }
}

/// Answering a person, whatever it is about: whoever is in a team of the pupil may, and the anchor of the school.
fn answers() -> Vec<Asked> {
    let secret = Class::ALL.iter().copied().filter(|class| class.is_secret());
    secret.map(|class| Asked::Do(Step::AnswerRequest, class)).collect()
}

fn own_row(one: Own, clb: &ClbRow) -> OwnRequestRow {
    OwnRequestRow {
        id: one.id,
        clb: clb.clone(),
        at: one.at,
        answer_by: one.answer_by,
        state: one.state,
        answered_at: one.answered_at,
        answer: one.answer,
    }
}

fn opened_row(one: Opened) -> OpenedRow {
    OpenedRow {
        id: one.id,
        trajectory: one.trajectory,
        medical: one.class == Class::Medical,
        by: one.by,
        talk_on: one.talk_on,
        begins_on: one.begins_on,
        ends_on: one.ends_on,
        pupil_objects: one.pupil_objects,
        version: one.version,
    }
}

fn standing_row(one: Standing) -> StandingRow {
    StandingRow {
        id: one.id,
        pupil: one.pupil,
        by: one.by,
        asked_as: one.asked_as,
        at: one.at,
        answer_by: one.answer_by,
        state: one.state,
        version: one.version,
        reason: one.reason,
        opened: one.opened.into_iter().map(opened_row).collect(),
    }
}

impl App {
    /// Who asks, if it is a person and there is a secrecy store.
    pub(super) fn itself<'a>(&'a self, operation: &'a Operation) -> Answer<Option<Myself<'a>>> {
        let assured = self.request(operation)?.assured;
        let Actor::Principal {
            id,
            role: role @ (Role::Pupil | Role::Parent),
            pupil: Some(pupil),
            ..
        } = &operation.actor
        else {
            return Ok(None);
        };
        Ok(self.secrets.as_ref().map(|secrets| Myself {
            secrets,
            operation,
            principal: *id,
            person: Person {
                principal: *id,
                role: *role,
                pupil: *pupil,
                day: operation.today(),
            },
            assured,
        }))
    }

    /// The person's relations to the own pupil, and the CLBs in whose logs that pupil stands.
    pub(super) async fn own_ties(&self, of: &Myself<'_>) -> Answer<(Ties, Vec<ClbId>)> {
        let law = self.book.laws().consent();
        let loaded = ties::of_person(&self.db, of.secrets, law, of.person, of.person.pupil).await;
        loaded.map_err(|fault| failed(&fault))
    }

    /// What is decided of these questions, with the line that is to tell of it in the log of this CLB.
    pub(super) fn decided_on(
        &self,
        reader: &Reader<'_>,
        ties: &Ties,
        (action, asked): (&str, &[Asked]),
    ) -> Answer<(Vec<(Asked, Verdict)>, Line)> {
        let relations = &self.request(reader.operation)?.relations;
        let decided = decide_batch(
            reader.operation,
            relations,
            reader.assured,
            std::slice::from_ref(ties),
            asked,
        );
        let verdicts: Vec<(Asked, Verdict)> = asked.iter().copied().zip(decided.into_iter().flatten()).collect();
        let line = reader.line(self.ids.blind(), ties.pupil(), action, &verdicts);
        let line = line.on(self.facts(reader.operation, ties)?);
        Ok((verdicts, line))
    }

    /// What lets the reader answer persons about these pupils, and a line of each; one that it was asked where there is none.
    pub(super) async fn answerable(&self, reader: &Reader<'_>, pupils: &[PupilId]) -> Answer<(Vec<Grant>, Vec<Line>)> {
        let (ties, _) = self.ties(reader, pupils).await?;
        let (mut grants, mut lines) = (Vec::new(), Vec::new());
        for ties in &ties {
            let (verdicts, line) = self.decided_on(reader, ties, ("read", &answers()))?;
            grants.extend(granted(&verdicts));
            lines.push(line);
        }
        if lines.is_empty() {
            lines.push(reader.line(self.ids.blind(), NOBODY, "read", &[]));
        }
        Ok((grants, lines))
    }

    /// The dossier of a person's own pupil at one CLB, as far as it is opened.
    async fn own_dossier(&self, reader: &Reader<'_>, ties: &Ties, asked: &[Asked]) -> Answer<Option<DossierRow>> {
        let (verdicts, line) = self.decided_on(reader, ties, ("read", asked))?;
        let decision = line.id;
        let grants: Vec<Grant> = granted(&verdicts);
        let opened = opening::open(reader.secrets, reader.clb, &grants, vec![line]).await;
        let mut found = opened.map_err(|fault| failed(&fault))?;
        let known = Known::default();
        let minority: Minority<'_> = self.minority(reader.operation, ties.pupil(), &known);
        let mut row = DossierRow {
            fields: std::collections::HashMap::new(),
            decision,
        };
        for (asked, verdict) in verdicts {
            let Asked::Read(field) = asked else { continue };
            match verdict {
                Verdict::Granted(grant) => {
                    let values = values(&mut found, field, &minority);
                    row.fields.insert(field, Protected::granted(&grant, values));
                }
                Verdict::Withheld(why) => {
                    row.fields.insert(field, Protected::withheld(why, decision));
                }
                Verdict::Nothing => return Ok(None),
            }
        }
        Ok(Some(row))
    }

    /// The request of a person as a worker answers it: about whom, and as what it was made.
    async fn person_request(&self, reader: &Reader<'_>, id: DossierRequestId) -> Answer<Option<(PupilId, Role)>> {
        let found = rights::asked(reader.secrets, reader.clb, id).await;
        found.map_err(|fault| failed(&fault))
    }

    /// Who decides for this pupil today, as the teams of the reader's CLB have it.
    async fn decides(&self, reader: &Reader<'_>, pupil: PupilId) -> Answer<Decides> {
        let (_, known) = self.ties(reader, &[pupil]).await?;
        let known = known.into_iter().next().unwrap_or_default();
        Ok(self
            .book
            .laws()
            .consent()
            .decides(known.minor(), reader.operation.today()))
    }
}

#[async_trait]
impl Rights for App {
    async fn own_dossiers(&self, operation: &Operation, fields: &[Field]) -> Answer<Vec<OwnDossierRow>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(Vec::new());
        };
        let law = self.book.laws().consent();
        let loaded = ties::of_person_by_clb(&self.db, of.secrets, law, of.person).await;
        let loaded = loaded.map_err(|fault| failed(&fault))?;
        let clbs: Vec<ClbId> = loaded.iter().map(|(clb, _)| *clb).collect();
        let organisations = self.organisations(operation, &clbs).await?;
        let asked: Vec<Asked> = fields.iter().copied().map(Asked::Read).collect();
        let mut dossiers = Vec::with_capacity(loaded.len());
        for (clb, ties) in &loaded {
            let row = self.own_dossier(&of.at(*clb), ties, &asked).await?;
            if let Some((clb, row)) = organisations.get(clb).cloned().zip(row) {
                dossiers.push(OwnDossierRow { clb, row });
            }
        }
        Ok(dossiers)
    }

    async fn own_requests(&self, operation: &Operation) -> Answer<Option<Protected<OwnRequestRows>>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(None);
        };
        let (ties, clbs) = self.own_ties(&of).await?;
        let organisations = self.organisations(operation, &clbs).await?;
        let asked = [Asked::Do(Step::FollowRequest, Class::Intake)];
        let (mut told, mut withheld, mut by) = (OwnRequestRows::default(), None, None);
        for clb in &clbs {
            let reader = of.at(*clb);
            let (verdicts, line) = self.decided_on(&reader, &ties, (Step::FollowRequest.name(), &asked))?;
            match verdicts.into_iter().next() {
                Some((_, Verdict::Granted(grant))) => {
                    let own = rights::own(of.secrets, *clb, &grant, &line).await;
                    let (own, corrections) = own.map_err(|fault| failed(&fault))?;
                    if let Some(clb) = organisations.get(clb) {
                        told.requests.extend(own.into_iter().map(|one| own_row(one, clb)));
                        let corrections = corrections.into_iter();
                        told.corrections
                            .extend(corrections.map(|one| corrections::own_row(one, clb)));
                    }
                    by = Some(grant);
                }
                Some((_, Verdict::Withheld(why))) => {
                    withheld = withheld.or(Some((why, line.id)));
                    reader.note(line).await?;
                }
                Some((_, Verdict::Nothing)) | None => reader.note(line).await?,
            }
        }
        let withheld = withheld.map(|(why, decision)| Protected::withheld(why, decision));
        Ok(by.map(|grant| Protected::granted(&grant, told)).or(withheld))
    }

    async fn ask_to_read(&self, operation: &Operation, decision: DecisionId, reason: &str) -> Answer<Stepped<Asks>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let (ties, clbs) = self.own_ties(&of).await?;
        let Some(first) = clbs.first() else {
            return Ok(Stepped::Unknown);
        };
        let found = access::refused(of.secrets, &clbs, of.principal, decision).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let refused = found.map(|refused| (refused.clb, askable(&refused)));
        let refused = refused.filter(|(_, classes)| !classes.is_empty());
        // With the decision of another, or of nothing, one asks about nobody.
        let (reader, ties, classes) = match refused {
            Some((clb, classes)) => (of.at(clb), ties, classes),
            None => (of.at(*first), ties::of_nobody(NOBODY), vec![Class::Learning]),
        };
        let asked: Vec<Asked> = classes
            .into_iter()
            .map(|class| Asked::Do(Step::AskAccess, class))
            .collect();
        let (verdicts, line) = self.decided_on(&reader, &ties, (Step::AskAccess.name(), &asked))?;
        let grants = granted(&verdicts);
        let Some(grant) = grants.first() else {
            reader.note(line).await?;
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let new = New {
            asked_as: of.person.role,
            decision,
            answer_by: self.book.laws().consent().answer_by(Right::Access, of.person.day),
            reason,
        };
        let asked = rights::ask(of.secrets, &*self.ids, by, new).await;
        let (id, answer_by) = asked.map_err(|fault| failed(&fault))?;
        Ok(Stepped::Done(Asks { id, answer_by }, 1))
    }

    async fn standing_requests(&self, operation: &Operation) -> Answer<Vec<StandingRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Vec::new());
        };
        let day = operation.today();
        let pupils = rights::standing(reader.secrets, reader.clb, day).await;
        let pupils = pupils.map_err(|fault| failed(&fault))?;
        let (grants, lines) = self.answerable(&reader, &pupils).await?;
        let told = rights::open_standing(reader.secrets, (reader.clb, day), &grants, &lines).await;
        let told = told.map_err(|fault| failed(&fault))?;
        Ok(told.into_iter().map(standing_row).collect())
    }

    async fn open_dossier(&self, operation: &Operation, open: OpenDossier) -> Answer<Stepped<DossierAccessId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let today = operation.today();
        if open.talk_on > today {
            return Ok(Stepped::Invalid("talkOn"));
        }
        let days = open.ends_on.signed_duration_since(today).num_days();
        if !(1..=LONGEST_DAYS).contains(&days) {
            return Ok(Stepped::Invalid("ends"));
        }
        let (pupil, class) = self.place(&reader, What::Trajectory(open.trajectory)).await?;
        let class = if open.medical { Class::Medical } else { class };
        let Ok((grant, line)) = self.may(&reader, pupil, (Step::OpenAccess, class)).await? else {
            return Ok(Stepped::Unknown);
        };
        let asked = self.person_request(&reader, open.request).await?;
        let asked_as = asked.filter(|(about, _)| *about == pupil).map(|(_, asked_as)| asked_as);
        let decides = self.decides(&reader, pupil).await?;
        let not = match asked_as.map(|asked_as| Opens::to(asked_as, decides)) {
            None => Some(Stepped::Unknown),
            Some(Opens::NotNow) => Some(Stepped::State),
            Some(Opens::InTheInterest) if !open.in_interest => Some(Stepped::Invalid("inPupilsInterest")),
            Some(Opens::InTheInterest | Opens::Yes) => None,
        };
        if let Some(not) = not {
            reader.note(line).await?;
            return Ok(not);
        }
        let discipline = self.request(operation)?.relations.discipline();
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let new = Opening {
            trajectory: open.trajectory,
            talk_on: open.talk_on,
            begins_on: today,
            ends_on: open.ends_on,
            through_doctor: discipline == Some(Discipline::Doctor),
            in_interest: open.in_interest,
        };
        let opened = rights::open(reader.secrets, &*self.ids, by, (open.request, open.version), new).await;
        let (id, changed) = opened.map_err(|fault| failed(&fault))?;
        Ok(stepped(id, changed))
    }

    async fn refuse_request(
        &self,
        operation: &Operation,
        of: (DossierRequestId, i32),
        reason: &str,
    ) -> Answer<Stepped<DossierRequestId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let pupil = self
            .person_request(&reader, of.0)
            .await?
            .map_or(NOBODY, |(pupil, _)| pupil);
        let (verdicts, facts) = self.about_one(&reader, pupil, &answers()).await?;
        let line = reader.line(self.ids.blind(), pupil, Step::AnswerRequest.name(), &verdicts);
        let line = line.on(facts);
        let grants = granted(&verdicts);
        let Some(grant) = grants.first() else {
            reader.note(line).await?;
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let refused = rights::refuse(reader.secrets, &*self.ids, by, of, reason).await;
        Ok(stepped(of.0, refused.map_err(|fault| failed(&fault))?))
    }

    async fn end_access(&self, operation: &Operation, end: EndAccess) -> Answer<Stepped<DossierAccessId>> {
        let what = What::Access(end.access);
        let Some(allowed) = self.allowed(operation, what, Step::OpenAccess).await? else {
            return Ok(Stepped::Unknown);
        };
        // Who decides takes the consent back instead: from then on no parent reads by it.
        if end.pupil_objects && self.decides(&allowed.reader, allowed.pupil()).await? != Decides::Parents {
            return Ok(Stepped::Invalid("pupilObjects"));
        }
        let (of, how) = ((end.access, end.version), (end.pupil_objects, operation.today()));
        let ended = rights::end(allowed.reader.secrets, allowed.by(), of, how).await;
        Ok(stepped(end.access, ended.map_err(|fault| failed(&fault))?))
    }
}
