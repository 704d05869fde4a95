//! All data of one pupil as one document (R62): what is in it, for whom, and that it is a line of the log first (R33). Expected by
//! hand from what this town was told.

use std::collections::BTreeSet;

use clb_hub::app::{EXPORTED, Word};
use hub_entities::operation::{Actor, Discipline, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::leaks::cost;
use super::rights::{RIGHTS, asked, ending, opening, take};
use super::{
    CANARIES, FROM_NOW, GUIDANCE, Guided, all_of, assign, consents, corrections, emergencies, id_of, open, referrals,
    releases, rights, step, told, write,
};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::schema;
use crate::support::town::Town;

const OWN: &str = "{ ownExport { document isWhole } }";

/// The question of a worker.
pub(super) fn export(pupil: impl std::fmt::Display) -> String {
    format!(
        "{{ pupilExport(pupilId: \"{pupil}\") {{ __typename ... on DataExport {{ document isWhole }}
         ... on Withheld {{ code canAsk decisionId }} }} }}"
    )
}

/// What is in a document that is whole.
fn read(made: &Value) -> Value {
    assert_eq!(made["isWhole"], true, "{made}");
    serde_json::from_str(made["document"].as_str().unwrap()).unwrap()
}

async fn own(town: &Town, person: &Actor) -> Value {
    read(&town.ask_for(person, RIGHTS, true, OWN).await["ownExport"])
}

async fn of_worker(town: &Town, by: &Actor) -> Value {
    read(&take(town, by, &export(town.ada)).await)
}

/// The document without what differs from one export to the next: its request, and the decisions of what is withheld.
pub(super) fn settled(mut document: Value) -> Value {
    fn without(value: &mut Value) {
        match value {
            Value::Object(all) => {
                for name in ["request", "decisionId", "id"] {
                    all.remove(name);
                }
                all.values_mut().for_each(without);
            }
            Value::Array(all) => all.iter_mut().for_each(without),
            _ => {}
        }
    }
    without(&mut document);
    document
}

/// Where two documents differ: the pointers, down to the part.
pub(super) fn differences(one: &Value, other: &Value) -> BTreeSet<String> {
    fn differ(at: &str, one: &Value, other: &Value, found: &mut BTreeSet<String>) {
        match (one, other) {
            (Value::Object(ones), Value::Object(others)) => {
                let names: BTreeSet<&String> = ones.keys().chain(others.keys()).collect();
                for name in names {
                    let pointer = format!("{at}/{}", name.replace('/', "~1"));
                    differ(&pointer, &one[name.as_str()], &other[name.as_str()], found);
                }
            }
            (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
                for (place, (one, other)) in ones.iter().zip(others).enumerate() {
                    differ(&format!("{at}/{place}"), one, other, found);
                }
            }
            _ if one == other => {}
            _ => {
                found.insert(at.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    differ("", one, other, &mut found);
    found
}

async fn ada(town: &Town) -> Guided {
    let mut door = Door::new(town, &[]);
    Guided::ada(&mut door).await
}

/// Someone asks, and the trajectory of learning is opened: what was opened.
async fn opened(town: &Town, guided: &Guided, person: &Actor) -> Value {
    let request = asked(town, person).await;
    let opened = opening(&request, 1, &guided.learning, "inPupilsInterest: true");
    let opened = take(town, &guided.staff.psychologist, &opened).await;
    assert_eq!(opened["__typename"], "DossierOpened", "{opened}");
    opened["accessId"].clone()
}

/// Both documents are brought out.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let (town, staff) = (door.town, &guided.staff);
    let pupil = town.world.person(Role::Pupil, town.ada).await;
    let made = door.ask_for(&pupil, RIGHTS, OWN).await;
    assert_eq!(read(&made["ownExport"])["pupilId"], town.ada.to_string());
    for (by, kind) in [(&staff.psychologist, "DataExport"), (&staff.director, "Withheld")] {
        let made = door.ask_for(by, GUIDANCE, &export(town.ada)).await;
        assert_eq!(made["pupilExport"]["__typename"], kind, "{by:?}");
    }
}

both_databases!(
    a_person_takes_along_what_the_person_reads,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let by = &guided.staff.psychologist;
        let pupil = town.world.person(Role::Pupil, town.ada).await;
        for (question, by) in [
            ("reportSignal", &town.viewers.north),
            ("acceptSignal", &town.viewers.first),
        ] {
            let signal = hub_entities::signal::signal_id(
                &hub_entities::signal::truancy_key("truancy.5", town.ada, hub_entities::time::SchoolYear(2026)),
                1,
            );
            let step = format!("mutation {{ {question}(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
            town.ask(by, &step).await;
        }
        let before = own(&town, &pupil).await;
        let north = json!({ "id": town.north.id.to_string(), "institutionNumber": "123456", "name": "School", "city": "Gemeente" });
        let first = json!({ "id": town.first.to_string(), "institutionNumber": "114711", "name": "CLB" });
        let absence = |day: &str, part: &str, code: &str| json!({ "day": day, "part": part, "code": code, "schoolId": town.north.id.to_string() });
        let at = "2026-10-01T10:00:00Z";
        let step = |track: &str, party: String| json!({ "track": track, "party": party, "at": at });
        let record = json!({ "school": north, "identifier": null, "registrationNumber": null, "givenName": "Ada",
        "familyName": "Zeger", "sex": "female", "birthDate": "2012-05-01", "street": "Straat 1", "postalCode": "9990",
        "city": "Klaverdonk", "language": "nl", "changedAt": at, "contacts": { "email": null, "phone": null, "others": [{
            "role": "parent", "givenName": "An", "familyName": "Maes", "email": "an@clb-hub.invalid",
            "phone": "+32 400 000001" }] } });
        let mut basic = before["basic"]["value"].clone();
        let signals = basic["signals"].as_array_mut().unwrap();
        assert!(
            signals
                .iter_mut()
                .all(|one| one.as_object_mut().unwrap().remove("id").is_some())
        );
        assert_eq!(
            basic,
            json!({
                "records": [record],
                "enrolments": [{ "school": north, "begins": "2026-09-01", "ends": null }],
                "classes": [{ "school": north, "schoolYear": "2026-2027", "name": "1A", "begins": "2026-09-01", "ends": null }],
                "competence": [{ "clb": first, "ground": "enrolment", "begins": "2026-09-01", "ends": null }],
                "absences": [
                    absence("2026-09-01", "am", "B"), absence("2026-09-01", "pm", "B"), absence("2026-09-03", "am", "B"),
                    absence("2026-09-03", "pm", "B"), absence("2026-09-04", "am", "B"), absence("2026-09-07", "am", "Z"),
                    absence("2026-09-08", "am", "UNRESOLVED"),
                ],
                "formerAbsences": [],
                "truancy": [{ "schoolYear": "2026-2027", "halfDays": 5, "carried": 0, "pending": 1, "reached5": "2026-09-04",
                    "reached30": null }],
                "carriedIn": [],
                "signals": [{ "kind": "truancy.5", "schoolYear": "2026-2027", "generation": 1, "state": "raised", "halfDays": 5,
                    "reachedOn": "2026-09-04", "raisedAt": at, "withdrawnAt": null,
                    "steps": [step("accept", town.first.to_string()), step("report", town.north.id.to_string())] }],
            })
        );
        assert_eq!(
            (&before["confidential"], &before["madeFor"]),
            (&json!(true), &json!("pupil"))
        );
        // Of the dossier why not, field by field; nothing that is not there is told apart from what is.
        let parts = &before["dossiers"][0]["parts"];
        for (part, code) in [
            ("secret.learning/entries", "SECRECY"),
            ("secret.career/trajectories", "SECRECY"),
            ("secret.health/entries", "THROUGH_DOCTOR"),
            ("secret.medical/entries", "THROUGH_DOCTOR"),
        ] {
            assert_eq!(
                (&parts[part]["withheld"]["code"], &parts[part]["value"]),
                (&json!(code), &Value::Null),
                "{part}"
            );
        }
        assert_eq!(before["requests"]["value"], json!({ "toRead": [], "corrections": [] }));

        // What is opened is in it; what is closed, of others or of another trajectory is not, nor who wrote it.
        for ground in ["THIRD_PARTY_CONFIDENTIAL", "THIRD_PARTY_ONLY", "COURT", "AGOGIC"] {
            take(
                &town,
                by,
                &write(&guided.learning, &format!("closed: [{ground}]"), "shut-away"),
            )
            .await;
        }
        let others = write(&guided.learning, "", "shut-away").replace("about: PUPIL", "about: THIRD_PARTY");
        take(&town, by, &others).await;
        let second = take(&town, &guided.staff.anchor, &open(town.ada, "LEARNING")).await;
        take(
            &town,
            &guided.staff.anchor,
            &write(second["trajectoryId"].as_str().unwrap(), "", "shut-away"),
        )
        .await;
        opened(&town, &guided, &pupil).await;
        let document = own(&town, &pupil).await;
        let learning = &document["dossiers"][0]["parts"]["secret.learning/entries"]["value"];
        assert_eq!(
            *learning,
            json!([{ "id": guided.entry, "trajectoryId": guided.learning, "about": "pupil", "writtenAt": at, "version": 1,
            "ownWordsOf": null, "text": CANARIES[0] }])
        );
        let said = document.to_string();
        assert!(!said.contains("shut-away") && !said.contains(CANARIES[2]), "{said}");
        let staff = [by, &guided.staff.anchor, &guided.staff.nurse, &guided.staff.director];
        for one in staff {
            assert!(!said.contains(&id_of(one).to_string()), "{one:?}");
        }
        assert_eq!(document["requests"]["value"]["toRead"][0]["state"], "opened");
        // Who looked, in roles: the export of before stands there too.
        let looks = document["accessLog"]["value"].as_array().unwrap();
        assert!(
            looks
                .iter()
                .any(|look| look["role"] == "clb_worker" && look["clb"] == first),
            "{looks:?}"
        );
        assert!(looks.iter().any(|look| look["role"] == "pupil"), "{looks:?}");
    }
);

both_databases!(
    a_parent_takes_along_what_a_parent_may,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let (pupil, parent) = (
            town.world.person(Role::Pupil, town.ada).await,
            town.world.person(Role::Parent, town.ada).await,
        );
        // Of a pupil who decides nothing of it is a parent's, but for what the parent asked.
        let document = own(&town, &parent).await;
        assert_eq!(document["basic"]["withheld"]["code"], "SECRECY", "{document}");
        assert_eq!(document["accessLog"]["withheld"]["code"], "SECRECY");
        assert_eq!(document["requests"]["value"]["toRead"], json!([]));
        assert!(!document.to_string().contains("Zeger"), "{document}");
        // While the parents decide it is theirs, without how the other one is reached; and not the pupil's.
        let born = |on: &str| format!("update record set birth_date = {on} where source_key = 'ada'");
        assert_eq!(meddle(&town.world.look, &born("'2015-05-01'")).await, 1);
        opened(&town, &guided, &parent).await;
        let document = own(&town, &parent).await;
        let record = &document["basic"]["value"]["records"][0];
        assert_eq!(
            (&record["familyName"], &record["contacts"]),
            (&json!("Zeger"), &Value::Null)
        );
        assert!(!document.to_string().contains("Maes"), "{document}");
        let entries = &document["dossiers"][0]["parts"]["secret.learning/entries"]["value"];
        assert_eq!(entries[0]["text"], CANARIES[0]);
        let document = own(&town, &pupil).await;
        for part in ["basic", "requests", "accessLog"] {
            assert_eq!(document[part]["withheld"]["code"], "SECRECY", "{part}");
        }
        // While nobody knows who decides it is nobody's.
        assert_eq!(meddle(&town.world.look, &born("null")).await, 1);
        for person in [&pupil, &parent] {
            let document = own(&town, person).await;
            assert_eq!(document["basic"]["withheld"]["code"], "SECRECY", "{person:?}");
        }
        // Behind a weak sign-in nothing leaves, and who is no person has no such document.
        assert_eq!(meddle(&town.world.look, &born("'2012-05-01'")).await, 1);
        let weak = read(&town.ask_for(&pupil, RIGHTS, false, OWN).await["ownExport"]);
        for part in ["basic", "requests", "accessLog"] {
            assert_eq!(weak[part]["withheld"]["code"], "NEEDS_STEP_UP", "{part}");
        }
        let officer = town
            .world
            .someone(Role::DataProtectionOfficer, None, Some(town.first))
            .await;
        assert_eq!(
            town.ask_for(&officer, RIGHTS, true, OWN).await["ownExport"],
            Value::Null
        );
        // Whose CLB keeps its dossiers elsewhere takes the basic data along.
        let elsewhere = town.world.person(Role::Pupil, town.dre).await;
        let document = own(&town, &elsewhere).await;
        assert_eq!(document["basic"]["value"]["records"][0]["familyName"], "Daems");
        assert_eq!(
            (&document["dossiers"], &document["requests"]),
            (&json!([]), &Value::Null)
        );
    }
);

// Two who differ in one right differ in that part of their documents, and in no other.
both_databases!(documents_differ_by_the_right_alone, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = ada(&town).await;
    let staff = &guided.staff;
    let (one, other) = (
        town.world.person(Role::Pupil, town.ada).await,
        town.world.person(Role::Pupil, town.ada).await,
    );
    let mut both = Vec::new();
    for person in [&one, &other] {
        both.push(opened(&town, &guided, person).await);
    }
    let documents = async || {
        let mut all = Vec::new();
        for person in [&one, &other] {
            let mut document = own(&town, person).await;
            // Every export is a look: the second one has a line more.
            document.as_object_mut().unwrap().remove("accessLog");
            all.push(settled(document));
        }
        differences(&all[0], &all[1])
    };
    assert_eq!(documents().await, BTreeSet::new(), "the control");
    take(&town, &staff.psychologist, &ending(&both[1], 1, "")).await;
    let of_learning = [
        "/dossiers/0/parts/secret.learning~1entries/value",
        "/dossiers/0/parts/secret.learning~1entries/withheld",
        "/dossiers/0/parts/secret.learning~1trajectories/value",
        "/dossiers/0/parts/secret.learning~1trajectories/withheld",
    ];
    assert_eq!(documents().await, of_learning.map(str::to_owned).into());

    // A nurse and a paramedic of the same team, in which only the nurse reads health data.
    let paramedic = assign(&guided.health, 1, &staff.paramedic, FROM_NOW);
    assert_eq!(take(&town, &staff.director, &paramedic).await["version"], 2);
    let (nurse, paramedic) = (
        of_worker(&town, &staff.nurse).await,
        of_worker(&town, &staff.paramedic).await,
    );
    let medical = BTreeSet::from(["/dossier/parts/secret.medical~1entries".to_owned()]);
    assert_eq!(differences(&settled(nurse.clone()), &settled(paramedic)), medical);
    let entries = &nurse["dossier"]["parts"]["secret.medical/entries"]["value"]["entries"];
    assert_eq!(entries[0]["text"], CANARIES[2]);
});

both_databases!(
    a_worker_exports_as_a_team_and_no_further,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let (staff, v) = (&guided.staff, &town.viewers);
        let by = &staff.psychologist;
        take(&town, by, &write(&guided.learning, "closed: [COURT]", "for-the-court")).await;
        let document = of_worker(&town, by).await;
        // Exactly what that worker reads, marked; and what is never open to the pupil apart.
        assert_eq!(
            (&document["confidential"], &document["madeFor"]),
            (&json!(true), &json!("clb_worker"))
        );
        let parts = document["dossier"]["parts"].as_object().unwrap();
        let named: BTreeSet<&str> = parts.keys().map(String::as_str).collect();
        let expected = [
            "secret.learning/consents",
            "secret.learning/entries",
            "secret.learning/referrals",
            "secret.learning/trajectories",
            "shared/releases",
        ];
        assert_eq!(named, expected.into());
        let entries = &parts["secret.learning/entries"]["value"];
        let texts = |list: &str| {
            let list = entries[list].as_array().unwrap().iter();
            list.map(|one| one["text"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (texts("entries"), texts("closedToThePupil")),
            (vec![CANARIES[0].to_owned()], vec!["for-the-court".to_owned()])
        );
        let basic = &document["basic"]["value"];
        assert_eq!(
            (&basic["record"]["familyName"], &basic["notAgreed"]),
            (&json!("Zeger"), &json!([]))
        );
        assert_eq!(basic["absences"].as_array().unwrap().len(), 7);
        assert_eq!(basic["truancy"][0]["halfDays"], 5);
        assert_eq!(basic["signals"][0]["state"], "raised");
        // Nor anything of the access log.
        assert_eq!(document.get("accessLog"), None);

        for (who, code) in [
            (&staff.pedagogue, "NOT_IN_TEAM"),
            (&staff.paramedic, "NOT_IN_TEAM"),
            (&staff.director, "SECRECY"),
            (&staff.administration, "SECRECY"),
        ] {
            let made = take(&town, who, &export(town.ada)).await;
            assert_eq!(
                (&made["__typename"], &made["code"]),
                (&json!("Withheld"), &json!(code)),
                "{who:?}"
            );
        }
        let no_purpose = town.ask_for(by, None, true, &export(town.ada)).await;
        assert_eq!(no_purpose["pupilExport"]["code"], "NEEDS_PURPOSE");
        let weak = town.ask_for(by, GUIDANCE, false, &export(town.ada)).await;
        assert_eq!(weak["pupilExport"]["code"], "NEEDS_STEP_UP");
        // What was opened for a time or in an emergency is read, and not taken along.
        let urgent = town.world.worker(town.first, Discipline::Psychologist).await;
        let need = format!("pupilId: \"{}\" ground: DANGER_TO_LIFE reason: \"words\"", town.ada);
        let need = step("openInEmergency", "EmergencyOpened { emergencyId }", &need);
        assert_eq!(take(&town, &urgent, &need).await["__typename"], "EmergencyOpened");
        let reads = town.ask_for(&urgent, GUIDANCE, true, &all_of(town.ada)).await;
        assert_eq!(
            told(&reads["dossier"])[0],
            "1 [canary-of-learning for-the-court]",
            "the control"
        );
        assert_eq!(take(&town, &urgent, &export(town.ada)).await["code"], "NOT_IN_TEAM");
        // R11, R59: of a pupil of others as of nobody.
        let nobody = format!("pup_{}", Uuid::from_u128(7).simple());
        for (who, foreign) in [(by, town.dre), (&v.second, town.ada), (&v.chat, town.ada)] {
            let of_foreign = cost(&town, who, &export(foreign)).await;
            assert_eq!(of_foreign, cost(&town, who, &export(&nobody)).await, "{who:?}");
            assert_eq!(of_foreign.0, r#"{"data":{"pupilExport":null}}"#);
        }
    }
);

// R33: a line first, in the log of each CLB and in that of basic data; without one nothing leaves.
both_databases!(an_export_is_a_line_before_it_leaves, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = ada(&town).await;
    let by = &guided.staff.psychologist;
    town.world.keeps_dossiers(town.second).await;
    let (pupil, cas) = (
        town.world.person(Role::Pupil, town.ada).await,
        town.world.person(Role::Pupil, town.cas).await,
    );
    let apart = database.look_apart().await;
    own(&town, &cas).await;
    of_worker(&town, by).await;
    let lines = "select role || ' ' || granted || ' | ' || withheld from access_line where action = 'export' order by role, clb_id";
    let lines: Vec<String> = list(&apart, lines).await;
    let team = "clb_worker secret.learning=team shared=team | secret.career=NOT_IN_TEAM secret.health=OTHER_DISCIPLINE
        secret.wellbeing=NOT_IN_TEAM secret.medical=OTHER_DISCIPLINE";
    let team = team.split_whitespace().collect::<Vec<_>>().join(" ");
    let of_cas = "pupil case=pupil-exports | ".to_owned();
    assert_eq!(lines, [team, of_cas.clone(), of_cas], "Cas is of two CLBs");
    // Not behind the answer as other reads of basic data, but before it.
    let basic = "select count(*) from access_line where realm = 'person' and role = 'pupil'";
    assert_eq!(number(&town.world.look, basic).await, 1);
    for (look, table) in [(&apart, "access_line"), (&town.world.look, "access_line")] {
        meddle(look, &format!("alter table {table} rename to access_line_gone")).await;
        let answer = town.answer_for(&pupil, RIGHTS, true, OWN).await;
        assert!(answer["data"].is_null(), "{answer}");
        meddle(look, &format!("alter table access_line_gone rename to {table}")).await;
    }
    meddle(&apart, "alter table access_line rename to access_line_gone").await;
    let answer = town.answer_for(by, GUIDANCE, true, &export(town.ada)).await;
    assert!(answer["data"].is_null(), "{answer}");
    meddle(&apart, "alter table access_line_gone rename to access_line").await;
    assert_eq!(own(&town, &pupil).await["pupilId"], town.ada.to_string(), "the control");
    apart.close().await.unwrap();
});

/// What stands in a document behind a pointer, if it says anything.
fn holds(document: &Value, pointer: &str) -> bool {
    let found = document.pointer(pointer);
    found.is_some_and(|found| !found.is_null() && found.as_array().is_none_or(|all| !all.is_empty()))
}

// A table that is new has a word here, or fails; and what is said to be in a document is.
both_databases!(
    an_export_has_a_word_for_every_table_of_a_pupil,
    async |database: &TestDatabase| {
        let columns = schema::columns(database).await;
        let of_a_pupil = [
            "pupil_id",
            "pupil_ids",
            "record_id",
            "signal_id",
            "entry_id",
            "from_pupil",
            "pupil_key",
        ];
        // What waits, or came, under the key of a source is of nobody yet, or told to the software that brought it by its own key.
        let by_key = ["delivery", "quarantine"];
        let tables: BTreeSet<&str> = columns
            .iter()
            .filter(|(table, columns)| *table == "pupil" || of_a_pupil.iter().any(|column| columns.contains(*column)))
            .map(|(table, _)| table.as_str())
            .filter(|table| !by_key.contains(table))
            .collect();
        let mut said: Vec<&str> = EXPORTED.iter().map(|one| one.table).collect();
        let known: BTreeSet<&str> = said.iter().copied().collect();
        // What was said of a consent or a referral hangs under it.
        let hang: BTreeSet<&str> = known.difference(&tables).copied().collect();
        assert_eq!(hang, BTreeSet::new(), "words for no table");
        assert_eq!(
            tables.difference(&known).copied().collect::<BTreeSet<_>>(),
            BTreeSet::new(),
            "tables without a word"
        );
        said.dedup();
        assert_eq!(said.len(), known.len(), "each once");

        let town = Town::new(database).await;
        let mut door = Door::new(&town, &[]);
        let guided = Guided::ada(&mut door).await;
        consents::noted(&mut door, &guided).await;
        referrals::noted(&mut door, &guided).await;
        releases::noted(&mut door, &guided).await;
        emergencies::brought_out(&mut door, &guided).await;
        rights::brought_out(&mut door, &guided, &[]).await;
        let signal = hub_entities::signal::signal_id(
            &hub_entities::signal::truancy_key("truancy.5", town.ada, hub_entities::time::SchoolYear(2026)),
            1,
        );
        let report = format!("mutation {{ reportSignal(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
        town.ask(&town.viewers.north, &report).await;
        // Of Ada nothing was carried in, and nothing said otherwise before.
        let carried = "insert into carried_in (id, record_id, pupil_id, school_year, half_days, begins_on, former_institution, run_id)
        select id, id, pupil_id, 2026, 3, '2026-09-01', '123456', run_id from record where source_key = 'ada'";
        assert_eq!(meddle(&town.world.look, carried).await, 1);
        let formerly = "insert into absence_revision (record_id, day, part, revision, mark, run_id, ended_at)
        select a.record_id, a.day, a.part, a.revision, a.mark, a.run_id, r.changed_at
        from absence a join record r on r.id = a.record_id where r.source_key = 'ada' and a.day = '2026-09-07'";
        assert_eq!(meddle(&town.world.look, formerly).await, 1);
        let pupil = corrections::asked_of_everything(&mut door, &guided).await;
        let (person, worker) = (
            own(&town, &pupil).await,
            of_worker(&town, &guided.staff.psychologist).await,
        );
        for one in EXPORTED {
            for (who, word, document) in [("person", one.person, &person), ("worker", one.worker, &worker)] {
                match word {
                    Word::In(pointer) => assert!(
                        holds(document, pointer),
                        "{} for the {who}: {pointer}\n{document}",
                        one.table
                    ),
                    Word::Not(why) => assert!(why.len() > 20, "{}: why not?", one.table),
                }
            }
        }
    }
);
