//! The demo's dossiers: who is told what of them, as a shell asks it and as the demo prints it. Expected by hand from domain
//! facts §3.5 and §4.4 and from what the demo says that it does: the psychologist guides a pupil of fifteen in wellbeing, nurse
//! and doctor in health, and the pupil was opened the first; the social worker guides one of eleven, whose parent reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Demo, pasted};
use crate::support::process::Folder;

/// Open to the pupil.
const OPEN: &str = "Verzonnen tekst van de demo: gesprek over slapen en over de klas.";

/// For the team alone.
const CLOSED: &str = "Verzonnen tekst van de demo: een derde vroeg dit vertrouwelijk te houden.";

const HEALTH: &str = "Verzonnen tekst van de demo: gehoortest, geen verwijzing nodig.";

const LEARNING: &str = "Verzonnen tekst van de demo: leest traag, oefent mee in de klas.";

/// As it is printed.
const TABLE: [&str; 8] = [
    "the dossier of a pupil of fifteen, asked for by six; where `?` stands, access may be asked for:",
    "                         psychologist        doctor              administration      pupil-15",
    "wellbeing: trajectories  1 trajectory        NOT_IN_TEAM?        1 trajectory        1 trajectory",
    "wellbeing: entries       2 entries           NOT_IN_TEAM?        SECRECY             1 entry",
    "health: trajectories     OTHER_DISCIPLINE?   1 trajectory        1 trajectory        THROUGH_DOCTOR?",
    "health data              OTHER_DISCIPLINE?   1 entry             SECRECY             THROUGH_DOCTOR?",
    "chat-worker              there is no such pupil",
    "care-team                refused whole (INVALID_DOCUMENT): its schema has no word for a dossier",
];

/// As the summary says it.
pub(super) fn summed_up() -> Value {
    let parts = |of: [Value; 4]| {
        let names = [
            "wellbeing: trajectories",
            "wellbeing: entries",
            "health: trajectories",
            "health data",
        ];
        let all: serde_json::Map<String, Value> = names.map(str::to_owned).into_iter().zip(of).collect();
        Value::Object(all)
    };
    let (discipline, team, doctor) = (
        json!("OTHER_DISCIPLINE?"),
        json!("NOT_IN_TEAM?"),
        json!("THROUGH_DOCTOR?"),
    );
    json!({
        "psychologist": parts([json!(1), json!([OPEN, CLOSED]), discipline.clone(), discipline]),
        "doctor": parts([team.clone(), team, json!(1), json!([HEALTH])]),
        "administration": parts([json!(1), json!("SECRECY"), json!(1), json!("SECRECY")]),
        "pupil-15": parts([json!(1), json!([OPEN]), doctor.clone(), doctor]),
        "chat-worker": null,
        "care-team": "INVALID_DOCUMENT",
    })
}

/// The texts of a list of entries, or the code for which it is withheld.
fn read(list: &Value) -> Vec<&str> {
    match list["value"].as_array() {
        Some(rows) => rows.iter().map(|row| row["text"].as_str().unwrap()).collect(),
        None => vec![list["code"].as_str().unwrap()],
    }
}

/// What is printed, and what a shell brings out of the lines that are to be pasted.
pub(super) fn told_side_by_side(folder: &Folder, demo: &Demo) {
    assert_eq!(demo.table, TABLE);
    let blocks = demo.to_paste.iter().skip(4);
    let answers: BTreeMap<&str, Value> = blocks
        .map(|(who, block)| (who.as_str(), pasted(folder, block)))
        .collect();
    let of = |persona: &str| {
        let answer = &answers[persona];
        assert_eq!(answer.get("errors"), None, "{persona}: {answer}");
        let data = &answer["data"];
        if persona == "pupil-15" {
            &data["dossiers"][0]
        } else {
            &data["dossier"]
        }
    };
    for (persona, entries, medical) in [
        ("psychologist", vec![OPEN, CLOSED], vec!["OTHER_DISCIPLINE"]),
        ("doctor", vec!["NOT_IN_TEAM"], vec![HEALTH]),
        ("administration", vec!["SECRECY"], vec!["SECRECY"]),
        ("pupil-15", vec![OPEN], vec!["THROUGH_DOCTOR"]),
    ] {
        let dossier = of(persona);
        assert_eq!(read(&dossier["wellbeing"]["entries"]), entries, "{persona}");
        assert_eq!(read(&dossier["medical"]), medical, "{persona}");
    }
    assert_eq!(*of("chat-worker"), Value::Null);
    let refused = &answers["care-team"];
    assert_eq!(
        (refused.get("data"), refused["errors"].is_array()),
        (None, true),
        "{refused}"
    );
    assert_eq!(answers.len(), 6);
}

/// Each persona is who it says, and those who are not beside the others read what is theirs too.
pub(super) async fn each_reads_the_own(folder: &Folder, demo: &Demo) {
    let token = |persona: &str| folder.run(&["token", persona, "--folder", "demo"]).trim().to_owned();
    for (persona, role) in [
        ("school-client", "SCHOOL_CLIENT"),
        ("other-school-client", "SCHOOL_CLIENT"),
        ("care-team", "SCHOOL_CARE_TEAM"),
        ("data-manager", "SCHOOL_DATA_MANAGER"),
        ("clb-worker", "CLB_WORKER"),
        ("psychologist", "CLB_WORKER"),
        ("doctor", "CLB_WORKER"),
        ("nurse", "CLB_WORKER"),
        ("clb-director", "CLB_DIRECTOR"),
        ("administration", "CLB_ADMINISTRATION"),
        ("other-clb-worker", "CLB_WORKER"),
        ("chat-worker", "CLB_CHAT_WORKER"),
        ("pupil-11", "PUPIL"),
        ("pupil-15", "PUPIL"),
        ("parent", "PARENT"),
        ("dpo", "DATA_PROTECTION_OFFICER"),
        ("operator", "OPERATOR"),
    ] {
        let viewer = demo.ask(&token(persona), "{ viewer { role } }", Value::Null).await;
        assert_eq!(viewer["viewer"]["role"], role, "{persona}");
    }
    let list = |of: &str| format!("{{ ... on Granted{of}Entries {{ value {{ text }} }} ... on Withheld {{ code }} }}");
    let parts = |of: &str| {
        format!(
            "learning {{ entries {0} }} wellbeing {{ entries {0} }} medical {0}",
            list(of)
        )
    };
    // As the shell asked for it.
    let line = demo.to_paste[4].1.lines().last().unwrap();
    let pupil = line.split_once("pup_").unwrap().1;
    let pupil: String = pupil
        .chars()
        .take_while(|one| one.is_ascii_alphanumeric() || *one == '-')
        .collect();
    let of_15 = format!("{{ dossier(pupilId: \"pup_{pupil}\") {{ {} }} }}", parts(""));
    for (persona, learning, wellbeing, medical) in [
        ("nurse", "NOT_IN_TEAM", "NOT_IN_TEAM", HEALTH),
        ("clb-director", "SECRECY", "SECRECY", "SECRECY"),
    ] {
        let read_by = demo.ask_for(&token(persona), "guidance", &of_15).await;
        let dossier = &read_by["dossier"];
        assert_eq!(read(&dossier["learning"]["entries"]), [learning], "{persona}");
        assert_eq!(read(&dossier["wellbeing"]["entries"]), [wellbeing], "{persona}");
        assert_eq!(read(&dossier["medical"]), [medical], "{persona}");
    }
    // Who posted begins guidance is in the team, also beside the psychologist; another CLB has no such pupil.
    let anchor = demo.ask_for(&token("clb-worker"), "guidance", &of_15).await;
    assert_eq!(read(&anchor["dossier"]["wellbeing"]["entries"]), [OPEN, CLOSED]);
    let other = demo.ask_for(&token("other-clb-worker"), "guidance", &of_15).await;
    assert_eq!(other["dossier"], Value::Null);
    let own = format!("{{ dossiers {{ {} }} }}", parts("Own"));
    for (persona, learning) in [("pupil-11", "SECRECY"), ("parent", LEARNING)] {
        let read_by = demo.ask_for(&token(persona), "rights_of_the_person", &own).await;
        let dossier = &read_by["dossiers"][0];
        assert_eq!(read(&dossier["learning"]["entries"]), [learning], "{persona}");
    }
    // All of it was written down, and the officer of the CLB reads it.
    let log = "{ accessLog(first: 1) { ... on GrantedAccessLog { value { totalCount } } } }";
    let log = demo.ask_for(&token("dpo"), "rights_of_the_person", log).await;
    assert!(log["accessLog"]["value"]["totalCount"].as_i64() > Some(20), "{log}");
}
