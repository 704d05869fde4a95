//! What a snapshot may hold in all of its parts (`rosterRowsPerSnapshot`).

use super::*;
use crate::support::look::meddle;

both_databases!(
    a_snapshot_holds_so_many_rows_and_no_more,
    async |database: &TestDatabase| {
        let scene = Scene::new(database, default()).await;
        let one = |key: &str| format!("pupils: [{}]", pupil(key));
        let first = scene.sends("one", &part("x", 1, false), &one("ada")).await;
        assert_eq!(first["results"], json!([told("HELD", Some("AWAITS_CLOSING"), &[])]));
        let look = &scene.world().look;
        // As after forty parts of 500 rows, but for one row.
        let filled = "update sync_run set staged = 19999 where state = 'staging'";
        assert_eq!(meddle(look, filled).await, 1);
        let last = scene.sends("two", &part("x", 2, false), &one("bo")).await;
        assert_eq!(last["results"], json!([told("HELD", Some("AWAITS_CLOSING"), &[])]));
        assert_eq!(
            number(look, "select cast(staged as bigint) from sync_run").await,
            20_000
        );
        let before = everything(database, look).await;
        let too_many = json!({ "__typename": "NotPossible", "reason": "STATE" });
        for closing in [false, true] {
            let more = scene.sends("three", &part("x", 3, closing), &one("cas")).await;
            assert_eq!(more, too_many);
        }
        assert_eq!(everything(database, look).await, before, "nothing of it is put aside");
    }
);
