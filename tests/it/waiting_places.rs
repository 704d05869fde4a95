//! Places in classes that come before their class or their pupil: they wait, with the latest word on them, and are worked
//! off when a later roster brings what they lack (design §5). And places that are taken away, or move to another class.

use clb_hub::sync::Source;
use hub_connectors::roster::{ClassRow, MembershipRow, PupilRow, Roster, Says, SchoolLink, Status};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::source::{RunState, run};
use hub_entities::time::SchoolYear;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{list, meddle, number, standing};
use crate::support::region::sync;
use crate::support::world::{School, World, am, born, day, pm};

const NOW: &str = "2026-10-01T10:00:00Z";

struct Scene {
    world: World,
    school: School,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::default_agreement()).await;
        Self { world, school }
    }

    /// Imports a roster; rows that changed, were known, and wait.
    async fn import(&self, roster: &Roster) -> (i64, i64, i64) {
        let run = self.run(roster).await;
        assert_eq!(run.state, RunState::Done);
        assert_eq!(run.staged, run.changed + run.unchanged + run.quarantined);
        (run.changed, run.unchanged, run.quarantined)
    }

    async fn run(&self, roster: &Roster) -> run::Model {
        let source = Source {
            id: self.school.source,
            school: self.school.id,
        };
        let content = format!("{roster:?}").into_bytes();
        sync(&self.world)
            .roster(source, "s", roster.clone(), content)
            .await
            .unwrap()
    }

    async fn waiting(&self) -> i64 {
        let text =
            "select count(*) from quarantine where resolved_at is null and kind = 'roster' and key_kind = 'source_key'
             and rows = 1 and length(body) > 0";
        number(&self.world.look, text).await
    }

    /// Places by class and pupil, and where they end.
    async fn places(&self) -> Vec<String> {
        let text = "select c.source_key || ' ' || r.source_key || ' ' || coalesce(cast(m.ends_on as text), '-')
             from membership m join class_group c on c.id = m.class_id join record r on r.id = m.record_id order by 1";
        list(&self.world.look, text).await
    }
}

fn class(key: &str) -> ClassRow {
    ClassRow {
        source_key: key.to_owned(),
        school_key: "s".to_owned(),
        title: key.to_owned(),
        code: None,
        grade: None,
        school_year: Some(SchoolYear(2026)),
        homeroom: true,
        status: Status::Active,
    }
}

fn pupil(key: &str) -> PupilRow {
    PupilRow {
        source_key: key.to_owned(),
        says: Says {
            person: true,
            schools: true,
            birth: true,
        },
        schools: vec![SchoolLink {
            school_key: "s".to_owned(),
            begins: Some(day("2026-09-01")),
            ends: None,
            status: Status::Active,
        }],
        given_name: "Test".to_owned(),
        family_name: format!("Leerling {key}"),
        birth_date: Some(day("2012-05-01")),
        ..PupilRow::default()
    }
}

fn place(key: &str, class: &str, pupil: &str, status: Status) -> MembershipRow {
    MembershipRow {
        source_key: key.to_owned(),
        class_key: class.to_owned(),
        school_key: "s".to_owned(),
        pupil_key: pupil.to_owned(),
        begins: None,
        ends: None,
        status,
    }
}

/// A delta of these.
fn delta(classes: &[&str], pupils: &[&str], places: &[MembershipRow]) -> Roster {
    Roster {
        classes: classes.iter().map(|key| class(key)).collect(),
        pupils: pupils.iter().map(|key| pupil(key)).collect(),
        memberships: places.to_vec(),
        ..Roster::default()
    }
}

/// All there is.
fn whole(mut roster: Roster) -> Roster {
    roster.complete.pupils = true;
    roster.complete.classes = true;
    roster.complete.memberships = true;
    roster
}

both_databases!(
    a_place_waits_for_its_class_and_its_pupil,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let said = [
            place("m1", "1A", "ada", Status::Active),
            place("m2", "1B", "bo", Status::Active),
        ];
        for _ in 0..3 {
            assert_eq!(scene.import(&delta(&[], &[], &said)).await, (0, 0, 2));
            assert_eq!(scene.waiting().await, 2);
        }
        assert_eq!(number(&scene.world.look, "select count(*) from quarantine").await, 2);
        assert_eq!(number(&scene.world.look, "select count(*) from gap").await, 0);
        // A pupil without the class is not enough.
        assert_eq!(scene.import(&delta(&[], &["ada", "bo"], &[])).await, (2, 0, 0));
        assert_eq!((scene.waiting().await, scene.places().await), (2, vec![]));
        // Of the classes that come by themselves, one is somebody's.
        assert_eq!(scene.import(&delta(&["1A", "1C"], &[], &[])).await, (2, 0, 0));
        assert_eq!(scene.places().await, ["1A ada -"]);
        assert_eq!(scene.waiting().await, 1);
        // What the place lacked comes along with it.
        assert_eq!(scene.import(&delta(&["1B"], &[], &said)).await, (2, 1, 0));
        assert_eq!(scene.places().await, ["1A ada -", "1B bo -"]);
        assert_eq!(scene.waiting().await, 0);
        assert_eq!(scene.import(&delta(&["1B"], &[], &said)).await, (0, 3, 0));
        let left = "select count(*) from quarantine where resolved_at is null or length(body) > 0";
        assert_eq!(number(&scene.world.look, left).await, 0);
    }
);

both_databases!(
    the_latest_word_on_a_place_is_the_one_that_waits,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let first = [
            place("m1", "1A", "ada", Status::Active),
            place("m2", "1A", "bo", Status::Active),
            place("m3", "1A", "cas", Status::Active),
        ];
        assert_eq!(
            scene.import(&delta(&[], &["ada", "bo", "cas"], &first)).await,
            (3, 0, 3)
        );
        // One moves on before its class is known, one is taken back.
        let later = [
            place("m1", "1B", "ada", Status::Active),
            place("m2", "1A", "bo", Status::Gone),
        ];
        assert_eq!(scene.import(&delta(&[], &[], &later)).await, (0, 1, 1));
        assert_eq!(scene.waiting().await, 2);
        scene.import(&delta(&["1A", "1B"], &[], &[])).await;
        assert_eq!(scene.places().await, ["1A cas -", "1B ada -"]);
        assert_eq!(scene.waiting().await, 0);
    }
);

both_databases!(
    a_whole_roster_has_the_last_word_on_what_waits,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let first = [
            place("m1", "1A", "ada", Status::Active),
            place("m2", "1A", "bo", Status::Active),
        ];
        let both = ["ada", "bo"];
        assert_eq!(scene.import(&delta(&[], &both, &first)).await, (2, 0, 2));
        // It gives the place that is left a new key, as some do each time.
        let again = [place("n1", "1A", "ada", Status::Active)];
        assert_eq!(scene.import(&whole(delta(&[], &both, &again))).await, (0, 2, 1));
        assert_eq!(scene.waiting().await, 1);
        scene.import(&whole(delta(&["1A"], &both, &again))).await;
        assert_eq!(
            (scene.waiting().await, scene.places().await),
            (0, vec!["1A ada -".to_owned()])
        );
    }
);

// What follows of it is counted in the run that brought it.
both_databases!(
    a_place_that_waited_has_its_signal_counted,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (school, five) = (scene.school, born("2021-03-01"));
        let (record, pupil) = scene.world.pupils(school, &[("ada", five)]).await[0];
        let days = [
            am("2026-09-01"),
            pm("2026-09-01"),
            am("2026-09-02"),
            am("2026-09-03"),
            pm("2026-09-03"),
        ];
        let b = Reading::Absent(Code::B);
        scene.world.say(school, &days.map(|at| (record, at, b))).await;
        scene
            .import(&delta(&[], &[], &[place("m1", "1A", "ada", Status::Active)]))
            .await;
        assert!(standing(&scene.world.look, pupil).await.is_empty());
        let mut lager = delta(&["1A"], &[], &[]);
        for class in &mut lager.classes {
            class.grade = Some("01".to_owned());
        }
        scene.import(&lager).await;
        assert_eq!(
            standing(&scene.world.look, pupil).await,
            [("truancy.5".to_owned(), 1, 5)]
        );
        let counted = "select cast(sum(raised) as bigint) from sync_run where kind = 'roster'";
        assert_eq!(number(&scene.world.look, counted).await, 1);
    }
);

// Whole rosters, in which the key of a place names another class.
both_databases!(a_place_that_moves_is_in_one_class, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let classes = ["1A", "1B"];
    let roster = |places: &[MembershipRow]| whole(delta(&classes, &["ada"], places));
    let [a, b] = classes.map(|class| place("m1", class, "ada", Status::Active));
    scene.import(&roster(std::slice::from_ref(&a))).await;
    assert_eq!(scene.import(&roster(std::slice::from_ref(&b))).await, (1, 3, 0));
    assert_eq!(scene.places().await, ["1A ada 2026-10-01", "1B ada -"]);
    // Of two that are there under one key, as they once were left, one is right.
    meddle(&scene.world.look, "update membership set ends_on = null").await;
    scene.import(&whole(delta(&classes, &["ada", "bo"], &[b]))).await;
    assert_eq!(scene.places().await, ["1A ada 2026-10-01", "1B ada -"]);
    // Both are there, and the key of the one names the other now.
    let renamed = place("m2", "1B", "ada", Status::Active);
    scene
        .import(&whole(delta(&classes, &["ada", "bo"], &[a, renamed])))
        .await;
    assert_eq!(scene.places().await, ["1A ada -", "1B ada -"]);
});

both_databases!(
    a_place_that_is_taken_away_ends_today_at_the_latest,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let until = |key: &str, pupil: &str, ends: &str, status| MembershipRow {
            ends: Some(day(ends)),
            ..place(key, "1A", pupil, status)
        };
        let there = [
            until("m1", "ada", "2027-07-01", Status::Active),
            until("m2", "bo", "2026-09-15", Status::Active),
        ];
        scene.import(&delta(&["1A"], &["ada", "bo"], &there)).await;
        let gone = [
            until("m1", "ada", "2027-07-01", Status::Gone),
            until("m2", "bo", "2026-09-15", Status::Gone),
        ];
        for changed in [1, 0] {
            assert_eq!(scene.import(&delta(&[], &[], &gone)).await, (changed, 2 - changed, 0));
            assert_eq!(scene.places().await, ["1A ada 2026-10-01", "1A bo 2026-09-15"]);
        }
    }
);
