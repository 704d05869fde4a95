//! Software of schools that brings in what it knows, and front-ends that ask: over HTTP, as anyone's does.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use http::{HeaderName, HeaderValue};
use hub_connectors::fault::Fault;
use hub_connectors::http::{Call, Http, Url};
use hub_entities::id::Ids;
use hub_entities::operation::Purpose;
use hub_entities::time::{Clock, HalfDay, Part};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::absences;
use super::feed::Change;
use super::files::DELETED;
use super::population::{Population, Pupil, Stay};
use crate::auth::demo_issuer::DemoIssuer;

/// Rows of one call of `submitRoster`: they fit the largest body that the hub takes.
const ROSTER_ROWS: usize = 200;

/// Half-days of one call of `submitAbsences`.
const HALF_DAYS: usize = 500;

const OUTCOME: &str =
    "{ __typename ... on Delivered { runState } ... on Invalid { field } ... on NotPossible { reason }
    ... on TryLater { retryAfterSeconds } }";

/// A question that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The hub could not be reached.
    #[error("the hub does not answer: {0}")]
    Hub(#[from] Fault),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Unsigned,
    /// It was refused, or answered otherwise than it must be.
    #[error("the hub refused {0}")]
    Refused(&'static str),
}

/// Asks the hub of the demo, with a token of its issuer.
#[derive(Clone)]
pub struct Client {
    /// The way to the hub.
    pub http: Http,
    /// Its GraphQL.
    pub url: Url,
    /// Who signs the tokens.
    pub issuer: Arc<DemoIssuer>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Names of tokens.
    pub ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// What the hub answers to this subject.
    ///
    /// # Errors
    /// It does not answer, or refuses the whole question.
    pub async fn ask(&self, subject: &str, query: &str, variables: Value) -> Result<Value, AskError> {
        self.ask_for(subject, None, query, variables).await
    }

    /// The same, to a question for a purpose.
    ///
    /// # Errors
    /// It does not answer, or refuses the whole question.
    pub async fn ask_for(
        &self,
        subject: &str,
        purpose: Option<Purpose>,
        query: &str,
        variables: Value,
    ) -> Result<Value, AskError> {
        let mut answer = self.answer(subject, purpose, query, variables).await?;
        let is_whole = answer.get("errors").is_none();
        let data = answer
            .get_mut("data")
            .map(Value::take)
            .filter(|data| is_whole && data.is_object());
        data.ok_or(AskError::Refused("a question"))
    }

    /// The whole answer, a refusal too.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn answer(
        &self,
        subject: &str,
        purpose: Option<Purpose>,
        query: &str,
        variables: Value,
    ) -> Result<Value, AskError> {
        let now = self.clock.now();
        let token = self.issuer.mint(subject, now, self.ids.next(now));
        let token = token.map_err(|_bad_key| AskError::Unsigned)?;
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut call = Call::post(&self.url, "application/json", body)
            .bearer(&SecretString::from(token))?
            .accept("application/json");
        // What software says has a name: said twice, it is once. A step in a dossier has none.
        if purpose.is_none() || !query.starts_with("mutation") {
            call = call.harmless();
        }
        if let Some(purpose) = purpose {
            let name = HeaderName::from_static("clb-purpose");
            call = call.header(name, HeaderValue::from_static(purpose.name()));
        }
        let (_, answer) = self.http.whole(&call).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }
}

/// The software of one school.
#[derive(Debug)]
pub struct Software<'a> {
    /// The way to the hub.
    pub client: Client,
    /// Who it is to the hub.
    pub subject: String,
    /// What it knows.
    pub population: &'a Population,
    /// The place of its school.
    pub school: usize,
    /// How its calls of this start are named: no other start says the same.
    pub name: String,
}

impl Software<'_> {
    /// Brings in the roster, as a snapshot in numbered parts, and every half-day that was registered up to today.
    ///
    /// # Errors
    /// The hub does not take them.
    pub async fn bring_all(&self, told: &dyn Fn(u64, u64)) -> Result<(), AskError> {
        let (roster, half_days) = (self.roster(), self.half_days());
        let total = roster.len().saturating_add(half_days.len());
        let mut done = 0_usize;
        let parts = roster.chunks(ROSTER_ROWS).count();
        for (at, rows) in roster.chunks(ROSTER_ROWS).enumerate() {
            let number = at.saturating_add(1);
            let of = |kind| -> Vec<&Value> { rows.iter().filter(|(of, _)| *of == kind).map(|(_, row)| row).collect() };
            let input = json!({
                "mode": "SNAPSHOT",
                "referenceDate": self.population.today,
                "part": { "snapshot": self.name, "number": number, "closing": number == parts },
                "classes": of("class"), "pupils": of("pupil"), "memberships": of("membership"),
            });
            self.submit("Roster", &format!("roster-{number}"), input).await?;
            done = done.saturating_add(rows.len());
            told(wide(done), wide(total));
        }
        for (number, rows) in half_days.chunks(HALF_DAYS).enumerate() {
            self.submit("Absences", &format!("absences-{number}"), json!({ "absences": rows }))
                .await?;
            done = done.saturating_add(rows.len());
            told(wide(done), wide(total));
        }
        Ok(())
    }

    /// Brings in what its school registered anew, if it did.
    ///
    /// # Errors
    /// The hub does not take it.
    pub async fn bring(&self, step: u64, changes: &[Change]) -> Result<(), AskError> {
        let own = changes.iter().filter(|change| change.school == self.school);
        let rows: Vec<Value> = own
            .map(|change| half_day(&change.pupil_key, change.at, change.code))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.submit("Absences", &format!("step-{step}"), json!({ "absences": rows }))
            .await
    }

    /// Makes a call, again under its own name for as long as the hub says so.
    async fn submit(&self, what: &'static str, name: &str, mut input: Value) -> Result<(), AskError> {
        let school = self.population.schools.get(self.school);
        if let Some(input) = input.as_object_mut() {
            let number = school.map(|school| &school.institution_number);
            input.insert("idempotencyKey".to_owned(), json!(format!("{}-{name}", self.name)));
            input.insert("institutionNumber".to_owned(), json!(number));
        }
        let query = format!("mutation($input: Submit{what}Input!) {{ answer: submit{what}(input: $input) {OUTCOME} }}");
        loop {
            let said = json!({ "input": input });
            let answer = self.client.ask(&self.subject, &query, said).await?;
            let answer = answer.get("answer").cloned().unwrap_or_default();
            match answer.get("__typename").and_then(Value::as_str) {
                Some("Delivered") => return Ok(()),
                Some("TryLater") => {
                    let seconds = answer.get("retryAfterSeconds").and_then(Value::as_u64);
                    let wait = Duration::from_secs(seconds.unwrap_or(1));
                    self.client.http.pause().wait(wait).await;
                }
                _ => return Err(AskError::Refused(what)),
            }
        }
    }

    /// Classes, pupils and places in classes, in this order.
    fn roster(&self) -> Vec<(&'static str, Value)> {
        let Some(school) = self.population.schools.get(self.school) else {
            return Vec::new();
        };
        let classes = school.classes.iter().map(|class| {
            let grade = school.level.grade_code(class.grade);
            let row = json!({ "key": class.source_key, "name": class.title, "grade": grade });
            ("class", row)
        });
        let mut rows: Vec<_> = classes.collect();
        let mut places = Vec::new();
        for (pupil, stay) in self.population.pupils_of(self.school) {
            let Some(stay) = pupil.stays.get(stay) else { continue };
            rows.push(("pupil", pupil_row(&pupil, stay)));
            if let Some(class) = school.classes.get(stay.class) {
                let row = json!({
                    "key": format!("I{}", stay.source_key), "classKey": class.source_key, "pupilKey": stay.source_key,
                    "begins": stay.begins, "ends": left(stay),
                });
                places.push(("membership", row));
            }
        }
        rows.extend(places);
        rows
    }

    fn half_days(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for (pupil, here) in self.population.pupils_of(self.school) {
            let Some(stay) = pupil.stays.get(here) else { continue };
            let absences = absences::of(self.population, &pupil).into_iter();
            let absences = absences.filter(|absence| absence.stay == here);
            rows.extend(absences.map(|absence| half_day(&stay.source_key, absence.at, absence.letter)));
        }
        rows
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn left(stay: &Stay) -> Option<NaiveDate> {
    stay.last_day?.succ_opt()
}

fn half_day(pupil: &str, at: HalfDay, code: &str) -> Value {
    let part = match at.part {
        Part::Am => "AM",
        Part::Pm => "PM",
    };
    if code == DELETED {
        json!({ "pupil": pupil, "day": at.day, "part": part, "deleted": true })
    } else {
        json!({ "pupil": pupil, "day": at.day, "part": part, "code": code })
    }
}

fn pupil_row(pupil: &Pupil, stay: &Stay) -> Value {
    let parents = pupil.parents.iter().map(|parent| {
        json!({
            "role": "parent", "givenName": parent.given_name, "familyName": parent.family_name,
            "phone": parent.phone, "email": parent.email,
        })
    });
    json!({
        "key": stay.source_key, "identifier": stay.stamnummer, "registrationNumber": stay.stamnummer,
        "nationalNumber": pupil.national_number, "givenName": pupil.given_name, "familyName": pupil.family_name,
        "sex": pupil.sex.to_uppercase(), "birthDate": pupil.birth_date, "begins": stay.begins, "ends": left(stay),
        "street": pupil.street, "postalCode": pupil.postal_code, "city": pupil.city, "language": pupil.language,
        "contacts": parents.collect::<Vec<_>>(),
    })
}

/// A front-end of a CLB: it asks what has happened to signals since it last did.
#[derive(Debug)]
pub struct FrontEnd {
    client: Client,
    subject: &'static str,
    cursor: Option<String>,
}

/// What has happened to signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// So many were raised.
    pub raised: usize,
    /// So many were withdrawn.
    pub withdrawn: usize,
}

impl FrontEnd {
    /// One that has heard nothing yet.
    pub const fn new(client: Client, subject: &'static str) -> Self {
        Self {
            client,
            subject,
            cursor: None,
        }
    }

    /// What it has not heard of.
    ///
    /// # Errors
    /// The hub does not answer.
    pub async fn news(&mut self) -> Result<News, AskError> {
        const QUESTION: &str = "query($after: String) {
            changes(first: 200, after: $after) { changes { kind } endCursor hasMore } }";
        let mut news = News::default();
        loop {
            let variables = json!({ "after": self.cursor });
            let page = self.client.ask(self.subject, QUESTION, variables).await?;
            let page = page.get("changes").cloned().unwrap_or_default();
            let changes = page.get("changes").and_then(Value::as_array);
            let of = |kind: &str| {
                let all = changes.into_iter().flatten();
                all.filter(|change| change.get("kind").and_then(Value::as_str) == Some(kind))
                    .count()
            };
            news.raised = news.raised.saturating_add(of("RAISED"));
            news.withdrawn = news.withdrawn.saturating_add(of("WITHDRAWN"));
            let end = page.get("endCursor").and_then(Value::as_str);
            self.cursor = Some(end.ok_or(AskError::Refused("changes"))?.to_owned());
            if page.get("hasMore").and_then(Value::as_bool) != Some(true) {
                return Ok(news);
            }
        }
    }
}
