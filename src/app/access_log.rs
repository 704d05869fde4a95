//! The access log, for the person it tells of and for the controller's data protection officer: a line of its own first (R33).

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use hub_entities::id::{ClbId, DecisionId, PrincipalId, PupilId};
use hub_entities::operation::{Actor, Discipline, Operation, Role};
use hub_entities::policy::Action;
use hub_entities::policy::secret::{
    Asked, Class, Field, Grant, Part, Protected, Reader as Capacity, Ties, Verdict, decide_batch,
};
use hub_graphql::access_log::{LogFilter, LookDecision, LookDetail, LookRow};
use hub_graphql::hub::{AccessLogs, Answer};
use hub_graphql::page::{Mark, Page, Slice};
use hub_graphql::school::ClbRow;

use super::answer::{clb_row, slice, text, time};
use super::dossiers::Reader;
use super::{App, failed};
use crate::store::read;
use crate::store::secret::line::Line;
use crate::store::secret::log::{self, Look, Which};
use crate::store::secret::ties::{self, Person};
use crate::store::secret::{NOBODY, Secrets};

/// Each `what=ground`, as a line has it.
fn decided(line: &Line) -> Vec<LookDecision> {
    let of = |granted: bool| {
        move |one: &String| {
            let (what, ground) = one.split_once('=')?;
            Some(LookDecision {
                what: what.to_owned(),
                granted,
                ground: ground.to_owned(),
            })
        }
    };
    let granted = line.granted.iter().filter_map(of(true));
    granted.chain(line.withheld.iter().filter_map(of(false))).collect()
}

/// Whether it was opened, or read, in an emergency (R34).
fn is_emergency(line: &Line) -> bool {
    let urgent = |one: &String| one.rsplit_once('=').is_some_and(|(_, rule)| rule == "urgency");
    line.granted.iter().any(urgent)
}

fn detail(look: &Look, discipline: Option<Discipline>) -> LookDetail {
    let line = &look.line;
    LookDetail {
        id: line.id,
        position: look.position.and_then(|position| i32::try_from(position).ok()),
        by: line.by,
        discipline,
        pupil: Some(line.pupil).filter(|pupil| *pupil != NOBODY),
        action: line.action.clone(),
        assured: line.assured,
        decided: decided(line),
        request: line.request,
    }
}

impl App {
    /// The relations of a person or an officer to what is asked for, and in which logs it stands.
    async fn log_ties(
        &self,
        secrets: &Secrets,
        operation: &Operation,
        asked: Option<PupilId>,
    ) -> Answer<Option<(Ties, Vec<ClbId>)>> {
        let Actor::Principal {
            id, role, clb, pupil, ..
        } = &operation.actor
        else {
            return Ok(None);
        };
        match (role, clb, pupil) {
            (Role::DataProtectionOfficer, Some(clb), _) => {
                Ok(Some((ties::of_controller(asked.unwrap_or(NOBODY)), vec![*clb])))
            }
            (Role::Pupil | Role::Parent, _, Some(own)) => {
                let person = Person {
                    principal: *id,
                    role: *role,
                    pupil: *own,
                    day: operation.today(),
                };
                let law = self.book.laws().consent();
                let loaded = ties::of_person(&self.db, secrets, law, person, asked.unwrap_or(*own)).await;
                let (ties, clbs) = loaded.map_err(|fault| failed(&fault))?;
                // In no log, there is nothing to tell, and nowhere to write that it was asked.
                Ok((!clbs.is_empty()).then_some((ties, clbs)))
            }
            _ => Ok(None),
        }
    }

    pub(super) async fn organisations(&self, operation: &Operation, clbs: &[ClbId]) -> Answer<HashMap<ClbId, ClbRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPublic)? else {
            return Ok(HashMap::new());
        };
        let found = read::school::clbs_by_id(&self.db, &scope, clbs).await;
        let found = found.map_err(|fault| failed(&fault))?;
        Ok(found.into_iter().map(|clb| (clb.id, clb_row(clb))).collect())
    }

    /// The lines as they are answered to whom they were granted.
    async fn look_rows(
        &self,
        operation: &Operation,
        grant: &Grant,
        (looks, clbs): (Vec<Look>, &[ClbId]),
    ) -> Answer<Vec<(Look, LookRow)>> {
        let organisations = self.organisations(operation, clbs).await?;
        let officer = grant.reader() == Capacity::Officer;
        // A parent is told that somebody looked, and not that the hub was told of danger.
        let parent = grant.reader() == Capacity::Parent;
        let mut disciplines = HashMap::new();
        if officer {
            let by: BTreeSet<PrincipalId> = looks.iter().map(|look| look.line.by).collect();
            let by: Vec<PrincipalId> = by.into_iter().collect();
            let found = log::disciplines(&self.db, grant, &by).await;
            disciplines = found.map_err(|fault| failed(&fault))?;
        }
        let row = |look: Look| {
            let line = &look.line;
            let discipline = disciplines.get(&line.by).copied().flatten();
            let row = LookRow {
                at: line.at,
                clb: organisations.get(&line.clb)?.clone(),
                role: line.role,
                purpose: line.purpose,
                linked: look.position.is_some(),
                emergency: !parent && is_emergency(line),
                detail: officer.then(|| detail(&look, discipline)),
            };
            Some((look, row))
        };
        Ok(looks.into_iter().filter_map(row).collect())
    }
}

#[async_trait]
impl AccessLogs for App {
    async fn access_log(
        &self,
        operation: &Operation,
        filter: &LogFilter,
        page: &Page,
    ) -> Answer<Option<Protected<Slice<LookRow>>>> {
        let (Some(secrets), Some(field)) = (&self.secrets, Field::new(Class::Audit, Part::Lines)) else {
            return Ok(None);
        };
        let Some((ties, clbs)) = self.log_ties(secrets, operation, filter.pupil).await? else {
            return Ok(None);
        };
        let Actor::Principal { id, role, .. } = &operation.actor else {
            return Ok(None);
        };
        let request = self.request(operation)?;
        let (pupil, asked) = (ties.pupil(), Asked::Read(field));
        let decided = decide_batch(
            operation,
            &request.relations,
            request.assured,
            std::slice::from_ref(&ties),
            &[asked],
        );
        let verdict = decided.into_iter().flatten().next().unwrap_or(Verdict::Nothing);
        let facts = self.facts(operation, &ties)?;
        let line = |clb: &ClbId| {
            let reader = Reader {
                secrets,
                operation,
                principal: *id,
                role: *role,
                clb: *clb,
                assured: request.assured,
            };
            let line = reader.line(self.ids.blind(), pupil, "read", &[(asked, verdict.clone())]);
            line.on(facts.clone())
        };
        let lines: Vec<Line> = clbs.iter().map(line).collect();
        let Some(decision) = lines.first().map(|line| line.id) else {
            return Ok(None);
        };
        let after = page.after.as_ref();
        let which = Which {
            from: filter.from,
            until: filter.until,
            after: after.and_then(|mark| Some((text(page)?.parse().ok()?, DecisionId(mark.id)))),
            first: page.first,
            count: page.count,
        };
        let grant = match &verdict {
            Verdict::Granted(grant) => Some(grant),
            Verdict::Withheld(_) | Verdict::Nothing => None,
        };
        let found = log::read(secrets, &clbs, &lines, grant, which).await;
        let (looks, total) = found.map_err(|fault| failed(&fault))?;
        match verdict {
            Verdict::Nothing => Ok(None),
            Verdict::Withheld(why) => Ok(Some(Protected::withheld(why, decision))),
            Verdict::Granted(grant) => {
                let rows = self.look_rows(operation, &grant, (looks, &clbs)).await?;
                let slice = slice(rows, page, total, |(look, row)| {
                    let key = time(look.line.at);
                    (
                        Mark {
                            key,
                            id: look.line.id.0,
                        },
                        row,
                    )
                });
                Ok(Some(Protected::granted(&grant, slice)))
            }
        }
    }
}
