//! Looking over all pupils: what is counted and signalled is what follows from the half-days, also when something
//! beside them has changed (design §4: evaluation is a function of the present half-days).

use std::sync::Arc;

use clb_hub::sync::Sync;
use clb_hub::sync::recheck::Rechecked;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::LawBook;
use hub_entities::id::RecordId;
use hub_entities::law::Laws;
use hub_entities::law::compulsory::Settings;
use hub_entities::time::{HalfDay, SchoolYear};

use crate::support::database::both_databases;
use crate::support::look::{events, everything, meddle, number, standing, totals};
use crate::support::region::sync;
use crate::support::world::{School, World, am, born, place, pm};

const NOW: &str = "2026-10-01T10:00:00Z";
const YEAR: SchoolYear = SchoolYear(2026);
const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

async fn two_schools(world: &World) -> [School; 2] {
    let clb = world.clb("114711").await;
    [
        world.school("123456", clb, Categories::all()).await,
        world.school("123457", clb, Categories::all()).await,
    ]
}

fn days(of: &[HalfDay], record: RecordId, reading: Reading) -> Vec<(RecordId, HalfDay, Reading)> {
    of.iter().map(|at| (record, *at, reading)).collect()
}

/// Five half-days with lessons in the first week.
fn five() -> [HalfDay; 5] {
    [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-02"),
        am("2026-09-03"),
        pm("2026-09-03"),
    ]
}

async fn recheck(sync: &Sync, school: Option<School>, settle: bool) -> Rechecked {
    sync.recheck(YEAR, school.map(|school| school.id), settle)
        .await
        .unwrap()
}

const fn found(pupils: usize, unsettled: usize, raised: i64, withdrawn: i64) -> Rechecked {
    Rechecked {
        pupils,
        unsettled,
        raised,
        withdrawn,
    }
}

both_databases!(what_is_settled_stays_as_it_is, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let [first, second] = two_schools(&world).await;
    let known = world
        .pupils(first, &[("a", born("2012-05-01")), ("b", born("2012-05-01"))])
        .await;
    let index = |pupil| clb_hub::store::roster::PupilSaid {
        national_index: Some(vec![1]),
        ..pupil
    };
    // One pupil at two schools that contradict each other about a half-day; the Z weighs nothing by itself.
    let (here, pupil) = world.pupils(first, &[("c", index(born("2012-05-01")))]).await[0];
    let (there, same) = world.pupils(second, &[("c", index(born("2012-05-01")))]).await[0];
    assert_eq!(pupil, same);
    world.say(first, &days(&five(), known[0].0, B)).await;
    world.say(first, &days(&five(), known[1].0, Z)).await;
    world.say(first, &days(&five(), here, B)).await;
    world.say(second, &days(&five()[..1], there, Z)).await;
    assert_eq!(totals(&world.look, pupil, 2026).await, (4, 1));

    let before = everything(database, &world.look).await;
    assert_eq!(recheck(&sync(&world), None, true).await, found(3, 0, 0, 0));
    assert_eq!(recheck(&sync(&world), Some(second), true).await, found(1, 0, 0, 0));
    assert_eq!(everything(database, &world.look).await, before);
});

both_databases!(
    what_was_changed_behind_its_back_is_put_right,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let known = world
            .pupils(first, &["a", "b", "c"].map(|key| (key, born("2012-05-01"))))
            .await;
        let [(ada, of_ada), (bo, of_bo), (cas, of_cas)] = known[..] else {
            panic!()
        };
        // Of Cas there are too few for a signal: only the count can differ.
        world.say(first, &days(&five()[..3], cas, B)).await;
        world.say(first, &days(&five(), ada, B)).await;
        world.say(first, &days(&five(), bo, B)).await;

        // A local day off takes one from each.
        meddle(
            &world.look,
            "update school set days_off = '[\"2026-09-02\"]' where institution_number = '123456'",
        )
        .await;
        let dry = recheck(&sync(&world), None, false).await;
        assert_eq!(dry, found(3, 3, 0, 0));
        assert_eq!(
            standing(&world.look, of_ada).await.len(),
            1,
            "a dry run changes nothing"
        );
        assert_eq!(recheck(&sync(&world), Some(second), true).await, found(0, 0, 0, 0));
        assert_eq!(recheck(&sync(&world), Some(first), true).await, found(3, 3, 0, 2));
        for pupil in [of_ada, of_bo] {
            assert_eq!(totals(&world.look, pupil, 2026).await, (4, 0));
            assert_eq!(
                events(&world.look, pupil).await,
                [("signal.raised", 5), ("signal.withdrawn", 5)]
            );
        }
        assert_eq!(totals(&world.look, of_cas, 2026).await, (2, 0));
        assert_eq!(recheck(&sync(&world), None, true).await, found(3, 0, 0, 0));

        meddle(&world.look, "update school set days_off = '[]'").await;
        assert_eq!(recheck(&sync(&world), None, true).await, found(3, 3, 2, 0));
        assert_eq!(
            number(&world.look, "select count(*) from signal where state = 'raised'").await,
            2
        );
    }
);

both_databases!(a_setting_of_the_law_is_followed, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let [first, _] = two_schools(&world).await;
    // Five years old in this school year: whether half-days count is a setting.
    let (record, pupil) = world.pupils(first, &[("a", born("2021-03-01"))]).await[0];
    world.say(first, &days(&five(), record, B)).await;
    assert_eq!(totals(&world.look, pupil, 2026).await, (0, 0));
    let settings = Settings {
        five_year_olds_in_preschool: Some(true),
        ..Settings::default()
    };
    let book = Arc::new(LawBook::new(Laws::embedded().unwrap(), settings));
    let other = Sync { book, ..sync(&world) };
    assert_eq!(recheck(&other, None, true).await, found(1, 1, 1, 0));
    assert_eq!(totals(&world.look, pupil, 2026).await, (5, 0));
    assert_eq!(recheck(&other, None, true).await, found(1, 0, 0, 0));
});

both_databases!(a_grade_behind_its_back_is_followed, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let [first, _] = two_schools(&world).await;
    let (record, pupil) = world.pupils(first, &[("a", born("2021-03-01"))]).await[0];
    world.classes(first, &[("k", Some("KG"))]).await;
    world.places(first, &[("m", place("k", "a"))]).await;
    world.say(first, &days(&five(), record, B)).await;
    assert_eq!(recheck(&sync(&world), None, true).await, found(1, 0, 0, 0));
    meddle(&world.look, "update class_group set grade = '01'").await;
    assert_eq!(recheck(&sync(&world), Some(first), true).await, found(1, 1, 1, 0));
    assert_eq!(totals(&world.look, pupil, 2026).await, (5, 0));
    assert_eq!(recheck(&sync(&world), None, true).await, found(1, 0, 0, 0));
});

both_databases!(
    an_enrolment_behind_its_back_is_followed,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let said = || clb_hub::store::roster::PupilSaid {
            national_index: Some(vec![1]),
            ..born("2012-05-01")
        };
        let (here, pupil) = world.pupils(first, &[("c", said())]).await[0];
        let (there, _) = world.pupils(second, &[("c", said())]).await[0];
        world.say(first, &days(&five(), here, B)).await;
        world.say(second, &days(&five(), there, Z)).await;
        assert_eq!(totals(&world.look, pupil, 2026).await, (0, 5));
        // It was never at the second school in September.
        meddle(
            &world.look,
            "update enrolment set begins_on = '2026-09-15' where record_id in
        (select r.id from record r join school s on s.id = r.school_id where s.institution_number = '123457')",
        )
        .await;
        assert_eq!(recheck(&sync(&world), None, true).await, found(1, 1, 1, 0));
        assert_eq!(totals(&world.look, pupil, 2026).await, (5, 0));
        assert_eq!(number(&world.look, "select count(*) from conflict_side").await, 0);
        assert_eq!(recheck(&sync(&world), None, true).await, found(1, 0, 0, 0));
    }
);
