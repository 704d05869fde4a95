//! Asking for access with the decision that withheld something, and the team's answer: for a time, by row, and telling the
//! asker nothing (design §3).

use hub_entities::id::PupilId;
use hub_entities::operation::Actor;
use serde_json::{Value, json};

use super::leaks::{cost, without_decisions};
use super::{CANARIES, GUIDANCE, Guided, id_of, step, write};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::town::Town;
use crate::support::world::at;

/// Why it was asked: nowhere else.
pub(super) const WHY: &str = "canary-of-a-wish";

const ANSWERED: &str = "AccessAnswered { requestId version }";

fn entries(pupil: PupilId) -> String {
    format!(
        "{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ __typename ... on Withheld {{ code canAsk decisionId }}
         ... on GrantedEntries {{ value {{ text }} }} }} }} }} }}"
    )
}

fn request(decision: &Value, reason: &str) -> String {
    let input = format!("decisionId: {decision} reason: \"{reason}\"");
    step("requestAccess", "AccessRequested { decisionId }", &input)
}

fn waiting(pupil: PupilId) -> String {
    format!("{{ accessRequests(pupilId: \"{pupil}\") {{ id pupilId domain requestedBy requestedAt version reason }} }}")
}

fn lend(request: &Value, version: i32, trajectory: &str, until: &str) -> String {
    let lend = format!("lend: {{ trajectoryId: \"{trajectory}\" until: \"{until}\" }}");
    step(
        "answerAccessRequest",
        ANSWERED,
        &format!("requestId: {request} version: {version} {lend}"),
    )
}

fn refuse(request: &Value, version: i32) -> String {
    step(
        "answerAccessRequest",
        ANSWERED,
        &format!("requestId: {request} version: {version}"),
    )
}

/// The decision by which a worker is refused the entries of a pupil's learning.
async fn decision(town: &Town, by: &Actor, pupil: PupilId) -> Value {
    let answer = town.ask_for(by, GUIDANCE, true, &entries(pupil)).await;
    let withheld = &answer["dossier"]["learning"]["entries"];
    assert_eq!(
        (&withheld["code"], &withheld["canAsk"]),
        (&json!("NOT_IN_TEAM"), &json!(true))
    );
    withheld["decisionId"].clone()
}

/// Asking, and both answers, are brought out: one that was asked still waits.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let (town, staff) = (door.town, &guided.staff);
    let askers = [
        (&staff.nurse, Some(true)),
        (&staff.paramedic, Some(false)),
        (&staff.paramedic, None),
    ];
    for (asker, lends) in askers {
        let decision = decision(town, asker, town.ada).await;
        let asked = door.ask_for(asker, GUIDANCE, &request(&decision, WHY)).await;
        assert_eq!(
            asked["requestAccess"],
            json!({ "__typename": "AccessRequested", "decisionId": decision })
        );
        let seen = door.ask_for(&staff.psychologist, GUIDANCE, &waiting(town.ada)).await;
        let request = &seen["accessRequests"][0];
        assert_eq!(
            (&request["domain"], &request["requestedBy"], &request["reason"]),
            (&json!("LEARNING"), &json!(id_of(asker).to_string()), &json!(WHY))
        );
        let question = match lends {
            Some(true) => lend(&request["id"], 1, &guided.learning, "2026-10-02T10:00:00Z"),
            Some(false) => refuse(&request["id"], 1),
            None => continue,
        };
        let answer = door.ask_for(&staff.psychologist, GUIDANCE, &question).await;
        assert_eq!(answer["answerAccessRequest"]["version"], 2, "{answer}");
    }
}

both_databases!(a_team_opens_for_a_time, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let guided = {
        let mut door = Door::new(&town, &[]);
        Guided::ada(&mut door).await
    };
    let (staff, apart) = (&guided.staff, database.look_apart().await);
    let (asker, team) = (&staff.paramedic, &staff.psychologist);
    let read = async |town: &Town, who: &Actor| {
        let answer = town.ask_for(who, GUIDANCE, true, &entries(town.ada)).await;
        let part = &answer["dossier"]["learning"]["entries"];
        part["value"][0]["text"]
            .as_str()
            .or(part["code"].as_str())
            .unwrap()
            .to_owned()
    };
    let refused = decision(&town, asker, town.ada).await;
    town.ask_for(asker, GUIDANCE, true, &request(&refused, WHY)).await;
    // Once, however often.
    town.ask_for(asker, GUIDANCE, true, &request(&refused, "again")).await;
    assert_eq!(number(&apart, "select count(*) from access_request").await, 1);
    // Nobody asks with the decision of another, or with what was granted.
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    for stranger in [&staff.pedagogue, &staff.director, &town.viewers.second] {
        let answer = town.ask_for(stranger, GUIDANCE, true, &request(&refused, "x")).await;
        assert_eq!(answer["requestAccess"], unknown, "{stranger:?}");
    }
    // It is the team's to see and to answer.
    let seen = town.ask_for(team, GUIDANCE, true, &waiting(town.ada)).await["accessRequests"].take();
    let id = seen[0]["id"].clone();
    assert_eq!(seen.as_array().unwrap().len(), 1);
    for outside in [asker, &staff.nurse, &staff.director, &town.viewers.second] {
        let seen = town.ask_for(outside, GUIDANCE, true, &waiting(town.ada)).await;
        assert_eq!(seen["accessRequests"], json!([]), "{outside:?}");
        let answer = town.ask_for(outside, GUIDANCE, true, &refuse(&id, 1)).await;
        assert_eq!(answer["answerAccessRequest"], unknown, "{outside:?}");
    }
    let answer = async |town: &Town, question: String| {
        town.ask_for(team, GUIDANCE, true, &question).await["answerAccessRequest"].take()
    };
    for until in ["2026-10-01T10:00:00Z", "2026-10-31T10:00:01Z"] {
        let invalid = answer(&town, lend(&id, 1, &guided.learning, until)).await;
        assert_eq!(invalid, json!({ "__typename": "Invalid", "field": "until" }), "{until}");
    }
    // Only of a trajectory that is the team's own.
    assert_eq!(
        answer(&town, lend(&id, 1, &guided.health, "2026-10-02T10:00:00Z")).await,
        unknown
    );
    assert_eq!(read(&town, asker).await, "NOT_IN_TEAM");
    assert_eq!(
        answer(&town, lend(&id, 1, &guided.learning, "2026-10-02T10:00:00Z")).await["version"],
        2
    );
    let again = answer(&town, refuse(&id, 2)).await;
    assert_eq!(again, json!({ "__typename": "NotPossible", "reason": "STATE" }));
    let stale = answer(&town, refuse(&id, 1)).await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 2 }));
    assert_eq!(read(&town, asker).await, CANARIES[0]);
    // To read, and to read this alone.
    let writes = write(&guided.learning, "", "mine");
    assert_eq!(
        town.ask_for(asker, GUIDANCE, true, &writes).await["writeEntry"],
        unknown
    );
    assert_eq!(read(&town, &staff.pedagogue).await, "NOT_IN_TEAM");
    let granted = "select granted from access_line where granted like '%=lent'";
    assert_eq!(list::<String>(&apart, granted).await, ["secret.learning/entries=lent"]);
    // Over when it is over, without anyone doing anything.
    town.world.now = at("2026-10-02T09:59:59Z");
    assert_eq!(read(&town, asker).await, CANARIES[0]);
    town.world.now = at("2026-10-02T10:00:00Z");
    assert_eq!(read(&town, asker).await, "NOT_IN_TEAM");
    apart.close().await.unwrap();
});

// R11, R59: of what is not there and of what was refused the asker hears the same, at the same cost.
both_databases!(asking_tells_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let asker = &guided.staff.paramedic;
    // Bo is the CLB's too, and nobody ever wrote a word about him.
    let of_ada = decision(&town, asker, town.ada).await;
    let of_bo = decision(&town, asker, town.bo).await;
    let there = cost(&town, asker, &request(&of_ada, "why")).await;
    let nothing = cost(&town, asker, &request(&of_bo, "why")).await;
    assert!(there.0.contains("AccessRequested"), "{there:?}");
    let told = |one: &(String, u64, u64)| (without_decisions(&one.0), one.1, one.2);
    assert_eq!(told(&there), told(&nothing));
    // A decision of another, and one that was never made.
    let other = decision(&town, &guided.staff.nurse, town.ada).await;
    let foreign = cost(&town, asker, &request(&other, "why")).await;
    let made_up = cost(&town, asker, &request(&json!(format!("dcn_{}", "0".repeat(32))), "why")).await;
    assert_eq!(foreign, made_up);
    assert!(foreign.0.contains("UNKNOWN"), "{foreign:?}");
});
