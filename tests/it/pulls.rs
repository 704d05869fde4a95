//! A pull from end to end: what is partial ends no one, what would end too many waits for a person, and one that
//! is killed goes on where it was (R08, design §5).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clb_hub::store::run::approve;
use clb_hub::sync::{Source, Sync, SyncError};
use futures::FutureExt;
use hub_connectors::roster::{ClassRow, MembershipRow, PupilRow, Roster, Says, SchoolLink, Status};
use hub_entities::category::Categories;
use hub_entities::operation::Role;
use hub_entities::policy::Action;
use hub_entities::source::{RunState, run};
use hub_entities::time::{FixedClock, SchoolYear};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, list, meddle, number};
use crate::support::world::{School, World, at, day};

const SCHOOL: &str = "123456";

/// A school whose source is pulled.
struct Scene {
    world: World,
    school: School,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school(SCHOOL, clb, Categories::default_agreement()).await;
        Self { world, school }
    }

    fn sync(&self, progress: impl Fn(u64, u64) + Send + std::marker::Sync + 'static) -> Sync {
        Sync {
            db: self.world.db.clone(),
            book: self.world.book.clone(),
            clock: Arc::new(FixedClock(self.world.now)),
            ids: self.world.ids.clone(),
            national_numbers: None,
            progress: Arc::new(progress),
            stop: clb_hub::sync::stop::Stop::never(),
        }
    }

    async fn pull_with(&self, sync: &Sync, roster: &Roster, content: u8) -> Result<run::Model, SyncError> {
        let source = Source {
            id: self.school.source,
            school: self.school.id,
        };
        sync.roster(source, "s", roster.clone(), vec![content; 32]).await
    }

    async fn pull(&self, roster: &Roster, content: u8) -> run::Model {
        self.pull_with(&self.sync(|_, _| {}), roster, content).await.unwrap()
    }

    async fn enrolled(&self) -> i64 {
        number(&self.world.look, "select count(*) from enrolment where ends_on is null").await
    }
}

/// A roster of these pupils, by number.
fn roster(pupils: std::ops::Range<u32>, complete: bool) -> Roster {
    let pupil = |number: u32| PupilRow {
        source_key: format!("p{number:04}"),
        says: Says {
            person: true,
            schools: true,
            birth: true,
        },
        schools: vec![SchoolLink {
            school_key: "s".to_owned(),
            begins: Some(day("2026-09-01")),
            ends: None,
            status: Status::default(),
        }],
        given_name: "Test".to_owned(),
        family_name: format!("Leerling {number}"),
        birth_date: Some(day("2012-05-01")),
        ..PupilRow::default()
    };
    let mut roster = Roster {
        pupils: pupils.map(pupil).collect(),
        ..Roster::default()
    };
    roster.complete.pupils = complete;
    roster
}

both_databases!(a_partial_read_ends_no_one, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.pull(&roster(0..30, true), 1).await;
    assert_eq!(scene.enrolled().await, 30);
    let delta = scene.pull(&roster(28..31, false), 2).await;
    assert_eq!((delta.state, delta.ended), (RunState::Done, 0));
    assert_eq!(scene.enrolled().await, 31);
    // The control: the same rows as a complete read end the others, as far as that may be.
    let whole = scene.pull(&roster(3..31, true), 3).await;
    assert_eq!((whole.state, whole.ended), (RunState::Done, 3));
    assert_eq!(scene.enrolled().await, 28);
});

both_databases!(too_many_endings_wait_for_a_person, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.pull(&roster(0..30, true), 1).await;
    // What is put aside is nowhere else: the tables that answer questions stay as they are.
    let served = async || {
        let mut all = everything(database, &scene.world.look).await;
        all.remove("staged_row");
        all
    };
    let before = served().await;
    for (content, kept) in [(2, 0..26), (3, 0..0)] {
        let few = roster(kept.clone(), true);
        let held = scene.pull(&few, content).await;
        assert_eq!((held.state, held.ended), (RunState::Held, 0));
        assert_eq!(
            scene.pull(&few, content).await.state,
            RunState::Held,
            "asking again does not help"
        );
        assert_eq!(served().await, before, "0 rows changed");
        if content == 2 {
            // What comes next takes the place of what waits: a school puts a wrong delivery right by a new one.
            continue;
        }
        let states = list::<String>(
            &scene.world.look,
            "select state from sync_run where state in ('held', 'refused') order by state",
        );
        assert_eq!(states.await, ["held", "refused"]);
        let manager = scene
            .world
            .someone(Role::SchoolDataManager, Some(scene.school.id), None)
            .await;
        let scope = scene.world.decided(manager, Action::ApproveHeldRun).await;
        let approved = approve(&scene.world.db, &scope, held.id, scope.viewer(), scene.world.now)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(approved.approved_by, scope.viewer());
        let done = scene.pull(&few, content).await;
        assert_eq!((done.id, done.state, done.ended), (held.id, RunState::Done, 30));
        assert_eq!(scene.enrolled().await, 0);
    }
});

/// All of them, each in one of two classes; the place of each has this key and its number.
fn in_classes(pupils: std::ops::Range<u32>, places: std::ops::Range<u32>, key: &str, year: i16) -> Roster {
    let class = |name: &str| ClassRow {
        source_key: format!("{name}-{year}"),
        school_key: "s".to_owned(),
        title: name.to_owned(),
        code: None,
        grade: None,
        school_year: Some(SchoolYear(year)),
        homeroom: true,
        status: Status::Active,
    };
    let place = |number: u32| MembershipRow {
        source_key: format!("{key}{number:04}"),
        class_key: format!("{}-{year}", if number.is_multiple_of(2) { "1A" } else { "1B" }),
        school_key: "s".to_owned(),
        pupil_key: format!("p{number:04}"),
        begins: None,
        ends: None,
        status: Status::Active,
    };
    let mut roster = Roster {
        classes: vec![class("1A"), class("1B")],
        memberships: places.map(place).collect(),
        ..roster(pupils, true)
    };
    roster.complete.memberships = true;
    roster
}

// Every pupil is still there, and so are the classes: what is missing are the places of the pupils in them (R08).
both_databases!(
    too_many_lost_places_wait_for_a_person,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        scene.pull(&in_classes(0..30, 0..30, "e", 2026), 1).await;
        let taken = async |scene: &Scene| {
            let text = "select count(*) from membership where ends_on is null";
            (scene.enrolled().await, number(&scene.world.look, text).await)
        };
        // Another key for the same place is no other place.
        let renamed = scene.pull(&in_classes(0..30, 0..30, "f", 2026), 2).await;
        assert_eq!((renamed.state, taken(&scene).await), (RunState::Done, (30, 30)));
        // Three of thirty may go, four wait for a person.
        let held = scene.pull(&in_classes(0..30, 0..26, "f", 2026), 3).await;
        assert_eq!((held.state, taken(&scene).await), (RunState::Held, (30, 30)));
        let done = scene.pull(&in_classes(0..30, 0..27, "f", 2026), 4).await;
        assert_eq!((done.state, taken(&scene).await), (RunState::Done, (30, 27)));
        // All of them never go by themselves, and with an approval they do.
        let empty = in_classes(0..30, 0..0, "f", 2026);
        let held = scene.pull(&empty, 5).await;
        assert_eq!((held.state, taken(&scene).await), (RunState::Held, (30, 27)));
        let source = Source {
            id: scene.school.source,
            school: scene.school.id,
        };
        assert!(scene.sync(|_, _| {}).approve(source).await.unwrap());
        assert_eq!(scene.pull(&empty, 5).await.state, RunState::Done);
        assert_eq!(taken(&scene).await, (30, 0));
        scene.pull(&in_classes(0..30, 0..30, "f", 2026), 6).await;
        // A roster that does not say which places there are ends none.
        let mut silent = in_classes(0..30, 0..0, "f", 2026);
        silent.complete.memberships = false;
        assert_eq!(scene.pull(&silent, 7).await.state, RunState::Done);
        assert_eq!(taken(&scene).await, (30, 30));
        // On 1 September everyone sits in another class, and nobody has to look.
        scene.world.now = at("2027-09-01T08:00:00Z");
        let next = scene.pull(&in_classes(0..30, 0..30, "g", 2027), 8).await;
        assert_eq!((next.state, taken(&scene).await), (RunState::Done, (30, 30)));
    }
);

// A stranger's data manager approves nothing.
both_databases!(only_the_own_school_approves, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.pull(&roster(0..30, true), 1).await;
    let held = scene.pull(&roster(0..1, true), 2).await;
    let clb = scene.world.clb("114711").await;
    let neighbour = scene.world.school("222222", clb, Categories::all()).await;
    let manager = scene
        .world
        .someone(Role::SchoolDataManager, Some(neighbour.id), None)
        .await;
    let scope = scene.world.decided(manager, Action::ApproveHeldRun).await;
    let answer = approve(&scene.world.db, &scope, held.id, scope.viewer(), scene.world.now)
        .await
        .unwrap();
    assert_eq!(answer, None);
    assert_eq!(
        list::<String>(&scene.world.look, "select state from sync_run where state = 'held'").await,
        ["held"]
    );
});

// Killed after each chunk in turn: no one is ended before all is merged, and the next start goes on.
both_databases!(a_killed_pull_goes_on_where_it_was, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.pull(&roster(0..450, true), 1).await;
    assert_eq!(scene.enrolled().await, 450);
    // Forty leave, as many come, and all have moved house: 450 rows in chunks of 200.
    let mut next = roster(40..490, true);
    for pupil in &mut next.pupils {
        pupil.city = Some("Klaverdonk".to_owned());
    }
    let mut killed = 0;
    let done = loop {
        let chunks = Arc::new(AtomicU64::new(0));
        let sync = scene.sync(move |_, _| {
            assert!(chunks.fetch_add(1, Ordering::SeqCst) == 99, "killed here");
        });
        let outcome = AssertUnwindSafe(scene.pull_with(&sync, &next, 2)).catch_unwind().await;
        match outcome {
            Ok(finished) => break finished.unwrap(),
            Err(_killed) => killed += 1,
        }
        assert!(scene.enrolled().await >= 450, "someone was ended before all was merged");
        assert_eq!(
            list::<i64>(&scene.world.look, "select max(ended) from sync_run").await,
            [0]
        );
        // The lease of the dead runs out.
        meddle(
            &scene.world.look,
            "update lease set expires_at = '2020-01-01T00:00:00.000Z'",
        )
        .await;
    };
    assert_eq!(killed, 3);
    assert_eq!((done.state, done.ended), (RunState::Done, 40));
    assert_eq!((done.changed, done.unchanged), (450, 0));
    assert_eq!(scene.enrolled().await, 450);
    assert_eq!(number(&scene.world.look, "select count(*) from record").await, 490);
    assert_eq!(number(&scene.world.look, "select count(*) from staged_row").await, 0);
});
