//! Guidance on demand (issue 4.2): a school asks and is told that it was received, and no more; what it asked lies nowhere
//! in the open, on its way neither; the anchor of the school takes it in or declines it.

use clb_hub::custody::Custody;
use clb_hub::keys::file_vault::FileVault;
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Discipline, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dossier::{AT, GUIDANCE, Staff, cost, id_of, step};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::town::Town;

/// What is asked and why it is declined: nowhere else.
pub(crate) const SAID: [&str; 3] = ["canary-of-a-question", "canary-of-advice", "canary-of-a-refusal"];

const RECEIVED: &str = "GuidanceRequestReceived { requestId receivedAt }";
const ANSWERED: &str = "GuidanceRequestAnswered { requestId version trajectoryId }";

/// What a school asks about this pupil, or for itself.
fn ask(key: &str, pupil: Option<PupilId>, text: &str) -> String {
    let about = pupil.map_or_else(String::new, |pupil| format!("pupilId: \"{pupil}\""));
    let input = format!("idempotencyKey: \"{key}\" {about} text: \"{text}\"");
    // A school's payload has no conflict: there is nothing that could have changed.
    step("submitGuidanceRequest", RECEIVED, &input).replace("... on Conflict { version }", "")
}

fn note(key: &str, about: &str, text: &str) -> String {
    let input = format!("idempotencyKey: \"{key}\" {about} askedBy: PARENT text: \"{text}\"");
    step("submitGuidanceRequest", RECEIVED, &input).replace("... on Conflict { version }", "")
}

fn waiting(town: &Town) -> String {
    format!(
        "{{ guidanceRequests(schoolId: \"{}\") {{ id pupilId schoolId askedBy requestedAt version text {{ __typename
         ... on GrantedText {{ value }} ... on Withheld {{ code canAsk decisionId }} }} }} }}",
        town.north.id
    )
}

fn take_in(request: &Value, version: i32) -> String {
    let input = format!("requestId: {request} version: {version} domain: WELLBEING phase: INCREASED_CARE");
    step("takeInGuidanceRequest", ANSWERED, &input)
}

fn decline(request: &Value, version: i32, reason: &str) -> String {
    let input = format!("requestId: {request} version: {version} reason: \"{reason}\"");
    step("declineGuidanceRequest", ANSWERED, &input)
}

/// North asks about Bo and for itself, its CLB notes what a parent asks; one is declined.
pub(crate) async fn brought_out(door: &mut Door<'_>, staff: &Staff) -> Value {
    let town = door.town;
    let care = town
        .world
        .someone(Role::SchoolCareTeam, Some(town.north.id), None)
        .await;
    let asked = door.ask_for(&care, None, &ask("one", Some(town.bo), SAID[0])).await;
    let asked = &asked["submitGuidanceRequest"];
    assert_eq!(
        (&asked["__typename"], &asked["receivedAt"]),
        (&json!("GuidanceRequestReceived"), &json!(AT))
    );
    let advice = door.ask_for(&care, None, &ask("two", None, SAID[1])).await;
    let advice = advice["submitGuidanceRequest"]["requestId"].clone();
    assert_eq!(town.applier().await.round().await.unwrap(), 2);
    let about = format!("pupilId: \"{}\"", town.bo);
    let noted = door
        .ask_for(&staff.psychologist, GUIDANCE, &note("one", &about, "asked by a parent"))
        .await;
    assert_eq!(noted["submitGuidanceRequest"]["receivedAt"], AT, "{noted}");

    let seen = door.ask_for(&staff.anchor, GUIDANCE, &waiting(town)).await;
    let seen = seen["guidanceRequests"].as_array().unwrap().clone();
    let texts: Vec<&Value> = seen.iter().map(|one| &one["text"]["value"]).collect();
    assert_eq!(texts.len(), 3, "{seen:?}");
    for text in [SAID[0], SAID[1], "asked by a parent"] {
        assert!(texts.contains(&&json!(text)), "{texts:?}");
    }
    door.ask_for(&staff.director, GUIDANCE, &waiting(town)).await;
    let declined = door
        .ask_for(&staff.anchor, GUIDANCE, &decline(&advice, 1, SAID[2]))
        .await;
    let expected =
        json!({ "__typename": "GuidanceRequestAnswered", "requestId": advice, "version": 2, "trajectoryId": null });
    assert_eq!(declined["declineGuidanceRequest"], expected);
    let of_parent = &noted["submitGuidanceRequest"]["requestId"];
    let taken = door.ask_for(&staff.anchor, GUIDANCE, &take_in(of_parent, 1)).await;
    assert_eq!(taken["takeInGuidanceRequest"]["version"], 2, "{taken}");
    asked["requestId"].clone()
}

// What the school is told is the same whatever becomes of it, and nothing of what it asked is in the open on its way.
both_databases!(
    a_school_is_told_that_it_was_received,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        Staff::anchored(&town).await;
        let (world, look) = (&town.world, &town.world.look);
        let care = world.someone(Role::SchoolCareTeam, Some(town.north.id), None).await;
        let before = town.apart.statements();
        let first = town.ask(&care, &ask("one", Some(town.ada), SAID[0])).await["submitGuidanceRequest"].take();
        assert_eq!(first["__typename"], "GuidanceRequestReceived");
        // Asked again under its name it is the same, applied or not.
        let again =
            town.ask(&care, &ask("one", Some(town.ada), "said otherwise")).await["submitGuidanceRequest"].take();
        assert_eq!(again, first);
        assert_eq!(
            town.apart.statements(),
            before,
            "who serves a school asks nothing of the secrecy store"
        );
        let columns = "select case when sealed is null then 'gone' else 'sealed' end from intent";
        assert_eq!(list::<String>(look, columns).await, ["sealed"]);
        for (place, bytes) in crate::dossier::every_byte(database, &town).await {
            assert!(!crate::dossier::has(&bytes, SAID[0]), "{place}");
        }
        assert_eq!(town.applier().await.round().await.unwrap(), 1);
        let gone = "select count(*) from intent where sealed is null and wrapped is null and applied_at is not null";
        assert_eq!(number(look, gone).await, 1);
        let again =
            town.ask(&care, &ask("one", Some(town.ada), "said otherwise")).await["submitGuidanceRequest"].take();
        assert_eq!(
            (again, number(look, "select count(*) from intent").await),
            (first.clone(), 1)
        );

        // Whom it concerns is asked first; nobody else asks, and a no tells nothing.
        let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
        let nobody = PupilId(Uuid::from_u128(7));
        let of_foreign = cost(&town, &care, &ask("two", Some(town.dre), "x")).await;
        assert_eq!(of_foreign, cost(&town, &care, &ask("two", Some(nobody), "x")).await);
        for (asker, pupil) in [
            (&town.viewers.north, Some(town.ada)),
            (&care, Some(town.cas)),
            (&town.viewers.north, None),
        ] {
            let answer = town.ask(asker, &ask("two", pupil, "x")).await;
            assert_eq!(answer["submitGuidanceRequest"], unknown, "{asker:?}");
        }
        for (key, text, field) in [("two", " ", "text"), ("", "x", "idempotencyKey")] {
            let answer = town.ask(&care, &ask(key, None, text)).await;
            assert_eq!(
                answer["submitGuidanceRequest"],
                json!({ "__typename": "Invalid", "field": field })
            );
        }
        // The CLB of south keeps its dossiers elsewhere.
        let south = world.someone(Role::SchoolDataManager, Some(town.south.id), None).await;
        let answer = town.ask(&south, &ask("two", Some(town.dre), "x")).await;
        assert_eq!(
            answer["submitGuidanceRequest"],
            json!({ "__typename": "NotPossible", "reason": "STATE" })
        );
        assert_eq!(number(look, "select count(*) from intent").await, 1);
    }
);

/// What someone sees of what waits: the texts, or why not.
async fn seen(town: &Town, by: &Actor) -> Vec<String> {
    let answer = town.ask_for(by, GUIDANCE, true, &waiting(town)).await;
    let all = answer["guidanceRequests"].as_array().unwrap();
    let text = |one: &Value| {
        let text = &one["text"];
        text["value"].as_str().or(text["code"].as_str()).unwrap().to_owned()
    };
    all.iter().map(text).collect()
}

// Intake by the anchor of the school (issue 4.1), once; what was asked is the first entry of what begins.
both_databases!(the_anchor_takes_in, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let care = town
        .world
        .someone(Role::SchoolCareTeam, Some(town.north.id), None)
        .await;
    let other_anchor = town.world.worker(town.first, Discipline::SocialWorker).await;
    let post = crate::dossier::assign_post(&other_anchor, &town, "ANCHOR", crate::dossier::FROM_NOW)
        .replace(&town.north.id.to_string(), &town.east.id.to_string());
    town.ask_for(&staff.director, None, true, &post).await;
    let asked =
        town.ask(&care, &ask("one", Some(town.ada), SAID[0])).await["submitGuidanceRequest"]["requestId"].take();
    let advice = town.ask(&care, &ask("two", None, SAID[1])).await["submitGuidanceRequest"]["requestId"].take();
    assert_eq!(town.applier().await.round().await.unwrap(), 2);

    let mut of_anchor = seen(&town, &staff.anchor).await;
    of_anchor.sort_unstable();
    assert_eq!(of_anchor, [SAID[0], SAID[1]]);
    for planner in [&staff.director, &staff.administration] {
        assert_eq!(seen(&town, planner).await, ["SECRECY", "SECRECY"], "{planner:?}");
    }
    let outside = [
        &staff.psychologist,
        &staff.nurse,
        &other_anchor,
        &town.viewers.second,
        &town.viewers.chat,
    ];
    for nobody in outside {
        assert_eq!(seen(&town, nobody).await, Vec::<String>::new(), "{nobody:?}");
        let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
        let of_theirs = cost(&town, nobody, &take_in(&asked, 1)).await;
        let of_nobody = cost(&town, nobody, &take_in(&json!(format!("gdr_{}", "0".repeat(32))), 1)).await;
        assert_eq!(of_theirs, of_nobody, "{nobody:?}");
        let declined = town.ask_for(nobody, GUIDANCE, true, &decline(&asked, 1, "no")).await;
        assert_eq!(declined["declineGuidanceRequest"], unknown);
    }
    let answer = async |question: String, mutation: &str| {
        town.ask_for(&staff.anchor, GUIDANCE, true, &question).await[mutation].take()
    };
    let stale = answer(take_in(&asked, 3), "takeInGuidanceRequest").await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 1 }));
    let taken = answer(take_in(&asked, 1), "takeInGuidanceRequest").await;
    assert_eq!((&taken["requestId"], &taken["version"]), (&asked, &json!(2)));
    let read = format!(
        "{{ dossier(pupilId: \"{}\") {{ wellbeing {{ trajectories {{ ... on GrantedTrajectories {{ value {{ id askedBy phase }} }} }}
         entries {{ ... on GrantedEntries {{ value {{ trajectoryId authorId about text }} }} }} }} }} }}",
        town.ada
    );
    let wellbeing = town.ask_for(&staff.anchor, GUIDANCE, true, &read).await["dossier"]["wellbeing"].take();
    let trajectory = &taken["trajectoryId"];
    assert_eq!(
        wellbeing["trajectories"]["value"],
        json!([{ "id": trajectory, "askedBy": "SCHOOL", "phase": "INCREASED_CARE" }])
    );
    assert_eq!(
        wellbeing["entries"]["value"],
        json!([{ "trajectoryId": trajectory, "authorId": id_of(&care).to_string(), "about": "PUPIL", "text": SAID[0] }])
    );
    // Answered once: what is over stays over.
    for over in [take_in(&asked, 2), take_in(&asked, 2)] {
        let again = answer(over, "takeInGuidanceRequest").await;
        assert_eq!(again, json!({ "__typename": "NotPossible", "reason": "STATE" }));
    }
    let declined = answer(decline(&asked, 2, "no"), "declineGuidanceRequest").await;
    assert_eq!(declined["reason"], "STATE");
    // Advice to the school begins nothing.
    let advised = answer(take_in(&advice, 1), "takeInGuidanceRequest").await;
    assert_eq!(
        (&advised["version"], &advised["trajectoryId"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(seen(&town, &staff.anchor).await, Vec::<String>::new());
    let apart = database.look_apart().await;
    assert_eq!(number(&apart, "select count(*) from trajectory").await, 1);
    let blank = answer(decline(&advice, 2, " "), "declineGuidanceRequest").await;
    assert_eq!(blank["field"], "reason");
    apart.close().await.unwrap();
});

// R30: a rotation reaches what waits sealed in the main store; R29: what arrived goes with the dossier.
both_databases!(keys_reach_what_waits, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let care = town
        .world
        .someone(Role::SchoolCareTeam, Some(town.north.id), None)
        .await;
    town.ask(&care, &ask("one", Some(town.ada), SAID[0])).await;
    town.ask(&care, &ask("two", None, SAID[1])).await;
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    let rotated = custody.rotate(&town.keys).await.unwrap();
    assert_eq!((rotated.version, rotated.keys), (2, 2));
    std::fs::remove_file(town.keys.join("kek-1")).unwrap();
    // Another process, which never knew the first version.
    let vault = FileVault::open(&town.keys).unwrap();
    let secrets = clb_hub::store::Secrets::new(town.apart.clone(), std::sync::Arc::new(vault));
    assert_eq!(town.applier_with(secrets).await.round().await.unwrap(), 2);
    let mut all = seen(&town, &staff.anchor).await;
    all.sort_unstable();
    assert_eq!(all, [SAID[0], SAID[1]]);

    assert!(
        custody
            .shred(&town.keys, town.first, town.ada, &*town.world.ids)
            .await
            .unwrap()
    );
    assert_eq!(
        seen(&town, &staff.anchor).await,
        [SAID[1]],
        "Ada's is gone, the school's own is not"
    );
});
