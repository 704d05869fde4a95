//! Whose consent a release rests on, and to whom it goes (domain facts §3.4, §4.4).

use hub_entities::id::PupilId;
use hub_entities::operation::Actor;
use serde_json::{Value, json};

use super::super::{FROM_NOW, Staff, assign_post, open};
use super::{GUIDANCE, YES, answered, care_team, release, titles};
use crate::support::database::both_databases;
use crate::support::town::Town;
use crate::support::world::{at, born};

/// Guidance in learning begins for this pupil.
async fn begun(town: &Town, by: &Actor, pupil: PupilId) -> String {
    let opened = town.ask_for(by, GUIDANCE, true, &open(pupil, "LEARNING")).await;
    let id = &opened["openTrajectory"]["trajectoryId"];
    id.as_str().unwrap_or_else(|| panic!("{opened}")).to_owned()
}

async fn released(town: &Town, by: &Actor, question: &str) -> Value {
    town.ask_for(by, GUIDANCE, true, question).await["releaseToSchool"].take()
}

// Issue 4.2: turning twelve takes nothing back that was released in time, and a parent's consent covers nothing new.
both_databases!(a_parents_consent_covers_nothing_new, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let anchor = &staff.anchor;
    let eli = town.world.pupils(town.north, &[("eli", born("2014-10-07"))]).await[0].1;
    let learning = begun(&town, anchor, eli).await;
    let care = care_team(&town).await;
    let words = |title| [title, "advice", "purpose"];
    let not_now = json!({ "__typename": "NotPossible", "reason": "STATE" });
    let consents = async |town: &Town, answer: String| {
        let noted = town
            .ask_for(anchor, GUIDANCE, true, &answered(&learning, &answer))
            .await;
        assert_eq!(noted["recordConsent"]["version"], 1, "{noted}");
    };
    // Of eleven the parents decide, not the pupil.
    consents(&town, YES.to_owned()).await;
    let question = release(&town, &learning, words("before"), "");
    assert_eq!(released(&town, anchor, &question).await, not_now);
    consents(&town, YES.replace("PUPIL", "PARENT")).await;
    assert_eq!(released(&town, anchor, &question).await["version"], 1);
    town.applier().await.round().await.unwrap();
    assert_eq!(titles(&town, &care).await, ["before"]);
    // Without the pupil's own answer of before, as if there had been none.
    let apart = database.look_apart().await;
    let own = "delete from consent_said where given_by = 'pupil'";
    assert_eq!(crate::support::look::meddle(&apart, own).await, 1);
    apart.close().await.unwrap();

    town.world.now = at("2026-10-07T10:00:00Z");
    let question = release(&town, &learning, words("after"), "");
    assert_eq!(released(&town, anchor, &question).await, not_now);
    // An answer to something else changes nothing of it.
    consents(&town, YES.replace("SHARING", "GUIDANCE")).await;
    town.applier().await.round().await.unwrap();
    assert_eq!(titles(&town, &care).await, ["before"]);
    // The pupil's own no does, and the own yes is one.
    consents(
        &town,
        YES.replace("GIVEN ", "REFUSED ").replace("2026-10-01", "2026-10-06"),
    )
    .await;
    town.applier().await.round().await.unwrap();
    assert_eq!(titles(&town, &care).await, Vec::<String>::new());
    consents(&town, YES.replace("2026-10-01", "2026-10-07")).await;
    assert_eq!(released(&town, anchor, &question).await["version"], 1);
});

// A CLB that releases learns of no school of the pupil's but its own; and tells no other.
both_databases!(
    a_release_goes_to_a_school_of_the_clb,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = Staff::of(&town).await;
        let anchor = &staff.anchor;
        let post = assign_post(anchor, &town, "ANCHOR", FROM_NOW)
            .replace(&town.north.id.to_string(), &town.east.id.to_string());
        town.ask_for(&staff.director, None, true, &post).await;
        // Cas is at east and at south, and south works with another CLB.
        let learning = begun(&town, anchor, town.cas).await;
        town.ask_for(anchor, GUIDANCE, true, &answered(&learning, YES)).await;
        let to = |school: String| {
            release(
                &town,
                &learning,
                ["title", "advice", "purpose"],
                &format!("schoolId: \"{school}\""),
            )
        };
        let invalid = json!({ "__typename": "Invalid", "field": "schoolId" });
        for other in [town.south.id, town.north.id] {
            assert_eq!(
                released(&town, anchor, &to(other.to_string())).await,
                invalid,
                "{other}"
            );
        }
        assert_eq!(released(&town, anchor, &to("made up".to_owned())).await, invalid);
        assert_eq!(
            released(&town, anchor, &to(town.east.id.to_string())).await["version"],
            1
        );
    }
);
