//! Releases to the school: made and taken back by the team under consent; read by the school from the copies in the main
//! store, behind a committed line of the access log. Whoever serves a school touches no handle of the secrecy store here.

use async_trait::async_trait;
use hub_entities::access_line;
use hub_entities::category::Categories;
use hub_entities::id::{AccessLineId, DecisionId, PupilId, ReleaseId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::policy::secret::{Asked, Class, Code, Field, Grant, Part, Protected, Step, Verdict, decide_batch};
use hub_entities::policy::{Action, Scope};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::release::{NewRelease, ReleaseRow};
use hub_graphql::hub::{Answer, Releases};
use hub_graphql::page::{Mark, Page, Slice};
use hub_graphql::release::SharedRow;
use serde_json::{Value, json};

use super::answer::{counted, slice, text, time};
use super::dossiers::stepped;
use super::{App, failed};
use crate::store::released::{self, Facts, Opened, Which};
use crate::store::secret::What;
use crate::store::secret::release::{self, Content, Covers, Made, New, Release};

pub(super) fn row(one: Release) -> ReleaseRow {
    ReleaseRow {
        id: one.id,
        trajectory: one.trajectory,
        school: one.school,
        health: one.health,
        title: one.content.title,
        advice: one.content.advice,
        purpose: one.content.purpose,
        author: one.author,
        released_at: one.released_at,
        ends_on: one.ends_on,
        over: one.over,
        version: one.version,
    }
}

fn shared_row(one: Opened) -> SharedRow {
    SharedRow {
        id: one.facts.id,
        pupil: one.facts.pupil,
        clb: one.facts.clb,
        title: one.told.title,
        advice: one.told.advice,
        purpose: one.told.purpose,
        released_at: one.facts.released_at,
        ends_on: one.told.ends_on,
    }
}

fn mark(of: &Facts) -> Mark {
    Mark {
        key: time(of.released_at),
        id: of.id.0,
    }
}

/// The line of one look: of whom, and what was decided.
fn line(id: AccessLineId, operation: &Operation, pupils: &[PupilId], shared: Value) -> Option<access_line::Model> {
    let Actor::Principal { id: by, role, .. } = &operation.actor else {
        return None;
    };
    let mut pupils: Vec<String> = pupils.iter().map(ToString::to_string).collect();
    pupils.sort_unstable();
    pupils.dedup();
    Some(access_line::Model {
        id,
        at: operation.now,
        principal_id: *by,
        role: *role,
        realm: role.realm(),
        purpose: operation.purpose,
        categories: Categories::NONE,
        pupils: i32::try_from(pupils.len()).unwrap_or(i32::MAX),
        pupil_ids: json!(pupils),
        shared: Some(shared),
        request_id: operation.request,
    })
}

/// A school, or its software, before what was released to it.
struct Looking<'a> {
    operation: &'a Operation,
    scope: Scope,
    assured: bool,
    /// Of which CLBs alone, where it is software.
    agreed: Option<Vec<hub_entities::id::ClbId>>,
}

impl App {
    /// The rights to read these, as far as each was granted.
    async fn may_look(&self, looking: &Looking<'_>, asked: Asked, found: &[Facts]) -> Answer<Vec<(ReleaseId, Grant)>> {
        let agreed = looking.agreed.as_deref().unwrap_or_default();
        let ties = released::ties(&self.db, &looking.scope, found, agreed).await;
        let ties = ties.map_err(|fault| failed(&fault))?;
        let relations = &self.request(looking.operation)?.relations;
        let decided = decide_batch(looking.operation, relations, looking.assured, &ties, &[asked]);
        let granted = found
            .iter()
            .zip(decided)
            .filter_map(|(one, verdicts)| match verdicts.first() {
                Some(Verdict::Granted(grant)) => Some((one.id, grant.clone())),
                Some(Verdict::Withheld(_) | Verdict::Nothing) | None => None,
            });
        Ok(granted.collect())
    }

    /// A page of what may be read; the line says by which rule.
    async fn look(
        &self,
        looking: &Looking<'_>,
        (asked, rule): (Asked, &'static str),
        pupil: Option<PupilId>,
        page: &Page,
    ) -> Answer<Slice<SharedRow>> {
        let Some(showcase) = &self.showcase else {
            return Ok(Slice::empty(page.count));
        };
        let (scope, operation) = (&looking.scope, looking.operation);
        let which = Which {
            pupil,
            clbs: looking.agreed.clone(),
        };
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse().ok()?, ReleaseId(mark.id))));
        let total = counted(page, released::count(&self.db, scope, &which)).await?;
        let found = released::page(&self.db, scope, &which, after, page.first).await;
        let found = slice(found.map_err(|fault| failed(&fault))?, page, total, |one| {
            (mark(&one), one)
        });
        let facts: Vec<Facts> = found.rows.iter().map(|(_, one)| *one).collect();
        let grants = self.may_look(looking, asked, &facts).await?;
        let read: Vec<&Facts> = facts
            .iter()
            .filter(|one| grants.iter().any(|(id, _)| *id == one.id))
            .collect();
        let pupils: Vec<PupilId> = read.iter().map(|one| one.pupil).collect();
        let ids: Vec<String> = read.iter().map(|one| one.id.to_string()).collect();
        let shared = json!({ "granted": rule, "releases": ids });
        let Some(line) = line(AccessLineId(self.ids.next(operation.now)), operation, &pupils, shared) else {
            return Ok(Slice::empty(page.count));
        };
        let opened = released::open(&self.db, showcase, scope, &grants, &line).await;
        let opened = opened.map_err(|fault| failed(&fault))?;
        Ok(Slice {
            rows: opened
                .into_iter()
                .map(|one| (mark(&one.facts), shared_row(one)))
                .collect(),
            more: found.more,
            total: found.total,
        })
    }

    /// That it was asked, and withheld.
    async fn withheld(&self, looking: &Looking<'_>, code: Code) -> Answer<()> {
        let operation = looking.operation;
        let shared = json!({ "withheld": code.name() });
        let id = AccessLineId(self.ids.next(operation.now));
        let (Some(showcase), Some(line)) = (&self.showcase, line(id, operation, &[], shared)) else {
            return Ok(());
        };
        let opened = released::open(&self.db, showcase, &looking.scope, &[], &line).await;
        opened.map_err(|fault| failed(&fault))?;
        Ok(())
    }
}

#[async_trait]
impl Releases for App {
    async fn release_to_school(&self, operation: &Operation, new: NewRelease) -> Answer<Stepped<ReleaseId>> {
        let what = What::Trajectory(new.trajectory);
        let Some(allowed) = self.allowed(operation, what, Step::Release).await? else {
            return Ok(Stepped::Unknown);
        };
        let (reader, pupil) = (&allowed.reader, allowed.pupil());
        // What is said of the domain of health is health data; of another domain, what the worker says is.
        let health = new.health || allowed.class() == Class::Health;
        if health && allowed.class() != Class::Health {
            // Health data are told by who may write them.
            let medical = self.may(reader, pupil, (Step::Release, Class::Medical)).await?;
            if medical.is_err() {
                return Ok(Stepped::NotAllowed);
            }
        }
        let to = released::is_recipient(&self.db, (reader.clb, pupil), new.school, operation.today()).await;
        if !to.map_err(|fault| failed(&fault))? {
            return Ok(Stepped::Invalid("schoolId"));
        }
        let known = self.known(&allowed).await?;
        let minority = self.minority(operation, pupil, &known);
        let covers: Covers<'_> = &|judged, answers, of| minority.covers(judged, answers, of);
        let new = New {
            trajectory: new.trajectory,
            school: new.school,
            health,
            content: Content {
                title: new.title,
                advice: new.advice,
                purpose: new.purpose,
            },
            ends_on: new.ends_on,
        };
        let made = release::release(reader.secrets, &*self.ids, allowed.by(), &new, covers).await;
        Ok(match made.map_err(|fault| failed(&fault))? {
            Made::Done(id) => Stepped::Done(id, 1),
            Made::NotNow => Stepped::State,
            Made::Unknown => Stepped::Unknown,
        })
    }

    async fn revoke_release(&self, operation: &Operation, of: (ReleaseId, i32)) -> Answer<Stepped<ReleaseId>> {
        let Some(allowed) = self.allowed(operation, What::Release(of.0), Step::Release).await? else {
            return Ok(Stepped::Unknown);
        };
        let revoked = release::revoke(allowed.reader.secrets, allowed.by(), of).await;
        Ok(stepped(of.0, revoked.map_err(|fault| failed(&fault))?))
    }

    async fn shared_with_school(
        &self,
        operation: &Operation,
        pupil: Option<PupilId>,
        page: &Page,
    ) -> Answer<Protected<Slice<SharedRow>>> {
        let nothing = || Protected::unprepared(DecisionId(self.ids.blind()));
        let Some(asked) = Field::new(Class::Shared, Part::Releases).map(Asked::Read) else {
            return Ok(nothing());
        };
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(nothing());
        };
        let request = self.request(operation)?;
        let mut looking = Looking {
            operation,
            scope,
            assured: request.assured,
            agreed: None,
        };
        if matches!(
            &operation.actor,
            Actor::Principal {
                role: Role::SchoolClient,
                ..
            }
        ) {
            let agreed = released::agreed_with_software(&self.db, &looking.scope).await;
            looking.agreed = Some(agreed.map_err(|fault| failed(&fault))?);
        }
        let agreed = looking.agreed.as_ref().is_some_and(|clbs| !clbs.is_empty());
        let ties = released::ties_to_itself(&looking.scope, agreed);
        let decided = decide_batch(operation, &request.relations, request.assured, &[ties], &[asked]);
        match decided.into_iter().flatten().next() {
            Some(Verdict::Granted(grant)) => {
                let slice = self.look(&looking, (asked, grant.rule()), pupil, page).await?;
                Ok(Protected::granted(&grant, slice))
            }
            Some(Verdict::Withheld(why)) => {
                self.withheld(&looking, why.code()).await?;
                Ok(Protected::withheld(why, DecisionId(self.ids.blind())))
            }
            Some(Verdict::Nothing) | None => Ok(nothing()),
        }
    }
}
