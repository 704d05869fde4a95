//! The connector against the fake system, over a real socket.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::*;
use crate::conformance::{Kind, Subject, Taken, conforms, day, limits, reach};
use crate::contract::State;
use crate::fake::{Host, Unruly};
use crate::http::{Hurried, Pause};
use crate::oauth;
use crate::oneroster::fake::{Class, Fake, Instead, Parent, Plan, Pupil, Quirk, System};
use crate::oneroster::{EndDates, Version};
use crate::roster::{Complete, Roster};
use crate::signature::{self, Hash};

mod changes;
mod losses;
mod paging;
mod recorded;

/// The client's secret. It must show nowhere.
const SECRET: &str = "canary s:cret%";
/// A school.
const SCHOOL: &str = "034512";
const VERSIONS: [Version; 2] = [Version::V1_1, Version::V1_2];

/// Friday 20 November 2026, noon in Brussels.
fn now() -> DateTime<Utc> {
    "2026-11-20T11:00:00Z".parse().expect("an instant")
}

fn pupil(key: &str) -> Pupil {
    Pupil {
        key: format!("canary-{key}"),
        identifier: format!("77{key}"),
        given_name: format!("Canary-{key}"),
        family_name: "Canary".to_owned(),
        born: Some(day("2011-03-05")),
        sex: "female".to_owned(),
        ..Pupil::default()
    }
}

/// Two schools; of one a class, four pupils, a mother and a teacher.
fn school(version: Version) -> System {
    let mut system = System::new(
        version,
        "hub",
        SECRET,
        "2026-09-01T06:00:00Z".parse().expect("an instant"),
    );
    // A zero was lost where the school typed it in.
    system.add_school("s1", "Ter Linde", "34512");
    system.add_school("s2", "Elders", "123456");
    system.add_year("y", day("2026-09-01"), day("2027-07-01"), 2027);
    let class = Class {
        key: "c1".to_owned(),
        title: "3LAT".to_owned(),
        school: "s1".to_owned(),
        session: "y".to_owned(),
        grade: "09".to_owned(),
        homeroom: true,
    };
    system.put_class(&class);
    system.put_class(&Class {
        key: "c2".to_owned(),
        school: "s2".to_owned(),
        ..class
    });
    let whole = Pupil {
        user_ids: vec![("stamnummer".to_owned(), "2300050".to_owned())],
        email: "canary@school.example".to_owned(),
        phone: "016000001".to_owned(),
        metadata: vec![
            ("street".to_owned(), "Kerkstraat 12".to_owned()),
            ("postalCode".to_owned(), "3000".to_owned()),
            ("city".to_owned(), "Leuven".to_owned()),
            ("language".to_owned(), "nl".to_owned()),
            ("shoeSize".to_owned(), "38".to_owned()),
        ],
        ..pupil("1")
    };
    system.put_pupil(&whole, "s1", Some(day("2026-09-01")));
    system.put_pupil(
        &Pupil {
            // Not the standard's.
            sex: "f".to_owned(),
            ..pupil("2")
        },
        "s1",
        None,
    );
    system.put_pupil(&pupil("3"), "s1", None);
    system.put_pupil(&pupil("4"), "s2", None);
    system.put_parent(
        &Parent {
            key: "canary-m".to_owned(),
            role: "parent".to_owned(),
            given_name: "Canary-m".to_owned(),
            family_name: "Canary".to_owned(),
            phone: "0470000001".to_owned(),
            children: vec!["canary-1".to_owned()],
            ..Parent::default()
        },
        "s1",
    );
    system.put_teacher("canary-t", "Canary-t", "s1");
    for (key, pupil) in [("e1", "canary-1"), ("e2", "canary-2"), ("e3", "canary-3")] {
        system.enroll(key, pupil, "c1", "s1", day("2026-09-01"));
    }
    system.enroll("e4", "canary-4", "c2", "s2", day("2026-09-01"));
    system.now = now();
    system
}

/// A system that runs, and the connector to it.
struct Running {
    _host: Host,
    fake: Arc<Fake>,
    connector: OneRoster,
}

fn http() -> Http {
    let pause: Arc<dyn Pause> = Arc::new(Hurried::default());
    Http::new(reach(), limits(), pause).expect("a client")
}

fn settings(fake: &Fake, host: &Host) -> Settings {
    let token = oauth::Settings {
        token_url: Fake::token_url(host),
        client_id: "hub".to_owned(),
        scopes: vec![
            "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly".to_owned(),
            "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-demographics.readonly".to_owned(),
        ],
        sends: oauth::Sends::Either,
    };
    Settings {
        page_size: 3,
        ..Settings::of(fake.url(host), Credentials::Token(token))
    }
}

/// How tokens are asked for.
fn token(settings: &mut Settings) -> &mut oauth::Settings {
    match &mut settings.credentials {
        Credentials::Token(token) => token,
        Credentials::Signature(_) => panic!("it has tokens"),
    }
}

async fn run_with(system: System, set: impl FnOnce(&mut Settings)) -> Running {
    let fake = Arc::new(Fake::new(system));
    let host = Host::start(Arc::<Fake>::clone(&fake)).await.expect("a port");
    let mut settings = settings(&fake, &host);
    set(&mut settings);
    let connector = OneRoster::new(settings, SecretString::from(SECRET), http()).expect("a connector");
    Running {
        _host: host,
        fake,
        connector,
    }
}

async fn run(system: System) -> Running {
    run_with(system, |_| {}).await
}

fn ask() -> Ask {
    Ask {
        stream: Stream::Roster,
        school: SCHOOL.to_owned(),
        state: State::default(),
        full: false,
        days: day("2026-11-16")..=day("2026-11-30"),
        now: now(),
    }
}

/// What a read brought.
struct Brought {
    finished: Finished,
    roster: Roster,
    gaps: Vec<String>,
}

impl Running {
    async fn read(&self, ask: &Ask) -> Brought {
        let mut taken = Taken::default();
        let finished = self.connector.read(ask, &mut taken).await.expect("it is read");
        let gaps = taken.gaps.iter();
        Brought {
            finished,
            gaps: gaps
                .map(|gap| format!("{} {} {}", gap.rule, gap.detail, gap.records))
                .collect(),
            roster: taken.rosters.pop().expect("a roster"),
        }
    }

    async fn whole(&self) -> Brought {
        self.read(&ask()).await
    }

    async fn fault(&self) -> Fault {
        self.connector
            .read(&ask(), &mut Taken::default())
            .await
            .expect_err("it is in trouble")
    }

    /// The lists that were asked for since the last look.
    fn lists(&self) -> Vec<String> {
        let calls = self.fake.calls();
        let lists = calls
            .iter()
            .map(|call| call.split('?').next().unwrap_or_default().to_owned());
        lists.collect()
    }
}

impl Brought {
    fn pupils(&self) -> Vec<&str> {
        self.roster
            .pupils
            .iter()
            .map(|pupil| pupil.source_key.as_str())
            .collect()
    }
}

async fn subject(system: System) -> Subject {
    let fake = Arc::new(Fake::new(system));
    let site = Arc::new(Unruly::over(Arc::<Fake>::clone(&fake), Fake::is_for_data));
    let host = Host::start(Arc::<Unruly>::clone(&site)).await.expect("a port");
    let settings = settings(&fake, &host);
    let origin = host.origin();
    Subject {
        connector: Box::new(OneRoster::new(settings, SecretString::from(SECRET), http()).expect("a connector")),
        _host: host,
        site,
        asks: vec![ask()],
        change: Box::new(move || {
            fake.change(|system| system.put_pupil(&pupil("9"), "s1", None));
        }),
        changed: |taken| {
            let mut pupils = taken.rosters.iter().flat_map(|roster| &roster.pupils);
            pupils.any(|pupil| pupil.source_key == "canary-9")
        },
        gap: "oneroster.sex",
        canaries: vec![
            "canary".to_owned(),
            "Canary".to_owned(),
            "fake-token".to_owned(),
            "2300050".to_owned(),
            "127.0.0.1".to_owned(),
            origin,
        ],
        kind: Kind::usual,
    }
}

async fn old() -> Subject {
    subject(school(Version::V1_1)).await
}

/// As edfi-oneroster is: nobody counts.
async fn new() -> Subject {
    let mut system = school(Version::V1_2);
    system.quirks = [Quirk::Uncounted].into();
    subject(system).await
}

/// One that can do nothing beyond pages, as several do in part.
async fn bare() -> Subject {
    let mut system = school(Version::V1_1);
    system.quirks = [Quirk::FilterRefused, Quirk::SortRefused, Quirk::FieldsIgnored].into();
    subject(system).await
}

conforms!(version_1_1, super::old);
conforms!(version_1_2_uncounted, super::new);
conforms!(without_filter_and_order, super::bare);

#[tokio::test]
async fn both_versions_give_the_pupils_of_the_school() {
    for version in VERSIONS {
        let running = run(school(version)).await;
        let Brought { finished, roster, gaps } = running.whole().await;
        assert!(finished.complete);
        assert_eq!(
            roster.complete,
            Complete {
                pupils: true,
                classes: true,
                memberships: true
            }
        );
        let schools: Vec<_> = roster
            .schools
            .iter()
            .map(|one| (one.source_key.as_str(), one.identifier.as_deref()))
            .collect();
        assert_eq!(schools, [("s1", Some(SCHOOL))], "the other one is not handed on");
        let class = &roster.classes[0];
        assert_eq!(
            (roster.classes.len(), class.title.as_str(), class.grade.as_deref()),
            (1, "3LAT", Some("09"))
        );
        assert_eq!(
            (class.homeroom, class.school_year.map(|year| year.0)),
            (true, Some(2026))
        );
        let pupils: Vec<_> = roster.pupils.iter().map(|one| one.source_key.as_str()).collect();
        assert_eq!(pupils, ["canary-1", "canary-2", "canary-3"]);
        let one = &roster.pupils[0];
        assert_eq!(one.identifier.as_deref(), Some("771"));
        assert_eq!(one.user_ids, [("stamnummer".to_owned(), "2300050".to_owned())]);
        assert_eq!((one.birth_date, one.sex), (Some(day("2011-03-05")), Some("female")));
        assert_eq!(
            (one.street.as_deref(), one.language.as_deref()),
            (Some("Kerkstraat 12"), Some("nl"))
        );
        assert_eq!(
            (one.postal_code.as_deref(), one.city.as_deref()),
            (Some("3000"), Some("Leuven"))
        );
        assert_eq!(
            (one.contacts.len(), one.contacts[0].phone.as_deref()),
            (1, Some("0470000001"))
        );
        // Only 1.2 knows since when.
        let since = (version == Version::V1_2).then(|| day("2026-09-01"));
        assert_eq!((one.schools.len(), one.schools[0].begins), (1, since));
        let memberships: Vec<_> = roster.memberships.iter().map(|one| one.source_key.as_str()).collect();
        assert_eq!(memberships, ["e1", "e2", "e3"]);
        assert_eq!(gaps, ["oneroster.sex demographics.sex 1"]);
        assert_eq!(
            (roster.counts.pupils, roster.counts.parents, roster.counts.teachers),
            (3, 1, 1)
        );
    }
}

#[tokio::test]
async fn what_has_no_place_in_the_hub_is_told_by_the_names_of_the_standard() {
    let mut system = school(Version::V1_2);
    system.edit("users", "canary-1", |record| {
        record.insert("password".to_owned(), json!("canary-password"));
        record.insert("canaryField".to_owned(), json!("x"));
        record.insert("middleName".to_owned(), json!(""));
    });
    system.edit("demographics", "canary-1", |record| {
        drop(record.insert("asian".to_owned(), json!("false")));
    });
    let brought = run(system).await.whole().await;
    let dropped: Vec<&str> = brought.roster.dropped.iter().map(String::as_str).collect();
    assert_eq!(
        dropped,
        [
            "demographics.asian",
            "users.metadata",
            "users.own field",
            "users.password",
            "users.username",
        ]
    );
    assert!(!format!("{:?}", brought.roster).contains("canary-password"));
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let running = run_with(school(Version::V1_2), |settings| settings.page_size = 500).await;
    running.whole().await;
    let lists = running.lists();
    let asked: BTreeSet<&str> = lists.iter().map(String::as_str).collect();
    let needed = [
        "token",
        "orgs",
        "academicSessions",
        "classes",
        "users",
        "demographics",
        "enrollments",
    ];
    assert_eq!(asked, needed.into());
    // A token; five questions to know what it can do; each list, and the empty page behind it.
    assert_eq!(lists.len(), 1 + 5 + 6 * 2);
    let running = run_with(school(Version::V1_2), |settings| settings.demographics = false).await;
    let brought = running.whole().await;
    assert!(!running.lists().contains(&"demographics".to_owned()));
    assert_eq!(brought.gaps, [""; 0]);
    assert!(
        brought.roster.pupils.iter().all(|pupil| !pupil.says.birth),
        "what was, stays"
    );
}

#[tokio::test]
async fn the_client_says_who_it_is_as_the_source_wants_it() {
    // As libre-oneroster: the form only. As masterjx9: a scope must be asked for.
    let mut system = school(Version::V1_1);
    system.quirks = [Quirk::FormOnly, Quirk::ScopeNeeded].into();
    for (sends, kind) in [
        (oauth::Sends::Either, None),
        (oauth::Sends::Body, None),
        (oauth::Sends::Basic, Some(Kind::Config)),
    ] {
        let running = run_with(system.clone(), |settings| token(settings).sends = sends).await;
        let checked = running.connector.check().await;
        assert_eq!(checked.as_ref().err().map(Kind::of), kind, "{sends:?}");
    }
    let running = run_with(system, |settings| token(settings).scopes.clear()).await;
    assert_eq!(Kind::of(&running.fault().await), Kind::Config);
    let running = run_with(school(Version::V1_2), |settings| {
        token(settings).client_id = "other".to_owned();
    })
    .await;
    assert_eq!(Kind::of(&running.fault().await), Kind::Refused);
}

/// As masterjx9 and `ClassLink`: no tokens, and no signature twice, not even of a question that is asked again.
#[tokio::test]
async fn each_question_is_signed_where_the_source_wants_it() {
    let signing = |method, consumer_key: &str| {
        let consumer_key = consumer_key.to_owned();
        move |settings: &mut Settings| {
            settings.credentials = Credentials::Signature(signature::Settings { consumer_key, method });
        }
    };
    let by_token = run(school(Version::V1_1)).await.whole().await;
    for hash in [Hash::Sha256, Hash::Sha1] {
        let mut system = school(Version::V1_1);
        system.signed = Some(hash);
        let running = run_with(system.clone(), signing(hash, "hub")).await;
        running.fake.plan(Plan::at("users", 2, Instead::Status(503)));
        let brought = running.whole().await;
        assert_eq!(brought.pupils(), by_token.pupils(), "{hash:?}");
        assert!(!running.lists().contains(&"token".to_owned()));

        let other = if hash == Hash::Sha1 { Hash::Sha256 } else { Hash::Sha1 };
        for (method, key) in [(other, "hub"), (hash, "other")] {
            let running = run_with(system.clone(), signing(method, key)).await;
            assert_eq!(Kind::of(&running.fault().await), Kind::Refused, "{method:?} {key}");
        }
    }
}

#[tokio::test]
async fn the_school_is_found_by_its_number_or_by_the_key_of_the_connection() {
    let none = run_with(school(Version::V1_2), |settings| {
        settings.school = Some("s9".to_owned());
    })
    .await;
    assert_eq!(Kind::of(&none.fault().await), Kind::Config);
    let named = run_with(school(Version::V1_2), |settings| {
        settings.school = Some("s2".to_owned());
    })
    .await;
    assert_eq!(named.whole().await.pupils(), ["canary-4"]);
    let mut system = school(Version::V1_2);
    system.add_school("s3", "Ter Linde, wijk", "034512");
    let running = run(system.clone()).await;
    assert_eq!(Kind::of(&running.fault().await), Kind::Config, "two of that number");
    system.remove("orgs", "s1");
    system.remove("orgs", "s3");
    assert_eq!(Kind::of(&run(system).await.fault().await), Kind::Config, "none");
}

#[tokio::test]
async fn end_dates_mean_what_the_connection_says() {
    let mut system = school(Version::V1_2);
    system.leaves("e1", day("2026-12-24"));
    let ends = async |end_dates| {
        let running = run_with(system.clone(), |settings| settings.end_dates = end_dates).await;
        running.whole().await.roster.memberships[0].ends
    };
    assert_eq!(ends(EndDates::Exclusive).await, Some(day("2026-12-24")));
    assert_eq!(ends(EndDates::Inclusive).await, Some(day("2026-12-25")));
}

#[tokio::test]
async fn doctor_hears_what_the_source_can_and_may() {
    let running = run(school(Version::V1_2)).await;
    let discovery = running.connector.discover().await.expect("it can be looked at");
    assert_eq!(discovery.schools, ["123456", "34512"]);
    assert_eq!(
        discovery.notes,
        [
            "changes: the source tells what has changed; everything is read once a day all the same",
            "order: accepted",
            "fields: may be chosen",
            "users: may be read",
            "enrollments: may be read",
            "demographics: may be read",
        ]
    );
    let mut system = school(Version::V1_1);
    system.quirks = [Quirk::FilterToNothing, Quirk::SortRefused, Quirk::FieldsIgnored].into();
    system.scopes.remove("roster-demographics.readonly");
    let discovery = run(system)
        .await
        .connector
        .discover()
        .await
        .expect("it can be looked at");
    assert_eq!(
        discovery.notes,
        [
            "changes: the source cannot be asked for them; everything is read each time",
            "order: not accepted",
            "fields: cannot be chosen",
            "users: may be read",
            "enrollments: may be read",
            "demographics: the client may not read them: a scope is missing",
            "scopes: 1 of those that were asked for were not granted",
        ]
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_a_setting_to_change() {
    let good = oauth::Settings {
        token_url: "https://school.example/token".to_owned(),
        ..oauth::Settings::default()
    };
    for (url, token) in [
        ("", good.clone()),
        ("school.example", good.clone()),
        ("mailto:school@school.example", good.clone()),
        ("https://school.example/ims/oneroster/v1p1?x=1", good.clone()),
        ("https://school.example/ims/oneroster/v1p1", oauth::Settings::default()),
    ] {
        let made = OneRoster::new(
            Settings::of(url, Credentials::Token(token)),
            SecretString::from(SECRET),
            http(),
        );
        assert_eq!(Kind::of(&made.expect_err("not an address")), Kind::Config, "{url}");
    }
    let running = run_with(school(Version::V1_1), |settings| settings.url.push('/')).await;
    running.connector.check().await.expect("the same address");
    let running = run_with(school(Version::V1_1), |settings| settings.url.push_str("/more")).await;
    assert_eq!(Kind::of(&running.fault().await), Kind::Config, "nothing there");
    let absences = Ask {
        stream: Stream::Absences,
        ..ask()
    };
    let read = running.connector.read(&absences, &mut Taken::default()).await;
    assert_eq!(Kind::of(&read.expect_err("there are none")), Kind::Config);
}
