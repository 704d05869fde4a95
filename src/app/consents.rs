//! Consents: what guidance rests on, who decides, and what the worker is asked to do next.

use async_trait::async_trait;
use chrono::NaiveDate;
use hub_entities::dossier::consent::{Consent, ConsentTo};
use hub_entities::dossier::trajectory::Obligation;
use hub_entities::id::{ConsentId, PupilId, TrajectoryId};
use hub_entities::law::consent::{ConsentLaw, Judged, Minor};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::Step;
use hub_graphql::dossier::{
    ConsentRow, ConsentRows, CorrectConsent, GuidanceRow, JudgeCapability, JudgementRow, RecordConsent, Stepped,
};
use hub_graphql::hub::{Answer, Consents};

use super::dossiers::{Allowed, stepped};
use super::{App, failed};
use crate::store::secret::What;
use crate::store::secret::consent::{self, Answered, Change};
use crate::store::secret::release::{Covers, Sharing};
use crate::store::secret::ties::Known;

/// A pupil before the law of consent, on one day.
pub(super) struct Minority<'a> {
    pub(super) pupil: PupilId,
    law: &'a ConsentLaw,
    minor: Minor<'a>,
    day: NaiveDate,
}

impl Minority<'_> {
    /// Whether guidance may go on.
    pub(super) fn may_go_on(&self, obligation: Option<Obligation>, answers: &[Consent]) -> bool {
        self.law.guidance(obligation, self.minor, answers, self.day).continues()
    }

    /// Whether something new may be done that asks for this consent.
    pub(super) fn may_begin(&self, to: ConsentTo, answers: &[Consent]) -> bool {
        self.law.standing(to, self.minor, answers, self.day).begins()
    }

    /// Whether consent covers a release to the school until its last day: to begin it a consent of who decides today, to go
    /// on with it what was given in time, too. What teams decided is as it stands where it is asked.
    pub(super) fn covers(&self, judged: &[Judged], answers: &[Consent], of: Sharing) -> bool {
        let to = if of.health {
            ConsentTo::SharingHealth
        } else {
            ConsentTo::Sharing
        };
        let minor = Minor { judged, ..self.minor };
        let on = |day| self.law.standing(to, minor, answers, day);
        let now = on(self.day);
        let today = if of.anew { now.begins() } else { now.continues() };
        let last = of.ends_on.pred_opt().unwrap_or(of.ends_on).max(self.day);
        today && on(last).continues()
    }

    /// What was opened of one domain, with what follows from it today.
    pub(super) fn consent_rows(&self, found: consent::Consents) -> ConsentRows {
        let guidance = found.courses.iter().map(|(trajectory, course)| {
            let about = found.said.iter().filter(|said| said.trajectory == *trajectory);
            let answers: Vec<Consent> = about.map(|said| said.consent).collect();
            GuidanceRow {
                trajectory: *trajectory,
                decides: self.law.decides(self.minor, self.day),
                standing: self.law.guidance(course.obliges(), self.minor, &answers, self.day),
                next: self.law.next(*course, self.minor, &answers, self.day),
            }
        });
        ConsentRows {
            guidance: guidance.collect(),
            answers: found.said.into_iter().map(row).collect(),
            judgements: found.judgements.into_iter().map(judgement).collect(),
        }
    }
}

fn row(said: consent::Said) -> ConsentRow {
    ConsentRow {
        id: said.id,
        trajectory: said.trajectory,
        consent: said.consent,
        note: said.note,
        author: said.author,
        written_at: said.written_at,
        version: said.version,
    }
}

fn judgement(one: consent::Judgement) -> JudgementRow {
    JudgementRow {
        trajectory: one.trajectory,
        capability: one.capability,
        from: one.from,
        author: one.author,
        reason: one.reason,
    }
}

impl App {
    /// This pupil before the law, today.
    pub(super) fn minority<'a>(&'a self, operation: &Operation, pupil: PupilId, known: &'a Known) -> Minority<'a> {
        Minority {
            pupil,
            law: self.book.laws().consent(),
            minor: known.minor(),
            day: operation.today(),
        }
    }

    /// What is known, as a minor, of the pupil whom a step is about.
    pub(super) async fn known(&self, allowed: &Allowed<'_>) -> Answer<Known> {
        let (_, known) = self.ties(&allowed.reader, &[allowed.pupil()]).await?;
        Ok(known.into_iter().next().unwrap_or_default())
    }

    async fn change_consent(
        &self,
        operation: &Operation,
        of: (ConsentId, i32),
        change: Change,
    ) -> Answer<Stepped<ConsentId>> {
        let Some(allowed) = self
            .allowed(operation, What::Consent(of.0), Step::RecordConsent)
            .await?
        else {
            return Ok(Stepped::Unknown);
        };
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, allowed.pupil(), &known);
        let covers: Covers<'_> = &|judged, answers, of| minority.covers(judged, answers, of);
        let (secrets, by) = (allowed.reader.secrets, allowed.by());
        let changed = consent::change(secrets, &*self.ids, by, of, change, covers).await;
        Ok(stepped(of.0, changed.map_err(|fault| failed(&fault))?))
    }
}

#[async_trait]
impl Consents for App {
    async fn record_consent(&self, operation: &Operation, new: RecordConsent) -> Answer<Stepped<ConsentId>> {
        let Some(allowed) = self
            .allowed(operation, What::Trajectory(new.trajectory), Step::RecordConsent)
            .await?
        else {
            return Ok(Stepped::Unknown);
        };
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, allowed.pupil(), &known);
        let covers: Covers<'_> = &|judged, answers, of| minority.covers(judged, answers, of);
        let (secrets, by) = (allowed.reader.secrets, allowed.by());
        let answered = Answered {
            consent: new.consent,
            note: new.note,
        };
        let noted = consent::record(secrets, &*self.ids, by, (new.trajectory, &answered), covers).await;
        let noted = noted.map_err(|fault| failed(&fault))?;
        Ok(noted.map_or(Stepped::Unknown, |id| Stepped::Done(id, 1)))
    }

    async fn correct_consent(&self, operation: &Operation, corrected: CorrectConsent) -> Answer<Stepped<ConsentId>> {
        let answered = Answered {
            consent: corrected.consent,
            note: corrected.note,
        };
        let of = (corrected.id, corrected.version);
        self.change_consent(operation, of, Change::Correct(answered)).await
    }

    async fn withdraw_consent(
        &self,
        operation: &Operation,
        of: (ConsentId, i32),
        on: NaiveDate,
    ) -> Answer<Stepped<ConsentId>> {
        self.change_consent(operation, of, Change::TakeBack(on)).await
    }

    async fn judge_capability(&self, operation: &Operation, judged: JudgeCapability) -> Answer<Stepped<TrajectoryId>> {
        let Some(allowed) = self
            .allowed(operation, What::Trajectory(judged.trajectory), Step::JudgeCapability)
            .await?
        else {
            return Ok(Stepped::Unknown);
        };
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, allowed.pupil(), &known);
        let covers: Covers<'_> = &|judged, answers, of| minority.covers(judged, answers, of);
        let (secrets, by) = (allowed.reader.secrets, allowed.by());
        let what = (judged.capability, operation.today(), judged.reason.as_str());
        let noted = consent::judge(secrets, &*self.ids, by, judged.trajectory, what, covers).await;
        let noted = noted.map_err(|fault| failed(&fault))?;
        Ok(noted.map_or(Stepped::Unknown, |version| Stepped::Done(judged.trajectory, version)))
    }
}
