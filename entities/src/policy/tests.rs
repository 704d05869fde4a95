//! Who does what with basic pupil data, and how far it reaches: written by hand from design §1, §3, §4 and §5, domain facts
//! §2.1 and §3.2, and R08; never copied from what the rules say.
#![expect(
    clippy::disallowed_methods,
    reason = "a table of hand-made actors: no row of a person is decided on"
)]

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Action, Decision, Reach, Refusal, Relations, decide};
use crate::agreement::{AgreementState, Binding};
use crate::category::{Categories, Category};
use crate::client_grant::{self, Task, Tasks};
use crate::id::{ClbId, ClientGrantId, PrincipalId, PupilId, SchoolId, SourceId};
use crate::operation::{Actor, Discipline, Operation, Role};
use crate::principal;

/// A column is a role in the order of the list: client (with a grant of every task), care team, data manager, worker, director,
/// administration, CLBch@t, pupil, parent, officer, operator; then a source, and the hub itself.
const TABLE: &str = "
read_public       public public public public public public public public public public public     -      operations
read_pupils       school school school clb    clb    clb    -      -      -      -      -          -      -
read_signals      school school school clb    clb    clb    -      -      -      -      -          -      -
read_report       school school school report report report -      -      -      -      -          -      -
report_signal     school school school -      -      -      -      -      -      -      -          -      -
accept_signal     -      -      -      clb    clb    -      -      -      -      -      -          -      -
read_agreements   school school school clb    clb    clb    -      -      -      -      operations -      -
decide_agreement  -      -      school -      clb    -      -      -      -      -      -          -      -
assign_post       -      -      -      -      clb    -      -      -      -      -      -          -      -
read_operations   -      -      school -      -      -      -      -      -      -      operations -      operations
read_quarantine   -      -      school -      -      clb    -      -      -      -      -          -      -
tie_pupils        -      -      school -      -      clb    -      -      -      -      -          -      -
approve_held_run  -      -      school -      -      -      -      -      -      -      operations -      operations
grant_clients     -      -      school -      -      -      -      -      -      -      -          -      -
read_deliveries   source -      -      -      -      -      -      -      -      -      -          -      -
submit_roster     source -      -      -      -      -      -      -      -      -      -          -      -
submit_absences   source -      -      -      -      -      -      -      -      -      -          -      -
administer        -      -      -      -      -      -      -      -      -      -      -          -      operations
sync              -      -      -      -      -      -      -      -      -      -      -          source -
";

const WHO: PrincipalId = PrincipalId(Uuid::from_u128(0xa1));
const SCHOOL: SchoolId = SchoolId(Uuid::from_u128(0x51));
const OTHER_SCHOOL: SchoolId = SchoolId(Uuid::from_u128(0x52));
const CLB: ClbId = ClbId(Uuid::from_u128(0xc1));
const OTHER_CLB: ClbId = ClbId(Uuid::from_u128(0xc2));
const SOURCE: SourceId = SourceId(Uuid::from_u128(0x71));
/// 7 October 2026 in Brussels, half past midnight: in UTC it is the day before.
const NOW: &str = "2026-10-06T22:30:00Z";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The row of a role, tied to a school, a CLB or a pupil as roles are.
fn row(role: Role) -> principal::Model {
    let of_school = matches!(
        role,
        Role::SchoolClient | Role::SchoolCareTeam | Role::SchoolDataManager
    );
    let of_clb = matches!(
        role,
        Role::ClbWorker
            | Role::ClbDirector
            | Role::ClbAdministration
            | Role::ClbChatWorker
            | Role::DataProtectionOfficer
    );
    let of_pupil = matches!(role, Role::Pupil | Role::Parent);
    principal::Model {
        id: WHO,
        issuer: "https://issuer.example".to_owned(),
        subject: "subject".to_owned(),
        role,
        school_id: of_school.then_some(SCHOOL),
        clb_id: of_clb.then_some(CLB),
        pupil_id: of_pupil.then_some(PupilId(Uuid::from_u128(0xb1))),
        discipline: None,
        begins_at: at("2026-09-01T00:00:00Z"),
        ends_at: Some(at("2026-12-24T11:00:00Z")),
    }
}

fn grant(tasks: Tasks) -> client_grant::Model {
    client_grant::Model {
        id: ClientGrantId(Uuid::from_u128(0x61)),
        school_id: SCHOOL,
        client_id: WHO,
        source_id: SOURCE,
        tasks,
        begins_at: at("2026-09-01T00:00:00Z"),
        ends_at: Some(at("2026-11-01T00:00:00Z")),
        issued_by: None,
        issued_at: at("2026-09-01T00:00:00Z"),
        revoked_by: None,
        revoked_at: None,
    }
}

fn agreed(school: SchoolId, clb: ClbId, categories: &[Category], begins: &str) -> Binding {
    Binding {
        school_id: school,
        clb_id: clb,
        state: AgreementState::Accepted,
        categories: categories.iter().copied().collect(),
        begins_on: day(begins),
        ends_on: None,
        decided_at: Some(at("2026-08-01T10:00:00Z")),
    }
}

fn operation(actor: Actor, now: &str) -> Operation {
    Operation {
        actor,
        purpose: None,
        now: at(now),
        request: Uuid::nil(),
    }
}

/// As the token says it: only the row and the role of it count.
fn signed_in(id: PrincipalId, role: Role) -> Actor {
    Actor::Principal {
        id,
        role,
        school: None,
        clb: None,
        pupil: None,
    }
}

fn of_source() -> Actor {
    Actor::Source {
        id: SOURCE,
        school: SCHOOL,
    }
}

/// What is decided for a role whose row, agreement and grant are in force.
fn of_role(role: Role, action: Action) -> Decision {
    let grants = vec![grant(Tasks::all())];
    let relations = Relations::of_rows(
        Some(row(role)),
        vec![agreed(SCHOOL, CLB, &[Category::Identity], "2026-09-01")],
    );
    decide(
        &operation(signed_in(WHO, role), NOW),
        &relations.with_grants(grants),
        action,
    )
}

fn of_nobody(actor: Actor, action: Action) -> Decision {
    let agreements = vec![agreed(SCHOOL, CLB, &[Category::Identity], "2026-09-01")];
    decide(&operation(actor, NOW), &Relations::of_rows(None, agreements), action)
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Refused(Refusal::Role) => "-",
        Decision::Refused(Refusal::NotInForce) => "not in force",
        Decision::Allowed(scope) => match scope.reach() {
            Reach::Public => "public",
            Reach::School(school) if *school == SCHOOL => "school",
            Reach::Clb { clb, .. } if *clb == CLB => "clb",
            Reach::Report { clb, .. } if *clb == CLB => "report",
            Reach::Operations => "operations",
            Reach::Source { source, school, .. } if *source == SOURCE && *school == SCHOOL => "source",
            _ => "of another",
        },
    }
}

#[test]
fn every_action_is_for_its_roles_alone() {
    let mut named = Vec::new();
    for line in TABLE.trim().lines() {
        let mut words = line.split_whitespace();
        let action: Action = words.next().unwrap().parse().unwrap();
        named.push(action);
        let expected: Vec<&str> = words.collect();
        let decided: Vec<&str> = Role::ALL
            .iter()
            .map(|role| of_role(*role, action))
            .chain([of_nobody(of_source(), action), of_nobody(Actor::Hub, action)])
            .map(|decision| word(&decision))
            .collect();
        assert_eq!(decided, expected, "{action}");
    }
    assert_eq!(named, Action::ALL, "each action has a row");
}

#[test]
fn software_does_what_its_grant_lists() {
    let of = |tasks: &[Task], action| {
        let relations = Relations::of_rows(Some(row(Role::SchoolClient)), Vec::<Binding>::new());
        let relations = relations.with_grants(vec![grant(tasks.iter().copied().collect())]);
        decide(&operation(signed_in(WHO, Role::SchoolClient), NOW), &relations, action)
    };
    for (task, action, reach) in [
        (Task::Reading, Action::ReadPupils, "school"),
        (Task::Reading, Action::ReadSignals, "school"),
        (Task::Reading, Action::ReadReport, "school"),
        (Task::Reporting, Action::ReportSignal, "school"),
        (Task::Roster, Action::SubmitRoster, "source"),
        (Task::Absences, Action::SubmitAbsences, "source"),
    ] {
        assert_eq!(word(&of(&[task], action)), reach, "{action}");
        let others: Vec<Task> = Task::ALL.iter().copied().filter(|other| *other != task).collect();
        assert_eq!(word(&of(&others, action)), "-", "{action} without {task}");
        // What is agreed it must know to send it, and what came of what it sent.
        assert_eq!(word(&of(&[task], Action::ReadAgreements)), "school");
        assert_eq!(word(&of(&[task], Action::ReadDeliveries)), "source");
    }
}

/// Software acts under a grant of its own school, to itself, that holds at this instant; nobody else needs one.
#[test]
fn software_without_a_grant_is_nobody() {
    let own = || grant(Tasks::all());
    let of = |grants: Vec<client_grant::Model>, now: &str| {
        let relations = Relations::of_rows(Some(row(Role::SchoolClient)), Vec::<Binding>::new()).with_grants(grants);
        let operation = operation(signed_in(WHO, Role::SchoolClient), now);
        let decided = decide(&operation, &relations, Action::ReadPupils);
        assert_eq!(
            relations.actor_at(operation.now).is_some(),
            word(&decided) != "not in force"
        );
        word(&decided)
    };
    assert_eq!(of(vec![], NOW), "not in force");
    assert_eq!(of(vec![own()], NOW), "school");
    assert_eq!(of(vec![own()], "2026-11-01T00:00:00Z"), "not in force", "it is over");
    let of_another_school = client_grant::Model {
        school_id: OTHER_SCHOOL,
        ..own()
    };
    let to_another = client_grant::Model {
        client_id: PrincipalId(Uuid::from_u128(0xa2)),
        ..own()
    };
    let later = client_grant::Model {
        begins_at: at("2026-10-07T00:00:00Z"),
        ..own()
    };
    for strange in [of_another_school, to_another, later] {
        assert_eq!(of(vec![strange.clone()], NOW), "not in force");
        assert_eq!(of(vec![strange, own()], NOW), "school", "the one that holds is found");
    }
    let without = Relations::of_rows(Some(row(Role::SchoolCareTeam)), Vec::<Binding>::new());
    assert!(without.actor_at(at(NOW)).is_some());
}

/// The row decides, as it stands now; what the token says does not.
#[test]
fn rights_end_with_the_row() {
    let of = |row: Option<principal::Model>, actor: Actor, now: &str| {
        let relations = Relations::of_rows(row, Vec::<Binding>::new());
        word(&decide(&operation(actor, now), &relations, Action::ReadPupils))
    };
    let worker = || signed_in(WHO, Role::ClbWorker);
    let own = || Some(row(Role::ClbWorker));
    assert_eq!(of(own(), worker(), NOW), "clb");
    assert_eq!(of(None, worker(), NOW), "not in force");
    assert_eq!(of(own(), worker(), "2026-08-31T23:59:59Z"), "not in force");
    assert_eq!(of(own(), worker(), "2026-12-24T11:00:00Z"), "not in force");
    assert_eq!(of(own(), signed_in(WHO, Role::ClbDirector), NOW), "not in force");
    let another = PrincipalId(Uuid::from_u128(0xa2));
    assert_eq!(of(own(), signed_in(another, Role::ClbWorker), NOW), "not in force");
    let of_no_clb = principal::Model {
        clb_id: None,
        ..row(Role::ClbWorker)
    };
    assert_eq!(of(Some(of_no_clb), worker(), NOW), "not in force");
    let doctor = principal::Model {
        discipline: Some(Discipline::Doctor),
        ..row(Role::ClbWorker)
    };
    for (row, discipline) in [(None, None), (own(), None), (Some(doctor), Some(Discipline::Doctor))] {
        assert_eq!(Relations::of_rows(row, Vec::<Binding>::new()).discipline(), discipline);
    }
}

/// Who looks, and the day: of Brussels, at half past midnight.
#[test]
fn a_scope_says_who_looks_and_when() {
    let scope = |decision| match decision {
        Decision::Allowed(scope) => scope,
        Decision::Refused(why) => panic!("{why}"),
    };
    let worker = scope(of_role(Role::ClbWorker, Action::ReadPupils));
    assert_eq!((worker.viewer(), worker.day()), (Some(WHO), day("2026-10-07")));
    let hub = scope(of_nobody(Actor::Hub, Action::Administer));
    assert_eq!((hub.viewer(), hub.day()), (None, day("2026-10-07")));
}

/// What binds a school and a CLB is what both accepted last and has begun; until it is ended or replaced (design §3).
#[test]
fn what_is_agreed_is_what_binds_today() {
    use Category::{Attendance, Birth, Identity, Truancy};
    let begins = "2026-09-01";
    let state = |state| Binding {
        state,
        ..agreed(SCHOOL, CLB, &[Attendance], "2026-10-01")
    };
    let ended = |ends: &str| Binding {
        state: AgreementState::Ended,
        ends_on: Some(day(ends)),
        ..agreed(OTHER_SCHOOL, CLB, &[Birth], begins)
    };
    let decided = |when: &str, categories: &[Category]| Binding {
        decided_at: Some(at(when)),
        ..agreed(SCHOOL, CLB, categories, begins)
    };
    let of_clb = |agreements: Vec<Binding>| {
        let relations = Relations::of_rows(Some(row(Role::ClbWorker)), agreements);
        let operation = operation(signed_in(WHO, Role::ClbWorker), NOW);
        let read = |action| match decide(&operation, &relations, action) {
            Decision::Allowed(scope) => scope.reach().clone(),
            Decision::Refused(why) => panic!("{why}"),
        };
        let Reach::Clb { agreed, .. } = read(Action::ReadPupils) else {
            panic!("of no CLB")
        };
        let Reach::Report { schools, .. } = read(Action::ReadReport) else {
            panic!("no report")
        };
        let of_report: Vec<SchoolId> = agreed.iter().map(|(school, _)| *school).collect();
        assert_eq!(schools, of_report, "an obligatory report is of the same schools");
        agreed
    };
    let categories = |all: &[Category]| all.iter().copied().collect::<Categories>();
    let first = || agreed(SCHOOL, CLB, &[Identity], begins);

    assert_eq!(of_clb(vec![first()]), [(SCHOOL, categories(&[Identity]))]);
    // What was only put forward or refused, has not begun, is over, or is of another CLB, binds nobody here.
    let of_another = agreed(SCHOOL, OTHER_CLB, &[Truancy], begins);
    let to_come = agreed(OTHER_SCHOOL, CLB, &[Truancy], "2026-10-08");
    for no in [
        state(AgreementState::Proposed),
        state(AgreementState::Refused),
        to_come,
        ended("2026-10-07"),
        of_another,
    ] {
        assert_eq!(of_clb(vec![no, first()]), [(SCHOOL, categories(&[Identity]))], "{no:?}");
    }
    // What ends tomorrow, and what begins today, does.
    let both = [(SCHOOL, categories(&[Identity])), (OTHER_SCHOOL, categories(&[Birth]))];
    assert_eq!(of_clb(vec![ended("2026-10-08"), first()]), both);
    let today = agreed(OTHER_SCHOOL, CLB, &[Birth], "2026-10-07");
    assert_eq!(of_clb(vec![today, first()]), both);
    // Of two the one that began last, of one day the one that was decided last, in whatever order they are read.
    let replaced = agreed(SCHOOL, CLB, &[Birth], "2026-10-01");
    let earlier = decided("2026-07-01T10:00:00Z", &[Truancy]);
    let later = decided("2026-08-02T10:00:00Z", &[Attendance]);
    for (one, other, binds) in [
        (first(), replaced, Birth),
        (first(), earlier, Identity),
        (first(), later, Attendance),
    ] {
        assert_eq!(of_clb(vec![one, other]), [(SCHOOL, categories(&[binds]))]);
        assert_eq!(of_clb(vec![other, one]), [(SCHOOL, categories(&[binds]))]);
    }
}

/// A school's words are kept as far as any agreement of that school lists them, and not as those of another do.
#[test]
fn what_is_kept_is_what_any_agreement_of_the_school_lists() {
    use Category::{Address, Birth, Identity};
    let agreements = vec![
        agreed(SCHOOL, CLB, &[Identity], "2026-09-01"),
        agreed(SCHOOL, OTHER_CLB, &[Birth], "2026-09-01"),
        agreed(OTHER_SCHOOL, CLB, &[Address], "2026-09-01"),
    ];
    let kept = |relations: &Relations, actor, action| match decide(&operation(actor, NOW), relations, action) {
        Decision::Allowed(scope) => match scope.reach() {
            Reach::Source { agreed, .. } => *agreed,
            other => panic!("{other:?}"),
        },
        Decision::Refused(why) => panic!("{why}"),
    };
    let both: Categories = [Identity, Birth].into_iter().collect();
    let relations = Relations::of_rows(None, agreements.clone());
    assert_eq!(kept(&relations, of_source(), Action::Sync), both);
    let relations = Relations::of_rows(Some(row(Role::SchoolClient)), agreements);
    let relations = relations.with_grants(vec![grant(Tasks::all())]);
    for action in [Action::SubmitRoster, Action::SubmitAbsences, Action::ReadDeliveries] {
        assert_eq!(kept(&relations, signed_in(WHO, Role::SchoolClient), action), both);
    }
    let nothing = Relations::of_rows(None, Vec::<Binding>::new());
    assert_eq!(kept(&nothing, of_source(), Action::Sync), Categories::NONE);
}
