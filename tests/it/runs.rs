//! Whoever may let a held run go on can find it: the data manager those of its own school, an operator all.

use hub_entities::category::Categories;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};

use crate::support::database::both_databases;
use crate::support::door::{Cast, NOW, cast};
use crate::support::world::World;

/// The ids of a list, asked row by row; the total is of the same rows.
async fn walked(cast: &Cast, viewer: &Actor, root: &str) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), "null".to_owned());
    loop {
        let question = format!(
            "{{ {root}(first: 1, after: {after}) {{ totalCount pageInfo {{ hasNextPage endCursor }}
             edges {{ node {{ id }} }} }} }}"
        );
        let page = cast.hub.ask(viewer, &question).await[root].clone();
        let edges = page["edges"].as_array().unwrap();
        seen.extend(edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            assert_eq!(page["totalCount"], json!(seen.len()), "{root}");
            return seen;
        }
        after = page["pageInfo"]["endCursor"].to_string();
    }
}

both_databases!(
    a_data_manager_finds_the_runs_of_its_own_school_alone,
    async |database: &TestDatabase| {
        let cast = cast(World::new(database, NOW).await, Categories::default_agreement()).await;
        let world = &cast.hub.world;
        let (ours, theirs) = (world.held(cast.school).await, world.held(cast.other_school).await);
        let gaps = [
            world.gap(cast.school, ours, "Q", 3).await.to_string(),
            world.gap(cast.other_school, theirs, "W", 4).await.to_string(),
        ];
        let manager = |school| world.someone(Role::SchoolDataManager, Some(school), None);
        let (manager, other) = (manager(cast.school.id).await, manager(cast.other_school.id).await);
        let client = world.someone(Role::SchoolClient, Some(cast.school.id), None).await;

        // Of each school the roster that made its pupils, and the one that waits.
        let (own, foreign) = (
            walked(&cast, &manager, "syncRuns").await,
            walked(&cast, &other, "syncRuns").await,
        );
        assert_eq!((own.len(), foreign.len()), (2, 2));
        assert!(own.contains(&ours.to_string()) && foreign.contains(&theirs.to_string()));
        assert!(!own.iter().any(|id| foreign.contains(id)));
        assert_eq!(walked(&cast, &cast.operator, "syncRuns").await.len(), 4);
        assert_eq!(walked(&cast, &manager, "gaps").await, gaps[..1]);
        assert_eq!(walked(&cast, &other, "gaps").await, gaps[1..]);
        for viewer in [&cast.care_team, &client] {
            for root in ["syncRuns", "gaps"] {
                assert_eq!(walked(&cast, viewer, root).await, Vec::<String>::new());
            }
        }

        let approve = |run: &str| {
            format!(
                "mutation {{ approveHeldRun(input: {{ run: \"{run}\" }}) {{ ... on NotPossible {{ reason }}
                 ... on HeldRunApproved {{ run {{ id schoolId state }} }} }} }}"
            )
        };
        let refused = json!({ "approveHeldRun": { "reason": "UNKNOWN" } });
        assert_eq!(cast.hub.ask(&manager, &approve(&theirs.to_string())).await, refused);
        assert_eq!(cast.hub.ask(&client, &approve(&ours.to_string())).await, refused);
        let question = "{ syncRuns(first: 9) { edges { node { id state } } } }";
        let listed = cast.hub.ask(&manager, question).await["syncRuns"]["edges"].clone();
        let held: Vec<&Value> = listed.as_array().unwrap().iter().map(|edge| &edge["node"]).collect();
        let held = held.into_iter().find(|run| run["state"] == "HELD").unwrap();
        let answer = cast.hub.ask(&manager, &approve(held["id"].as_str().unwrap())).await;
        let run = json!({ "id": ours.to_string(), "schoolId": cast.school.id.to_string(), "state": "MERGING" });
        assert_eq!(answer, json!({ "approveHeldRun": { "run": run } }));
    }
);
