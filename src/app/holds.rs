//! Legal holds (bewaringsplicht): the director of the CLB that keeps a dossier holds it back from erasure and sees nothing of it. Of
//! a pupil of whom the CLB keeps none, of another CLB's and of nobody the director hears the same.

use async_trait::async_trait;
use hub_entities::id::{HoldId, PupilId};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Protected, Step, Ties, Verdict, decide_batch};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::hold::{HoldRow, NewHold};
use hub_graphql::hub::{Answer, Holds};
use hub_graphql::page::{Mark, Page, Slice};

use super::answer::{slice, text, time};
use super::dossiers::{Reader, stepped};
use super::{App, failed};
use crate::store::secret::hold::{self, Hold, New, Put};
use crate::store::secret::line::Line;
use crate::store::secret::writing::Stepping;
use crate::store::secret::{NOBODY, ties};

fn row(one: Hold) -> HoldRow {
    HoldRow {
        id: one.id,
        pupil: one.pupil,
        ground: one.ground,
        reason: one.reason,
        put_by: one.put_by,
        put_at: one.put_at,
        lifted: one.lifted,
        version: one.version,
    }
}

impl App {
    /// What is decided of one question about holds, and the line that tells of it.
    fn of_holds(&self, reader: &Reader<'_>, ties: Ties, (action, asked): (&str, Asked)) -> Answer<(Verdict, Line)> {
        let operation = reader.operation;
        let request = self.request(operation)?;
        let (pupil, facts) = (ties.pupil(), self.facts(operation, &ties)?);
        let decided = decide_batch(operation, &request.relations, reader.assured, &[ties], &[asked]);
        let verdict = decided.into_iter().flatten().next().unwrap_or(Verdict::Nothing);
        let line = reader.line(self.ids.blind(), pupil, action, &[(asked, verdict.clone())]);
        Ok((verdict, line.on(facts)))
    }

    /// The right to put or lift a hold on the dossier of this pupil, with its line; without one the line is written here.
    async fn may_hold(&self, reader: &Reader<'_>, pupil: PupilId, step: Step) -> Answer<Option<(Grant, Line)>> {
        let kept = hold::ties(reader.secrets, reader.clb, pupil).await;
        let kept = kept.map_err(|fault| failed(&fault))?;
        let asked = Asked::Do(step, Class::Audit);
        match self.of_holds(reader, kept, (step.name(), asked))? {
            (Verdict::Granted(grant), line) => Ok(Some((grant, line))),
            (Verdict::Withheld(_) | Verdict::Nothing, line) => {
                reader.note(line).await?;
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Holds for App {
    async fn put_hold(&self, operation: &Operation, new: NewHold) -> Answer<Stepped<HoldId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let Some((grant, line)) = self.may_hold(&reader, new.pupil, Step::PutHold).await? else {
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let puts = New {
            ground: new.ground,
            reason: &new.reason,
        };
        let put = hold::put(reader.secrets, &*self.ids, by, puts).await;
        Ok(match put.map_err(|fault| failed(&fault))? {
            Put::Done(id) => Stepped::Done(id, 1),
            Put::NotNow => Stepped::State,
            Put::Unknown => Stepped::Unknown,
        })
    }

    async fn lift_hold(&self, operation: &Operation, of: (HoldId, i32), why: &str) -> Answer<Stepped<HoldId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let pupil = hold::pupil_of(reader.secrets, reader.clb, of.0).await;
        // Of nothing one asks the same way.
        let pupil = pupil.map_err(|fault| failed(&fault))?.unwrap_or(NOBODY);
        let Some((grant, line)) = self.may_hold(&reader, pupil, Step::LiftHold).await? else {
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let lifted = hold::lift(reader.secrets, &*self.ids, by, of, why).await;
        Ok(stepped(of.0, lifted.map_err(|fault| failed(&fault))?))
    }

    async fn legal_holds(&self, operation: &Operation, page: &Page) -> Answer<Option<Protected<Slice<HoldRow>>>> {
        let field = Field::new(Class::Audit, Part::Holds);
        let (Some(reader), Some(field)) = (self.reader(operation)?, field) else {
            return Ok(None);
        };
        let (verdict, line) = self.of_holds(&reader, ties::of_controller(NOBODY), ("read", Asked::Read(field)))?;
        let grant = match &verdict {
            Verdict::Granted(grant) => Some(grant),
            Verdict::Withheld(_) | Verdict::Nothing => None,
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, HoldId(mark.id))));
        let which = (after, page.first, page.count);
        let told = hold::told(reader.secrets, reader.clb, grant, &line, which).await;
        let (found, total) = told.map_err(|fault| failed(&fault))?;
        Ok(match verdict {
            Verdict::Nothing => None,
            Verdict::Withheld(why) => Some(Protected::withheld(why, line.id)),
            Verdict::Granted(grant) => {
                let slice = slice(found, page, total, |one| {
                    let key = time(one.put_at);
                    (Mark { key, id: one.id.0 }, row(one))
                });
                Some(Protected::granted(&grant, slice))
            }
        })
    }
}
