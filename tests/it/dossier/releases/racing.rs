//! Consent and what rests on it change in one order, whoever comes first: PostgreSQL alone lets two write at once.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::json;

use super::{GUIDANCE, Guided, guided, made, release};
use crate::dossier::step;
use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::look::{list, until_it_waits};
use crate::support::town::Town;

/// Asks while another transaction, which has locked the trajectory, does this and then commits.
async fn meanwhile(
    town: &Town,
    database: &TestDatabase,
    guided: &Guided,
    other: &str,
    question: &str,
) -> serde_json::Value {
    let apart = database.look_apart().await;
    let held = apart.begin().await.unwrap();
    held.execute_unprepared("select id from trajectory for update")
        .await
        .unwrap();
    held.execute_unprepared(other).await.unwrap();
    let done = AtomicBool::new(false);
    let ask = async {
        let answer = town.ask_for(&guided.staff.psychologist, GUIDANCE, true, question).await;
        done.store(true, Ordering::SeqCst);
        answer
    };
    let let_go = async {
        until_it_waits(&town.world.look, &done).await;
        held.commit().await.unwrap();
    };
    let (answer, ()) = join(ask, let_go).await;
    apart.close().await.unwrap();
    answer
}

#[test]
fn who_releases_reads_the_answer_that_was_given_meanwhile() {
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let (guided, _) = guided(&town).await;
            let question = release(&town, &guided.learning, ["title", "advice", "purpose"], "");
            let refused = "update consent_said set reply = 'refused'";
            let answer = meanwhile(&town, database, &guided, refused, &question).await;
            assert_eq!(
                answer["releaseToSchool"],
                json!({ "__typename": "NotPossible", "reason": "STATE" })
            );
        },
    );
}

#[test]
fn who_takes_consent_back_finds_what_was_released_meanwhile() {
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let (guided, consent) = guided(&town).await;
            made(&town, &guided, ["title", "advice", "purpose"], "").await;
            let input = format!("consentId: \"{consent}\" version: 1 on: \"2026-10-01\"");
            let question = step("withdrawConsent", "ConsentNoted { consentId version }", &input);
            let another = "insert into school_release select '00000000-0000-4000-8000-00000000000c'::uuid, clb_id, pupil_id, trajectory_id,
             school_id, health, title, advice, purpose, author, released_at, ends_on, over_for, over_by, over_at, version
             from school_release";
            let answer = meanwhile(&town, database, &guided, another, &question).await;
            assert_eq!(answer["withdrawConsent"]["version"], 2, "{answer}");
            let apart = database.look_apart().await;
            let over: Vec<String> = list(&apart, "select coalesce(over_for, '-') from school_release").await;
            assert_eq!(over, ["consent", "consent"]);
            apart.close().await.unwrap();
        },
    );
}
