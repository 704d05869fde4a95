//! Guidance on demand (vraaggestuurd): a request of a school goes through the letterbox, one of the CLB straight into its
//! store; the anchor of the school takes it in or declines it. The school is told that it was received, and no more.

use async_trait::async_trait;
use hub_entities::id::{GuidanceRequestId, IntentId, PupilId, SchoolId};
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Step, Ties, Verdict, decide_batch};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::request::{Answered, RequestRow, TakeIn};
use hub_graphql::guidance::{Ask, Received};
use hub_graphql::hub::{Answer, Guidance};

use hub_entities::policy::secret::Protected;

use super::dossiers::{Reader, stepped};
use super::{App, failed};
use crate::store::guidance::{self, Party, Sending};
use crate::store::intent::Caused;
use crate::store::secret::NOBODY;
use crate::store::secret::letterbox::Address;
use crate::store::secret::line::Line;
use crate::store::secret::request::{self, Beginning, Facts, Granted, New};
use crate::store::secret::writing::{NewTrajectory, Stepping};

const ASK: Asked = Asked::Do(Step::RequestGuidance, Class::Case);
const TAKE: Asked = Asked::Do(Step::AnswerGuidance, Class::Intake);

/// No school has this id: of an unknown request the relations are read as of any other.
const NOWHERE: SchoolId = SchoolId(uuid::Uuid::nil());

impl App {
    /// The one verdict on one question about one pupil.
    fn one(&self, operation: &Operation, assured: bool, ties: &Ties, asked: Asked) -> Answer<Verdict> {
        let relations = &self.request(operation)?.relations;
        let decided = decide_batch(operation, relations, assured, std::slice::from_ref(ties), &[asked]);
        Ok(decided.into_iter().flatten().next().unwrap_or(Verdict::Nothing))
    }

    /// Sends what a school asks on its way. No handle of the secrecy store is touched.
    async fn send(&self, operation: &Operation, grant: &Grant, way: guidance::Way, ask: Ask) -> Answer<Received> {
        let (Some(letterbox), Actor::Principal { id, role, .. }) = (&self.letterbox, &operation.actor) else {
            return Ok(Received::State);
        };
        let intent = IntentId(self.ids.blind());
        let to = Address {
            clb: way.clb,
            pupil: grant.pupil(),
            intent,
        };
        let sealed = letterbox.seal(&*self.ids, to, &ask.text).await;
        let sending = Sending {
            key: &ask.key,
            intent,
            way,
            sealed: sealed.map_err(|fault| failed(&fault))?,
            caused: Caused {
                by: (*id, *role),
                request: operation.request,
                at: operation.now,
            },
        };
        let sent = guidance::send(&self.db, grant, sending).await;
        let (intent, at) = sent.map_err(|fault| failed(&fault))?;
        Ok(Received::Done(request::id_of(intent), at))
    }

    /// The right to answer a request, with its line; refused, the line is written here.
    async fn may_answer(&self, reader: &Reader<'_>, id: GuidanceRequestId) -> Answer<Option<(Facts, Grant, Line)>> {
        let found = request::facts_of(reader.secrets, reader.clb, id).await;
        let facts = found.map_err(|fault| failed(&fault))?.unwrap_or(Facts {
            id,
            pupil: NOBODY,
            school: NOWHERE,
        });
        let ties = self.request_ties(reader, &[facts]).await?;
        let Some(ties) = ties.first() else { return Ok(None) };
        let verdict = self.one(reader.operation, reader.assured, ties, TAKE)?;
        let line = reader.line(
            self.ids.blind(),
            facts.pupil,
            Step::AnswerGuidance.name(),
            &[(TAKE, verdict.clone())],
        );
        let line = line.on(self.facts(reader.operation, ties)?);
        match verdict {
            Verdict::Granted(grant) => Ok(Some((facts, grant, line))),
            Verdict::Withheld(_) | Verdict::Nothing => {
                reader.note(line).await?;
                Ok(None)
            }
        }
    }

    async fn request_ties(&self, reader: &Reader<'_>, of: &[Facts]) -> Answer<Vec<Ties>> {
        let of: Vec<(PupilId, SchoolId)> = of.iter().map(|one| (one.pupil, one.school)).collect();
        let who = (reader.principal, reader.clb);
        let ties = guidance::ties_of_requests(&self.db, who, &of, reader.operation.today()).await;
        ties.map_err(|fault| failed(&fault))
    }
}

/// The right to read, where it was granted.
fn granted(verdict: Option<&Verdict>) -> Option<Grant> {
    match verdict {
        Some(Verdict::Granted(grant)) => Some(grant.clone()),
        Some(Verdict::Withheld(_) | Verdict::Nothing) | None => None,
    }
}

#[async_trait]
impl Guidance for App {
    async fn ask_guidance(&self, operation: &Operation, ask: Ask) -> Answer<Received> {
        let Actor::Principal { school, clb, .. } = &operation.actor else {
            return Ok(Received::Unknown);
        };
        let party = match (school, clb) {
            (Some(school), _) => Party::School(*school),
            (None, Some(clb)) => Party::Clb(*clb, ask.school),
            (None, None) => return Ok(Received::Unknown),
        };
        let day = operation.today();
        let ties = guidance::ties(&self.db, party, ask.pupil, day).await;
        let ties = ties.map_err(|fault| failed(&fault))?;
        let assured = self.request(operation)?.assured;
        let verdict = self.one(operation, assured, &ties, ASK)?;
        let Verdict::Granted(grant) = &verdict else {
            return Ok(Received::Unknown);
        };
        let way = guidance::way(&self.db, party, ask.pupil, day).await;
        let Some(way) = way.map_err(|fault| failed(&fault))? else {
            return Ok(Received::State);
        };
        if let Party::School(_) = party {
            return self.send(operation, grant, way, ask).await;
        }
        let Some(reader) = self.reader(operation)? else {
            return Ok(Received::State);
        };
        let step = Step::RequestGuidance.name();
        let line = reader.line(self.ids.blind(), grant.pupil(), step, &[(ASK, verdict.clone())]);
        let line = line.on(self.facts(operation, &ties)?);
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let new = New {
            key: ask.key,
            school: way.school,
            asked_by: ask.asked_by,
            text: ask.text,
        };
        let asked = request::ask(reader.secrets, &*self.ids, by, new).await;
        let (id, at) = asked.map_err(|fault| failed(&fault))?;
        Ok(Received::Done(id, at))
    }

    async fn guidance_requests(
        &self,
        operation: &Operation,
        school: SchoolId,
        with_text: bool,
    ) -> Answer<Vec<RequestRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Vec::new());
        };
        let waiting = request::waiting(reader.secrets, reader.clb, school).await;
        let waiting = waiting.map_err(|fault| failed(&fault))?;
        let ties = self.request_ties(&reader, &waiting).await?;
        let parts = [Part::Requests, Part::Entries];
        let asked = parts.into_iter().take(if with_text { 2 } else { 1 });
        let asked: Vec<Asked> = asked
            .filter_map(|part| Field::new(Class::Intake, part))
            .map(Asked::Read)
            .collect();
        let relations = &self.request(operation)?.relations;
        let decided = decide_batch(operation, relations, reader.assured, &ties, &asked);
        let (mut grants, mut lines, mut whys) = (Vec::new(), Vec::new(), Vec::new());
        for ((one, ties), verdicts) in waiting.iter().zip(&ties).zip(decided) {
            let of_each: Vec<(Asked, Verdict)> = asked.iter().copied().zip(verdicts).collect();
            let line = reader.line(self.ids.blind(), one.pupil, "read", &of_each);
            let line = line.on(self.facts(operation, ties)?);
            if let Some(seen) = granted(of_each.first().map(|(_, verdict)| verdict)) {
                let text = of_each.get(1).map(|(_, verdict)| verdict);
                let read = granted(text);
                whys.push((one.id, line.id, text.cloned()));
                grants.push(Granted { id: one.id, seen, read });
            }
            lines.push(line);
        }
        if lines.is_empty() {
            // That it was asked stands in the log, whatever there is.
            lines.push(reader.line(self.ids.blind(), NOBODY, "read", &[]));
        }
        let opened = request::open(reader.secrets, reader.clb, &grants, &lines).await;
        let opened = opened.map_err(|fault| failed(&fault))?;
        let row = |one: request::Request| {
            let (_, decision, verdict) = whys.iter().find(|(id, ..)| *id == one.id)?;
            let text = match (verdict, one.text) {
                (Some(Verdict::Granted(grant)), Some(text)) => Protected::granted(grant, text),
                (Some(Verdict::Withheld(why)), _) => Protected::withheld(*why, *decision),
                _ => Protected::unprepared(*decision),
            };
            Some(RequestRow {
                id: one.id,
                pupil: one.pupil,
                school: one.school,
                asked_by: one.asked_by,
                requested_at: one.requested_at,
                version: one.version,
                text,
            })
        };
        Ok(opened.into_iter().filter_map(row).collect())
    }

    async fn take_in_guidance(&self, operation: &Operation, take: TakeIn) -> Answer<Stepped<Answered>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let Some((facts, grant, line)) = self.may_answer(&reader, take.request).await? else {
            return Ok(Stepped::Unknown);
        };
        let mut opens = None;
        if facts.pupil != NOBODY {
            match self
                .may(&reader, facts.pupil, (Step::OpenTrajectory, Class::of(take.domain)))
                .await?
            {
                Ok(may) => opens = Some(may),
                Err(_known) => return Ok(Stepped::NotAllowed),
            }
        }
        let by = |grant, line| Stepping {
            grant,
            clb: reader.clb,
            line,
        };
        let begins = opens.as_ref().map(|(grant, line)| Beginning {
            by: by(grant, line),
            new: NewTrajectory {
                domain: take.domain,
                phase: take.phase,
                // Whoever asked for guidance is who the request says.
                asked_by: hub_entities::dossier::trajectory::AskedBy::Clb,
                obligation: None,
            },
            day: operation.today(),
        });
        let of = (take.request, take.version);
        let taken = request::take_in(reader.secrets, &*self.ids, by(&grant, &line), begins, of).await;
        let (changed, trajectory) = taken.map_err(|fault| failed(&fault))?;
        let answered = Answered {
            request: take.request,
            trajectory,
        };
        Ok(stepped(answered, changed))
    }

    async fn decline_guidance(
        &self,
        operation: &Operation,
        of: (GuidanceRequestId, i32),
        reason: &str,
    ) -> Answer<Stepped<Answered>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let Some((_, grant, line)) = self.may_answer(&reader, of.0).await? else {
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let declined = request::decline(reader.secrets, &*self.ids, by, of, reason).await;
        let answered = Answered {
            request: of.0,
            trajectory: None,
        };
        Ok(stepped(answered, declined.map_err(|fault| failed(&fault))?))
    }
}
