//! Two writers at once on one pupil: exactly one signal, however often (R02).
//!
//! `CLB_HUB_TEST_RACES` says how many pupils are raced for; `./tests/run --long` asks for 10,000.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::{LocalBoxFuture, join};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::source::RunKind;
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{number, standing, totals, until_it_waits};
use crate::support::world::{School, World, am, born, place, pm};

const B: Reading = Reading::Absent(Code::B);

fn races() -> usize {
    std::env::var("CLB_HUB_TEST_RACES").map_or(60, |text| text.parse().unwrap())
}

/// A writer with a source, a lease and a run of its own.
async fn write_all(world: &World, school: School, said: &[Said]) {
    let scope = world.source_scope(school).await;
    let (lease, run) = world.run(school, &scope, RunKind::Absences).await;
    for one in said {
        let work = world.work(&scope, &lease, run.id);
        clb_hub::store::ledger::merge_half_days(&world.db, work, &[*one], None)
            .await
            .unwrap();
    }
}

both_databases!(two_writers_raise_one_signal, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let other = world.another_source(school, "second").await;
    let keys: Vec<String> = (0..races()).map(|n| format!("p{n}")).collect();
    let pupils: Vec<(&str, _)> = keys.iter().map(|key| (key.as_str(), born("2012-05-01"))).collect();
    let tied: Arc<Vec<(RecordId, PupilId)>> = Arc::new(world.pupils(school, &pupils).await);

    // Four each: one more makes a signal.
    let four = [am("2026-09-01"), pm("2026-09-01"), am("2026-09-03"), pm("2026-09-03")];
    let said: Vec<_> = tied
        .iter()
        .flat_map(|(record, _)| four.map(|half_day| (*record, half_day, B)))
        .collect();
    assert_eq!(world.say(school, &said).await.raised, 0);

    // Two writers, each with one more for every pupil, in the same order: they meet again and again.
    let one = |half_day| -> Vec<Said> {
        tied.iter()
            .map(|(record, _)| Said {
                record: *record,
                at: half_day,
                reading: B,
            })
            .collect()
    };
    let (morning, afternoon) = (one(am("2026-09-04")), one(pm("2026-09-04")));
    join(
        write_all(&world, school, &morning),
        write_all(&world, other, &afternoon),
    )
    .await;

    let races = i64::try_from(tied.len()).unwrap();
    assert_eq!(
        number(&world.look, "select count(*) from signal where kind = 'truancy.5'").await,
        races
    );
    assert_eq!(
        number(
            &world.look,
            "select count(*) from signal where state = 'raised' and half_days = 6"
        )
        .await,
        races
    );
    assert_eq!(
        number(&world.look, "select count(*) from outbox where kind = 'signal.raised'").await,
        races
    );
    assert_eq!(
        number(&world.look, "select count(*) from outbox where kind = 'signal.changed'").await,
        races
    );
    assert_eq!(
        number(&world.look, "select count(*) from tally where half_days = 6").await,
        races
    );
    assert_eq!(
        number(&world.look, "select sum(half_days) from absence_count").await,
        races * 6
    );
});

// The same once, in slow motion: another writer holds the pupil with a half-day that nobody sees yet. Who comes
// then waits for it, and counts it: what it knew before the lock would be one too few.
#[test]
fn a_writer_counts_what_was_committed_while_it_waited() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        let four = [am("2026-09-03"), pm("2026-09-03"), am("2026-09-04"), pm("2026-09-04")];
        world.say(school, &four.map(|half_day| (record, half_day, B))).await;

        let other = world.look.begin().await.unwrap();
        let fifth = "insert into absence select school_year, pupil_id, date '2026-09-10', 0, record_id, mark, 1, run_id
                     from absence limit 1";
        other
            .execute_unprepared("select id from pupil for update")
            .await
            .unwrap();
        other.execute_unprepared(fifth).await.unwrap();
        let written = AtomicBool::new(false);
        let write = async {
            let progress = world.say(school, &[(record, am("2026-09-11"), B)]).await;
            written.store(true, Ordering::SeqCst);
            progress
        };
        let let_go = async {
            until_it_waits(&world.look, &written).await;
            other.commit().await.unwrap();
        };
        let (progress, ()) = join(write, let_go).await;
        assert_eq!(progress.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 1, 6)]);
    });
}

/// A pupil of five, truant for five half-days of which one is of today, and another one that turns out to be the same.
struct Twins {
    school: School,
    from: PupilId,
    into: PupilId,
}

impl Twins {
    async fn new(world: &World, numbers: [&str; 2]) -> Self {
        let clb = world.clb("114711").await;
        let school = world.school(numbers[0], clb, Categories::all()).await;
        let other = world.school(numbers[1], clb, Categories::all()).await;
        let (record, from) = world.pupils(school, &[("a", born("2021-03-01"))]).await[0];
        let (_, into) = world.pupils(other, &[("a", born("2021-03-01"))]).await[0];
        world
            .classes(school, &[("kleuter", Some("KG")), ("lager", Some("01"))])
            .await;
        let days = [
            am("2026-09-01"),
            pm("2026-09-01"),
            am("2026-09-03"),
            pm("2026-09-03"),
            am("2026-10-01"),
        ];
        world.say(school, &days.map(|at| (record, at, B))).await;
        Self { school, from, into }
    }

    async fn sits(&self, world: &World, class: &str) {
        world.places(self.school, &[("m", place(class, "a"))]).await;
    }

    /// The one becomes the other while this waits for its lock.
    async fn become_one(&self, world: &World, write: LocalBoxFuture<'_, ()>) {
        let (from, into) = (self.from.0, self.into.0);
        let other = world.look.begin().await.unwrap();
        other
            .execute_unprepared("select id from pupil for update")
            .await
            .unwrap();
        let of_pupils = [
            "record",
            "enrolment",
            "membership",
            "absence",
            "absence_count",
            "tally",
            "clb_tally",
            "signal",
            "outbox",
        ];
        for table in of_pupils {
            let text = format!("update {table} set pupil_id = '{into}' where pupil_id = '{from}'");
            other.execute_unprepared(&text).await.unwrap();
        }
        let text = format!("update pupil set merged_into = '{into}' where id = '{from}'");
        other.execute_unprepared(&text).await.unwrap();
        let done = AtomicBool::new(false);
        let write = async {
            write.await;
            done.store(true, Ordering::SeqCst);
        };
        let let_go = async {
            until_it_waits(&world.look, &done).await;
            other.commit().await.unwrap();
        };
        join(write, let_go).await;
    }

    /// What is counted of the one that stands, and how many of its signals do.
    async fn outcome(&self, world: &World) -> (i64, usize) {
        let (count, _) = totals(&world.look, self.into, 2026).await;
        (count, standing(&world.look, self.into).await.len())
    }
}

// Who a pupil is may be found out while a roster waits for its lock: what follows is of the one that stands.
#[test]
fn who_a_pupil_is_is_read_again_under_the_lock() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;

        let twins = Twins::new(&world, ["111111", "111112"]).await;
        twins
            .become_one(&world, twins.sits(&world, "lager").boxed_local())
            .await;
        assert_eq!(twins.outcome(&world).await, (5, 1), "a place");
        let theirs = format!("select count(*) from membership where pupil_id = '{}'", twins.into.0);
        assert_eq!(number(&world.look, &theirs).await, 1);

        let twins = Twins::new(&world, ["222221", "222222"]).await;
        twins.sits(&world, "kleuter").await;
        let regrade = async {
            world.classes(twins.school, &[("kleuter", Some("01"))]).await;
        };
        twins.become_one(&world, regrade.boxed_local()).await;
        assert_eq!(twins.outcome(&world).await, (5, 1), "a grade");

        let twins = Twins::new(&world, ["333331", "333332"]).await;
        twins.sits(&world, "lager").await;
        twins
            .become_one(&world, world.without_places(twins.school, &["m"]).boxed_local())
            .await;
        assert_eq!(twins.outcome(&world).await, (4, 0), "a place that ends");

        let twins = Twins::new(&world, ["444441", "444442"]).await;
        twins.sits(&world, "lager").await;
        let end = async {
            assert_eq!(world.complete(twins.school, &[]).await, 1);
        };
        twins.become_one(&world, end.boxed_local()).await;
        assert_eq!(twins.outcome(&world).await, (4, 0), "an enrolment that ends");
    });
}
