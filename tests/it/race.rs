//! Two writers at once on one pupil: exactly one signal, however often (R02).
//!
//! `CLB_HUB_TEST_RACES` says how many pupils are raced for; `./tests/run --long` asks for 10,000.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::source::RunKind;
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{number, standing};
use crate::support::world::{School, World, am, born, pm};

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
            // Until the writer waits for the lock; one that does not wait has written by then.
            let waits = "select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid
                         where not l.granted and a.datname = current_database()";
            while number(&world.look, waits).await == 0 && !written.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            other.commit().await.unwrap();
        };
        let (progress, ()) = join(write, let_go).await;
        assert_eq!(progress.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 1, 6)]);
    });
}
