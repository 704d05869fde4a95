//! Asking for access with the decision that withheld something, and answering it. Whether there is anything to have is told
//! to nobody who asks: of nothing there and of something refused the asker hears the same.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::id::{AccessRequestId, DecisionId, PupilId, TrajectoryId};
use hub_entities::operation::Operation;
use hub_entities::policy::secret::{Asked, Class, Code, Field, Grant, Step, Verdict, decide_batch};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::access::AccessRow;
use hub_graphql::hub::{Answer, Asking};

use super::dossiers::stepped;
use super::{App, failed};
use crate::store::secret::NOBODY;
use crate::store::secret::access::{self, Refused};
use crate::store::secret::writing::Stepping;

/// For how long a team may open something to a colleague at most: guidance goes by assigning, not by lending.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// Whether a team has it, and may open it to a colleague.
fn is_of_a_team(class: Class) -> bool {
    class.is_secret() || class == Class::Shared
}

/// What a decision withheld that one may ask for: not what is in the asker's own hand.
pub(super) fn askable(refused: &Refused) -> Vec<Class> {
    let class = |one: &String| {
        let (field, code) = one.split_once('=')?;
        let code: Code = code.parse().ok()?;
        let own = matches!(code, Code::NeedsPurpose | Code::NeedsStepUp);
        let field: Field = field.parse().ok()?;
        (!own && is_of_a_team(field.class())).then(|| field.class())
    };
    let mut classes: Vec<Class> = refused.withheld.iter().filter_map(class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The rights among some verdicts.
pub(super) fn granted(verdicts: &[(Asked, Verdict)]) -> Vec<Grant> {
    let grant = |(_, verdict): &(Asked, Verdict)| match verdict {
        Verdict::Granted(grant) => Some(grant.clone()),
        Verdict::Withheld(_) | Verdict::Nothing => None,
    };
    verdicts.iter().filter_map(grant).collect()
}

#[async_trait]
impl Asking for App {
    async fn request_access(
        &self,
        operation: &Operation,
        decision: DecisionId,
        reason: &str,
    ) -> Answer<Stepped<DecisionId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let found = access::refused(reader.secrets, &[reader.clb], reader.principal, decision).await;
        let refused = found.map_err(|fault| failed(&fault))?;
        let of = refused.map(|refused| (refused.pupil, askable(&refused)));
        // Of nothing one asks the same way.
        let (pupil, classes) = of
            .filter(|(_, classes)| !classes.is_empty())
            .unwrap_or((NOBODY, vec![Class::Learning]));
        let asked: Vec<Asked> = classes
            .into_iter()
            .map(|class| Asked::Do(Step::AskAccess, class))
            .collect();
        let (verdicts, facts) = self.about_one(&reader, pupil, &asked).await?;
        let line = reader.line(self.ids.blind(), pupil, Step::AskAccess.name(), &verdicts);
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
        let classes: Vec<Class> = grants.iter().map(|grant| grant.asked().class()).collect();
        let asked = access::ask(reader.secrets, &*self.ids, by, (decision, &classes), reason).await;
        asked.map_err(|fault| failed(&fault))?;
        Ok(Stepped::Done(decision, 1))
    }

    async fn access_requests(&self, operation: &Operation, pupil: PupilId) -> Answer<Vec<AccessRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Vec::new());
        };
        let of_teams = Class::ALL.iter().copied().filter(|class| is_of_a_team(*class));
        let asked: Vec<Asked> = of_teams.map(|class| Asked::Do(Step::AnswerRequest, class)).collect();
        let (verdicts, facts) = self.about_one(&reader, pupil, &asked).await?;
        let line = reader.line(self.ids.blind(), pupil, "read", &verdicts).on(facts);
        let waiting = access::waiting(reader.secrets, (reader.clb, pupil), &granted(&verdicts), &line).await;
        let row = |one: access::Request| AccessRow {
            id: one.id,
            pupil: one.pupil,
            domain: one.class.domain(),
            by: one.by,
            at: one.at,
            version: one.version,
            reason: one.reason,
        };
        Ok(waiting.map_err(|fault| failed(&fault))?.into_iter().map(row).collect())
    }

    async fn answer_access(
        &self,
        operation: &Operation,
        of: (AccessRequestId, i32),
        lends: Option<(TrajectoryId, DateTime<Utc>)>,
    ) -> Answer<Stepped<AccessRequestId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        if let Some((_, until)) = lends {
            let longest = operation.now.checked_add_signed(LONGEST);
            if until <= operation.now || longest.is_some_and(|longest| until > longest) {
                return Ok(Stepped::Invalid("until"));
            }
        }
        let found = access::facts_of(reader.secrets, reader.clb, of.0).await;
        let (pupil, class) = found
            .map_err(|fault| failed(&fault))?
            .unwrap_or((NOBODY, Class::Learning));
        let Ok((grant, line)) = self.may(&reader, pupil, (Step::AnswerRequest, class)).await? else {
            return Ok(Stepped::Unknown);
        };
        let by = Stepping {
            grant: &grant,
            clb: reader.clb,
            line: &line,
        };
        let answered = access::answer(reader.secrets, &*self.ids, by, of, lends).await;
        Ok(stepped(of.0, answered.map_err(|fault| failed(&fault))?))
    }
}

impl App {
    /// What is decided on each of these questions about one pupil, and on which facts.
    pub(super) async fn about_one(
        &self,
        reader: &super::dossiers::Reader<'_>,
        pupil: PupilId,
        asked: &[Asked],
    ) -> Answer<(Vec<(Asked, Verdict)>, String)> {
        let request = self.request(reader.operation)?;
        let (ties, _) = self.ties(reader, &[pupil]).await?;
        let decided = decide_batch(reader.operation, &request.relations, reader.assured, &ties, asked);
        let verdicts = asked.iter().copied().zip(decided.into_iter().flatten()).collect();
        let facts = ties
            .first()
            .map(|ties| self.facts(reader.operation, ties))
            .transpose()?;
        Ok((verdicts, facts.unwrap_or_default()))
    }
}
