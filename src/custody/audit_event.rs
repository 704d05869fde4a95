//! A line of the access log as an `AuditEvent` of FHIR R4, in the shape of IHE's Basic Audit Log Patterns (BALP 1.1.4; R31):
//! what others' audit repositories read.
//!
//! A line names roles, fields and rules and never a value or a name, and so does the event. What the log does not keep
//! and the pattern asks for (the address of the client, and which replica answered) is said to be unknown. The patterns
//! are of what succeeded; of what was withheld whole the event has the same shape, says so, and claims no profile.

use chrono::SecondsFormat;
use hub_entities::operation::{Purpose, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::period::Numbered;
use crate::store::secret::NOBODY;
use crate::store::secret::line::Line;

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// What BALP calls an action, and whom it lets take part in it.
struct Pattern {
    profile: &'static str,
    action: &'static str,
    interaction: &'static str,
    client: (&'static str, &'static str),
    server: (&'static str, &'static str),
    user: (&'static str, &'static str),
}

const READ: Pattern = Pattern {
    profile: "Read",
    action: "R",
    interaction: "read",
    // Data flow from the hub to who reads.
    client: (DICOM, "110152"),
    server: (DICOM, "110153"),
    user: (PARTICIPATION, "IRCP"),
};

const UPDATE: Pattern = Pattern {
    profile: "Update",
    action: "U",
    interaction: "update",
    client: (DICOM, "110153"),
    server: (DICOM, "110152"),
    user: (PARTICIPATION, "AUT"),
};

const DELETE: Pattern = Pattern {
    profile: "Delete",
    action: "D",
    interaction: "delete",
    client: (DICOM, "110150"),
    server: (
        "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
        "custodian",
    ),
    user: (PARTICIPATION, "CST"),
};

/// A dossier is read, changed by a step, brought out or erased; the log is read and brought out.
fn pattern(line: &Line) -> &'static Pattern {
    match line.action.as_str() {
        "read" | "export" | "replay" | "follow_request" => &READ,
        "erase" => &DELETE,
        _ => &UPDATE,
    }
}

fn coding((system, code): (&str, &str)) -> Value {
    json!({ "system": system, "code": code })
}

fn concept(of: (&str, &str)) -> Value {
    json!({ "coding": [coding(of)] })
}

fn uuid(id: Uuid) -> Value {
    json!({ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}") })
}

/// An element that must be there and is not known.
fn unknown() -> Value {
    json!({ "extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown",
    }] })
}

/// The rules of what was granted, each once.
fn rules(line: &Line) -> Vec<&str> {
    let mut rules: Vec<&str> = line
        .granted
        .iter()
        .filter_map(|one| Some(one.rsplit_once('=')?.1))
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Why it was asked: in our words, and in those of HL7 where it has one that means the same.
fn purposes(line: &Line) -> Vec<Value> {
    let reason = |code: &str| coding(("http://terminology.hl7.org/CodeSystem/v3-ActReason", code));
    let mut purposes = Vec::new();
    if let Some(purpose) = line.purpose {
        let mut codings = vec![coding(("urn:clb-hub:purpose", purpose.name()))];
        codings.extend((purpose == Purpose::RightsOfThePerson).then(|| reason("PATRQT")));
        purposes.push(json!({ "coding": codings }));
    }
    if rules(line).contains(&"urgency") {
        purposes.push(json!({ "coding": [reason("BTG")] }));
    }
    purposes
}

fn agents(line: &Line, pattern: &Pattern) -> Value {
    let purposes = purposes(line);
    // Whoever works on the machine of the hub, and the hub itself, are no principals.
    let who = if line.role == Role::Operator && line.by.0.is_nil() {
        json!({ "display": "on the machine of the hub" })
    } else {
        json!({ "identifier": uuid(line.by.0) })
    };
    let mut user = json!({
        "type": concept(pattern.user),
        "role": [concept(("urn:clb-hub:role", line.role.name()))],
        "who": who,
        "requestor": true,
    });
    let policies: Vec<String> = rules(line)
        .iter()
        .map(|rule| format!("urn:clb-hub:rule:{rule}"))
        .collect();
    // FHIR knows no empty list.
    if let Some(user) = user.as_object_mut() {
        if !policies.is_empty() {
            user.insert("policy".to_owned(), json!(policies));
        }
        if !purposes.is_empty() {
            user.insert("purposeOfUse".to_owned(), json!(purposes));
        }
    }
    json!([
        {
            "type": concept(pattern.client),
            "who": { "display": "a client of the hub" },
            "requestor": false,
            "network": unknown(),
        },
        {
            "type": concept(pattern.server),
            "who": { "display": "clb-hub" },
            "requestor": false,
            "network": unknown(),
        },
        user,
        // The controller, who is responsible for what is looked at.
        {
            "type": concept(("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV")),
            "who": { "type": "Organization", "identifier": uuid(line.clb.0) },
            "requestor": false,
        },
    ])
}

/// Whether it is the log itself that was asked for, and not a dossier. A dossier is brought out of its pupil, the log of nobody.
fn is_of_log(line: &Line) -> bool {
    let mut what = line.granted.iter().chain(&line.withheld);
    match line.action.as_str() {
        "export" | "replay" => line.pupil == NOBODY,
        "review_log" => true,
        _ => what.any(|one| one.starts_with("audit/lines")),
    }
}

fn entities((line, number): &Numbered) -> Value {
    let kind = |code| coding(("http://terminology.hl7.org/CodeSystem/audit-entity-type", code));
    let role = |code| coding(("http://terminology.hl7.org/CodeSystem/object-role", code));
    let detail = |kind: &str, value: String| json!({ "type": kind, "valueString": value });
    let mut details = vec![
        detail("action", line.action.clone()),
        detail("assured", line.assured.to_string()),
    ];
    details.extend(number.map(|number| detail("number", number.to_string())));
    details.extend(line.granted.iter().map(|one| detail("granted", one.clone())));
    details.extend(line.withheld.iter().map(|one| detail("withheld", one.clone())));
    let (what, of) = if is_of_log(line) {
        ("urn:clb-hub:access-log", line.clb.0.to_string())
    } else {
        ("urn:clb-hub:dossier", format!("{}/{}", line.clb.0, line.pupil.0))
    };
    let data = json!({
        "type": kind("2"),
        "role": role("4"),
        "what": { "identifier": { "system": what, "value": of } },
        "detail": details,
    });
    let patient = (line.pupil != NOBODY).then(|| {
        json!({
            "type": kind("1"),
            "role": role("1"),
            "what": { "reference": format!("Patient/{}", line.pupil.0), "type": "Patient" },
        })
    });
    let balp = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
    let transaction = (!line.request.is_nil()).then(|| {
        json!({
            "type": coding((balp, "XrequestId")),
            "what": { "identifier": { "value": line.request.to_string() } },
        })
    });
    patient.into_iter().chain([data]).chain(transaction).collect()
}

/// The event of a line.
pub fn audit_event(numbered: &Numbered) -> Value {
    let line = &numbered.0;
    let pattern = pattern(line);
    let refused = line.granted.is_empty() && !line.withheld.is_empty();
    let of = if line.pupil == NOBODY { "" } else { "Patient" };
    let profile = format!(
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.{of}{}",
        pattern.profile
    );
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": line.id.0.to_string(),
        "type": coding(("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest")),
        "subtype": [coding(("http://hl7.org/fhir/restful-interaction", pattern.interaction))],
        "action": pattern.action,
        "recorded": line.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "outcome": if refused { "4" } else { "0" },
        "agent": agents(line, pattern),
        "source": {
            "site": "clb-hub",
            "observer": { "display": "clb-hub" },
            "type": [coding(("http://terminology.hl7.org/CodeSystem/security-source-type", "4"))],
        },
        "entity": entities(numbered),
    });
    let purposes = purposes(line);
    if let Some(event) = event.as_object_mut() {
        if refused {
            event.insert("outcomeDesc".to_owned(), json!("withheld"));
        } else {
            event.insert("meta".to_owned(), json!({ "profile": [profile] }));
        }
        if !purposes.is_empty() {
            event.insert("purposeOfEvent".to_owned(), json!(purposes));
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use hub_entities::id::{ClbId, DecisionId, PrincipalId, PupilId};

    use super::*;

    fn line(action: &str, pupil: PupilId, granted: &str) -> Line {
        Line {
            id: DecisionId(Uuid::from_u128(1)),
            clb: ClbId(Uuid::from_u128(2)),
            at: chrono::DateTime::UNIX_EPOCH,
            by: PrincipalId(Uuid::from_u128(3)),
            role: Role::ClbWorker,
            purpose: None,
            assured: true,
            pupil,
            action: action.to_owned(),
            granted: vec![granted.to_owned()],
            withheld: Vec::new(),
            facts: String::new(),
            request: Uuid::nil(),
        }
    }

    // By hand: what each of these is in the words of BALP, and of what it is told.
    #[test]
    fn what_is_told_is_what_was_done() {
        let pupil = PupilId(Uuid::from_u128(4));
        for (action, pupil, granted, profile, of) in [
            ("read", pupil, "secret.learning/entries=team", "PatientRead", "dossier"),
            ("write_entry", pupil, "secret.learning=team", "PatientUpdate", "dossier"),
            ("erase", pupil, "case=destroyed-on-purpose", "PatientDelete", "dossier"),
            ("export", pupil, "secret.learning=team", "PatientRead", "dossier"),
            ("export", NOBODY, "audit/lines=export", "Read", "access-log"),
            ("replay", NOBODY, "audit/lines=replay", "Read", "access-log"),
            (
                "read",
                pupil,
                "audit/lines=pupil-reads-own-log",
                "PatientRead",
                "access-log",
            ),
            ("read", NOBODY, "audit/holds=director-holds-back", "Read", "dossier"),
            (
                "review_log",
                pupil,
                "audit=officer-reviews-the-log",
                "PatientUpdate",
                "access-log",
            ),
            (
                "follow_request",
                pupil,
                "secret.intake=person-follows",
                "PatientRead",
                "dossier",
            ),
        ] {
            let event = audit_event(&(line(action, pupil, granted), None));
            let claims = event["meta"]["profile"][0]
                .as_str()
                .and_then(|claims| claims.rsplit('.').next());
            assert_eq!(claims, Some(profile), "{action} {granted}");
            let entities = event["entity"].as_array().map(Vec::as_slice).unwrap_or_default();
            let what = entities
                .iter()
                .find_map(|one| one["what"]["identifier"]["system"].as_str());
            assert_eq!(what, Some(format!("urn:clb-hub:{of}").as_str()), "{action} {granted}");
        }
    }
}
