//! A roster from a OneRoster system, pulled over a socket: what befalls it on the way, a system that has become empty,
//! what a delta may end, and a roster that waits for a person (R08, R09, R41, design §5).

mod clocks;

use std::collections::BTreeMap;
use std::sync::Arc;

use clb_hub::sync::pull::{BUDGET, Brought, Pull};
use clb_hub::sync::{Sync, SyncError};
use hub_connectors::contract::Stream;
use hub_connectors::fake::{Host, Trouble, Unruly};
use hub_connectors::oauth;
use hub_connectors::oneroster::Version;
use hub_connectors::oneroster::fake::{Class, Fake, Instead, Parent, Plan, Pupil, System};
use hub_connectors::oneroster::rest::{Credentials, OneRoster, Settings};
use hub_entities::category::Categories;
use hub_entities::operation::{Actor, Role};
use hub_entities::source::{RunState, connection};
use hub_entities::time::FixedClock;
use sea_orm::EntityTrait as _;
use secrecy::SecretString;
use serde_json::json;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{everything, list};
use crate::support::tenant;
use crate::support::world::{School, World, at, day};

const SCHOOL: &str = "123456";
const SECRET: &str = "canary-secret";
/// Thursday, noon in Brussels.
const NOW: &str = "2026-10-01T10:00:00Z";
/// A day later, and everything is read again by itself.
const NEXT_DAY: &str = "2026-10-02T10:00:00Z";

/// A pupil of the one class since 1 September.
fn put(system: &mut System, number: u32) {
    put_since(system, number, "2026-09-01");
}

/// A pupil of the one class since a day.
fn put_since(system: &mut System, number: u32, since: &str) {
    let key = format!("p{number:02}");
    let pupil = Pupil {
        key: key.clone(),
        identifier: format!("{number:02}"),
        given_name: "Test".to_owned(),
        family_name: "Leerling".to_owned(),
        born: Some(day("2012-05-01")),
        sex: "female".to_owned(),
        ..Pupil::default()
    };
    system.put_pupil(&pupil, "s1", Some(day(since)));
    system.enroll(&format!("e{number:02}"), &key, "c1", "s1", day(since));
}

/// The mother of the pupil of number 7, who can be reached by this telephone.
fn put_mother(system: &mut System, phone: &str) {
    let mother = Parent {
        key: "m07".to_owned(),
        role: "parent".to_owned(),
        given_name: "Test".to_owned(),
        family_name: "Ouder".to_owned(),
        phone: phone.to_owned(),
        children: vec!["p07".to_owned()],
        ..Parent::default()
    };
    system.put_parent(&mother, "s1");
}

/// The system removes a pupil without a word.
fn remove(system: &mut System, number: u32) {
    for (records, key) in [("users", "p"), ("demographics", "p"), ("enrollments", "e")] {
        system.remove(records, &format!("{key}{number:02}"));
    }
}

/// A class of the school.
fn put_class(system: &mut System, key: &str, title: &str) {
    system.put_class(&Class {
        key: key.to_owned(),
        title: title.to_owned(),
        school: "s1".to_owned(),
        session: "y".to_owned(),
        grade: "07".to_owned(),
        homeroom: true,
    });
}

/// Thirty pupils in one class, typed in a month ago.
fn system(version: Version) -> System {
    let mut system = System::new(version, "hub", SECRET, at("2026-09-01T06:00:00Z"));
    system.add_school("s1", "School", SCHOOL);
    system.add_year("y", day("2026-09-01"), day("2027-07-01"), 2027);
    put_class(&mut system, "c1", "1A");
    for number in 0..30 {
        put(&mut system, number);
    }
    system.now = at(NOW);
    system
}

/// The pupils of these numbers.
fn numbers(these: impl IntoIterator<Item = u32>) -> Vec<String> {
    these.into_iter().map(|number| format!("{number:02}")).collect()
}

/// A school whose roster a OneRoster system has, and who decides for it.
struct Scene {
    hub: Hub,
    school: School,
    manager: Actor,
    fake: Arc<Fake>,
    site: Arc<Unruly>,
    connector: OneRoster,
    _host: Host,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        Self::of(database, Version::V1_2).await
    }

    async fn of(database: &TestDatabase, version: Version) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school(SCHOOL, clb, Categories::default_agreement()).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let fake = Arc::new(Fake::new(system(version)));
        let site = Arc::new(Unruly::over(Arc::<Fake>::clone(&fake), Fake::is_for_data));
        let host = Host::start(Arc::<Unruly>::clone(&site)).await.unwrap();
        let token = oauth::Settings {
            token_url: Fake::token_url(&host),
            client_id: "hub".to_owned(),
            ..oauth::Settings::default()
        };
        let settings = Settings {
            page_size: 10,
            ..Settings::of(fake.url(&host), Credentials::Token(token))
        };
        let connector = OneRoster::new(settings, SecretString::from(SECRET), tenant::http()).unwrap();
        Self {
            hub: Hub::over(world),
            school,
            manager,
            fake,
            site,
            connector,
            _host: host,
        }
    }

    /// The clocks of the hub and of the system go on.
    fn becomes(&mut self, now: &str) {
        self.hub.world.now = at(now);
        self.fake.change(|system| system.now = at(now));
    }

    fn sync(&self) -> Sync {
        let world = &self.hub.world;
        Sync {
            db: world.db.clone(),
            book: world.book.clone(),
            clock: Arc::new(FixedClock(world.now)),
            ids: world.ids.clone(),
            national_numbers: None,
            progress: Arc::new(|_, _| {}),
            stop: clb_hub::sync::stop::Stop::never(),
        }
    }

    async fn connection(&self) -> connection::Model {
        let found = connection::Entity::find_by_id(self.school.source);
        found.one(&self.hub.world.look).await.unwrap().unwrap()
    }

    fn pulled<'a>(&'a self, connection: &'a connection::Model, full: bool) -> Pull<'a> {
        Pull {
            connection,
            school: SCHOOL,
            connector: &self.connector,
            stream: Stream::Roster,
            full,
            since: None,
            budget: BUDGET,
            knock: false,
            room: None,
        }
    }

    async fn try_pull(&self, full: bool) -> Result<Brought, SyncError> {
        let connection = self.connection().await;
        self.sync().pull(&self.pulled(&connection, full)).await
    }

    /// As the scheduler does.
    async fn pull(&self) -> Brought {
        self.try_pull(false).await.unwrap()
    }

    /// How many answers a read takes.
    async fn answers(&self, full: bool) -> usize {
        let connection = self.connection().await;
        self.site.calm();
        self.sync().preview(&self.pulled(&connection, full)).await.unwrap();
        self.site.answered()
    }

    /// Everything but when it was last read.
    async fn kept(&self, database: &TestDatabase) -> BTreeMap<String, Vec<String>> {
        let mut all = everything(database, &self.hub.world.look).await;
        all.remove("pull");
        all
    }

    /// Since when each pupil is at the school and a CLB competent, by the school's own number.
    async fn first_days(&self) -> Vec<String> {
        let of = |table: &str| {
            format!(
                "select r.identifier || ' {table} ' || e.begins_on from {table} e join record r on r.pupil_id = e.pupil_id
                 order by 1"
            )
        };
        let mut days = list(&self.hub.world.look, &of("enrolment")).await;
        days.extend(list::<String>(&self.hub.world.look, &of("competence")).await);
        days
    }

    /// From now on these lists are empty: 200 with `[]`.
    fn empties(&self, lists: &[&str]) {
        for &records in lists {
            let body = json!({ records: [] }).to_string();
            self.fake.plan(Plan::always(records, Instead::Body(body.into())));
        }
    }

    /// Who decides for the school lets the one roster go on that waits for a person.
    async fn approve(&self) {
        let runs = "{ syncRuns(first: 9) { edges { node { id state } } } }";
        let runs = self.hub.ask(&self.manager, runs).await;
        let edges = runs["syncRuns"]["edges"].as_array().unwrap();
        let held: Vec<_> = edges.iter().filter(|edge| edge["node"]["state"] == "HELD").collect();
        assert_eq!(held.len(), 1, "the same roster waits once: {runs}");
        let approve = format!(
            "mutation {{ approveHeldRun(input: {{ run: {} }}) {{ ... on HeldRunApproved {{ run {{ state }} }} }} }}",
            held[0]["node"]["id"]
        );
        let approved = self.hub.ask(&self.manager, &approve).await;
        assert_eq!(approved["approveHeldRun"]["run"]["state"], "MERGING");
    }

    /// How far the hub has read.
    async fn state(&self) -> Vec<String> {
        list(&self.hub.world.look, "select cast(state as text) from pull").await
    }

    /// The school's own numbers of those who are enrolled, if as many have a place in the class.
    async fn enrolled(&self) -> Vec<String> {
        let look = &self.hub.world.look;
        let of = |table: &str| {
            format!(
                "select r.identifier from {table} e join record r on r.id = e.record_id where e.ends_on is null
                 order by r.identifier"
            )
        };
        let enrolled = list::<String>(look, &of("enrolment")).await;
        assert_eq!(list::<String>(look, &of("membership")).await, enrolled);
        enrolled
    }
}

// Of a whole read and of one of changes: whatever answer is the first that does not come, nothing is changed, and the
// next read that comes to its end brings everything.
both_databases!(a_cut_at_any_page_changes_nothing, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let first = scene.pull().await;
    // A class, thirty pupils and thirty places.
    assert_eq!((first.records, first.known, first.left), (61, 0, 0));
    assert_eq!(scene.enrolled().await, numbers(0..30));
    scene.fake.change(|system| {
        remove(system, 7);
        put(system, 30);
    });
    let (before, stood) = (scene.kept(database).await, scene.state().await);
    for full in [true, false] {
        let answers = scene.answers(full).await;
        // Users alone take four pages: three of ten or eleven records, and the empty one.
        assert!(answers >= 12, "{answers} answers");
        for k in 1..=answers {
            scene.site.from(k, Trouble::Breakdown);
            let fault = scene.try_pull(full).await.unwrap_err();
            assert!(matches!(fault, SyncError::Source(_)), "at {k} of {answers}: {fault}");
        }
        assert_eq!(scene.kept(database).await, before, "something was changed");
        assert_eq!(scene.state().await, stood, "the watermark has moved");
    }
    scene.site.calm();
    let next = scene.try_pull(true).await.unwrap();
    assert_eq!((next.records, next.left), (61, 1));
    let of_source = numbers((0..31).filter(|number| *number != 7));
    assert_eq!(scene.enrolled().await, of_source);
    // And the same again says nothing new.
    let before = scene.kept(database).await;
    let again = scene.try_pull(true).await.unwrap();
    assert_eq!((again.run, again.records, again.known), (None, 61, 61));
    assert_eq!(scene.kept(database).await, before, "0 rows changed, 0 events");
});

// R08 over the wire: a system that answers every question with an empty list. Nobody has left it for that, before a person
// has looked; then they have.
both_databases!(an_empty_system_ends_nobody, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    scene.pull().await;
    scene.becomes(NEXT_DAY);
    scene.empties(&["academicSessions", "classes", "users", "demographics", "enrollments"]);
    let (mut before, stood) = (scene.kept(database).await, scene.state().await);
    let brought = scene.pull().await;
    assert_eq!((brought.records, brought.left), (0, 30));
    assert_eq!(brought.run.unwrap().state, RunState::Held);
    let rules: Vec<&str> = brought.gaps.iter().map(|gap| gap.rule).collect();
    assert!(rules.contains(&"oneroster.school_without_pupils"), "{rules:?}");
    // Served as before: besides what is told of it, and what is put aside, nothing was changed.
    assert_eq!(
        (scene.enrolled().await, scene.state().await),
        (numbers(0..30), stood.clone())
    );
    let mut now = scene.kept(database).await;
    for told in ["gap", "staged_row"] {
        let (now, before) = (now.remove(told), before.remove(told));
        assert!(now.map(|rows| rows.len()) > before.map(|rows| rows.len()), "{told}");
    }
    assert_eq!(now, before);
    // Without a school there is nothing to be read.
    scene.empties(&["orgs"]);
    let fault = scene.try_pull(true).await.unwrap_err();
    assert!(matches!(fault, SyncError::Source(_)), "{fault}");
    assert_eq!((scene.enrolled().await, scene.state().await), (numbers(0..30), stood));
    // It comes back, and all is as it was.
    scene.fake.heal();
    let back = scene.try_pull(true).await.unwrap();
    assert_eq!((back.records, back.known), (61, 61));
    let run = back.run.unwrap();
    assert_eq!((run.state, run.changed, run.ended), (RunState::Done, 0, 0));
    assert_eq!(scene.enrolled().await, numbers(0..30));
    // It is empty again, and who decides for the school says that it is true.
    scene.empties(&["users", "demographics", "enrollments"]);
    let held = scene.try_pull(true).await.unwrap().run.unwrap();
    assert_eq!(held.state, RunState::Held);
    scene.approve().await;
    let done = scene.try_pull(true).await.unwrap().run.unwrap();
    assert_eq!((done.state, done.ended), (RunState::Done, 30));
    assert_eq!(scene.enrolled().await, numbers([]));
});

// The first read of a school that is being filled has nobody to end, and its pupils come when they are there.
both_databases!(
    a_school_that_is_being_filled_waits_for_nobody,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene
            .fake
            .change(|system| (0..30).for_each(|number| remove(system, number)));
        let first = scene.pull().await;
        assert_eq!((first.left, first.run.unwrap().state), (0, RunState::Done));
        scene.becomes(NEXT_DAY);
        let again = scene.pull().await;
        assert_eq!((again.left, again.run), (0, None));
        scene.becomes("2026-10-02T11:00:00Z");
        scene
            .fake
            .change(|system| (0..2).for_each(|number| put(system, number)));
        let filled = scene.pull().await.run.unwrap();
        assert_eq!((filled.state, filled.changed), (RunState::Done, 4));
        assert_eq!(scene.enrolled().await, numbers(0..2));
    }
);

// Whom a system removes without a word, a read of changes does not hold, and neither does it hold the others: only one of
// everything ends anybody.
both_databases!(
    only_a_whole_read_ends_who_is_not_in_it,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene.pull().await;
        scene.becomes("2026-10-01T11:00:00Z");
        scene.fake.change(|system| {
            remove(system, 7);
            put(system, 30);
        });
        scene.fake.calls();
        let brought = scene.pull().await;
        let calls = scene.fake.calls();
        assert!(
            calls.iter().any(|call| call.contains("filter=dateLastModified")),
            "{calls:?}"
        );
        assert_eq!((brought.left, scene.enrolled().await), (0, numbers(0..31)));
        scene.becomes(NEXT_DAY);
        let brought = scene.pull().await;
        let others = numbers((0..31).filter(|number| *number != 7));
        assert_eq!((brought.left, scene.enrolled().await), (1, others));
    }
);

// OneRoster 1.1 says of nobody since when he is at the school. It follows from all places in classes, and a read of changes
// holds only some; nor does one that a system takes back, being over, change since when its pupil was there.
both_databases!(a_delta_moves_no_first_day, async |database: &TestDatabase| {
    let mut scene = Scene::of(database, Version::V1_1).await;
    scene.fake.change(|system| {
        put_class(system, "c2", "1B");
        put_mother(system, "1");
        system.remove("enrollments", "e27");
        put_since(system, 28, "2026-10-15");
        put_since(system, 29, "2026-10-15");
    });
    scene.becomes("2026-11-05T08:00:00Z");
    scene.pull().await;
    let before = scene.first_days().await;
    let of = |days: &[String], number: u32| -> Vec<String> {
        let own = days.iter().filter(|day| day.starts_with(&format!("{number:02} ")));
        own.cloned().collect()
    };
    let since = |number: u32, day: &str| ["enrolment", "competence"].map(|what| format!("{number:02} {what} {day}"));
    assert_eq!(of(&before, 26), since(26, "2026-09-01"));
    assert_eq!(
        of(&before, 27),
        since(27, "2026-09-01"),
        "in no class: since the year began"
    );
    for number in [28, 29] {
        assert_eq!(of(&before, number), since(number, "2026-10-15"));
    }
    assert_eq!(before.len(), 60);

    // All users are read again, and of the places only those that are new.
    scene.becomes("2026-11-05T09:00:00Z");
    scene.fake.change(|system| {
        put_mother(system, "2");
        for (key, pupil) in [("e27b", "p27"), ("e29b", "p29")] {
            system.enroll(key, pupil, "c2", "s1", day("2026-11-05"));
        }
        put_since(system, 30, "2026-11-05");
    });
    let brought = scene.pull().await;
    assert_eq!(brought.records, 2 + 31 + 3, "a read of changes");
    let mut now = scene.first_days().await;
    let is_new = |day: &String| day.starts_with("30 ");
    assert_eq!(
        now.extract_if(.., |day| is_new(day)).collect::<Vec<_>>(),
        since(30, "2026-11-05")
    );
    assert_eq!(now, before);

    // All places are read, and one that is over is there no longer.
    scene.becomes("2026-11-06T09:00:00Z");
    scene.fake.change(|system| system.remove("enrollments", "e29"));
    let brought = scene.pull().await;
    assert_eq!(brought.records, 2 + 31 + 31);
    let mut now = scene.first_days().await;
    now.retain(|day| !is_new(day));
    assert_eq!(of(&now, 29), since(29, "2026-10-15"));
    assert_eq!(of(&now, 27), since(27, "2026-11-05"), "this is his first class");
    now.retain(|day| !day.starts_with("27 "));
    assert_eq!(now, [&before[..27], &before[28..57], &before[58..]].concat());
});

// R41: who is read anew because of another, or says but a part of what a whole row does, is known all the same, by that read,
// by the next one of changes and by the next one of everything.
both_databases!(who_is_read_anew_has_not_changed, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    scene.fake.change(|system| put_mother(system, "1"));
    scene.pull().await;
    let changes: [fn(&mut System); 2] = [
        // All users are read, and nobody's birth.
        |system| put_mother(system, "2"),
        // A birth is read, and no user.
        |system| {
            system.edit("demographics", "p03", |record| {
                drop(record.insert("birthDate".to_owned(), json!("2012-06-02")));
            });
        },
    ];
    for (hour, (change, read)) in (11..).zip(changes.into_iter().zip([31, 2])) {
        scene.becomes(&format!("2026-10-01T{hour}:00:00Z"));
        assert_eq!(scene.pull().await.run, None);
        // Later than what is asked for again.
        scene.becomes(&format!("2026-10-01T{hour}:30:00Z"));
        scene.fake.change(change);
        let run = scene.pull().await.run.unwrap();
        // Besides the one class.
        assert_eq!((run.staged, run.changed, run.unchanged), (read, 1, read - 1));
        let before = scene.kept(database).await;
        let again = scene.pull().await;
        assert_eq!((again.run, again.records, again.known), (None, read, read));
        let whole = scene.try_pull(true).await.unwrap();
        assert_eq!((whole.run, whole.records, whole.known), (None, 61, 61));
        assert_eq!(scene.kept(database).await, before, "0 rows changed, 0 events");
    }
    let told = "select cast(contacts as text) from record where identifier = '07'";
    let told = list::<String>(&scene.hub.world.look, told).await;
    assert!(
        told[0].contains("\"phone\": \"2\"") || told[0].contains("\"phone\":\"2\""),
        "{told:?}"
    );
    let born = "select cast(birth_date as text) from record where identifier = '03'";
    assert_eq!(list::<String>(&scene.hub.world.look, born).await, ["2012-06-02"]);
});

// R08 over the wire: what would end too many waits for a person, and once let go on it comes to its end with the next
// pull, the watermark with it.
both_databases!(a_held_roster_goes_on_when_approved, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    scene.pull().await;
    scene.becomes(NEXT_DAY);
    scene
        .fake
        .change(|system| (1..30).for_each(|number| remove(system, number)));
    let (stood, before) = (scene.state().await, scene.enrolled().await);
    for _ in 0..2 {
        let held = scene.pull().await;
        let run = held.run.unwrap();
        assert_eq!((run.state, held.left), (RunState::Held, 29));
        assert_eq!(
            (scene.enrolled().await, scene.state().await),
            (before.clone(), stood.clone())
        );
    }
    scene.approve().await;
    scene.becomes("2026-10-02T10:05:00Z");
    let done = scene.pull().await.run.unwrap();
    assert_eq!((done.state, done.ended), (RunState::Done, 29));
    assert_eq!(scene.enrolled().await, numbers([0]));
    let stands: serde_json::Value = serde_json::from_str(&scene.state().await[0]).unwrap();
    assert_eq!(stands["whole"], json!("2026-10-02T10:05:00Z"), "{stands}");
});
