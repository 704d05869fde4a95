//! One dossier, asked for by personas who may see different things of it: the questions, and the answers beside each other.

use hub_entities::operation::Purpose;
use serde_json::{Map, Value, json};

use super::software::{AskError, Client};

/// Whose answers stand beside each other.
pub const FOUR: [&str; 4] = ["psychologist", "doctor", "administration", "pupil-15"];

/// Who is answered less: to the one there is no such pupil, and the other cannot name a dossier.
pub const LESS: [&str; 2] = ["chat-worker", "care-team"];

/// What is shown: where it stands in an answer, and what it is called.
const PARTS: [(&str, &str); 4] = [
    ("/wellbeing/trajectories", "wellbeing: trajectories"),
    ("/wellbeing/entries", "wellbeing: entries"),
    ("/health/trajectories", "health: trajectories"),
    ("/medical", "health data"),
];

/// How wide a column is.
const WIDE: usize = 20;

/// The question, as this persona asks it of the pupil, and for what: whoever is at a CLB asks for a pupil's dossier, a person
/// for the own. Of a school the schema has no word for it, so that it can only ask as a CLB does, in vain.
pub fn question(persona: &str, pupil: &str) -> (Purpose, String) {
    let own = persona.starts_with("pupil");
    let of = if own { "Own" } else { "" };
    let list = |what: &str, fields: &str| {
        format!(
            "{{ __typename ... on Granted{of}{what} {{ value {{ {fields} }} }} ... on Withheld {{ code canAsk }} }}"
        )
    };
    let trajectories = list("Trajectories", "phase state askedBy");
    let entries = list("Entries", "about text");
    let parts = format!(
        "wellbeing {{ trajectories {trajectories} entries {entries} }} health {{ trajectories {trajectories} }} medical {entries}"
    );
    if own {
        (Purpose::RightsOfThePerson, format!("{{ dossiers {{ {parts} }} }}"))
    } else {
        let query = format!("{{ dossier(pupilId: \"{pupil}\") {{ {parts} }} }}");
        (Purpose::Guidance, query)
    }
}

/// What each persona was answered: part by part, nothing, or the code of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers(Vec<(&'static str, Value)>);

impl Answers {
    /// Asks as all of them.
    ///
    /// # Errors
    /// The hub does not answer.
    pub async fn of(client: &Client, pupil: &str) -> Result<Self, AskError> {
        let mut all = Vec::new();
        for persona in FOUR.into_iter().chain(LESS) {
            let (purpose, query) = question(persona, pupil);
            let answer = client.answer(persona, Some(purpose), &query, Value::Null).await?;
            all.push((persona, told(&answer)));
        }
        Ok(Self(all))
    }

    /// By persona.
    pub fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(persona, told)| ((*persona).to_owned(), told.clone()))
            .collect::<Map<_, _>>()
            .into()
    }

    /// The four beside each other, and the others below. `?`: one may ask for access.
    pub fn table(&self) -> String {
        let of = |persona: &str| self.0.iter().find(|(name, _)| *name == persona).map(|(_, told)| told);
        let row = |name: &str, cells: [String; 4]| {
            let cells = cells.map(|cell| format!("{cell:WIDE$}")).join("");
            format!("{name:25}{cells}").trim_end().to_owned()
        };
        let mut lines = vec![row("", FOUR.map(str::to_owned))];
        for (_, part) in PARTS {
            lines.push(row(
                part,
                FOUR.map(|persona| cell(of(persona).and_then(|told| told.get(part)))),
            ));
        }
        for persona in LESS {
            let told = match of(persona) {
                Some(Value::String(code)) => format!("refused whole ({code}): its schema has no word for a dossier"),
                Some(Value::Null) => "there is no such pupil".to_owned(),
                _ => "something, and it must not be".to_owned(),
            };
            lines.push(format!("{persona:25}{told}"));
        }
        lines.join("\n")
    }
}

/// An answer without its frame.
fn told(answer: &Value) -> Value {
    if let Some(code) = answer.pointer("/errors/0/extensions/code") {
        return code.clone();
    }
    let dossier = answer
        .pointer("/data/dossier")
        .or_else(|| answer.pointer("/data/dossiers/0"));
    match dossier {
        Some(dossier) if dossier.is_object() => {
            let part = |(at, name): (&str, &str)| (name.to_owned(), of_part(at, dossier.pointer(at)));
            Value::Object(PARTS.into_iter().map(part).collect())
        }
        _ => Value::Null,
    }
}

/// Texts of entries, the number of trajectories, or why not.
fn of_part(at: &str, part: Option<&Value>) -> Value {
    let part = part.unwrap_or(&Value::Null);
    if let Some(code) = part.get("code").and_then(Value::as_str) {
        let ask = if part.get("canAsk") == Some(&Value::Bool(true)) {
            "?"
        } else {
            ""
        };
        return json!(format!("{code}{ask}"));
    }
    let rows = part
        .get("value")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if at.ends_with("/trajectories") {
        return json!(rows.len());
    }
    rows.iter().filter_map(|row| row.get("text").cloned()).collect()
}

fn cell(part: Option<&Value>) -> String {
    let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    match part {
        Some(Value::String(code)) => code.clone(),
        Some(Value::Array(texts)) => count(texts.len(), "entry", "entries"),
        Some(Value::Number(rows)) => {
            let rows = rows.as_u64().and_then(|rows| usize::try_from(rows).ok());
            count(rows.unwrap_or_default(), "trajectory", "trajectories")
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_beside_each_other() {
        let withheld = |code: &str, ask: bool| json!({ "__typename": "Withheld", "code": code, "canAsk": ask });
        let granted = |rows: Value| json!({ "__typename": "Granted", "value": rows });
        let team = json!({ "data": { "dossier": {
            "wellbeing": { "trajectories": granted(json!([{ "phase": "A" }])), "entries": granted(json!([{ "text": "x" }, { "text": "y" }])) },
            "health": { "trajectories": withheld("OTHER_DISCIPLINE", true) }, "medical": withheld("OTHER_DISCIPLINE", true),
        } } });
        let plans = json!({ "data": { "dossier": {
            "wellbeing": { "trajectories": granted(json!([{ "phase": "A" }, { "phase": "B" }])), "entries": withheld("SECRECY", false) },
            "health": { "trajectories": granted(json!([])) }, "medical": withheld("SECRECY", false),
        } } });
        let own = json!({ "data": { "dossiers": [{
            "wellbeing": { "trajectories": granted(json!([{ "phase": "A" }])), "entries": granted(json!([{ "text": "x" }])) },
            "health": { "trajectories": withheld("THROUGH_DOCTOR", true) }, "medical": withheld("THROUGH_DOCTOR", true),
        }] } });
        let refused = json!({ "errors": [{ "message": "unknown", "extensions": { "code": "INVALID_DOCUMENT" } }] });
        let nothing = json!({ "data": { "dossier": null } });
        let all = [&team, &nothing, &plans, &own, &nothing, &refused];
        let personas = FOUR.into_iter().chain(LESS).zip(all.map(told)).collect();
        let answers = Answers(personas);
        assert_eq!(
            answers.table(),
            "                         psychologist        doctor              administration      pupil-15\n\
             wellbeing: trajectories  1 trajectory        -                   2 trajectories      1 trajectory\n\
             wellbeing: entries       2 entries           -                   SECRECY             1 entry\n\
             health: trajectories     OTHER_DISCIPLINE?   -                   0 trajectories      THROUGH_DOCTOR?\n\
             health data              OTHER_DISCIPLINE?   -                   SECRECY             THROUGH_DOCTOR?\n\
             chat-worker              there is no such pupil\n\
             care-team                refused whole (INVALID_DOCUMENT): its schema has no word for a dossier"
        );
        assert_eq!(answers.to_json()["pupil-15"]["wellbeing: entries"], json!(["x"]));
        assert_eq!(
            (&answers.to_json()["chat-worker"], &answers.to_json()["care-team"]),
            (&Value::Null, &json!("INVALID_DOCUMENT"))
        );
    }
}
