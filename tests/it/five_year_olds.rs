//! Of five-year-olds half-days count in lager and not in kleuter, unless decided otherwise: where one sits follows from the
//! grade of the class, and a change of that is counted in the same transaction (domain facts §2.2, §6.4).

use clb_hub::store::roster::{MembershipSaid, PupilSaid, end_missing_memberships};
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::source::RunKind;
use hub_entities::time::HalfDay;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{events, list, meddle, number, standing, totals};
use crate::support::world::{School, World, am, born, day, place, pm};

const B: Reading = Reading::Absent(Code::B);
/// Five in 2026.
const FIVE: &str = "2021-03-01";

/// Five half-days with lessons in the first week: on Tuesday 1 and Thursday 3 September two, on Wednesday one.
fn five() -> [HalfDay; 5] {
    [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-02"),
        am("2026-09-03"),
        pm("2026-09-03"),
    ]
}

/// A school with a class in kleuter, one in lager, and a pupil of five who was truant for five half-days.
struct Scene {
    world: World,
    school: School,
    record: RecordId,
    pupil: PupilId,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let (record, pupil) = world.pupils(school, &[("a", born(FIVE))]).await[0];
        world
            .classes(school, &[("kleuter", Some("KG")), ("lager", Some("01"))])
            .await;
        world.say(school, &five().map(|at| (record, at, B))).await;
        Self {
            world,
            school,
            record,
            pupil,
        }
    }

    /// The count, and the events so far.
    async fn outcome(&self) -> (i64, Vec<(&'static str, i32)>) {
        let (count, pending) = totals(&self.world.look, self.pupil, 2026).await;
        assert_eq!(pending, 0);
        let stands = standing(&self.world.look, self.pupil).await.len();
        assert_eq!(stands, usize::from(count >= 5));
        (count, events(&self.world.look, self.pupil).await)
    }

    async fn sits(&self, key: &str, place: MembershipSaid) {
        self.world.places(self.school, &[(key, place)]).await;
    }

    /// The places: class, key, first day, and the first day no longer there.
    async fn places(&self) -> Vec<String> {
        let text = "select c.source_key || ' ' || m.source_key || ' ' || coalesce(cast(m.begins_on as text), '-') || ' '
             || coalesce(cast(m.ends_on as text), '-') from membership m join class_group c on c.id = m.class_id order by 1";
        list(&self.world.look, text).await
    }
}

both_databases!(
    a_five_year_old_counts_in_lager_alone,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        assert_eq!(scene.outcome().await, (0, vec![]), "of whom no class is known");
        scene.sits("m1", place("kleuter", "a")).await;
        assert_eq!(scene.outcome().await, (0, vec![]), "in kleuter");
        // The school says another grade of the class: the fifth half-day is there, and its signal with it.
        let regraded = scene.world.classes(scene.school, &[("kleuter", Some("01"))]).await;
        assert_eq!((regraded.changed, regraded.raised), (1, 1));
        let raised = ("signal.raised", 5);
        assert_eq!(scene.outcome().await, (5, vec![raised]), "in lager");
        // A grade that is no code tells nothing: kleuter, as nearly all of that age.
        let regraded = scene.world.classes(scene.school, &[("kleuter", Some("1"))]).await;
        assert_eq!((regraded.changed, regraded.withdrawn), (1, 1));
        let withdrawn = ("signal.withdrawn", 5);
        assert_eq!(scene.outcome().await, (0, vec![raised, withdrawn]));
        assert_eq!(
            scene
                .world
                .classes(scene.school, &[("kleuter", Some("1"))])
                .await
                .changed,
            0
        );
    }
);

both_databases!(
    a_place_in_lager_counts_from_its_first_day,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        // In lager from Wednesday on: the two half-days of Tuesday are of before.
        let moved = MembershipSaid {
            begins_on: Some(day("2026-09-02")),
            ..place("lager", "a")
        };
        scene.sits("m2", moved.clone()).await;
        assert_eq!(scene.outcome().await.0, 3);
        // And up to Thursday.
        let until = MembershipSaid {
            ends_on: Some(day("2026-09-03")),
            ..moved.clone()
        };
        scene.sits("m2", until).await;
        assert_eq!(scene.outcome().await.0, 1);
        scene.sits("m2", moved).await;
        scene.sits("m3", place("kleuter", "a")).await;
        assert_eq!(scene.outcome().await.0, 3, "a second class beside the one in lager");
        // A complete read does not hold it any more: it ends today, and what comes later does not count.
        scene.world.without_places(scene.school, &["m2"]).await;
        assert_eq!(scene.outcome().await.0, 3);
        let later = [am("2026-10-01"), am("2026-10-02")].map(|at| (scene.record, at, B));
        scene.world.say(scene.school, &later).await;
        assert_eq!(scene.outcome().await.0, 3);
        // Somebody said that it ended long ago.
        let never = MembershipSaid {
            gone: true,
            ends_on: Some(day("2026-09-01")),
            ..place("lager", "a")
        };
        scene.sits("m2", never).await;
        assert_eq!(scene.outcome().await.0, 3, "a place that has ended stays as it ended");
    }
);

both_databases!(
    a_place_that_a_read_no_longer_holds_ends_today,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        scene.sits("m2", place("lager", "a")).await;
        let today = [am("2026-10-01"), am("2026-10-02")].map(|at| (scene.record, at, B));
        scene.world.say(scene.school, &today).await;
        assert_eq!(scene.outcome().await.0, 7);
        scene.world.without_places(scene.school, &["m2"]).await;
        assert_eq!(scene.outcome().await.0, 5);
    }
);

// One row tells of one place: what its key named before is over where the new place begins.
both_databases!(
    a_place_that_moves_to_another_class_leaves_the_old_one,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let raised = ("signal.raised", 5);
        scene.sits("e1", place("lager", "a")).await;
        assert_eq!(scene.outcome().await, (5, vec![raised]));
        // It was never so: from the same day on the pupil sits in kleuter.
        scene.sits("e1", place("kleuter", "a")).await;
        assert_eq!(scene.places().await, ["kleuter e1 2026-09-01 -"]);
        assert_eq!(scene.outcome().await, (0, vec![raised, ("signal.withdrawn", 5)]));
        // In lager from Thursday on.
        let from = |class: &str, begins: Option<&str>| MembershipSaid {
            begins_on: begins.map(day),
            ..place(class, "a")
        };
        scene.sits("e1", from("lager", Some("2026-09-03"))).await;
        let moved = ["kleuter e1 2026-09-01 2026-09-03", "lager e1 2026-09-03 -"];
        assert_eq!(
            (scene.outcome().await.0, scene.places().await),
            (2, moved.map(str::to_owned).to_vec())
        );
        // And back, nobody says since when: today.
        scene.sits("e1", from("kleuter", None)).await;
        let back = ["kleuter e1 - -", "lager e1 2026-09-03 2026-10-01"];
        assert_eq!(scene.places().await, back);
        scene
            .world
            .say(scene.school, &[(scene.record, am("2026-10-01"), B)])
            .await;
        assert_eq!(scene.outcome().await.0, 2);
        // It moves on and is gone at once.
        let gone = MembershipSaid {
            gone: true,
            ..from("lager", None)
        };
        scene.sits("e1", gone).await;
        assert_eq!(
            scene.places().await,
            ["kleuter e1 - 2026-10-01", "lager e1 2026-09-03 2026-10-01"]
        );
    }
);

// A source may give its places other keys: the key of one may name another one then, and both are there.
both_databases!(
    a_place_that_is_there_under_another_key_is_not_left,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        scene.sits("e1", place("lager", "a")).await;
        let both = [("e1", place("kleuter", "a")), ("e2", place("lager", "a"))];
        let places = ["kleuter e1 2026-09-01 -", "lager e2 2026-09-01 -"];
        for said in [&both[..], &both[..], &both[..1]] {
            scene.world.places(scene.school, said).await;
            assert_eq!(scene.places().await, places);
            assert_eq!(scene.outcome().await, (5, vec![("signal.raised", 5)]));
        }
    }
);

// A row that takes a place away often says no more than which one.
both_databases!(
    a_place_that_is_taken_away_keeps_its_first_day,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let from = MembershipSaid {
            begins_on: Some(day("2026-09-03")),
            ..place("lager", "a")
        };
        scene.sits("e1", from).await;
        assert_eq!(scene.outcome().await, (2, vec![]));
        let gone = MembershipSaid {
            gone: true,
            begins_on: None,
            ..place("lager", "a")
        };
        for _ in 0..2 {
            scene.sits("e1", gone.clone()).await;
            assert_eq!(scene.places().await, ["lager e1 2026-09-03 2026-10-01"]);
            assert_eq!(scene.outcome().await, (2, vec![]));
        }
    }
);

// Whose a place is follows from its record: what is written beside it may be of a pupil that became another.
both_databases!(
    a_place_is_of_the_pupil_of_its_record,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (_, other) = scene.world.pupils(scene.school, &[("b", born("2012-05-01"))]).await[0];
        scene.sits("m1", place("lager", "a")).await;
        assert_eq!(scene.outcome().await.0, 5);
        let stray = "update membership set pupil_id = (select pupil_id from record where source_key = 'b')";
        assert_eq!(meddle(&scene.world.look, stray).await, 1);
        scene
            .world
            .say(scene.school, &[(scene.record, am("2026-09-04"), B)])
            .await;
        assert_eq!(scene.outcome().await.0, 6);
        assert_eq!(totals(&scene.world.look, other, 2026).await, (0, 0));
    }
);

// On 1 September a read ends the places of a whole school: not in one transaction.
both_databases!(places_end_so_many_at_a_time, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let keys = ["p0", "p1", "p2", "p3", "p4"];
    let pupils = world.pupils(school, &keys.map(|key| (key, born(FIVE)))).await;
    world.classes(school, &[("lager", Some("01"))]).await;
    world.places(school, &keys.map(|key| (key, place("lager", key)))).await;
    let days = [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-02"),
        am("2026-09-03"),
        am("2026-10-01"),
    ];
    let said: Vec<_> = pupils
        .iter()
        .flat_map(|(record, _)| days.map(|at| (*record, at, B)))
        .collect();
    assert_eq!(world.say(school, &said).await.raised, 5);
    let scope = world.source_scope(school).await;
    let (lease, run) = world.run(school, &scope, RunKind::Roster).await;
    world.stage(&lease, run.id, "left_place", &keys).await;
    for (ended, so_far) in [(2, 2), (2, 4), (1, 5), (0, 5)] {
        let work = world.work(&scope, &lease, run.id);
        assert_eq!(end_missing_memberships(&world.db, work, 2).await.unwrap(), ended);
        for text in [
            "select count(*) from membership where ends_on = '2026-10-01'",
            "select cast(sum(withdrawn) as bigint) from sync_run",
            "select count(*) from signal where state = 'withdrawn'",
        ] {
            assert_eq!(number(&world.look, text).await, so_far, "{text}");
        }
    }
    world.done(&lease, run).await;
});

// It counts while the pupil is enrolled there: whoever has left sits in no class any more.
both_databases!(who_has_left_sits_in_no_class, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    scene.sits("m2", place("lager", "a")).await;
    assert_eq!(scene.outcome().await.0, 5);
    let left = |ends: &str| PupilSaid {
        ends_on: Some(day(ends)),
        ..born(FIVE)
    };
    let progress = scene.world.roster(scene.school, &[("a", left("2026-09-03"))]).await;
    assert_eq!((scene.outcome().await.0, progress.withdrawn), (3, 1));
    let progress = scene.world.roster(scene.school, &[("a", left("2026-09-30"))]).await;
    assert_eq!((scene.outcome().await.0, progress.raised), (5, 1), "later than that");
});

// The grade of a class changes while half-days of its pupils come in: whichever is first, the count is of both.
both_databases!(a_grade_and_a_half_day_at_once, async |database: &TestDatabase| {
    const PUPILS: usize = 12;
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let keys: Vec<String> = (0..PUPILS).map(|number| format!("p{number}")).collect();
    let said: Vec<_> = keys.iter().map(|key| (key.as_str(), born(FIVE))).collect();
    let pupils = world.pupils(school, &said).await;
    world.classes(school, &[("k", Some("KG"))]).await;
    let places: Vec<_> = keys.iter().map(|key| (key.as_str(), place("k", key))).collect();
    world.places(school, &places).await;
    let say = async {
        for at in five() {
            let said: Vec<_> = pupils.iter().map(|(record, _)| (*record, at, B)).collect();
            world.say(school, &said).await;
        }
    };
    let regrade = async {
        for grade in ["01", "KG", "01"] {
            world.classes(school, &[("k", Some(grade))]).await;
        }
    };
    join(say, regrade).await;
    for (_, pupil) in pupils {
        assert_eq!(totals(&world.look, pupil, 2026).await, (5, 0));
        assert_eq!(standing(&world.look, pupil).await.len(), 1);
    }
});
