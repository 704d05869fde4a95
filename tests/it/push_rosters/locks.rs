//! In which order a pushed roster locks its pupils: on PostgreSQL, where each has a lock of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use super::{CHANGES, Scene, default, pupil};
use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::look::{list, until_it_waits};

// Whoever locks in another order waits for one who waits for it: all pupils of a roster are locked at once, by their ids.
#[test]
fn a_roster_locks_its_pupils_in_one_order() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let scene = Scene::new(database, default()).await;
        let class = |grade: &str| format!("classes: [{{ key: \"1A\", name: \"1A\", grade: \"{grade}\" }}]");
        let two = format!("{}, pupils: [{} {}]", class("KG"), pupil("ada"), pupil("bo"));
        scene.sends("one", CHANGES, &two).await;
        let look = &scene.world().look;
        let keys: Vec<String> = list(look, "select source_key from record order by pupil_id").await;
        let place = format!(
            "memberships: [{{ key: \"m\", classKey: \"1A\", pupilKey: \"{}\" }}]",
            keys[1]
        );
        scene.sends("two", CHANGES, &place).await;

        let other = look.begin().await.unwrap();
        let lock = |order: &str| format!("select id from pupil order by id {order} limit 1 for update nowait");
        other.execute_unprepared(&lock("asc")).await.unwrap();
        let done = AtomicBool::new(false);
        // The class has the second one, the pupils are the first.
        let rows = format!("{}, pupils: [{}]", class("01"), pupil(&keys[0]).replace("An", "Ann"));
        let send = async {
            let answer = scene.sends("three", CHANGES, &rows).await;
            done.store(true, Ordering::SeqCst);
            answer
        };
        let meet = async {
            until_it_waits(look, &done).await;
            other.execute_unprepared(&lock("desc")).await.unwrap();
            other.commit().await.unwrap();
        };
        let (answer, ()) = join(send, meet).await;
        assert_eq!(answer["runState"], "DONE", "{answer}");
    });
}
