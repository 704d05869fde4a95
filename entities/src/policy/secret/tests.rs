//! What no persona of the table shows, judged by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "hand-made viewers: no row of a person is decided on"
)]

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::matrix::word;
use super::{
    Access, Asked, Class, Field, Lent, Part, Place, Protected, RULES, Rows, Step, TieRows, Ties, Urgency, Verdict,
    Viewer, explain,
};
use crate::dossier::Domain;
use crate::id::{PrincipalId, PupilId, TrajectoryId};
use crate::law::consent::Decides;
use crate::operation::{Discipline, Purpose, Role};
use crate::time::Period;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const TRAJECTORY: TrajectoryId = TrajectoryId(Uuid::from_u128(3));

/// A place in the team of this domain, since September.
fn place(domain: Domain) -> Place {
    Place {
        trajectory: TRAJECTORY,
        domain,
        period: Period {
            begins: day("2026-09-01"),
            ends: None,
        },
    }
}

fn entries(class: Class) -> Asked {
    Asked::Read(Field::new(class, Part::Entries).unwrap())
}

/// What is decided on 7 October 2026 for a worker of the competent CLB, with what more there is between the two.
fn judged(discipline: Discipline, purpose: Purpose, asked: Asked, more: impl FnOnce(&mut TieRows)) -> Verdict {
    let mut rows = TieRows::none();
    rows.competent.push(place(Domain::Learning).period);
    more(&mut rows);
    let viewer = Viewer {
        role: Role::ClbWorker,
        discipline: Some(discipline),
        purpose: Some(purpose),
        assured: true,
        now: at("2026-10-07T10:00:00Z"),
        day: day("2026-10-07"),
    };
    verdict(&viewer, rows, asked)
}

fn verdict(viewer: &Viewer, rows: TieRows, asked: Asked) -> Verdict {
    let ties = Ties::of_rows(PupilId(Uuid::from_u128(1)), rows);
    explain(viewer, PrincipalId(Uuid::from_u128(0xa1)), &ties, asked).verdict
}

/// A person reads of each trajectory what was opened of that one: health data where a doctor opened them, and as a parent
/// what the pupil who decides consents to, or the younger one does not object to (domain facts §4.4).
#[test]
fn each_trajectory_is_opened_for_itself() {
    let trajectory = |nth| TrajectoryId(Uuid::from_u128(nth));
    let open = |nth, class| Access {
        class,
        trajectory: trajectory(nth),
        through_doctor: false,
        pupil_consents: false,
        pupil_objects: false,
        period: place(Domain::Learning).period,
    };
    let reads = |role, decides, class, accesses: Vec<Access>| {
        let viewer = Viewer {
            role,
            discipline: None,
            purpose: None,
            assured: true,
            now: at("2026-10-07T10:00:00Z"),
            day: day("2026-10-07"),
        };
        let mut rows = TieRows::none();
        let period = place(Domain::Learning).period;
        (rows.is_the_pupil, rows.authority) = (vec![period], vec![period]);
        (rows.decides, rows.accesses) = (decides, accesses);
        match verdict(&viewer, rows, entries(class)) {
            Verdict::Granted(grant) => grant.rows().clone(),
            other => panic!("{other:?}"),
        }
    };
    let only_the_first = Rows::Of(vec![trajectory(1)]);
    let by_doctor = Access {
        through_doctor: true,
        ..open(1, Class::Medical)
    };
    let both = vec![by_doctor, open(2, Class::Medical)];
    assert_eq!(
        reads(Role::Pupil, Decides::Pupil, Class::Medical, both.clone()),
        only_the_first
    );
    assert_eq!(
        reads(Role::Parent, Decides::Parents, Class::Medical, both),
        only_the_first
    );
    let consented = Access {
        pupil_consents: true,
        ..open(1, Class::Learning)
    };
    let both = vec![consented, open(2, Class::Learning)];
    assert_eq!(
        reads(Role::Parent, Decides::Pupil, Class::Learning, both),
        only_the_first
    );
    let objected = Access {
        pupil_objects: true,
        ..open(2, Class::Learning)
    };
    let both = vec![open(1, Class::Learning), objected];
    assert_eq!(
        reads(Role::Parent, Decides::Parents, Class::Learning, both.clone()),
        only_the_first
    );
    // Consent and objection are about parents alone.
    let all = Rows::Of(vec![trajectory(1), trajectory(2)]);
    assert_eq!(reads(Role::Pupil, Decides::Pupil, Class::Learning, both), all);
}

/// What was released to a school can be lent to a colleague too.
#[test]
fn a_release_is_lent() {
    let releases = Asked::Read(Field::new(Class::Shared, Part::Releases).unwrap());
    let of = |lent: Vec<Lent>| {
        judged(Discipline::Psychologist, Purpose::Guidance, releases, |rows| {
            rows.lent = lent;
        })
    };
    let lent = Lent {
        class: Class::Shared,
        trajectory: TRAJECTORY,
        from: at("2026-10-07T09:00:00Z"),
        until: at("2026-10-07T11:00:00Z"),
    };
    assert_eq!(word(&of(vec![lent])), "lent");
    assert_eq!(word(&of(Vec::new())), "!team?");
}

/// An emergency lets a worker read, whoever that is; it lets nobody do what is another's to do.
#[test]
fn an_emergency_is_for_reading() {
    for step in [
        Step::RequestGuidance,
        Step::AnswerGuidance,
        Step::FollowRequest,
        Step::AskCorrection,
        Step::ReviewLog,
        Step::ObjectToTransfer,
        Step::PutHold,
        Step::LiftHold,
    ] {
        let asked = Asked::Do(step, Class::Learning);
        let done = judged(Discipline::Psychologist, Purpose::Guidance, asked, |rows| {
            rows.places.push(place(Domain::Learning));
            rows.urgencies.push(Urgency {
                class: Class::Learning,
                from: at("2026-10-07T09:00:00Z"),
                until: at("2026-10-07T11:00:00Z"),
            });
        });
        assert!(!matches!(done, Verdict::Granted(_)), "{step}");
    }
}

/// A doctor who is in the teams of all domains opens each part for the purposes that it serves (doelbinding, GDPR art.
/// 5(1)(b)): the psychosocial part guidance and compulsory education, the medical part guidance, contact moments and
/// prophylaxis.
#[test]
fn each_part_is_opened_for_what_it_serves() {
    let mut purposes = Vec::new();
    for (purpose, psychosocial, medical) in [
        (Purpose::Guidance, "team", "team"),
        (Purpose::CompulsoryEducation, "team", "!purpose"),
        (Purpose::SystematicContact, "!purpose", "team"),
        (Purpose::Prophylaxis, "!purpose", "team"),
        (Purpose::Administration, "!purpose", "!purpose"),
        (Purpose::RightsOfThePerson, "!purpose", "!purpose"),
        (Purpose::Operations, "!purpose", "!purpose"),
    ] {
        purposes.push(purpose);
        for (class, expected) in [
            (Class::Learning, psychosocial),
            (Class::Career, psychosocial),
            (Class::Wellbeing, psychosocial),
            (Class::Health, medical),
            (Class::Medical, medical),
        ] {
            let verdict = judged(Discipline::Doctor, purpose, entries(class), |rows| {
                rows.places = Domain::ALL.iter().copied().map(place).collect();
            });
            assert_eq!(word(&verdict), expected, "{class} for {purpose}");
        }
    }
    assert_eq!(purposes, Purpose::ALL);
}

/// What is written into a log by mistake tells nothing.
#[test]
fn nothing_prints_a_secret() {
    let team = judged(
        Discipline::Psychologist,
        Purpose::Guidance,
        entries(Class::Learning),
        |rows| rows.places.push(place(Domain::Learning)),
    );
    let Verdict::Granted(grant) = team else {
        panic!("not granted")
    };
    let told = format!("{:?}", Protected::granted(&grant, "canary"));
    assert_eq!(told, "Granted(Opened(…))");
    let rule = RULES.first().map(|rule| format!("{rule:?}"));
    assert_eq!(
        rule.as_deref(),
        Some("Rule { name: \"chat-has-no-pupil\", says: Nothing, .. }")
    );
}
