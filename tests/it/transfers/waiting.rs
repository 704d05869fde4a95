//! What waits although its day has come, and for whom.

use hub_entities::dossier::Mode;
use serde_json::json;

use super::{Moved, goes, guided_by, nothing, round, round_at, says, transfers};
use crate::dossier::Staff;
use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::town::Town;
use crate::support::world::at;

// Design §3: never two masters. A CLB that keeps its dossiers elsewhere, or not at all, gets none from here.
both_databases!(
    without_a_receiver_a_transfer_waits_and_is_told,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        guided_by(&town, &staff.anchor, gus).await;
        goes(&town, gus, "2026-10-01").await;
        assert_eq!(round(&town).await.announced, 1);
        let waits = Moved {
            wait_for_receiver: 1,
            ..nothing()
        };
        let apart = database.look_apart().await;
        let gone = "select count(*) from trajectory where from_clb_id is not null";
        for mode in [None, Some(Mode::External), Some(Mode::Off)] {
            if let Some(mode) = mode {
                let registration = town.world.registration().await;
                registration.put_dossiers(town.second, mode).await.unwrap();
                registration.commit().await.unwrap();
            }
            assert_eq!(round_at(&town, "2026-10-16T10:00:00Z").await, waits, "{mode:?}");
            assert_eq!(number(&apart, gone).await, 0, "{mode:?}");
        }
        let told = transfers(&town, &staff.director).await;
        assert_eq!(
            (&told[0]["custody"], &told[0]["waits"]),
            (&json!("ANNOUNCED"), &json!("RECEIVER"))
        );
        let custody = clb_hub::custody::Custody::open(&town.world.db, &town.apart, town.world.now)
            .await
            .unwrap();
        assert_eq!(custody.transfers().await.unwrap(), [1, 1, 0, 0], "what doctor says");

        // At schools of two other CLBs it goes to neither until one is left.
        let third = town.world.clb("114719").await;
        for clb in [town.second, third] {
            town.world.keeps_dossiers(clb).await;
        }
        let west = town
            .world
            .school("123470", third, hub_entities::category::Categories::all())
            .await;
        town.world.now = at("2026-10-17T10:00:00Z");
        says(&town, west, gus, "2026-10-17", None).await;
        let several = Moved {
            wait_for_one: 1,
            ..nothing()
        };
        assert_eq!(round(&town).await, several);
        assert_eq!(transfers(&town, &staff.director).await[0]["waits"], "SEVERAL_CLBS");
        // The pupil moved on to the third: announced anew, with another term; and there it goes.
        says(&town, town.south, gus, "2026-10-01", Some("2026-10-17")).await;
        assert_eq!(round(&town).await.announced, 1);
        let told = transfers(&town, &staff.director).await;
        // From Monday the 19th: 19 to 23, 26 to 30 October.
        assert_eq!(
            (told.len(), &told[0]["to"]["institutionNumber"], &told[0]["goesOn"]),
            (1, &json!("114719"), &json!("2026-10-31"))
        );
        assert_eq!(round_at(&town, "2026-10-30T10:00:00Z").await, nothing());
        assert_eq!(round_at(&town, "2026-10-31T10:00:00Z").await.whole, 1);
        apart.close().await.unwrap();
    }
);
