//! The rules, readable by a lawyer: one exhaustive match, each arm with its ground.

use std::collections::BTreeMap;

use super::action::Action;
use super::decision::{Decision, Reach, Refusal, Scope};
use super::relations::Relations;
use crate::agreement::Binding;
use crate::category::Categories;
use crate::client_grant::{self, Task};
use crate::id::{ClbId, SchoolId};
use crate::operation::{Actor, Operation, Role};

/// Decides whether the actor may do this now, and how far it reaches.
pub fn decide(operation: &Operation, relations: &Relations, action: Action) -> Decision {
    match &operation.actor {
        Actor::Principal { id, role, .. } => {
            // The row decides, as it stands now; what the token or the request says does not.
            let row = relations.principal().filter(|row| row.id == *id && row.role == *role);
            let Some(actor) = row.and_then(|_| relations.actor_at(operation.now)) else {
                return Decision::Refused(Refusal::NotInForce);
            };
            match reach_of(&actor, operation, relations, action) {
                Some(reach) => Decision::Allowed(Scope::new(reach, Some(*id), operation.today())),
                None => Decision::Refused(Refusal::Role),
            }
        }
        Actor::Source { id, school } => match action {
            Action::Sync => {
                let reach = Reach::Source {
                    source: *id,
                    school: *school,
                    agreed: kept(operation, relations, *school),
                };
                Decision::Allowed(Scope::new(reach, None, operation.today()))
            }
            _ => Decision::Refused(Refusal::Role),
        },
        Actor::Hub => match action {
            Action::ReadPublic | Action::ReadOperations | Action::ApproveHeldRun | Action::Administer => {
                Decision::Allowed(Scope::new(Reach::Operations, None, operation.today()))
            }
            _ => Decision::Refused(Refusal::Role),
        },
    }
}

#[expect(clippy::match_same_arms, reason = "each arm stands for a ground of its own")]
fn reach_of(actor: &Actor, operation: &Operation, relations: &Relations, action: Action) -> Option<Reach> {
    use Role::{ClbAdministration, ClbDirector, ClbWorker, Operator, SchoolCareTeam, SchoolClient, SchoolDataManager};
    let Actor::Principal { role, school, clb, .. } = actor else {
        return None;
    };
    let of_school = || school.map(Reach::School);
    let granted = |task| relations.grant_at(operation.now).filter(|grant| grant.tasks.has(task));
    let under = |task| granted(task).and_then(|_| of_school());
    let source = |grant: &client_grant::Model| Reach::Source {
        source: grant.source_id,
        school: grant.school_id,
        agreed: kept(operation, relations, grant.school_id),
    };
    let through = |task| granted(task).map(source);
    let of_clb = || {
        clb.map(|clb| Reach::Clb {
            clb,
            agreed: agreed(operation, relations, clb),
        })
    };
    match (action, role) {
        // Design §3, class `public`: any authenticated viewer.
        (Action::ReadPublic, _) => Some(Reach::Public),
        // Design §3, classes `agreed.*` and `case`: the pupil's school. Design §4: the school must
        // report, with who and when.
        (
            Action::ReadPupils
            | Action::ReadSignals
            | Action::ReadReport
            | Action::ReadAgreements
            | Action::ReportSignal,
            SchoolCareTeam | SchoolDataManager,
        ) => of_school(),
        // Design §3: a vendor's software, by a grant that the school issues. What is agreed it must know to send it.
        (Action::ReadPupils | Action::ReadSignals | Action::ReadReport, SchoolClient) => under(Task::Reading),
        (Action::ReportSignal, SchoolClient) => under(Task::Reporting),
        (Action::ReadAgreements, SchoolClient) => of_school(),
        // Design §5: what software brings in by itself goes the way of what is pulled, through its grant's connection.
        (Action::ReadDeliveries, SchoolClient) => relations.grant_at(operation.now).map(source),
        (Action::SubmitRoster, SchoolClient) => through(Task::Roster),
        (Action::SubmitAbsences, SchoolClient) => through(Task::Absences),
        // Domain facts §3.2: the school takes the initiative for the agreement, not its software.
        // R08: a person of the school may let a held run of its own go on, and must find it to do so.
        // Design §3: the school issues what its software acts by. What waits for its pupil is the school's to put right.
        (
            Action::DecideAgreement
            | Action::ApproveHeldRun
            | Action::ReadOperations
            | Action::ReadQuarantine
            | Action::TiePupils
            | Action::GrantClients,
            SchoolDataManager,
        ) => of_school(),
        // Design §3: the CLB competent for the pupil, by the agreement in force on the day.
        (
            Action::ReadPupils | Action::ReadSignals | Action::ReadAgreements,
            ClbWorker | ClbDirector | ClbAdministration,
        ) => of_clb(),
        // Design §3: an obligatory report carries its legal minimum to the competent CLB whatever the
        // agreement lists. Domain facts §2.1: the school must report, and to the CLB it works with: an
        // agreement there is, and it is not asked what it lists.
        (Action::ReadReport, ClbWorker | ClbDirector | ClbAdministration) => clb.map(|clb| Reach::Report {
            clb,
            schools: agreed(operation, relations, clb)
                .into_iter()
                .map(|(school, _)| school)
                .collect(),
        }),
        // Design §3: pupils whom no number ties are tied by a person: the school's data manager or CLB administration.
        // So is what waits for a pupil, as far as its category was agreed.
        (Action::TiePupils | Action::ReadQuarantine, ClbAdministration) => of_clb(),
        // Design §4: the CLB takes it up, with who and when.
        (Action::AcceptSignal, ClbWorker | ClbDirector) => of_clb(),
        // Domain facts §3.2: the director signs for the CLB.
        (Action::DecideAgreement, ClbDirector) => of_clb(),
        // Design §3: a worker's post at a school is a relation with a begin and an end; issue 4.1: the director assigns.
        (Action::AssignPost, ClbDirector) => of_clb(),
        // Design §1: sources, runs, gaps, deliveries, health; no pupil content.
        (Action::ReadOperations | Action::ApproveHeldRun | Action::ReadAgreements, Operator) => Some(Reach::Operations),
        // Everything else is denied: CLBch@t sees no pupil at all, persons have their own roots (design §3).
        _ => None,
    }
}

/// What the agreement in force today between this CLB and each school lists.
fn agreed(operation: &Operation, relations: &Relations, clb: ClbId) -> Vec<(SchoolId, Categories)> {
    let of_clb = in_force(operation, relations)
        .into_iter()
        .filter(|one| one.clb_id == clb);
    of_clb.map(|one| (one.school_id, one.categories)).collect()
}

/// What the hub may keep of what this school says: what any agreement in force today lists.
/// A category that was not agreed is not stored (design §3).
fn kept(operation: &Operation, relations: &Relations, school: SchoolId) -> Categories {
    let of_school = in_force(operation, relations)
        .into_iter()
        .filter(|one| one.school_id == school);
    of_school.fold(Categories::NONE, |all, one| all.or(one.categories))
}

/// The agreements in force today, one for each two parties, by school: an agreement continues until
/// ended or replaced (design §3), so of two the one that began last binds.
fn in_force<'a>(operation: &Operation, relations: &'a Relations) -> Vec<&'a Binding> {
    let today = operation.today();
    let mut latest: BTreeMap<(SchoolId, ClbId), &Binding> = BTreeMap::new();
    for one in relations.agreements() {
        if !one.in_force().is_some_and(|period| period.contains(today)) {
            continue;
        }
        let binds = latest.entry((one.school_id, one.clb_id)).or_insert(one);
        if (binds.begins_on, binds.decided_at) < (one.begins_on, one.decided_at) {
            *binds = one;
        }
    }
    latest.into_values().collect()
}
