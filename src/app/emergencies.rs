//! Opening in an emergency (noodtoegang), and telling who answers for it (R34). It opens for minutes, to read, and never what
//! a third person asked to keep confidential; its line is written first.

use async_trait::async_trait;
use hub_entities::id::EmergencyId;
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Asked, Class, Field, Part, Protected, Step, Verdict, decide_batch};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::emergency::{EmergencyRow, NewEmergency, Opened};
use hub_graphql::hub::{Answer, Emergencies};
use hub_graphql::page::{Mark, Page, Slice};

use super::answer::{slice, text, time};
use super::asking::granted;
use super::{App, failed};
use crate::store::secret::emergency::{self, Emergency, New};
use crate::store::secret::writing::Stepping;
use crate::store::secret::{NOBODY, ties};

/// What can be opened so: a request that waits is for the anchor, in no emergency for anyone else.
fn opens() -> Vec<Asked> {
    let secret = Class::ALL.iter().copied().filter(|class| class.is_secret());
    let secret = secret.filter(|class| *class != Class::Intake);
    secret.map(|class| Asked::Do(Step::OpenInUrgency, class)).collect()
}

fn row(one: Emergency) -> EmergencyRow {
    EmergencyRow {
        id: one.id,
        pupil: one.pupil,
        by: one.by,
        ground: one.ground,
        reason: one.reason,
        from: one.from,
        until: one.until,
        line: one.line,
    }
}

#[async_trait]
impl Emergencies for App {
    async fn open_in_emergency(&self, operation: &Operation, new: NewEmergency) -> Answer<Stepped<Opened>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let (verdicts, facts) = self.about_one(&reader, new.pupil, &opens()).await?;
        let line = reader.line(self.ids.blind(), new.pupil, Step::OpenInUrgency.name(), &verdicts);
        let line = line.on(facts);
        let grants = granted(&verdicts);
        let Some(grant) = grants.first() else {
            reader.note(line).await?;
            let known = verdicts.iter().any(|(_, verdict)| *verdict != Verdict::Nothing);
            return Ok(if known { Stepped::NotAllowed } else { Stepped::Unknown });
        };
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let classes: Vec<Class> = grants.iter().map(|grant| grant.asked().class()).collect();
        let opens = New {
            classes: &classes,
            ground: new.ground,
            reason: &new.reason,
            minutes: self.emergency_minutes,
        };
        let opened = emergency::open(reader.secrets, &*self.ids, by, opens).await;
        let (id, until) = opened.map_err(|fault| failed(&fault))?;
        metrics::counter!("clb_hub_emergencies_total").increment(1);
        Ok(Stepped::Done(Opened { id, until }, 1))
    }

    async fn emergencies(&self, operation: &Operation, page: &Page) -> Answer<Option<Protected<Slice<EmergencyRow>>>> {
        let field = Field::new(Class::Audit, Part::Emergencies);
        let (Some(reader), Some(field)) = (self.reader(operation)?, field) else {
            return Ok(None);
        };
        let request = self.request(operation)?;
        let asked = Asked::Read(field);
        let ties = ties::of_controller(NOBODY);
        let facts = self.facts(operation, &ties)?;
        let decided = decide_batch(operation, &request.relations, reader.assured, &[ties], &[asked]);
        let verdict = decided.into_iter().flatten().next().unwrap_or(Verdict::Nothing);
        let line = reader.line(self.ids.blind(), NOBODY, "read", &[(asked, verdict.clone())]);
        let line = line.on(facts);
        let grant = match &verdict {
            Verdict::Granted(grant) => Some(grant),
            Verdict::Withheld(_) | Verdict::Nothing => None,
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, EmergencyId(mark.id))));
        let told = emergency::told(
            reader.secrets,
            reader.clb,
            grant,
            &line,
            (after, page.first, page.count),
        )
        .await;
        let (found, total) = told.map_err(|fault| failed(&fault))?;
        Ok(match verdict {
            Verdict::Nothing => None,
            Verdict::Withheld(why) => Some(Protected::withheld(why, line.id)),
            Verdict::Granted(grant) => {
                let slice = slice(found, page, total, |one| {
                    let key = time(one.from);
                    (Mark { key, id: one.id.0 }, row(one))
                });
                Some(Protected::granted(&grant, slice))
            }
        })
    }
}
