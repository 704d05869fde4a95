//! The policy, cell by cell against a table written by hand, and what time does to it.
//!
//! The table is `policy_matrix.txt`: it is reviewed as a text, and a new role or action without a
//! row or column of its own fails here.

#![expect(
    clippy::disallowed_methods,
    reason = "a table of hand-made actors: no row of a person is decided on"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Action, Decision, Reach, Refusal, Relations, decide};
use crate::agreement::{self, AgreementState, Party};
use crate::category::{Categories, Category};
use crate::client_grant::{self, Task, Tasks};
use crate::id::{AgreementId, ClbId, ClientGrantId, PrincipalId, PupilId, SchoolId, SourceId};
use crate::operation::{Actor, Discipline, Operation, Role};
use crate::principal;

const TABLE: &str = include_str!("policy_matrix.txt");

const OURS: SchoolId = SchoolId(Uuid::from_u128(0x51));
const NEIGHBOUR: SchoolId = SchoolId(Uuid::from_u128(0x52));
const CLB: ClbId = ClbId(Uuid::from_u128(0xc1));
const OTHER_CLB: ClbId = ClbId(Uuid::from_u128(0xc2));
const SOURCE: SourceId = SourceId(Uuid::from_u128(0x50));
const WHO: PrincipalId = PrincipalId(Uuid::from_u128(0xa1));

/// Noon in Brussels on Wednesday 7 October 2026.
const NOW: &str = "2026-10-07T10:00:00Z";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn default() -> Categories {
    Categories::default_agreement()
}

/// The row of a principal in this role, since 1 September, tied to all that a role could need.
fn row(role: Role) -> principal::Model {
    principal::Model {
        id: WHO,
        issuer: "https://issuer.example".to_owned(),
        subject: "subject".to_owned(),
        role,
        school_id: Some(OURS),
        clb_id: Some(CLB),
        pupil_id: Some(PupilId(Uuid::from_u128(0xb1))),
        discipline: None,
        begins_at: at("2026-08-31T22:00:00Z"),
        ends_at: None,
    }
}

/// What software of ours may do for us, since long and without an end.
fn granted() -> client_grant::Model {
    client_grant::Model {
        id: ClientGrantId(Uuid::from_u128(0xe1)),
        school_id: OURS,
        client_id: WHO,
        source_id: SOURCE,
        tasks: Tasks::all(),
        begins_at: at("2020-09-01T08:00:00Z"),
        ends_at: None,
        issued_by: None,
        issued_at: at("2020-09-01T08:00:00Z"),
        revoked_by: None,
        revoked_at: None,
    }
}

/// An agreement accepted long ago, in force without an end.
fn signed(school: SchoolId, clb: ClbId, categories: Categories) -> agreement::Model {
    agreement::Model {
        id: AgreementId(Uuid::from_u128(0xd1)),
        school_id: school,
        clb_id: clb,
        state: AgreementState::Accepted,
        categories,
        ground: None,
        begins_on: day("2020-09-01"),
        ends_on: None,
        school_first_days: 0,
        early_warning: None,
        releases_to_software: false,
        proposed_by: None,
        proposed_for: Party::School,
        proposed_at: at("2020-05-01T08:00:00Z"),
        decided_by: None,
        decided_at: Some(at("2020-06-01T08:00:00Z")),
        ended_by: None,
        ended_at: None,
        version: 2,
    }
}

fn operation(actor: Actor, now: DateTime<Utc>) -> Operation {
    Operation {
        actor,
        purpose: None,
        now,
        request: Uuid::nil(),
    }
}

/// What the policy says of a principal in this role, whose row and agreements are these.
fn of_row(row: &principal::Model, agreements: &[agreement::Model], action: Action, now: &str) -> Decision {
    let actor = Actor::Principal {
        id: row.id,
        role: row.role,
        school: row.school_id,
        clb: row.clb_id,
        pupil: row.pupil_id,
    };
    let relations = Relations::of_rows(Some(row.clone()), agreements.to_vec()).with_grants(vec![granted()]);
    decide(&operation(actor, at(now)), &relations, action)
}

fn reach(decision: Decision) -> Reach {
    match decision {
        Decision::Allowed(scope) => scope.reach().clone(),
        Decision::Refused(why) => panic!("refused: {why}"),
    }
}

/// What a CLB worker may see of each school with these agreements, on that instant.
fn agreed_for_worker(agreements: &[agreement::Model], now: &str) -> Vec<(SchoolId, Categories)> {
    let mut worker = row(Role::ClbWorker);
    worker.begins_at = at("2020-01-01T00:00:00Z");
    match reach(of_row(&worker, agreements, Action::ReadPupils, now)) {
        Reach::Clb { clb: CLB, agreed } => agreed,
        other => panic!("not its own CLB: {other:?}"),
    }
}

/// What a source's school lets the hub keep with these agreements, on that instant.
fn kept_of_source(agreements: &[agreement::Model], now: &str) -> Categories {
    let actor = Actor::Source {
        id: SOURCE,
        school: OURS,
    };
    let relations = Relations::of_rows(None, agreements.to_vec());
    match reach(decide(&operation(actor, at(now)), &relations, Action::Sync)) {
        Reach::Source {
            source: SOURCE,
            school: OURS,
            agreed,
        } => agreed,
        other => panic!("not its own school: {other:?}"),
    }
}

/// The word of the table for a decision; a reach to someone else's school or CLB has none.
fn word(decision: &Decision) -> &'static str {
    let Decision::Allowed(scope) = decision else {
        return "-";
    };
    match scope.reach() {
        Reach::Public => "public",
        Reach::School(OURS) => "school",
        Reach::Clb { clb: CLB, agreed } if agreed == &[(OURS, default())] => "clb",
        Reach::Report { clb: CLB, schools } if schools == &[OURS] => "report",
        Reach::Operations => "all",
        Reach::Source {
            source: SOURCE,
            school: OURS,
            agreed,
        } if *agreed == default() => "source",
        _ => "SOMEONE ELSE'S",
    }
}

/// Every actor there is, by its name in the table.
fn actors() -> Vec<(&'static str, Option<Role>)> {
    let roles = Role::ALL.iter().map(|role| (role.name(), Some(*role)));
    roles.chain([("a_source", None), ("the_hub", None)]).collect()
}

fn decision(name: &str, role: Option<Role>, action: Action) -> Decision {
    // The neighbour's agreement and the other CLB's are there to be left alone.
    let mine = [signed(OURS, CLB, default())];
    match (role, name) {
        (Some(role), _) => of_row(&row(role), &mine, action, NOW),
        (None, "a_source") => {
            let actor = Actor::Source {
                id: SOURCE,
                school: OURS,
            };
            let relations = Relations::of_rows(None, mine.to_vec());
            decide(&operation(actor, at(NOW)), &relations, action)
        }
        _ => {
            let relations = Relations::of_rows(None, Vec::<agreement::Binding>::new());
            decide(&operation(Actor::Hub, at(NOW)), &relations, action)
        }
    }
}

#[test]
fn every_cell_is_as_written_by_hand() {
    let mut lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let actions: Vec<Action> = lines
        .next()
        .unwrap()
        .split_whitespace()
        .map(|name| name.parse().unwrap())
        .collect();
    assert_eq!(
        actions.iter().copied().collect::<std::collections::BTreeSet<_>>(),
        Action::ALL.iter().copied().collect(),
        "each action has one column"
    );
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let actor = cells.next().unwrap();
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), actions.len(), "`{actor}` has a cell for each action");
        assert!(expected.insert(actor, cells).is_none(), "`{actor}` stands there twice");
    }

    let mut wrong = Vec::new();
    for (name, role) in actors() {
        let cells = expected
            .remove(name)
            .unwrap_or_else(|| panic!("`{name}` has no row in the table"));
        for (action, expected) in actions.iter().zip(cells) {
            let decided = decision(name, role, *action);
            if word(&decided) != expected {
                wrong.push(format!(
                    "{name} {action}: the table says {expected}, the policy {}",
                    word(&decided)
                ));
            }
        }
    }
    assert!(expected.is_empty(), "rows of nobody: {:?}", expected.keys());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A cell that refuses says whether the role is wrong or the row: nothing else, and nothing of a pupil.
#[test]
fn who_may_not_is_told_that_its_role_does_not() {
    for (name, role) in actors() {
        for action in Action::ALL {
            if let Decision::Refused(why) = decision(name, role, *action) {
                assert_eq!(why, Refusal::Role, "{name} {action}");
            }
        }
    }
}

#[test]
fn a_scope_names_the_viewer_and_the_brussels_day() {
    let decided = of_row(&row(Role::ClbWorker), &[], Action::ReadPupils, "2026-10-07T22:30:00Z");
    let Decision::Allowed(scope) = decided else {
        panic!("refused")
    };
    assert_eq!(scope.viewer(), Some(WHO));
    assert_eq!(scope.day(), day("2026-10-08"));
}

#[test]
fn a_principal_acts_from_its_begin_until_just_before_its_end() {
    for role in Role::ALL {
        let mut held = row(*role);
        held.ends_at = Some(at("2026-12-24T11:00:00Z"));
        let allowed = |now| matches!(of_row(&held, &[], Action::ReadPublic, now), Decision::Allowed(_));
        assert!(allowed("2026-08-31T22:00:00Z"), "{role} at its begin");
        assert!(allowed("2026-12-24T10:59:59Z"), "{role} just before its end");
        for outside in ["2026-08-31T21:59:59Z", "2026-12-24T11:00:00Z", "2027-03-01T00:00:00Z"] {
            let decided = of_row(&held, &[], Action::ReadPublic, outside);
            assert_eq!(decided, Decision::Refused(Refusal::NotInForce), "{role} at {outside}");
        }
    }
}

#[test]
fn a_row_that_is_gone_another_or_of_another_role_gives_nothing() {
    let actor = Actor::Principal {
        id: WHO,
        role: Role::ClbDirector,
        school: Some(OURS),
        clb: Some(CLB),
        pupil: None,
    };
    let operation = operation(actor, at(NOW));
    let mut another = row(Role::ClbDirector);
    another.id = PrincipalId(Uuid::from_u128(0xa2));
    for found in [None, Some(another), Some(row(Role::ClbWorker))] {
        let relations = Relations::of_rows(found, vec![signed(OURS, CLB, default())]);
        for action in Action::ALL {
            let decided = decide(&operation, &relations, *action);
            assert_eq!(decided, Decision::Refused(Refusal::NotInForce), "{action}");
        }
    }
}

/// The token may claim another school or CLB than the row: the row decides.
#[test]
fn the_row_says_for_whom_one_acts() {
    let actor = |role| Actor::Principal {
        id: WHO,
        role,
        school: Some(NEIGHBOUR),
        clb: Some(OTHER_CLB),
        pupil: None,
    };
    let decided = |role| {
        let relations = Relations::of_rows(Some(row(role)), vec![signed(NEIGHBOUR, OTHER_CLB, default())]);
        reach(decide(&operation(actor(role), at(NOW)), &relations, Action::ReadPupils))
    };
    assert_eq!(decided(Role::SchoolCareTeam), Reach::School(OURS));
    assert_eq!(
        decided(Role::ClbWorker),
        Reach::Clb {
            clb: CLB,
            agreed: Vec::new()
        }
    );
}

/// A worker works in the discipline of the row.
#[test]
fn the_row_says_the_discipline() {
    let doctor = principal::Model {
        discipline: Some(Discipline::Doctor),
        ..row(Role::ClbWorker)
    };
    for (row, discipline) in [
        (None, None),
        (Some(row(Role::ClbWorker)), None),
        (Some(doctor), Some(Discipline::Doctor)),
    ] {
        let relations = Relations::of_rows(row, Vec::<agreement::Binding>::new());
        assert_eq!(relations.discipline(), discipline);
    }
}

#[test]
fn a_row_that_names_nothing_to_act_for_gives_nothing() {
    for role in Role::ALL {
        let mut nobody = row(*role);
        (nobody.school_id, nobody.clb_id, nobody.pupil_id) = (None, None, None);
        let decided = of_row(&nobody, &[], Action::ReadPublic, NOW);
        // An operator acts for the hub: there is nothing to name.
        let expected = *role == Role::Operator;
        assert_eq!(matches!(decided, Decision::Allowed(_)), expected, "{role}");
    }
}

#[test]
fn clbchat_sees_no_pupil_whatever_was_agreed() {
    let everything = [signed(OURS, CLB, Categories::all())];
    for action in Action::ALL.iter().filter(|action| **action != Action::ReadPublic) {
        let decided = of_row(&row(Role::ClbChatWorker), &everything, *action, NOW);
        assert_eq!(decided, Decision::Refused(Refusal::Role), "{action}");
    }
    let public = of_row(&row(Role::ClbChatWorker), &everything, Action::ReadPublic, NOW);
    assert_eq!(reach(public), Reach::Public);
}

#[test]
fn what_was_agreed_is_exact_for_each_school() {
    let few: Categories = [Category::Identity, Category::Truancy].into_iter().collect();
    let more = default().with(Category::Language);
    let agreements = [
        signed(NEIGHBOUR, CLB, more),
        signed(OURS, CLB, few),
        signed(OURS, OTHER_CLB, Categories::all()),
    ];
    assert_eq!(agreed_for_worker(&agreements, NOW), [(OURS, few), (NEIGHBOUR, more)]);
    // The neighbour's agreement lets nothing of ours be kept; both CLBs of ours do.
    assert_eq!(
        kept_of_source(
            &[signed(NEIGHBOUR, CLB, Categories::all()), signed(OURS, CLB, few)],
            NOW
        ),
        few
    );
    let address: Categories = [Category::Address].into_iter().collect();
    assert_eq!(
        kept_of_source(&[signed(OURS, CLB, few), signed(OURS, OTHER_CLB, address)], NOW),
        few.or(address)
    );
}

/// From the first day until just before the end, as dates in Brussels; it does not stop on 1 September.
#[test]
fn an_agreement_binds_on_its_days() {
    let mut one = signed(OURS, CLB, default());
    one.begins_on = day("2026-09-01");
    one.ends_on = Some(day("2027-10-01"));
    let holds = |now: &str| {
        let worker = !agreed_for_worker(std::slice::from_ref(&one), now).is_empty();
        let source = !kept_of_source(std::slice::from_ref(&one), now).is_empty();
        assert_eq!(worker, source, "both sides see the same days");
        worker
    };
    assert!(!holds("2026-08-31T21:59:59Z"));
    assert!(holds("2026-08-31T22:00:00Z"));
    assert!(holds("2027-09-02T10:00:00Z"));
    assert!(holds("2027-09-30T21:59:59Z"));
    assert!(!holds("2027-09-30T22:00:00Z"));
}

#[test]
fn only_what_both_parties_wanted_binds() {
    let holds = |state, decided: bool, ends: Option<&str>| {
        let mut one = signed(OURS, CLB, default());
        one.state = state;
        one.decided_at = decided.then(|| at("2020-06-01T08:00:00Z"));
        one.ends_on = ends.map(day);
        let worker = !agreed_for_worker(std::slice::from_ref(&one), NOW).is_empty();
        let source = !kept_of_source(std::slice::from_ref(&one), NOW).is_empty();
        (worker, source)
    };
    assert_eq!(holds(AgreementState::Accepted, true, None), (true, true));
    assert_eq!(holds(AgreementState::Proposed, false, None), (false, false));
    assert_eq!(holds(AgreementState::Refused, true, None), (false, false));
    // Ended from a day on: until that day it still binds.
    assert_eq!(holds(AgreementState::Ended, true, Some("2026-11-01")), (true, true));
    assert_eq!(holds(AgreementState::Ended, true, Some("2026-10-07")), (false, false));
    // Taken back before anyone accepted: it never bound.
    assert_eq!(holds(AgreementState::Ended, false, Some("2026-11-01")), (false, false));
}

/// Two agreements of the same parties on one day: the one that began last has replaced the other, also
/// where it lists less.
#[test]
fn a_newer_agreement_replaces_the_older() {
    let older = signed(OURS, CLB, default().with(Category::Attendance));
    let mut newer = signed(OURS, CLB, [Category::Identity].into_iter().collect());
    newer.begins_on = day("2026-10-07");
    for agreements in [[older.clone(), newer.clone()], [newer.clone(), older.clone()]] {
        assert_eq!(agreed_for_worker(&agreements, NOW), [(OURS, newer.categories)]);
        assert_eq!(kept_of_source(&agreements, NOW), newer.categories);
        let the_day_before = "2026-10-06T10:00:00Z";
        assert_eq!(
            agreed_for_worker(&agreements, the_day_before),
            [(OURS, older.categories)]
        );
        assert_eq!(kept_of_source(&agreements, the_day_before), older.categories);
    }
}

/// What software may do under a grant for one task alone, written by hand from design §3 and issue 3.6.
#[test]
fn a_grant_lets_software_do_what_it_says_and_no_more() {
    let always = [Action::ReadPublic, Action::ReadAgreements, Action::ReadDeliveries];
    let expected: [(Task, &[Action]); 4] = [
        (Task::Roster, &[Action::SubmitRoster]),
        (Task::Absences, &[Action::SubmitAbsences]),
        (
            Task::Reading,
            &[Action::ReadPupils, Action::ReadSignals, Action::ReadReport],
        ),
        (Task::Reporting, &[Action::ReportSignal]),
    ];
    for (task, own) in expected {
        let grant = client_grant::Model {
            tasks: [task].into_iter().collect(),
            ..granted()
        };
        for action in Action::ALL {
            let decided = under(&row(Role::SchoolClient), grant.clone(), *action, NOW);
            let may = own.contains(action) || always.contains(action);
            assert_eq!(matches!(decided, Decision::Allowed(_)), may, "{task} {action}");
        }
    }
}

/// Without a grant of its own school that holds now, software is nobody, whatever its own row says.
#[test]
fn software_without_a_grant_in_force_is_nobody() {
    let held = client_grant::Model {
        begins_at: at("2026-10-01T08:00:00Z"),
        ends_at: Some(at("2026-12-24T11:00:00Z")),
        ..granted()
    };
    let of_a_neighbour = client_grant::Model {
        school_id: NEIGHBOUR,
        ..granted()
    };
    let of_another_client = client_grant::Model {
        client_id: PrincipalId(Uuid::from_u128(0xa2)),
        ..granted()
    };
    for action in Action::ALL {
        for (grant, now) in [
            (&held, "2026-10-01T07:59:59Z"),
            (&held, "2026-12-24T11:00:00Z"),
            (&of_a_neighbour, NOW),
            (&of_another_client, NOW),
        ] {
            let decided = under(&row(Role::SchoolClient), grant.clone(), *action, now);
            assert_eq!(decided, Decision::Refused(Refusal::NotInForce), "{action} at {now}");
        }
    }
    let public = |now| under(&row(Role::SchoolClient), held.clone(), Action::ReadPublic, now);
    assert!(matches!(public("2026-10-01T08:00:00Z"), Decision::Allowed(_)));
    assert!(matches!(public("2026-12-24T10:59:59Z"), Decision::Allowed(_)));
    // Its own row must hold as well.
    let mut ended = row(Role::SchoolClient);
    ended.ends_at = Some(at(NOW));
    let decided = under(&ended, granted(), Action::ReadPublic, NOW);
    assert_eq!(decided, Decision::Refused(Refusal::NotInForce));
}

fn under(row: &principal::Model, grant: client_grant::Model, action: Action, now: &str) -> Decision {
    let actor = Actor::Principal {
        id: row.id,
        role: row.role,
        school: row.school_id,
        clb: row.clb_id,
        pupil: row.pupil_id,
    };
    let relations = Relations::of_rows(Some(row.clone()), vec![signed(OURS, CLB, default())]).with_grants(vec![grant]);
    decide(&operation(actor, at(now)), &relations, action)
}
