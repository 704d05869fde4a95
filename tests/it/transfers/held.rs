//! What is held back: a dossier under a legal hold stays where it is to be kept, and a hold on the log goes with the guidance.

use clb_hub::store::secret::carrying::{Due, carry_out};
use hub_entities::operation::Discipline;
use serde_json::{Value, json};

use super::{Moved, goes, guided_by, nothing, round, round_at, transfers};
use crate::dossier::holds::{held, lift};
use crate::dossier::rights::take;
use crate::dossier::{GUIDANCE, Staff, all_of, assign, parents_log};
use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::town::Town;
use crate::support::world::{at, day};

// R62: what must be kept at this CLB does not leave it.
both_databases!(
    a_dossier_under_a_legal_hold_waits_and_is_told,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        let one = guided_by(&town, &staff.anchor, gus).await;
        town.world.keeps_dossiers(town.second).await;
        let hold = held(&town, &staff.director, one.pupil).await;
        goes(&town, gus, "2026-10-01").await;
        assert_eq!(round(&town).await.announced, 1);
        let waits = Moved {
            wait_for_hold: 1,
            ..nothing()
        };
        let apart = database.look_apart().await;
        for day in ["2026-10-16T10:00:00Z", "2026-10-17T10:00:00Z"] {
            assert_eq!(round_at(&town, day).await, waits, "{day}");
        }
        let gone = "select count(*) from trajectory where from_clb_id is not null";
        assert_eq!(number(&apart, gone).await, 0);
        let told = transfers(&town, &staff.director).await;
        assert_eq!(
            (&told[0]["custody"], &told[0]["waits"]),
            (&json!("ANNOUNCED"), &json!("LEGAL_HOLD"))
        );
        // One that was put after it was seen what has to go is heeded under the lock.
        let due = Due {
            id: told[0]["id"].as_str().unwrap().parse().unwrap(),
            pupil: one.pupil,
            from: town.first,
            to: town.second,
        };
        let scope = clb_hub::register::operator(&town.world.db, town.world.now)
            .await
            .unwrap();
        let law = (town.world.book.laws().transfer(), day("2026-10-17"), town.world.now);
        let carried = carry_out(&town.secrets, &scope, &*town.world.ids, due, law).await;
        assert_eq!(carried.unwrap(), None);
        assert_eq!(number(&apart, gone).await, 0);
        let custody = clb_hub::custody::Custody::open(&town.world.db, &town.apart, town.world.now)
            .await
            .unwrap();
        assert_eq!(custody.transfers().await.unwrap(), [1, 0, 0, 1], "what doctor says");
        let lifted = town
            .ask_for(&staff.director, GUIDANCE, true, &lift(&hold, 1, "settled"))
            .await;
        assert_eq!(lifted["liftLegalHold"]["version"], 2, "{lifted}");
        let whole = Moved { whole: 1, ..nothing() };
        assert_eq!(round_at(&town, "2026-10-18T10:00:00Z").await, whole);
        apart.close().await.unwrap();
    }
);

// Whoever guides the pupil now reads why parents are told nothing, and says when that is over.
both_databases!(a_hold_on_the_log_goes_along, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let gus = ("gus", Some("2012-05-01"));
    let one = guided_by(&town, &staff.anchor, gus).await;
    town.world.keeps_dossiers(town.second).await;
    let noted = take(&town, &staff.anchor, &parents_log::hold(&one.learning)).await;
    assert_eq!(noted["version"], 1, "{noted}");
    goes(&town, gus, "2026-10-01").await;
    assert_eq!(round(&town).await.announced, 1);
    town.world.now = at("2026-10-16T10:00:00Z");
    assert_eq!(round(&town).await, Moved { whole: 1, ..nothing() });
    let director = &town.viewers.second_director;
    let worker = town.world.worker(town.second, Discipline::Psychologist).await;
    let read = take(&town, director, &all_of(one.pupil)).await;
    let version = read["learning"]["trajectories"]["value"][0]["version"]
        .as_i64()
        .unwrap();
    let put = assign(
        &one.learning,
        i32::try_from(version).unwrap(),
        &worker,
        "begins: \"2026-10-16\"",
    );
    assert_eq!(take(&town, director, &put).await["__typename"], "TrajectoryStepped");
    let holds = take(&town, &worker, &parents_log::holds(one.pupil)).await;
    assert_eq!(
        (&holds[0]["id"], &holds[0]["reason"], &holds[0]["liftedAt"]),
        (&noted["holdId"], &json!(parents_log::DANGER), &Value::Null)
    );
    let lifted = take(&town, &worker, &parents_log::lift(&holds[0]["id"], 1)).await;
    assert_eq!(lifted["version"], 2, "{lifted}");
});
