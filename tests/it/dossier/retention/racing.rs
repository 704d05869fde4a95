//! Erasing while others write, and cut off between the stores: what was written keeps the dossier, and what was begun is finished.

use std::sync::atomic::{AtomicBool, Ordering};

use clb_hub::custody::retention::{Becomes, Erased};
use clb_hub::keys::shredded::ShredList;
use clb_hub::store::DbError;
use futures::future::join3;
use hub_entities::law::retention::{Fate, Stays};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use super::{HELD, custody, due, fates, held, kept, put, seen_of, terms};
use crate::dossier::releases::crossing::{break_writes, mend_writes};
use crate::dossier::{GUIDANCE, Staff};
use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{meddle, number, until, until_it_waits};
use crate::support::town::Town;
use crate::support::world::born;

const LATER: &str = "2042-05-02T10:00:00Z";

// Seen to be due, and held before its turn came.
both_databases!(what_is_written_meanwhile_keeps_it, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let [pupil] = kept(&town, &staff, [("one", born("1990-03-01"))]).await;
    let now = custody(&town, LATER).await;
    let seen = seen_of(&town, &now, pupil).await;
    assert_eq!(seen.becomes, due("2036-10-02"));
    held(&town, &staff.director, pupil).await;
    let done = now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids).await;
    let stays = Fate::Stays(Some("2036-10-01".parse().unwrap()), vec![Stays::LegalHold]);
    assert_eq!(done.unwrap(), Erased::Stays(stays));
    assert_eq!(ShredList::open(&town.keys).unwrap().keys().count(), 0);
    let look = database.look_apart().await;
    assert_eq!(number(&look, "select count(*) from entry_text").await, 1);
    // And so does anything that is in it by now.
    meddle(&look, "update legal_hold set lifted_at = put_at").await;
    meddle(&look, "update trajectory set state = 'open'").await;
    let done = now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids).await;
    assert!(matches!(done.unwrap(), Erased::Stays(_)));
    // Somebody else was sooner: there is nothing, and nothing is begun anew.
    meddle(&look, "update trajectory set state = 'closed'").await;
    let erase = async || {
        now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids)
            .await
            .unwrap()
    };
    assert_eq!((erase().await, erase().await), (Erased::Done, Erased::Gone));
    look.close().await.unwrap();
});

/// A hold that is being put when the erasure comes: it is waited for. SQLite lets one write at a time.
#[test]
fn an_erasure_waits_for_who_writes() {
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let staff = Staff::anchored(&town).await;
            let [pupil] = kept(&town, &staff, [("one", born("1990-03-01"))]).await;
            let now = custody(&town, LATER).await;
            let seen = seen_of(&town, &now, pupil).await;
            let look = database.look_apart().await;
            // Whoever puts a hold stands still in the middle of it, until this is let go.
            meddle(&look, "create table gate (id integer primary key)").await;
            meddle(&look, "insert into gate values (1)").await;
            let function = "create or replace function stands() returns trigger language plpgsql security definer
                 set search_path = secrecy as $$ begin perform 1 from gate for update; return new; end $$";
            meddle(&look, function).await;
            let trigger = "create trigger stands before insert on legal_hold for each row execute function stands()";
            meddle(&look, trigger).await;
            let gate = look.begin().await.unwrap();
            gate.execute_unprepared("select id from gate for update").await.unwrap();
            let (watch, done) = (&town.world.look, AtomicBool::new(false));
            let question = put(pupil, HELD[0]);
            let putting = town.ask_for(&staff.director, GUIDANCE, true, &question);
            let erasing = async {
                until_it_waits(watch, &done).await;
                let erased = now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids).await;
                done.store(true, Ordering::SeqCst);
                erased.unwrap()
            };
            let let_go = async {
                // The erasure waits for who puts the hold; or it does not, and is done.
                let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
                until("the erasure waits", async || {
                    number(watch, waiting).await > 1 || done.load(Ordering::SeqCst)
                })
                .await;
                gate.commit().await.unwrap();
            };
            let (answer, erased, ()) = join3(putting, erasing, let_go).await;
            assert_eq!(answer["putLegalHold"]["__typename"], "LegalHoldDecided", "{answer}");
            assert!(matches!(erased, Erased::Stays(_)), "{erased:?}");
            let shred = now.shred(&town.keys, town.first, pupil, &*town.world.ids).await;
            assert!(matches!(shred.unwrap_err(), DbError::Held));
            assert_eq!(number(&look, "select count(*) from legal_hold").await, 1);
            look.close().await.unwrap();
        },
    );
}

// Killed behind the destroyed key and before the rows went: it is seen, and the next run finishes it. So it is when a backup of
// before is put back (R29).
both_databases!(an_erasure_cut_off_is_finished, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let [pupil, other] = kept(
        &town,
        &staff,
        [("one", born("1990-03-01")), ("other", born("2012-05-02"))],
    )
    .await;
    let look = database.look_apart().await;
    let tables = ["dossier_key", "trajectory", "team_member", "entry", "entry_text"];
    for table in tables {
        meddle(&look, &format!("create table before_{table} as select * from {table}")).await;
    }
    let now = custody(&town, LATER).await;
    let seen = seen_of(&town, &now, pupil).await;
    break_writes(&look, database.backend, ("delete", "trajectory")).await;
    now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids)
        .await
        .unwrap_err();
    mend_writes(&look, database.backend, "trajectory").await;
    let count = async || number(&look, "select count(*) from entry_text").await;
    assert_eq!((count().await, now.restored(&town.keys).await.unwrap()), (2, 1));
    for round in ["cut off", "put back"] {
        let all = fates(&town, &now).await;
        assert_eq!(all[&pupil], Becomes::Destroyed, "{round}");
        assert!(matches!(all[&other], Becomes::Lawful(Fate::Stays(..))), "{round}");
        let seen = seen_of(&town, &now, pupil).await;
        let done = now.carry_out(&town.keys, terms(&town), &seen, &*town.world.ids).await;
        assert_eq!(done.unwrap(), Erased::Done, "{round}");
        assert_eq!(
            (count().await, now.restored(&town.keys).await.unwrap()),
            (1, 0),
            "{round}"
        );
        assert_eq!(fates(&town, &now).await.len(), 1, "{round}");
        if round == "cut off" {
            for table in tables {
                let back = format!(
                    "insert into {table} select * from before_{table} b where not exists (select 1 from {table} t where t.id = b.id)"
                );
                meddle(&look, &back).await;
            }
            assert_eq!(now.restored(&town.keys).await.unwrap(), 1);
        }
    }
    assert_eq!(ShredList::open(&town.keys).unwrap().keys().count(), 1);
    look.close().await.unwrap();
});
