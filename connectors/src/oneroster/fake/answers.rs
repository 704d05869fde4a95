//! What a fake system answers: pages of lists, single objects, errors.

use serde_json::{Map, Value, json};

use super::super::Version;
use super::system::{Quirk, Records, System, record};
use super::trouble::Instead;
use crate::fake::{Answer, Request};

type Record = Map<String, Value>;

/// How many records come when nobody says how many.
const USUAL: usize = 100;

/// An error, in the manner of a version.
pub(super) fn refusal(version: Version, status: u16) -> Answer {
    let body = match version {
        Version::V1_1 => json!({"statusInfoSet": [{
            "imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": "no", "imsx_codeMinor": "x",
        }]}),
        Version::V1_2 => json!({"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": "no"}),
    };
    Answer::json(status, body.to_string())
}

impl System {
    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    fn is_list(&self, list: &str) -> bool {
        let known = [
            "orgs",
            "academicSessions",
            "classes",
            "users",
            "demographics",
            "enrollments",
        ];
        known.contains(&list) && !(list == "demographics" && self.has(Quirk::NoDemographics))
    }

    /// One object.
    pub(super) fn one(&self, list: &str, id: &str) -> Answer {
        if !self.is_list(list) {
            return Answer::status(404);
        }
        match self.lists.get(list).and_then(|records| records.get(id)) {
            Some(known) => {
                let name = list.strip_suffix("es").filter(|_| list == "classes").unwrap_or(list);
                let name = name
                    .strip_suffix('s')
                    .filter(|_| list != "demographics")
                    .unwrap_or(name);
                let mut body = Record::new();
                body.insert(name.to_owned(), Value::Object(self.written(list, known)));
                Answer::json(200, Value::Object(body).to_string())
            }
            None if self.has(Quirk::NoContent) => Answer::status(204),
            None => refusal(self.version, 404),
        }
    }

    /// A page of a list.
    pub(super) fn list(&self, list: &str, request: &Request, origin: &str, instead: Option<&Instead>) -> Answer {
        if !self.is_list(list) {
            return Answer::status(404);
        }
        let number = |name, usual| request.parameter(name).map_or(Some(usual), |said| said.parse().ok());
        let (Some(limit), Some(offset)) = (number("limit", USUAL), number("offset", 0_usize)) else {
            return refusal(self.version, 400);
        };
        let sorts = request.parameter("sort").is_some();
        if limit == 0 || (sorts && self.has(Quirk::SortRefused)) {
            return refusal(self.version, 400);
        }
        let none = Records::new();
        let records = self.lists.get(list).unwrap_or(&none);
        let Some(mut found) = self.filtered(list, records, request) else {
            return refusal(self.version, 400);
        };
        // Without an order they come in one of the system's own.
        if !sorts || self.has(Quirk::SortInPage) {
            found.reverse();
        }
        let cap = self.page_cap.unwrap_or(usize::MAX);
        let (mut from, mut most) = (offset, limit.min(cap));
        match instead {
            Some(Instead::Short) => most = most.div_ceil(2),
            Some(Instead::Again) => from = from.saturating_sub(1),
            _ => {}
        }
        let mut page: Vec<&str> = found.iter().copied().skip(from).take(most).collect();
        if sorts && self.has(Quirk::SortInPage) {
            page.sort_by_key(|known| record(known).get("sourcedId").map(Value::to_string));
        }
        let empty = page.is_empty();
        let page: Vec<Value> = page
            .into_iter()
            .map(|known| self.chosen(self.written(list, known), request))
            .collect();
        let reached = offset.saturating_add(page.len());
        let answer = if empty && self.has(Quirk::NoContent) {
            Answer::status(204)
        } else {
            let mut body = Record::new();
            if self.has(Quirk::StatusBeside) {
                body.insert("statusInfoSet".to_owned(), json!([{"imsx_codeMajor": "success"}]));
            }
            body.insert(list.to_owned(), Value::Array(page));
            Answer::json(200, Value::Object(body).to_string())
        };
        self.counted(answer, request, origin, (found.len(), reached, limit))
    }

    /// With total and link, as far as the system gives any.
    fn counted(&self, answer: Answer, request: &Request, origin: &str, of: (usize, usize, usize)) -> Answer {
        let (total, reached, limit) = of;
        if self.has(Quirk::Uncounted) {
            return answer;
        }
        let said = i64::try_from(total).unwrap_or(i64::MAX).saturating_add(self.miscounts);
        let answer = answer.with("x-total-count", &said.to_string());
        let next = |origin: &str| {
            format!(
                "<{origin}{}?offset={reached}&limit={limit}>; rel=\"next\"",
                request.path
            )
        };
        if self.has(Quirk::NextBeyondTheEnd) {
            return answer.with("link", &format!("{},", next("https://localhost:18201")));
        }
        if self.has(Quirk::NextElsewhere) {
            return answer.with("link", &next("http://169.254.169.254"));
        }
        if reached < total {
            return answer.with("link", &next(origin));
        }
        answer
    }

    /// What the filter leaves, by key; none when it is no filter.
    fn filtered<'r>(&self, list: &str, records: &'r Records, request: &Request) -> Option<Vec<&'r str>> {
        let known = || records.values().map(AsRef::as_ref);
        let all = || known().collect();
        let Some(filter) = request.parameter("filter") else {
            return Some(all());
        };
        if self.has(Quirk::FilterRefused) {
            return None;
        }
        if self.has(Quirk::FilterToNothing) {
            return Some(Vec::new());
        }
        if self.has(Quirk::FilterIgnored) {
            return Some(all());
        }
        let (field, operator, wanted) = clause(filter)?;
        let chosen = request
            .parameter("fields")
            .filter(|_| self.has(Quirk::FieldsBeforeFilter));
        if chosen.is_some_and(|chosen| !chosen.split(',').any(|one| one == field)) {
            return Some(Vec::new());
        }
        let matches = |known: &&str| {
            let written = self.written(list, known);
            let Some(said) = written.get(field).and_then(Value::as_str) else {
                return false;
            };
            match operator {
                ">=" => said >= wanted,
                "<=" => said <= wanted,
                "!=" => said != wanted,
                ">" => said > wanted,
                "<" => said < wanted,
                _ => said == wanted,
            }
        };
        Some(known().filter(matches).collect())
    }

    /// The fields that were asked for.
    fn chosen(&self, mut record: Record, request: &Request) -> Value {
        if let Some(fields) = request.parameter("fields")
            && !self.has(Quirk::FieldsIgnored)
        {
            record.retain(|name, _| fields.split(',').any(|field| field == name));
        }
        Value::Object(record)
    }

    /// A record as this system writes it.
    fn written(&self, list: &str, known: &str) -> Record {
        let mut record = record(known);
        if self.version == Version::V1_1 && list == "users" {
            old_user(&mut record);
        }
        if self.has(Quirk::Numbers) {
            for name in ["enabledUser", "primary"] {
                if let Some(value) = record.get_mut(name) {
                    *value = json!(i32::from(*value == json!("true")));
                }
            }
        }
        if self.has(Quirk::Nothings) {
            let nothings = [
                ("identifier", Value::Null),
                ("email", json!("")),
                ("agents", json!([])),
                ("metadata", json!({})),
            ];
            for (name, nothing) in nothings {
                record.entry(name).or_insert(nothing);
            }
        }
        record
    }
}

/// A user of 1.2 as 1.1 has it: one role, and organisations without dates (standards §1.7).
fn old_user(record: &mut Record) {
    let Some(Value::Array(roles)) = record.remove("roles") else {
        return;
    };
    let field = |role: &Value, name: &str| role.get(name).cloned().unwrap_or_default();
    let orgs: Vec<Value> = roles.iter().map(|role| field(role, "org")).collect();
    let role = roles.first().map(|role| field(role, "role")).unwrap_or_default();
    record.insert("role".to_owned(), role);
    record.insert("orgs".to_owned(), Value::Array(orgs));
}

/// One clause of a filter: field, operator, value.
fn clause(filter: &str) -> Option<(&str, &str, &str)> {
    let operator = [">=", "<=", "!=", ">", "<", "="]
        .into_iter()
        .find(|one| filter.contains(one))?;
    let (field, value) = filter.split_once(operator)?;
    Some((field, operator, value.strip_prefix('\'')?.strip_suffix('\'')?))
}
