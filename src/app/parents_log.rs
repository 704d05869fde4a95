//! What parents are told of the access log: the officer of the controller reviews it for them, and a team holds it back where it
//! would endanger the pupil. What they then read is in [`mod@super::access_log`].

use async_trait::async_trait;
use hub_entities::id::{LogHoldId, PupilId, TrajectoryId};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Asked, Class, Protected, Step, Verdict};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::log_hold::LogHoldRow;
use hub_graphql::dossier::review::{HeldRow, ParentsLogRow, ReviewRow};
use hub_graphql::hub::{Answer, ParentsLogs};

use super::asking::granted;
use super::dossiers::stepped;
use super::{App, failed};
use crate::store::secret::parents_log::{self, Held, Hold, Review};
use crate::store::secret::writing::Stepping;
use crate::store::secret::{What, ties};

/// Reviewing, as the officer of the controller.
const REVIEWS: [Asked; 1] = [Asked::Do(Step::ReviewLog, Class::Audit)];

/// Holding back, as whoever is in a team of the pupil.
fn holds() -> Vec<Asked> {
    let domains = Class::ALL.iter().copied().filter(|class| class.domain().is_some());
    domains.map(|class| Asked::Do(Step::HoldLog, class)).collect()
}

fn held_row(one: Held) -> HeldRow {
    HeldRow {
        by: one.by,
        at: one.at,
        lifted: one.lifted,
    }
}

fn hold_row(one: Hold) -> LogHoldRow {
    LogHoldRow {
        id: one.id,
        trajectory: one.trajectory,
        held: held_row(one.held),
        reason: one.reason,
        version: one.version,
    }
}

/// A review, as far as its number is one that an answer can hold; a higher one was never asked for.
fn review_row(one: Review) -> Option<ReviewRow> {
    Some(ReviewRow {
        position: i32::try_from(one.up_to).ok()?,
        by: one.by,
        at: one.at,
    })
}

#[async_trait]
impl ParentsLogs for App {
    async fn review_log(&self, operation: &Operation, pupil: PupilId, up_to: i32) -> Answer<Stepped<PupilId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let ties = ties::of_controller(pupil);
        let (verdicts, line) = self.decided_on(&reader, &ties, (Step::ReviewLog.name(), &REVIEWS))?;
        let grants = granted(&verdicts);
        let Some(grant) = grants.first() else {
            reader.note(line).await?;
            return Ok(Stepped::NotAllowed);
        };
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let reviewed = parents_log::review(reader.secrets, &*self.ids, by, up_to).await;
        Ok(stepped(pupil, reviewed.map_err(|fault| failed(&fault))?))
    }

    async fn parents_log(&self, operation: &Operation, pupil: PupilId) -> Answer<Option<Protected<ParentsLogRow>>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(None);
        };
        let ties = ties::of_controller(pupil);
        // A line says by its action what was decided: whoever reads this is who may review.
        let (verdicts, line) = self.decided_on(&reader, &ties, (Step::ReviewLog.name(), &REVIEWS))?;
        let grants = granted(&verdicts);
        let told = parents_log::facts(reader.secrets, reader.clb, grants.first(), &line).await;
        let (reviews, holds) = told.map_err(|fault| failed(&fault))?;
        let row = ParentsLogRow {
            reviews: reviews.into_iter().filter_map(review_row).collect(),
            holds: holds.into_iter().map(held_row).collect(),
        };
        Ok(match verdicts.into_iter().next() {
            Some((_, Verdict::Granted(grant))) => Some(Protected::granted(&grant, row)),
            Some((_, Verdict::Withheld(why))) => Some(Protected::withheld(why, line.id)),
            Some((_, Verdict::Nothing)) | None => None,
        })
    }

    async fn hold_log(
        &self,
        operation: &Operation,
        trajectory: TrajectoryId,
        reason: &str,
    ) -> Answer<Stepped<LogHoldId>> {
        let what = What::Trajectory(trajectory);
        let Some(allowed) = self.allowed(operation, what, Step::HoldLog).await? else {
            return Ok(Stepped::Unknown);
        };
        let held = parents_log::hold(allowed.reader.secrets, &*self.ids, allowed.by(), trajectory, reason).await;
        let held = held.map_err(|fault| failed(&fault))?;
        Ok(held.map_or(Stepped::Unknown, |id| Stepped::Done(id, 1)))
    }

    async fn log_holds(&self, operation: &Operation, pupil: PupilId) -> Answer<Vec<LogHoldRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Vec::new());
        };
        let (verdicts, facts) = self.about_one(&reader, pupil, &holds()).await?;
        // That a hold was read is told to parents no more than the hold is.
        let line = reader.line(self.ids.blind(), pupil, Step::HoldLog.name(), &verdicts);
        let line = line.on(facts);
        let found = parents_log::holds(reader.secrets, (reader.clb, pupil), &granted(&verdicts), &line).await;
        let found = found.map_err(|fault| failed(&fault))?;
        Ok(found.into_iter().map(hold_row).collect())
    }

    async fn lift_log_hold(&self, operation: &Operation, of: (LogHoldId, i32)) -> Answer<Stepped<LogHoldId>> {
        let what = What::LogHold(of.0);
        let Some(allowed) = self.allowed(operation, what, Step::HoldLog).await? else {
            return Ok(Stepped::Unknown);
        };
        let lifted = parents_log::lift(allowed.reader.secrets, allowed.by(), of).await;
        Ok(stepped(of.0, lifted.map_err(|fault| failed(&fault))?))
    }
}
