//! Who looked: told to the pupil by roles, and to the data protection officer of the controller; to nobody else, and never
//! without a line of its own (R32, R33).

use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Purpose, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::leaks::{cost, sealed};
use super::{CANARIES, GUIDANCE, Guided, Staff, id_of};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle};
use crate::support::town::Town;
use crate::support::world::at;

const RIGHTS: Option<Purpose> = Some(Purpose::RightsOfThePerson);

const LINE: &str = "at clb { id institutionNumber name } role purpose sealed emergency
    detail { id position by discipline pupilId action assured decided { what granted ground } requestId }";

pub(super) fn log(arguments: &str) -> String {
    format!(
        "{{ accessLog({arguments}) {{ __typename ... on Withheld {{ code canAsk decisionId }} ... on GrantedAccessLog {{ value {{
         totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} edges {{ cursor node {{ {LINE} }} }} }} }} }} }}"
    )
}

/// The lines of an answer, the latest first.
pub(super) fn lines(answer: &Value) -> Vec<Value> {
    let edges = answer["accessLog"]["value"]["edges"].as_array();
    let edges = edges.unwrap_or_else(|| panic!("{answer}"));
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

pub(super) async fn officer(town: &Town) -> Actor {
    let world = &town.world;
    world.someone(Role::DataProtectionOfficer, None, Some(town.first)).await
}

/// What of a dossier, of three kinds.
fn question(pupil: PupilId) -> String {
    format!(
        "{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ __typename }} }} medical {{ __typename }} }} }}"
    )
}

/// What a director may see of a dossier.
fn plan(pupil: PupilId) -> String {
    format!("{{ dossier(pupilId: \"{pupil}\") {{ learning {{ trajectories {{ __typename }} }} }} }}")
}

/// The log is brought out, whole for the officer, and withheld from a parent.
pub(super) async fn brought_out(door: &mut Door<'_>) {
    let (town, world) = (door.town, &door.town.world);
    let of_school = world
        .someone(Role::DataProtectionOfficer, Some(town.north.id), None)
        .await;
    let pupil = world.person(Role::Pupil, town.ada).await;
    let parent = world.person(Role::Parent, town.ada).await;
    for viewer in [&officer(town).await, &of_school, &pupil, &parent] {
        let who = door
            .ask_for(viewer, RIGHTS, "{ viewer { id role schoolId clbId } }")
            .await;
        assert_eq!(who["viewer"]["id"], id_of(viewer).to_string());
        door.ask_for(viewer, RIGHTS, &log("first: 99")).await;
    }
}

/// Ada is guided; at five past the psychologist reads, and the director of the second CLB tries; at six past the director
/// looks for Bo.
pub(super) async fn looked_at(town: &mut Town) -> Staff {
    let staff = {
        let mut door = Door::new(town, &[]);
        Guided::ada(&mut door).await.staff
    };
    for (when, who, whom) in [
        ("2026-10-01T10:05:00Z", &staff.psychologist, town.ada),
        ("2026-10-01T10:05:00Z", &town.viewers.second_director.clone(), town.ada),
        ("2026-10-01T10:06:00Z", &staff.director, town.bo),
    ] {
        town.world.now = at(when);
        town.ask_for(who, GUIDANCE, true, &question(whom)).await;
    }
    town.world.now = at("2026-10-01T10:07:00Z");
    staff
}

both_databases!(
    the_officer_reads_the_log_of_the_controller,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = looked_at(&mut town).await;
        let officer = officer(&town).await;
        let first = json!({ "id": town.first.to_string(), "institutionNumber": "114711", "name": "CLB" });
        let decided =
            |what: &str, granted: bool, ground: &str| json!({ "what": what, "granted": granted, "ground": ground });
        let mut answer = town.ask_for(&officer, RIGHTS, true, &log("first: 3")).await;
        assert_eq!(
            answer["accessLog"]["value"]["totalCount"], 8,
            "five steps, two looks, this one"
        );
        let mut of_first = lines(&answer);
        for line in &mut of_first {
            let detail = line["detail"].as_object_mut().unwrap();
            assert!(detail.remove("id").unwrap().as_str().unwrap().starts_with("dcn_"));
            assert!(
                detail
                    .remove("requestId")
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .parse::<Uuid>()
                    .is_ok()
            );
        }
        let line = |when: &str, role: &str, purpose: &str, detail: Value| {
            json!({ "at": format!("2026-10-01T{when}:00+00:00"), "clb": first, "role": role, "purpose": purpose, "sealed": false, "emergency": false,
            "detail": detail })
        };
        let by = |who: &Actor, discipline: Value, pupil: Value, decided: Value| {
            json!({ "position": null, "by": id_of(who).to_string(), "discipline": discipline, "pupilId": pupil, "action": "read", "assured": true,
            "decided": decided })
        };
        let expected = [
            line(
                "10:07",
                "DATA_PROTECTION_OFFICER",
                "RIGHTS_OF_THE_PERSON",
                by(
                    &officer,
                    Value::Null,
                    Value::Null,
                    json!([decided("audit/lines", true, "officer-reads-the-log")]),
                ),
            ),
            line(
                "10:06",
                "CLB_DIRECTOR",
                "GUIDANCE",
                by(
                    &staff.director,
                    Value::Null,
                    json!(town.bo.to_string()),
                    json!([
                        decided("secret.learning/entries", false, "SECRECY"),
                        decided("secret.medical/entries", false, "SECRECY")
                    ]),
                ),
            ),
            line(
                "10:05",
                "CLB_WORKER",
                "GUIDANCE",
                by(
                    &staff.psychologist,
                    json!("PSYCHOLOGIST"),
                    json!(town.ada.to_string()),
                    json!([
                        decided("secret.learning/entries", true, "team"),
                        decided("secret.medical/entries", false, "OTHER_DISCIPLINE")
                    ]),
                ),
            ),
        ];
        assert_eq!(of_first, expected);
        // By pupil, and by time; each look is a line too, and it is told which are sealed by now.
        sealed(&town).await;
        town.world.now = at("2026-10-01T10:08:00Z");
        let of_ada = format!("first: 99 filter: {{ pupilId: \"{}\" }}", town.ada);
        answer = town.ask_for(&officer, RIGHTS, true, &log(&of_ada)).await;
        let of_ada = lines(&answer);
        let ada = json!(town.ada.to_string());
        assert_eq!(of_ada.len(), 7);
        assert!(of_ada.iter().all(|line| line["detail"]["pupilId"] == ada), "{answer}");
        let waits: Vec<&Value> = of_ada.iter().filter(|line| line["sealed"] == false).collect();
        assert_eq!((waits.len(), &waits[0]["role"]), (1, &json!("DATA_PROTECTION_OFFICER")));
        let minute = "first: 99 filter: { from: \"2026-10-01T10:05:00Z\" until: \"2026-10-01T10:06:00Z\" }";
        answer = town.ask_for(&officer, RIGHTS, true, &log(minute)).await;
        assert_eq!(answer["accessLog"]["value"]["totalCount"], 1);
        assert_eq!(
            lines(&answer)[0]["detail"]["by"],
            id_of(&staff.psychologist).to_string()
        );
        assert!(!CANARIES.iter().any(|canary| answer.to_string().contains(canary)));
        // The controller of another log reads that one; of a school there is none.
        let world = &town.world;
        let of_second = world
            .someone(Role::DataProtectionOfficer, None, Some(town.second))
            .await;
        let answer = town.ask_for(&of_second, RIGHTS, true, &log("first: 99")).await;
        let roles: Vec<Value> = lines(&answer).iter().map(|line| line["role"].clone()).collect();
        assert_eq!(roles, ["DATA_PROTECTION_OFFICER", "CLB_DIRECTOR"]);
        let of_school = world
            .someone(Role::DataProtectionOfficer, Some(town.north.id), None)
            .await;
        let answer = town.ask_for(&of_school, RIGHTS, true, &log("first: 99")).await;
        assert_eq!(answer["accessLog"], Value::Null);
        // Behind a weak sign-in it is withheld, and the line says so.
        let answer = town.ask_for(&officer, RIGHTS, false, &log("first: 9")).await;
        assert_eq!(answer["accessLog"]["code"], "NEEDS_STEP_UP");
        let look = database.look_apart().await;
        let withheld = "select withheld from access_line where withheld like 'audit%'";
        assert_eq!(list::<String>(&look, withheld).await, ["audit/lines=NEEDS_STEP_UP"]);
        look.close().await.unwrap();
        // Nobody else has a word for it.
        for viewer in [
            &staff.psychologist,
            &staff.director,
            &staff.administration,
            &town.viewers.north,
            &town.viewers.operator,
        ] {
            let answer = town.answer_for(viewer, RIGHTS, true, &log("first: 9")).await;
            assert!(answer["data"].is_null(), "{viewer:?} {answer}");
        }
    }
);

both_databases!(the_log_is_read_in_pages, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    looked_at(&mut town).await;
    let (officer, another) = (officer(&town).await, officer(&town).await);
    let (mut seen, mut after) = (Vec::new(), String::new());
    for minute in 10..20 {
        // Time goes on, as it does: whatever is written meanwhile stands before what was read.
        town.world.now = at(&format!("2026-10-01T10:{minute}:00Z"));
        let page = town
            .ask_for(&officer, RIGHTS, true, &log(&format!("first: 3 {after}")))
            .await;
        seen.extend(lines(&page).iter().map(|line| line["detail"]["id"].to_string()));
        let info = &page["accessLog"]["value"]["pageInfo"];
        after = format!("after: {}", info["endCursor"]);
        if info["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 8);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 8, "each once");
    // A cursor is good for its viewer and its question, and a page has a bound.
    for (viewer, arguments) in [
        (&another, format!("first: 3 {after}")),
        (
            &officer,
            format!("first: 3 {after} filter: {{ pupilId: \"{}\" }}", town.ada),
        ),
    ] {
        let answer = town.answer_for(viewer, RIGHTS, true, &log(&arguments)).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "CURSOR_INVALID",
            "{arguments}"
        );
    }
    for first in [0, 201] {
        let answer = town
            .answer_for(&officer, RIGHTS, true, &log(&format!("first: {first}")))
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "PAGE_INVALID", "{first}");
    }
});

both_databases!(a_pupil_sees_who_looked, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let staff = looked_at(&mut town).await;
    // What concerns another pupil is that pupil's.
    town.ask_for(&staff.director, GUIDANCE, true, &plan(town.bo)).await;
    // Whoever was told nothing did not look.
    town.ask_for(&staff.paramedic, GUIDANCE, true, &question(town.ada))
        .await;
    let pupil = town.world.person(Role::Pupil, town.ada).await;
    let answer = town.ask_for(&pupil, RIGHTS, true, &log("first: 99")).await;
    let looks = lines(&answer);
    assert_eq!(answer["accessLog"]["value"]["totalCount"], 7);
    assert!(
        looks.iter().all(|look| look["detail"].is_null()),
        "no name, no number, nothing of what was done: {answer}"
    );
    assert!(looks.iter().all(|look| look["clb"]["id"] == town.first.to_string()));
    let mut told: Vec<String> = looks
        .iter()
        .map(|look| format!("{} {} {}", look["at"].as_str().unwrap(), look["role"], look["purpose"]))
        .collect();
    told.sort();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            r#"2026-10-01T10:00:00+00:00 "CLB_DIRECTOR" "GUIDANCE""#,
            r#"2026-10-01T10:00:00+00:00 "CLB_WORKER" "GUIDANCE""#,
            r#"2026-10-01T10:00:00+00:00 "CLB_WORKER" "GUIDANCE""#,
            r#"2026-10-01T10:00:00+00:00 "CLB_WORKER" "GUIDANCE""#,
            r#"2026-10-01T10:00:00+00:00 "CLB_WORKER" "GUIDANCE""#,
            r#"2026-10-01T10:05:00+00:00 "CLB_WORKER" "GUIDANCE""#,
            r#"2026-10-01T10:07:00+00:00 "PUPIL" "RIGHTS_OF_THE_PERSON""#,
        ]
    );
    // Of another pupil, and of nobody: nothing, at the same cost.
    let about = |pupil: PupilId| log(&format!("first: 9 filter: {{ pupilId: \"{pupil}\" }}"));
    let of_bo = cost(&town, &pupil, &about(town.bo)).await;
    assert_eq!(of_bo.0, r#"{"data":{"accessLog":null}}"#);
    assert_eq!(of_bo, cost(&town, &pupil, &about(PupilId(Uuid::from_u128(7)))).await);
    let own = town.ask_for(&pupil, RIGHTS, true, &about(town.ada)).await;
    assert_eq!(own["accessLog"]["__typename"], "GrantedAccessLog");
    // What it takes: to be of age to decide, or a review by now of nobody; and a CLB that keeps a log here.
    let main = &town.world.look;
    assert_eq!(
        meddle(
            main,
            "update record set birth_date = '2015-05-01' where source_key = 'bo'"
        )
        .await,
        1
    );
    assert_eq!(
        meddle(main, "update record set birth_date = null where source_key = 'cas'").await,
        2
    );
    let world = &town.world;
    for (who, strong, expected) in [
        (
            world.person(Role::Pupil, town.bo).await,
            true,
            json!(["SECRECY", false]),
        ),
        (
            world.person(Role::Pupil, town.cas).await,
            true,
            json!(["SECRECY", true]),
        ),
        (
            world.person(Role::Parent, town.bo).await,
            true,
            json!(["SECRECY", true]),
        ),
        (
            world.person(Role::Parent, town.ada).await,
            true,
            json!(["SECRECY", true]),
        ),
        (pupil.clone(), false, json!(["NEEDS_STEP_UP", false])),
    ] {
        let answer = town.ask_for(&who, RIGHTS, strong, &log("first: 9")).await;
        let log = &answer["accessLog"];
        assert_eq!(json!([log["code"], log["canAsk"]]), expected, "{who:?}");
    }
    let without = world.person(Role::Pupil, town.dre).await;
    let answer = town.ask_for(&without, RIGHTS, true, &log("first: 9")).await;
    assert_eq!(answer["accessLog"], Value::Null);
});

// Who is guided by two CLBs sees the log of either, and leaves a line in both.
both_databases!(a_pupil_of_two_clbs_sees_both_logs, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::of(&town).await;
    town.world.keeps_dossiers(town.second).await;
    for director in [&staff.director, &town.viewers.second_director] {
        town.ask_for(director, GUIDANCE, true, &plan(town.cas)).await;
    }
    let pupil = town.world.person(Role::Pupil, town.cas).await;
    let answer = town.ask_for(&pupil, RIGHTS, true, &log("first: 99")).await;
    let told = |line: &Value| (line["clb"]["institutionNumber"].to_string(), line["role"].to_string());
    let mut told: Vec<(String, String)> = lines(&answer).iter().map(told).collect();
    told.sort();
    let expected = [
        ("114711", "CLB_DIRECTOR"),
        ("114711", "PUPIL"),
        ("114712", "CLB_DIRECTOR"),
        ("114712", "PUPIL"),
    ];
    assert_eq!(
        told,
        expected.map(|(clb, role)| (format!("\"{clb}\""), format!("\"{role}\"")))
    );
});
