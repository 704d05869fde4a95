//! The access log, brought out as `AuditEvent`s of FHIR R4 in the patterns of IHE BALP (R31), by the binary: the whole period, and
//! that it was brought out is a line of it, written first (R33).
//!
//! What BALP asks is written by hand from its source (IHE/ITI.BasicAudit, 1.1.4), here and in `tests/clients/fhir/balp.json`: its
//! profiles are not on a registry. The published JSON schema of FHIR R4 is, and an engine of `FHIRPath` that reads `balp.json`: both
//! judge them too (`./tests/run` installs them).

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use uuid::Uuid;

use super::log::looked_at;
use super::{CANARIES, Staff, id_of};
use crate::support::database::{APP, Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{list, meddle, number};
use crate::support::process::Folder;
use crate::support::town::Town;

/// A folder with a configuration for both stores.
pub(crate) fn configured(database: &TestDatabase) -> Folder {
    let folder = Folder::new();
    let config = format!(
        "[database]\nurl = \"{}\"\n[secrecy]\nurl = \"{}\"\nkey_folder = \"keys\"\nhead_folder = \"heads\"\n",
        database.as_role(APP),
        database.apart
    );
    std::fs::write(folder.at("clb-hub.toml"), config).unwrap();
    folder
}

fn export<'a>(clb: &'a str, from: &'a str, until: &'a str) -> [&'a str; 10] {
    let config = ["--config", "clb-hub.toml"];
    [
        "audit", "export", "--clb", clb, "--from", from, "--until", until, config[0], config[1],
    ]
}

/// What BALP asks of a success, by the interaction: whom it lets take part, as whom.
const PATTERNS: [(&str, &str, &str, &str, &str); 3] = [
    ("R", "read", "110152", "110153", "IRCP"),
    ("U", "update", "110153", "110152", "AUT"),
    ("D", "delete", "110150", "custodian", "CST"),
];

/// The slice of a list whose `type` has this code.
fn of_type<'a>(all: &'a Value, code: &str) -> Vec<&'a Value> {
    let has = |one: &&Value| one["type"]["code"] == code || one["type"]["coding"][0]["code"] == code;
    all.as_array().unwrap().iter().filter(has).collect()
}

/// Asserts every element that the profile of this event requires, forbids or fixes.
fn follows_its_profile(event: &Value) {
    let action = event["action"].as_str().unwrap();
    let (_, interaction, client, server, user) = *PATTERNS.iter().find(|pattern| pattern.0 == action).unwrap();
    assert_eq!(
        event["type"]["system"],
        "http://terminology.hl7.org/CodeSystem/audit-event-type"
    );
    assert_eq!(
        (&event["type"]["code"], &event["outcome"]),
        (&json!("rest"), &json!("0"))
    );
    let subtype = json!([{ "system": "http://hl7.org/fhir/restful-interaction", "code": interaction }]);
    assert_eq!(event["subtype"], subtype);
    assert!(event["recorded"].is_string() && event["source"]["observer"].is_object());
    let (clients, servers) = (of_type(&event["agent"], client), of_type(&event["agent"], server));
    let users = of_type(&event["agent"], user);
    assert_eq!((clients.len(), servers.len(), users.len()), (1, 1, 1), "{event}");
    for machine in [clients[0], servers[0]] {
        assert!(machine["who"].is_object() && machine["network"].is_object() && machine["media"].is_null());
    }
    let user = users[0];
    assert!(user["who"].is_object() && user["network"].is_null() && user["media"].is_null());
    assert_eq!(user["requestor"], true);
    let (data, patient) = (of_type(&event["entity"], "2"), of_type(&event["entity"], "1"));
    assert_eq!(data.len(), 1);
    assert!(["3", "4", "20"].contains(&data[0]["role"]["code"].as_str().unwrap()) && data[0]["what"].is_object());
    let transaction = of_type(&event["entity"], "XrequestId");
    assert!(transaction.len() < 2);
    assert!(
        transaction
            .iter()
            .all(|one| one["what"]["identifier"]["value"].is_string())
    );
    let profile = event["meta"]["profile"][0].as_str().unwrap();
    let name = profile
        .strip_prefix("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.")
        .unwrap();
    match name.strip_prefix("Patient") {
        Some(rest) => {
            assert_eq!((rest.to_lowercase().as_str(), patient.len()), (interaction, 1));
            assert_eq!(
                patient[0]["role"],
                json!({ "system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1" })
            );
            assert!(
                patient[0]["what"]["reference"]
                    .as_str()
                    .unwrap()
                    .starts_with("Patient/")
            );
        }
        None => assert_eq!((name.to_lowercase().as_str(), patient.len()), (interaction, 0)),
    }
}

fn unknown() -> Value {
    json!({ "extension": [{ "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown" }] })
}

/// The psychologist's look at Ada, as it must be told: written by hand.
fn look(town: &Town, staff: &Staff, (line, request): (Uuid, Uuid)) -> Value {
    let dicom =
        |code: &str| json!({ "coding": [{ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": code }] });
    let purpose = json!([{ "coding": [{ "system": "urn:clb-hub:purpose", "code": "guidance" }] }]);
    let (clb, ada) = (town.first.0, town.ada.0);
    let urn = |id: Uuid| json!({ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}") });
    json!({
        "resourceType": "AuditEvent",
        "id": line.to_string(),
        "meta": { "profile": ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"] },
        "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest" },
        "subtype": [{ "system": "http://hl7.org/fhir/restful-interaction", "code": "read" }],
        "action": "R",
        "recorded": "2026-10-01T10:05:00.000000Z",
        "outcome": "0",
        "purposeOfEvent": purpose,
        "agent": [
            { "type": dicom("110152"), "who": { "display": "a client of the hub" }, "requestor": false, "network": unknown() },
            { "type": dicom("110153"), "who": { "display": "clb-hub" }, "requestor": false, "network": unknown() },
            {
                "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP" }] },
                "role": [{ "coding": [{ "system": "urn:clb-hub:role", "code": "clb_worker" }] }],
                "who": { "identifier": urn(id_of(&staff.psychologist).0) },
                "requestor": true,
                "policy": ["urn:clb-hub:rule:team"],
                "purposeOfUse": purpose,
            },
            {
                "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "PROV" }] },
                "who": { "type": "Organization", "identifier": urn(clb) },
                "requestor": false,
            },
        ],
        "source": {
            "site": "clb-hub",
            "observer": { "display": "clb-hub" },
            "type": [{ "system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4" }],
        },
        "entity": [
            {
                "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1" },
                "role": { "system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1" },
                "what": { "reference": format!("Patient/{ada}"), "type": "Patient" },
            },
            {
                "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2" },
                "role": { "system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "4" },
                "what": { "identifier": { "system": "urn:clb-hub:dossier", "value": format!("{clb}/{ada}") } },
                "detail": [
                    { "type": "action", "valueString": "read" },
                    { "type": "assured", "valueString": "true" },
                    { "type": "granted", "valueString": "secret.learning/entries=team" },
                    { "type": "withheld", "valueString": "secret.medical/entries=OTHER_DISCIPLINE" },
                ],
            },
            {
                "type": { "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId" },
                "what": { "identifier": { "value": request.to_string() } },
            },
        ],
    })
}

fn events(told: &str) -> Vec<Value> {
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

both_databases!(
    the_log_is_brought_out_as_audit_events,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = looked_at(&mut town).await;
        let look_apart = database.look_apart().await;
        let folder = configured(database);
        let clb = town.first.to_string();
        let told = folder.run(&export(&clb, "2026-10-01", "2026-10-02"));
        let found = events(&told);
        // Five steps and two looks; what the director of the other CLB tried stands in the log there.
        assert_eq!(found.len(), 7, "{told}");
        let actions: Vec<&Value> = found.iter().map(|event| &event["action"]).collect();
        assert_eq!(actions, ["U", "U", "U", "U", "U", "R", "R"]);
        let ids = "select id from access_line where role = 'clb_worker' and action = 'read'";
        let requests = "select request_id from access_line where role = 'clb_worker' and action = 'read'";
        let (line, request) = (
            list::<Uuid>(&look_apart, ids).await,
            list::<Uuid>(&look_apart, requests).await,
        );
        assert_eq!(found[5], look(&town, &staff, (line[0], request[0])));
        // Who was told nothing: no success, and no profile of one.
        let refused = &found[6];
        assert_eq!(
            (&refused["outcome"], &refused["outcomeDesc"]),
            (&json!("4"), &json!("withheld"))
        );
        assert_eq!(refused["meta"], Value::Null);
        found[..6].iter().for_each(follows_its_profile);
        assert!(CANARIES.iter().all(|canary| !told.contains(canary)), "{told}");

        // The same in two halves, and nothing of another day.
        let halves = [
            folder.run(&export(&clb, "2026-10-01", "2026-10-01T10:05:00Z")),
            folder.run(&export(&clb, "2026-10-01T10:05:00Z", "2026-10-02")),
        ];
        assert_eq!(halves.concat(), told);
        assert_eq!(folder.run(&export(&clb, "2026-10-02", "2026-10-03")), "");

        // Each of them is in the log, this one too: it was written first.
        let own = events(&folder.run(&export(&clb, "2026-10-03", "2100-01-01")));
        assert_eq!(own.len(), 5, "{own:?}");
        for event in &own {
            follows_its_profile(event);
            assert_eq!(
                event["meta"]["profile"][0]
                    .as_str()
                    .unwrap()
                    .rsplit_once('.')
                    .unwrap()
                    .1,
                "Read"
            );
            assert_eq!(
                event["agent"][2]["who"],
                json!({ "display": "on the machine of the hub" })
            );
            assert_eq!(event["agent"][2]["role"][0]["coding"][0]["code"], "operator");
            let data = &of_type(&event["entity"], "2")[0];
            assert_eq!(data["what"]["identifier"]["system"], "urn:clb-hub:access-log");
            assert_eq!(data["detail"][0], json!({ "type": "action", "valueString": "export" }));
        }
        let exports = "select count(*) from access_line where action = 'export'";
        assert_eq!(number(&look_apart, exports).await, 5, "and nowhere else");

        // More than are read at once, all of the same moment: each once.
        let columns =
            "clb_id, at, principal_id, role, purpose, assured, pupil_id, action, granted, withheld, facts, request_id";
        let id = match database.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        let own = "clb_id = (select clb_id from access_line where action = 'assign_team' limit 1) and action <> 'read' and action <> 'export'";
        for _ in 0..11 {
            let doubled =
                format!("insert into access_line (id, {columns}) select {id}, {columns} from access_line where {own}");
            meddle(&look_apart, &doubled).await;
        }
        let told = folder.run(&export(&clb, "2026-10-01", "2026-10-02"));
        let ids: std::collections::BTreeSet<&str> = told
            .lines()
            .filter_map(|line| line.split("\"id\":\"").nth(1)?.get(..36))
            .collect();
        assert_eq!((told.lines().count(), ids.len()), (5 * 2_048 + 2, 5 * 2_048 + 2));

        let nobody = "clb_00000000000000000000000000000007";
        for (arguments, why) in [
            (export(nobody, "2026-10-01", "2026-10-02"), "is not registered"),
            (
                export(&clb, "2026-10-02", "2026-10-01"),
                "--until must be behind --from",
            ),
            (export(&clb, "yesterday", "2026-10-01"), "a day such as"),
        ] {
            let output = folder.output(&arguments);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && told.contains(why), "{told}");
        }
        assert_eq!(number(&look_apart, exports).await, 6);
    }
);

/// What the published schema and the rules of BALP say of each of these lines.
fn judged(lines: &str, how: &[&str]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fhir/validate.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .args(how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    events(&String::from_utf8(output.stdout).unwrap())
}

/// Each rule of BALP, broken in an event of each profile, is what says so.
fn each_rule_is_heeded(told: &str, found: &[Value]) {
    let mut of_each = std::collections::BTreeMap::new();
    for (line, event) in told.lines().zip(found) {
        if let Some(profile) = event["meta"]["profile"][0].as_str() {
            of_each.entry(profile).or_insert(line);
        }
    }
    assert_eq!(of_each.len(), 5, "{:?}", of_each.keys());
    let lines: Vec<&str> = of_each.into_values().collect();
    let breaks = judged(&format!("{}\n", lines.join("\n")), &["--broken"]);
    let heeded = |one: &&Value| one.as_array().unwrap().last() == Some(&json!(true));
    let unheeded: Vec<&Value> = breaks.iter().filter(|one| !heeded(one)).collect();
    assert_eq!(unheeded, Vec::<&Value>::new());
    let balp: Value = serde_json::from_str(include_str!("../../clients/fhir/balp.json")).unwrap();
    let rules = balp["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 35);
    for rule in rules {
        assert!(
            breaks.iter().any(|one| one[1] == rule["says"]),
            "{rule} was never broken"
        );
    }
}

#[test]
#[ignore = "needs Node and `npm ci` in tests/clients/fhir"]
fn the_fhir_schema_takes_every_event() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let town = Town::new(database).await;
            let mut door = crate::support::coverage::Door::new(&town, &[]);
            // Whatever can be read or done, so that each kind of line is there.
            crate::dossier::brought_out(&mut door).await;
            let folder = configured(database);
            let clb = town.first.to_string();
            let shred = ["keys", "shred", "--clb", &clb, "--pupil"];
            let shred: Vec<&str> = shred.into_iter().collect();
            let ada = town.ada.to_string();
            folder.run(&["keys", "--config", "clb-hub.toml"]);
            folder.run(&[shred, vec![ada.as_str(), "--config", "clb-hub.toml"]].concat());
            let told = folder.run(&export(&clb, "2026-10-01", "2100-01-01"));
            let found = events(&told);
            for action in ["R", "U", "D"] {
                assert!(found.iter().any(|event| event["action"] == action), "{action}");
            }
            let succeeded = found.iter().filter(|event| event["outcome"] == "0");
            succeeded.for_each(follows_its_profile);
            let judged_events = judged(&told, &[]);
            assert_eq!(judged_events.len(), found.len());
            for (event, wrong) in found.iter().zip(&judged_events) {
                assert_eq!(*wrong, json!([]), "{event}");
            }
            // The control: it does refuse.
            let mut broken = found[0].clone();
            broken["agent"][0].as_object_mut().unwrap().remove("requestor");
            broken["outcome"] = json!("well");
            assert_ne!(judged(&format!("{broken}\n"), &[])[0], json!([]));
            each_rule_is_heeded(&told, &found);
        },
    );
}
