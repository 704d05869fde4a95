//! What persons ask of entries that were opened to them, and what teams do about it. Of an entry that a person does not read,
//! whatever the reason, the person hears what is heard of one that never was.

use async_trait::async_trait;
use hub_entities::dossier::access::Right;
use hub_entities::dossier::correction::CorrectionKind;
use hub_entities::id::{CorrectionId, PupilId, TrajectoryId};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Asked, Class, Step};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::correction::{
    AskCorrection, AskedCorrection, CorrectionRow, GrantCorrection, OwnCorrectionRow,
};
use hub_graphql::hub::{Answer, Corrections};
use hub_graphql::school::ClbRow;

use super::asking::granted;
use super::dossiers::{Allowed, stepped};
use super::{App, failed};
use crate::store::secret::NOBODY;
use crate::store::secret::correction::{self, Facts, New, Own, Standing};
use crate::store::secret::ties;
use crate::store::secret::writing::Stepping;

pub(super) fn own_row(one: Own, clb: &ClbRow) -> OwnCorrectionRow {
    OwnCorrectionRow {
        id: one.id,
        clb: clb.clone(),
        entry: one.entry,
        kind: one.kind,
        at: one.at,
        answer_by: one.answer_by,
        text: one.text,
        state: one.state,
        answered_at: one.answered_at,
        answer: one.answer,
    }
}

fn standing_row(one: Standing) -> CorrectionRow {
    CorrectionRow {
        id: one.id,
        pupil: one.pupil,
        entry: one.entry,
        entry_version: one.entry_version,
        trajectory: one.trajectory,
        by: one.by,
        asked_as: one.asked_as,
        at: one.at,
        answer_by: one.answer_by,
        kind: one.kind,
        text: one.text,
        version: one.version,
    }
}

impl App {
    /// What lets the viewer answer this request, and what is asked; nothing for whom it is not.
    async fn may_correct<'a>(
        &'a self,
        operation: &'a Operation,
        id: CorrectionId,
    ) -> Answer<Option<(Allowed<'a>, Facts)>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(None);
        };
        let found = correction::facts_of(reader.secrets, reader.clb, id).await;
        // Of nothing one is asked the same way.
        let facts = found.map_err(|fault| failed(&fault))?.unwrap_or(Facts {
            pupil: NOBODY,
            class: Class::Learning,
            trajectory: TrajectoryId(NOBODY.0),
            kind: CorrectionKind::Correct,
        });
        let may = self
            .may(&reader, facts.pupil, (Step::AnswerRequest, facts.class))
            .await?;
        let Ok((grant, line)) = may else { return Ok(None) };
        if !grant.reaches(facts.trajectory) {
            reader.note(line).await?;
            return Ok(None);
        }
        Ok(Some((Allowed { reader, grant, line }, facts)))
    }
}

#[async_trait]
impl Corrections for App {
    async fn ask_correction(&self, operation: &Operation, ask: AskCorrection) -> Answer<Stepped<AskedCorrection>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let law = self.book.laws().consent();
        let loaded = ties::of_person_by_clb(&self.db, of.secrets, law, of.person).await;
        let loaded = loaded.map_err(|fault| failed(&fault))?;
        let Some((first, _)) = loaded.first() else {
            return Ok(Stepped::Unknown);
        };
        let clbs: Vec<_> = loaded.iter().map(|(clb, _)| *clb).collect();
        let named = correction::named(of.secrets, &clbs, of.person.pupil, ask.entry).await;
        let named = named.map_err(|fault| failed(&fault))?;
        let asks = |class| [Asked::Do(Step::AskCorrection, class)];
        let step = Step::AskCorrection.name();
        let mut may = None;
        if let Some(named) = named
            && let Some((clb, ties)) = loaded.iter().find(|(clb, _)| *clb == named.clb)
        {
            let reader = of.at(*clb);
            let (verdicts, line) = self.decided_on(&reader, ties, (step, &asks(named.class)))?;
            let reads = granted(&verdicts)
                .into_iter()
                .find(|grant| grant.reaches(named.trajectory) && named.facts.is_there_for(grant.reader()));
            may = reads.map(|grant| (reader, grant, line, named));
        }
        let Some((reader, grant, line, named)) = may else {
            // Not opened, closed, another pupil's, or nowhere: one asks about nobody.
            let (reader, nobody) = (of.at(*first), ties::of_nobody(NOBODY));
            let (_, line) = self.decided_on(&reader, &nobody, (step, &asks(Class::Learning)))?;
            reader.note(line).await?;
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let answer_by = law.answer_by(Right::Correction, of.person.day);
        let new = New {
            entry: ask.entry,
            named,
            asked_as: of.person.role,
            kind: ask.kind,
            answer_by,
            text: &ask.text,
        };
        let asked = correction::ask(of.secrets, &*self.ids, by, new).await;
        let asked = asked.map_err(|fault| failed(&fault))?;
        Ok(asked.map_or(Stepped::State, |id| Stepped::Done(AskedCorrection { id, answer_by }, 1)))
    }

    async fn standing_corrections(&self, operation: &Operation) -> Answer<Vec<CorrectionRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Vec::new());
        };
        let pupils: Vec<PupilId> = correction::waiting(reader.secrets, reader.clb)
            .await
            .map_err(|fault| failed(&fault))?;
        let (grants, lines) = self.answerable(&reader, &pupils).await?;
        let told = correction::open_waiting(reader.secrets, reader.clb, &grants, &lines).await;
        Ok(told
            .map_err(|fault| failed(&fault))?
            .into_iter()
            .map(standing_row)
            .collect())
    }

    async fn grant_correction(&self, operation: &Operation, grant: GrantCorrection) -> Answer<Stepped<CorrectionId>> {
        let Some((allowed, facts)) = self.may_correct(operation, grant.id).await? else {
            return Ok(Stepped::Unknown);
        };
        let invalid = match facts.kind {
            CorrectionKind::Correct if grant.text.is_none() => Some("text"),
            CorrectionKind::Add | CorrectionKind::LeaveOut if grant.text.is_some() => Some("text"),
            CorrectionKind::LeaveOut if !grant.serious_reason => Some("seriousReason"),
            CorrectionKind::Correct | CorrectionKind::Add | CorrectionKind::LeaveOut => None,
        };
        if let Some(field) = invalid {
            allowed.reader.note(allowed.line).await?;
            return Ok(Stepped::Invalid(field));
        }
        let (of, how) = ((grant.id, grant.version), (grant.entry_version, grant.text.as_deref()));
        let done = correction::grant(allowed.reader.secrets, &*self.ids, allowed.by(), of, how).await;
        Ok(stepped(grant.id, done.map_err(|fault| failed(&fault))?))
    }

    async fn refuse_correction(
        &self,
        operation: &Operation,
        of: (CorrectionId, i32),
        reason: &str,
    ) -> Answer<Stepped<CorrectionId>> {
        let Some((allowed, _)) = self.may_correct(operation, of.0).await? else {
            return Ok(Stepped::Unknown);
        };
        let refused = correction::refuse(allowed.reader.secrets, &*self.ids, allowed.by(), of, reason).await;
        Ok(stepped(of.0, refused.map_err(|fault| failed(&fault))?))
    }
}
