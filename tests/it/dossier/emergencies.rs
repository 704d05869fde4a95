//! Opening in an emergency: minutes, to read, never a confidence, told at once, and over by the database's own time (R34).

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Discipline, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::leaks::cost;
use super::log::{lines, log};
use super::{CANARIES, GUIDANCE, Guided, all_of, go_on, id_of, step, told, write};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

/// Why it was opened: nowhere else.
pub(super) const NEED: &str = "canary-of-a-need";

/// What a third person asked to keep confidential.
const CONFIDENCE: &str = "canary-of-a-confidence";

pub(super) fn open(pupil: PupilId, reason: &str) -> String {
    let input = format!("pupilId: \"{pupil}\" ground: DANGER_TO_LIFE reason: \"{reason}\"");
    step("openInEmergency", "EmergencyOpened { emergencyId until }", &input)
}

fn emergencies(arguments: &str) -> String {
    format!(
        "{{ emergencies({arguments}) {{ __typename ... on Withheld {{ code canAsk decisionId }} ... on GrantedEmergencies {{ value {{
         totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} edges {{ cursor node {{
         id pupilId openedBy ground reason from until lineId }} }} }} }} }} }}"
    )
}

async fn officer(town: &Town) -> Actor {
    let world = &town.world;
    world.someone(Role::DataProtectionOfficer, None, Some(town.first)).await
}

/// A worker outside the team opens, and those who answer for it are told.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let town = door.town;
    let outside = town.world.worker(town.first, Discipline::Mediator).await;
    let opened = door.ask_for(&outside, GUIDANCE, &open(town.ada, NEED)).await;
    assert_eq!(opened["openInEmergency"]["__typename"], "EmergencyOpened", "{opened}");
    for viewer in [&guided.staff.director, &officer(town).await] {
        let seen = door.ask_for(viewer, GUIDANCE, &emergencies("first: 9")).await;
        let first = &seen["emergencies"]["value"]["edges"][0]["node"];
        assert_eq!(first["reason"], NEED, "{viewer:?}");
    }
}

both_databases!(an_emergency_opens_for_minutes, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    let confidence = write(&guided.learning, "closed: [THIRD_PARTY_CONFIDENTIAL]", CONFIDENCE);
    town.ask_for(&staff.anchor, GUIDANCE, true, &confidence).await;
    let read = async |who: &Actor| told(&town.ask_for(who, GUIDANCE, true, &all_of(town.ada)).await["dossier"]);
    let closed = [
        "!NOT_IN_TEAM? !NOT_IN_TEAM?",
        "!NOT_IN_TEAM? !NOT_IN_TEAM?",
        "!NOT_IN_TEAM? !NOT_IN_TEAM?",
        "!NOT_IN_TEAM? !NOT_IN_TEAM?",
        "!OTHER_DISCIPLINE?",
    ];
    assert_eq!(read(&staff.paramedic).await, closed);
    let opened = town
        .ask_for(&staff.paramedic, GUIDANCE, true, &open(town.ada, NEED))
        .await;
    let opened = &opened["openInEmergency"];
    // Whatever team it is of, but not the confidence; and nobody else reads because of it.
    let all = ["1 [canary-of-learning]", "0 []", "1 []", "0 []", "[canary-of-health]"];
    assert_eq!(read(&staff.paramedic).await, all);
    assert_eq!(read(&staff.pedagogue).await[0], closed[0]);
    let own = read(&staff.anchor).await;
    let texts = [CANARIES[0], CONFIDENCE];
    assert!(texts.iter().all(|text| own[0].contains(text)), "the control: {own:?}");
    // To read, and nothing else.
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    for (mutation, question) in [
        ("writeEntry", write(&guided.learning, "", "mine")),
        ("writeEntry", write(&guided.health, "medical: true", "mine")),
        ("moveTrajectory", go_on(&guided.learning, 2, "close: true")),
    ] {
        let answer = town.ask_for(&staff.paramedic, GUIDANCE, true, &question).await;
        assert_eq!(answer[mutation], unknown, "{question}");
    }
    // Half an hour of the database's own time, however late it is here; asked again it is no longer.
    let look = database.look_apart().await;
    let from: Vec<DateTime<Utc>> = list(&look, "select from_at from emergency").await;
    let until: Vec<DateTime<Utc>> = list(&look, "select until_at from emergency").await;
    assert_eq!((from.len(), until[0] - from[0]), (1, TimeDelta::minutes(30)));
    assert_eq!(
        opened["until"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(),
        until[0]
    );
    let again = town
        .ask_for(&staff.paramedic, GUIDANCE, true, &open(town.ada, "again"))
        .await;
    assert_eq!(&again["openInEmergency"], opened);
    assert_eq!(number(&look, "select count(*) from emergency").await, 1);
    // Over by itself, without anyone doing anything; then it takes another one.
    assert_eq!(meddle(&look, "update emergency set until_at = from_at").await, 1);
    assert_eq!(read(&staff.paramedic).await, closed);
    let anew = town
        .ask_for(&staff.paramedic, GUIDANCE, true, &open(town.ada, NEED))
        .await;
    assert_ne!(anew["openInEmergency"]["emergencyId"], opened["emergencyId"]);
    assert_eq!(read(&staff.paramedic).await, all);
    assert_eq!(number(&look, "select count(*) from emergency").await, 2);
    // Whoever is in the team reads there as before: an emergency takes nothing away.
    town.ask_for(&staff.anchor, GUIDANCE, true, &open(town.ada, NEED)).await;
    assert_eq!(number(&look, "select count(*) from emergency").await, 3);
    assert_eq!(read(&staff.anchor).await[0], own[0]);
    look.close().await.unwrap();
});

both_databases!(an_emergency_is_told_and_logged, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let staff = Guided::ada(&mut door).await.staff;
    let opened = town
        .ask_for(&staff.paramedic, GUIDANCE, true, &open(town.ada, NEED))
        .await;
    town.ask_for(&staff.paramedic, GUIDANCE, true, &all_of(town.ada)).await;
    let officer = officer(&town).await;
    let look = database.look_apart().await;
    let of_it = "select decision_id from emergency";
    let line: Uuid = list(&look, of_it).await[0];
    for viewer in [&staff.director, &officer] {
        let seen = town.ask_for(viewer, GUIDANCE, true, &emergencies("first: 9")).await;
        let value = &seen["emergencies"]["value"];
        assert_eq!(value["totalCount"], 1);
        let mut one = value["edges"][0]["node"].clone();
        one.as_object_mut().unwrap().remove("from");
        let expected = json!({
            "id": opened["openInEmergency"]["emergencyId"], "pupilId": town.ada.to_string(),
            "openedBy": id_of(&staff.paramedic).to_string(), "ground": "DANGER_TO_LIFE", "reason": NEED,
            "until": opened["openInEmergency"]["until"], "lineId": format!("dcn_{}", line.simple()),
        });
        assert_eq!(one, expected, "{viewer:?}");
    }
    // Page by page, each viewer with cursors of their own.
    town.ask_for(&staff.nurse, GUIDANCE, true, &open(town.bo, NEED)).await;
    let first = town
        .ask_for(&staff.director, GUIDANCE, true, &emergencies("first: 1"))
        .await;
    let value = &first["emergencies"]["value"];
    assert_eq!(
        (&value["edges"][0]["node"]["pupilId"], &value["totalCount"]),
        (&json!(town.bo.to_string()), &json!(2))
    );
    let after = format!("first: 1 after: {}", value["pageInfo"]["endCursor"]);
    let second = town
        .ask_for(&staff.director, GUIDANCE, true, &emergencies(&after))
        .await;
    let value = &second["emergencies"]["value"];
    assert_eq!(value["edges"][0]["node"]["pupilId"], town.ada.to_string());
    assert_eq!(value["pageInfo"]["hasNextPage"], false);
    let foreign = town.answer_for(&officer, GUIDANCE, true, &emergencies(&after)).await;
    assert_eq!(foreign["errors"][0]["extensions"]["code"], "CURSOR_INVALID");
    // Nobody else: not who opened it, nor another CLB, nor the pupil.
    let pupil = town.world.person(Role::Pupil, town.ada).await;
    for viewer in [
        &staff.paramedic,
        &staff.anchor,
        &staff.administration,
        &town.viewers.chat,
        &pupil,
    ] {
        let answer = town.ask_for(viewer, GUIDANCE, true, &emergencies("first: 9")).await;
        assert_eq!(answer["emergencies"], Value::Null, "{viewer:?}");
    }
    let of_second = town
        .ask_for(&town.viewers.second_director, GUIDANCE, true, &emergencies("first: 9"))
        .await;
    assert_eq!(of_second["emergencies"]["value"]["totalCount"], 0);
    for (purpose, strong, code) in [(None, true, "NEEDS_PURPOSE"), (GUIDANCE, false, "NEEDS_STEP_UP")] {
        let answer = town
            .ask_for(&staff.director, purpose, strong, &emergencies("first: 9"))
            .await;
        assert_eq!(answer["emergencies"]["code"], code);
    }
    // In the log it stands by its kind, for the officer and for the pupil.
    let of_ada = log(&format!("first: 99 filter: {{ pupilId: \"{}\" }}", town.ada));
    let answer = town.ask_for(&officer, None, true, &of_ada).await;
    let marked: Vec<Value> = lines(&answer)
        .into_iter()
        .filter(|line| line["emergency"] == true)
        .collect();
    let by = json!(id_of(&staff.paramedic).to_string());
    assert_eq!(marked.len(), 2);
    assert!(
        marked
            .iter()
            .all(|line| line["detail"]["by"] == by && line["detail"]["discipline"] == "PARAMEDIC")
    );
    let opening = marked
        .iter()
        .find(|line| line["detail"]["action"] == "open_in_urgency")
        .unwrap();
    assert_eq!(opening["detail"]["id"], format!("dcn_{}", line.simple()));
    let decided = |what: &str| json!({ "what": what, "granted": true, "ground": "urgency" });
    let five = ["learning", "career", "health", "wellbeing", "medical"];
    assert_eq!(
        opening["detail"]["decided"],
        Value::from(five.map(|class| decided(&format!("secret.{class}"))).to_vec())
    );
    let answer = town.ask_for(&pupil, None, true, &log("first: 99")).await;
    let marked = lines(&answer).into_iter().filter(|line| line["emergency"] == true);
    assert_eq!(marked.count(), 2);
    assert!(!answer.to_string().contains(NEED));
    look.close().await.unwrap();
});

// R11, R59: of a pupil that is another CLB's it is not even refused otherwise than of nobody.
both_databases!(who_may_open_in_an_emergency, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let staff = Guided::ada(&mut door).await.staff;
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    let not_allowed = json!({ "__typename": "NotPossible", "reason": "NOT_ALLOWED" });
    let worker = &staff.paramedic;
    for (who, purpose, strong, whom, reason, expected) in [
        (&staff.director, GUIDANCE, true, town.ada, NEED, &not_allowed),
        (&staff.administration, GUIDANCE, true, town.ada, NEED, &not_allowed),
        (worker, None, true, town.ada, NEED, &not_allowed),
        (worker, GUIDANCE, false, town.ada, NEED, &not_allowed),
        (worker, GUIDANCE, true, town.dre, NEED, &unknown),
        (&town.viewers.chat, GUIDANCE, true, town.ada, NEED, &unknown),
        (&town.viewers.second, GUIDANCE, true, town.ada, NEED, &unknown),
        (
            worker,
            GUIDANCE,
            true,
            town.ada,
            " ",
            &json!({ "__typename": "Invalid", "field": "reason" }),
        ),
    ] {
        let answer = town.ask_for(who, purpose, strong, &open(whom, reason)).await;
        assert_eq!(&answer["openInEmergency"], expected, "{who:?}");
    }
    let nobody = PupilId(Uuid::from_u128(7));
    let foreign = cost(&town, worker, &open(town.dre, NEED)).await;
    assert_eq!(foreign, cost(&town, worker, &open(nobody, NEED)).await);
    let look = database.look_apart().await;
    assert_eq!(number(&look, "select count(*) from emergency").await, 0);
    let tried = "select count(*) from access_line where action = 'open_in_urgency' and granted = ''";
    assert_eq!(number(&look, tried).await, 9, "each of them is a line");
    look.close().await.unwrap();
});
