//! The connector against the fake tenant, over a real socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use hub_entities::time::{HalfDay, Part};
use secrecy::SecretString;

use super::fake::{CoAccount, Fake, Instead, Mark, Plan, Platform, Pupil};
use super::*;
use crate::absences::PupilKey;
use crate::conformance::{Kind, Subject, Taken, conforms, day, limits, reach};
use crate::contract::State;
use crate::fake::{Delivery, Host, Unruly};
use crate::http::{Hurried, Pause};

mod codes;
mod faults;
mod several;
mod zeep;

/// The access code of the fake. It must show nowhere.
const CODE: &str = "canary&code";
/// A school.
const SCHOOL: &str = "034512";
/// Another one of the same tenant.
const OTHER: &str = "123456";

/// Friday 20 November 2026, noon in Brussels.
fn now() -> DateTime<Utc> {
    "2026-11-20T11:00:00Z".parse().expect("an instant")
}

fn pupil(number: &str, name: &str) -> Pupil {
    Pupil {
        user_name: format!("canary.{name}"),
        internal_number: number.to_owned(),
        given_name: format!("Canary-{name}"),
        family_name: "Canary".to_owned(),
        sex: "f".to_owned(),
        born: Some(day("2011-03-05")),
        ..Pupil::default()
    }
}

/// One school of two classes, and a pupil of each kind.
fn school() -> Platform {
    let mut platform = Platform::new(CODE, day("2026-11-20"));
    platform.add_class("3LAT", SCHOOL);
    // A zero was lost where the school typed it in.
    platform.add_class("3WET", "34512");
    platform.add_class("3LEEG", SCHOOL);
    platform.teachers.push("canary.leraar".to_owned());
    let since = day("2026-09-01");
    let whole = Pupil {
        national_number: "11030512407".to_owned(),
        register_number: "2300050".to_owned(),
        street: "Kerkstraat".to_owned(),
        house_number: "12".to_owned(),
        postal_code: "3000".to_owned(),
        city: "Leuven".to_owned(),
        email: "canary@school.example".to_owned(),
        phone: "016000001".to_owned(),
        co_accounts: vec![CoAccount {
            given_name: "Canary-ouder".to_owned(),
            family_name: "Canary".to_owned(),
            email: "canary@ouder.example".to_owned(),
            mobile: "0470000001".to_owned(),
            kind: "Vader".to_owned(),
        }],
        own_fields: vec![("Canary: wie volgt op?".to_owned(), "iemand".to_owned())],
        ..pupil("119940", "een")
    };
    platform.add_pupil(whole, "3LAT", since);
    let odd = Pupil {
        national_number: "11030512345".to_owned(),
        disabled: true,
        born: None,
        ..pupil("119975", "twee")
    };
    platform.add_pupil(odd, "3LAT", since);
    platform.add_pupil(pupil("120004", "drie"), "3WET", day("2026-10-05"));
    platform
}

/// A tenant that runs, and the connector to it.
struct Running {
    host: Host,
    fake: Arc<Fake>,
    connector: Smartschool,
}

fn http() -> Http {
    let pause: Arc<dyn Pause> = Arc::new(Hurried::default());
    Http::new(reach(), limits(), pause).expect("a client")
}

async fn run_with(platform: Platform, set: impl FnOnce(&mut Settings)) -> Running {
    let fake = Arc::new(Fake::new(platform));
    let host = Host::start(Arc::<Fake>::clone(&fake)).await.expect("a port");
    let mut settings = Settings::of(Fake::url(&host));
    set(&mut settings);
    let connector = Smartschool::new(settings, SecretString::from(CODE), http()).expect("a connector");
    Running { host, fake, connector }
}

async fn run(platform: Platform) -> Running {
    run_with(platform, |_| {}).await
}

fn ask(stream: Stream) -> Ask {
    Ask {
        stream,
        school: SCHOOL.to_owned(),
        state: State::default(),
        full: false,
        days: day("2026-11-16")..=day("2026-11-30"),
        now: now(),
    }
}

impl Running {
    async fn read(&self, ask: &Ask) -> (Finished, Taken) {
        let mut taken = Taken::default();
        let finished = self.connector.read(ask, &mut taken).await.expect("it is read");
        (finished, taken)
    }

    async fn fault(&self, ask: &Ask) -> Fault {
        self.connector
            .read(ask, &mut Taken::default())
            .await
            .expect_err("it is in trouble")
    }

    async fn roster(&self) -> (bool, crate::roster::Roster, Vec<String>) {
        let (finished, mut taken) = self.read(&ask(Stream::Roster)).await;
        let gaps = taken
            .gaps
            .iter()
            .map(|gap| format!("{} {}", gap.rule, gap.records))
            .collect();
        (finished.complete, taken.rosters.pop().expect("a roster"), gaps)
    }
}

/// A tenant of one school, as its connection says.
async fn alone() -> Subject {
    subject(school(), true).await
}

/// A tenant of several schools: whose half-days are whose is asked each time, for that is what `full` does.
async fn shared() -> Subject {
    subject(several::shared(), false).await
}

async fn subject(platform: Platform, single_school: bool) -> Subject {
    let fake = Arc::new(Fake::new(platform));
    let site = Arc::new(Unruly::over(Arc::<Fake>::clone(&fake), |_| true));
    let host = Host::start(Arc::<Unruly>::clone(&site)).await.expect("a port");
    let settings = Settings {
        parallel_calls: 1,
        single_school,
        ..Settings::of(Fake::url(&host))
    };
    let origin = host.origin();
    Subject {
        connector: Box::new(Smartschool::new(settings, SecretString::from(CODE), http()).expect("a connector")),
        _host: host,
        site,
        asks: [Stream::Roster, Stream::Absences]
            .map(|stream| Ask {
                full: !single_school,
                ..ask(stream)
            })
            .to_vec(),
        change: Box::new(move || {
            fake.change(|platform| platform.mark("canary.een", half("2026-11-16", Part::Pm), "B"));
        }),
        changed: |taken| taken.absences.iter().any(|(_, _, letter, _)| letter == "B"),
        gap: "smartschool.national_number",
        canaries: vec![
            "canary".to_owned(),
            "Canary".to_owned(),
            "119940".to_owned(),
            "11030512407".to_owned(),
            "127.0.0.1".to_owned(),
            origin,
        ],
        kind: Kind::usual,
    }
}

conforms!(one_school, super::alone);
conforms!(several_schools, super::shared);

fn half(text: &str, part: Part) -> HalfDay {
    HalfDay::new(day(text), part)
}

/// What was said last of each half-day, as `pupil date part: letter`.
fn said(taken: &Taken) -> BTreeMap<String, String> {
    let rows = taken.absences.iter().map(|(pupil, at, letter, deleted)| {
        assert!(!deleted, "nothing of this source is a deletion");
        (format!("{pupil} {} {:?}", at.day, at.part), letter.clone())
    });
    rows.collect()
}

#[tokio::test]
async fn a_roster_has_the_pupils_of_the_school_and_since_when() {
    let running = run(school()).await;
    running
        .fake
        .change(|platform| platform.moves("canary.een", Some("3WET"), day("2026-10-01")));
    let (complete, roster, gaps) = running.roster().await;
    assert!(complete);
    let classes: Vec<_> = roster
        .classes
        .iter()
        .map(|one| (one.source_key.as_str(), one.homeroom))
        .collect();
    assert_eq!(classes, [("3LAT", true), ("3LEEG", true), ("3WET", true)]);
    assert_eq!(roster.schools[0].identifier.as_deref(), Some(SCHOOL));
    let pupils: Vec<_> = roster
        .pupils
        .iter()
        .map(|one| {
            (
                one.source_key.as_str(),
                one.identifier.as_deref(),
                one.schools[0].begins,
                one.schools[0].ends,
            )
        })
        .collect();
    let since = |text| Some(day(text));
    assert_eq!(
        pupils,
        [
            ("119940", Some("119940"), since("2026-09-01"), None),
            ("119975", Some("119975"), since("2026-09-01"), None),
            ("120004", Some("120004"), since("2026-10-05"), None),
        ],
        "the account that is switched off too: that is about signing in"
    );
    let memberships: Vec<_> = roster
        .memberships
        .iter()
        .map(|one| (one.source_key.as_str(), one.begins, one.ends))
        .collect();
    assert_eq!(
        memberships,
        [
            ("119940/3LAT", since("2026-09-01"), since("2026-10-01")),
            ("119940/3WET", since("2026-10-01"), None),
            ("119975/3LAT", since("2026-09-01"), None),
            ("120004/3WET", since("2026-10-05"), None),
        ]
    );
    assert_eq!(roster.pupils[0].contacts[0].role, "parent");
    assert_eq!(gaps, ["smartschool.national_number 1"]);
    // The label of the school's own field may say anything, so it is called by a number.
    let dropped: Vec<&str> = roster.dropped.iter().map(String::as_str).collect();
    assert_eq!(
        dropped,
        [
            "accounts.klasnummer",
            "accounts.own field 1",
            "accounts.referenceidentifier",
            "accounts.status",
            "accounts.status of co-accounts",
        ]
    );
}

#[tokio::test]
async fn who_leaves_the_school_is_no_longer_in_a_complete_roster() {
    let running = run(school()).await;
    running.fake.change(|platform| {
        platform.moves("canary.twee", None, day("2026-11-18"));
        // Registered to leave, and in the class until then.
        platform.moves("canary.drie", None, day("2026-12-24"));
    });
    let (complete, roster, _) = running.roster().await;
    assert!(complete);
    let pupils: Vec<_> = roster
        .pupils
        .iter()
        .map(|one| (one.source_key.as_str(), one.schools[0].ends))
        .collect();
    assert_eq!(pupils, [("119940", None), ("120004", Some(day("2026-12-24")))]);
}

#[tokio::test]
async fn what_may_hide_a_pupil_makes_a_roster_incomplete() {
    type Change = fn(&mut Platform);
    let cases: [(&str, Change); 3] = [
        ("smartschool.pupil_without_unique_field 1", |platform| {
            platform.pupil("canary.twee").expect("a pupil").internal_number = String::new();
        }),
        ("smartschool.class_without_school 1", |platform| {
            platform.add_class("5X", "");
        }),
        ("smartschool.class_without_code 1", |platform| {
            platform.add_class("", SCHOOL);
        }),
    ];
    for (gap, change) in cases {
        let running = run(school()).await;
        running.fake.change(change);
        let (complete, _, gaps) = running.roster().await;
        assert!(!complete, "{gap}");
        assert!(gaps.contains(&gap.to_owned()), "{gap}: {gaps:?}");
    }
}

#[tokio::test]
async fn a_school_without_pupils_is_one_and_is_told_of() {
    let running = run(school()).await;
    running.fake.change(|platform| {
        for name in ["canary.een", "canary.twee", "canary.drie"] {
            platform.delete(name, "20261119_120000");
        }
    });
    let (complete, roster, gaps) = running.roster().await;
    assert!(complete, "whether they have left is for a person to say");
    assert!(roster.pupils.is_empty());
    assert_eq!(gaps, ["smartschool.school_without_pupils 1"]);
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let running = run(school()).await;
    running.roster().await;
    let calls = running.fake.calls();
    let count = |method: &str| calls.iter().filter(|call| *call == method).count();
    assert_eq!((count("getReferenceField"), count("getAllGroupsAndClasses")), (1, 1));
    assert_eq!(
        (count("getAllAccountsExtended"), count("getStudentCareer"), calls.len()),
        (3, 3, 8)
    );
    let running = run_with(school(), |settings| settings.careers = false).await;
    let (_, roster, _) = running.roster().await;
    assert_eq!(running.fake.calls().len(), 5);
    assert_eq!(roster.pupils[0].schools[0].begins, None, "nobody said");
}

#[tokio::test]
async fn half_days_come_with_those_who_were_there() {
    let running = run(school()).await;
    running.fake.change(|platform| {
        platform.mark("canary.een", half("2026-11-16", Part::Am), "B");
        platform.mark("canary.twee", half("2026-11-17", Part::Pm), "-");
        platform.days_off.insert(day("2026-11-19"));
    });
    let (finished, taken) = running.read(&ask(Stream::Absences)).await;
    let said = said(&taken);
    // Monday to Friday but Thursday, three pupils; not after today.
    assert_eq!(said.len(), 4 * 3 * 2);
    assert_eq!(said["119940 2026-11-16 Am"], "B");
    assert_eq!(said["119940 2026-11-16 Pm"], "|");
    assert_eq!(said["119975 2026-11-17 Pm"], "-");
    assert_eq!(said["120004 2026-11-18 Pm"], "null", "Wednesday afternoon");
    assert_eq!(said["120004 2026-11-20 Am"], "|");
    assert_eq!(taken.gaps, []);
    assert_eq!(finished.state, State(serde_json::json!({"through": "2026-11-20"})));
    assert!(
        !finished.complete,
        "who is not in an answer is not said to have been there"
    );
    assert_eq!(running.connector.spec().pupil_key, PupilKey::Identifier);
}

#[tokio::test]
async fn a_correction_within_the_window_is_seen_and_said_as_present() {
    let running = run_with(school(), |settings| settings.window_days = 4).await;
    running.fake.change(|platform| {
        platform.mark("canary.een", half("2026-11-16", Part::Am), "B");
        platform.mark("canary.twee", half("2026-11-13", Part::Am), "B");
    });
    let first = Ask {
        days: day("2026-11-02")..=day("2026-11-30"),
        ..ask(Stream::Absences)
    };
    let (finished, taken) = running.read(&first).await;
    assert_eq!(said(&taken)["119975 2026-11-13 Am"], "B");
    running.fake.calls();
    running.fake.change(|platform| {
        platform.unmark("canary.een", half("2026-11-16", Part::Am));
        platform.unmark("canary.twee", half("2026-11-13", Part::Am));
    });
    let next = Ask {
        state: finished.state.clone(),
        ..first.clone()
    };
    let (again, taken) = running.read(&next).await;
    assert_eq!(said(&taken)["119940 2026-11-16 Am"], "|", "what takes the signal back");
    assert!(
        !said(&taken).contains_key("119975 2026-11-13 Am"),
        "outside of the window"
    );
    let calls = running.fake.calls();
    let dates = calls
        .iter()
        .filter(|call| *call == "getAbsentsWithInternalNumberByDate")
        .count();
    assert_eq!(dates, 5, "the last day, and four before it");
    assert_eq!(again.state, finished.state);
    // And everything when everything is asked for.
    let full = Ask { full: true, ..next };
    assert_eq!(said(&running.read(&full).await.1)["119975 2026-11-13 Am"], "|");
}

#[tokio::test]
async fn the_unique_field_decides_what_names_a_pupil() {
    let mut platform = school();
    platform.unique_field = UniqueField::Username;
    platform.mark("canary.een", half("2026-11-16", Part::Am), "B");
    let set = |settings: &mut Settings| settings.unique_field = UniqueField::Username;
    let running = run_with(platform.clone(), set).await;
    let (_, roster, _) = running.roster().await;
    assert_eq!(roster.pupils[1].source_key, "canary.een");
    assert_eq!(roster.pupils[1].identifier.as_deref(), Some("119940"));
    let (_, taken) = running.read(&ask(Stream::Absences)).await;
    assert_eq!(said(&taken)["canary.een 2026-11-16 Am"], "B");
    assert_eq!(running.connector.spec().pupil_key, PupilKey::SourcedId);
    // A deleted account keeps its half-days under a longer name.
    running
        .fake
        .change(|platform| platform.delete("canary.een", "20261119_120000"));
    let (_, taken) = running.read(&ask(Stream::Absences)).await;
    assert_eq!(said(&taken)["canary.een 2026-11-16 Am"], "B");
    // A tenant that was switched over is not read: every key would be another's.
    running
        .fake
        .change(|platform| platform.unique_field = UniqueField::Number);
    for stream in [Stream::Roster, Stream::Absences] {
        assert_eq!(Kind::of(&running.fault(&ask(stream)).await), Kind::Config);
    }
    assert_eq!(
        Kind::of(&run(platform).await.fault(&ask(Stream::Roster)).await),
        Kind::Config
    );
}

#[tokio::test]
async fn a_label_says_what_the_letter_does_not_and_names_become_numbers() {
    let mut platform = school();
    let mark = |label: &str| Mark {
        letter: Some("-".to_owned()),
        label: Some(label.to_owned()),
    };
    platform.mark_with("canary.een", half("2026-11-16", Part::Am), mark("Spijbelen"));
    platform.mark_with("canary.twee", half("2026-11-16", Part::Am), mark("Nog na te kijken"));
    let running = run_with(platform, |settings| {
        settings.absences = AbsenceCall::Alias;
        settings.labels = BTreeMap::from([("Spijbelen".to_owned(), "B".to_owned())]);
    })
    .await;
    let (_, taken) = running.read(&ask(Stream::Absences)).await;
    // The call names by user name what the tenant and the roster name by number.
    assert_eq!(said(&taken)["119940 2026-11-16 Am"], "B");
    assert_eq!(said(&taken)["119975 2026-11-16 Am"], "-");
    assert!(
        taken.absences.iter().all(|(_, _, letter, _)| letter.len() <= 4),
        "no label goes on"
    );
}

#[tokio::test]
async fn a_tenant_may_write_everything_another_way() {
    use super::fake::Quirk;
    let usual = run(school()).await.roster().await;
    let mut platform = school();
    platform.quirks = [Quirk::Capitals, Quirk::ShortDates, Quirk::BareJson].into();
    let running = run(platform).await;
    let other = running.roster().await;
    assert_eq!(usual.1.pupils, other.1.pupils);
    assert_eq!(usual.1.memberships, other.1.memberships);
    // A day without anyone, as `{}`.
    let sunday = Ask {
        days: day("2026-11-15")..=day("2026-11-15"),
        ..ask(Stream::Absences)
    };
    assert_eq!(running.read(&sunday).await.1.absences, []);
}

#[tokio::test]
async fn doctor_hears_what_the_profile_may_not_do() {
    let mut platform = school();
    let may = [
        "getReferenceField",
        "getAllGroupsAndClasses",
        "getAllAccountsExtended",
        "getStudentCareer",
    ];
    platform.access_code = "another".to_owned();
    platform.profile = Some((CODE.to_owned(), may.map(str::to_owned).into()));
    let running = run(platform).await;
    let discovery = running.connector.discover().await.expect("it can be looked at");
    assert_eq!(discovery.schools, [SCHOOL]);
    assert_eq!(
        discovery.notes,
        [
            "unique field: internal number",
            "classes: 3 official, 0 others",
            "changes: the source tells of none; every roster is read whole, absences with a window of days",
            "getAllAccountsExtended: may be called",
            "getStudentCareer: may be called",
            "getAbsentsWithInternalNumberByDate: the profile of the access code may not call it",
            "result codes: those that the hub goes by are published",
        ]
    );
    assert_eq!(Kind::of(&running.fault(&ask(Stream::Absences)).await), Kind::Refused);
    running.roster().await;
}

/// Days that were left out between the last read and this one are still to be read.
#[tokio::test]
async fn a_hole_between_two_reads_is_not_taken_for_read() {
    let running = run(school()).await;
    let stands = State(serde_json::json!({"through": "2026-11-03"}));
    let today = Ask {
        state: stands.clone(),
        days: day("2026-11-20")..=day("2026-11-20"),
        ..ask(Stream::Absences)
    };
    assert_eq!(running.read(&today).await.0.state, stands);
    let all = Ask {
        days: day("2026-09-01")..=day("2026-11-20"),
        ..today
    };
    assert_eq!(
        running.read(&all).await.0.state,
        State(serde_json::json!({"through": "2026-11-20"}))
    );
    let calls = running.fake.calls();
    let dates = calls
        .iter()
        .filter(|call| *call == "getAbsentsWithInternalNumberByDate")
        .count();
    assert_eq!(
        dates,
        1 + 14 + 1 + 17,
        "one day; then 14 before the 3rd, the 3rd, and 17 after it"
    );
}
