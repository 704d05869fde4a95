//! What a school costs is what it holds, however many others there are: on PostgreSQL, which counts the rows it reads.

use clb_hub::store::Db;
use clb_hub::store::ledger::{merge_half_days, standing as half_days};
use clb_hub::store::roster::{
    ClassSaid, MembershipSaid, end_missing_memberships, merge_classes, merge_memberships, standing,
};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::RecordId;
use hub_entities::source::RunKind;
use hub_entities::time::SchoolYear;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::look::{meddle, number, until};
use crate::support::world::{School, World, am, born, day};

const OTHERS: usize = 300;
const B: Reading = Reading::Absent(Code::B);

/// A roster in which everyone is in one class.
async fn enrol(world: &World, school: School, pupils: usize) -> Vec<RecordId> {
    let keys: Vec<String> = (0..pupils).map(|place| format!("p{place}")).collect();
    // The first turns five in this school year, so that its class is asked for.
    let births = std::iter::once("2021-05-01").chain(std::iter::repeat("2012-05-01"));
    let said: Vec<_> = keys
        .iter()
        .zip(births)
        .map(|(key, birth)| (key.as_str(), born(birth)))
        .collect();
    let records = world.pupils(school, &said).await;
    let scope = world.source_scope(school).await;
    let (lease, run) = world.run(school, &scope, RunKind::Roster).await;
    let class = ClassSaid {
        name: "1A".to_owned(),
        grade: None,
        school_year: SchoolYear(2026),
    };
    let work = || world.work(&scope, &lease, run.id);
    merge_classes(&world.db, work(), &[("c".to_owned(), class)], None)
        .await
        .unwrap();
    let place = |key: &String| {
        let said = MembershipSaid {
            gone: false,
            class_key: "c".to_owned(),
            pupil_key: key.clone(),
            begins_on: Some(day("2026-09-01")),
            ends_on: None,
        };
        (format!("m{key}"), said)
    };
    let places: Vec<_> = keys.iter().map(place).collect();
    merge_memberships(&world.db, work(), &places, None).await.unwrap();
    world.done(&lease, run).await;
    records.into_iter().map(|(record, _)| record).collect()
}

/// Closes it, and waits until the server has counted all that was asked over it.
async fn counted(db: Db, look: &DatabaseConnection) -> i64 {
    db.close().await.unwrap();
    let open =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'clb-hub'";
    until("the server counts", async || number(look, open).await == 0).await;
    // What was looked up over this connection itself is told at most once a second: now, and not between two counts.
    look.execute_unprepared("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    let read = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint from pg_stat_user_tables
         where relname in ('record', 'enrolment', 'class_group', 'membership', 'absence_2026')";
    number(look, read).await
}

#[test]
fn a_school_is_read_by_what_it_holds() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let small = world.school("111111", clb, Categories::all()).await;
        let large = world.school("222222", clb, Categories::all()).await;
        let mut of_small = Vec::new();
        for (school, pupils) in [(large, OTHERS), (small, 3)] {
            of_small = enrol(&world, school, pupils).await;
            let said: Vec<_> = of_small.iter().map(|record| (*record, am("2026-09-03"), B)).collect();
            world.say(school, &said).await;
        }
        world.look.execute_unprepared("analyze absence").await.unwrap();
        let scope = world.source_scope(small).await;
        let (lease, run) = world.run(small, &scope, RunKind::Roster).await;
        world.stage(&lease, run.id, "left_place", &["mp2"]).await;
        let before = counted(world.db.clone(), &world.look).await;
        assert!(before > 300, "what is read is counted");

        // A small table is read whole, and rightly, to look something up in or to join; here it stands for a large one.
        let whole = "do $$ declare plan text; begin
             foreach plan in array array['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'] loop
               execute format('alter database %I set %I = off', current_database(), plan);
             end loop; end $$";
        world.look.execute_unprepared(whole).await.unwrap();
        let db = database.open().await;
        let known = standing(&db, &scope).await.unwrap();
        assert_eq!(known.left(["p0"].into_iter()).len(), 2);
        let days = day("2026-09-01")..=day("2026-10-01");
        assert_eq!(half_days(&db, &scope, &days).await.unwrap().len(), 3);
        assert_eq!(known.left_places(std::iter::empty()).len(), 3);
        let work = world.work(&scope, &lease, run.id);
        assert_eq!(end_missing_memberships(&db, work, 100).await.unwrap(), 1);
        assert_eq!(end_missing_memberships(&db, work, 100).await.unwrap(), 0);
        let read = counted(db, &world.look).await - before;
        assert!(
            read < 60,
            "{read} rows were read of a school of 3 pupils beside one of {OTHERS}"
        );

        // A half-day of each, one of them five years old. The server does not know yet how few records a pupil has, as after
        // the first rosters: it believes them to be many.
        let many = "update pg_class set relpages = 1, reltuples = 50000 where relname in ('record', 'membership', 'enrolment')";
        assert_eq!(meddle(&world.look, many).await, 3);
        let db = database.open().await;
        let said = of_small.iter().map(|record| Said {
            record: *record,
            at: am("2026-09-04"),
            reading: B,
        });
        let said: Vec<Said> = said.collect();
        let progress = merge_half_days(&db, world.work(&scope, &lease, run.id), &said, None)
            .await
            .unwrap();
        assert_eq!((progress.changed, progress.unchanged), (3, 0));
        let read = counted(db, &world.look).await - before - read;
        assert!(read < 60, "{read} rows were read of 3 half-days");
        // Looked up last: it counts as well.
        let ended = "select count(*) from membership where ends_on is not null";
        assert_eq!(number(&world.look, ended).await, 1);
    });
}
