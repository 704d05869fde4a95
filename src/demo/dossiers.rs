//! Two dossiers, made as the front-ends of a CLB make any: step by step over HTTP, each by the persona who may take it. What
//! stands in them says itself that it is invented.

use chrono::{Days, NaiveDate};
use hub_entities::operation::Purpose;
use hub_entities::time::brussels_day;
use serde_json::{Value, json};

use super::software::{AskError, Client};

/// What the psychologist writes, open to the pupil who asks to read.
pub const OF_WELLBEING: &str = "Verzonnen tekst van de demo: gesprek over slapen en over de klas.";

/// What the psychologist writes for the team alone.
pub const OF_A_THIRD_PERSON: &str = "Verzonnen tekst van de demo: een derde vroeg dit vertrouwelijk te houden.";

/// What the nurse writes: health data.
pub const OF_HEALTH: &str = "Verzonnen tekst van de demo: gehoortest, geen verwijzing nodig.";

/// What the social worker writes about the younger pupil.
pub const OF_LEARNING: &str = "Verzonnen tekst van de demo: leest traag, oefent mee in de klas.";

/// For how many days a worker opens to a person what was asked for.
const OPEN_DAYS: u64 = 28;

/// A step: the mutation, what it takes, and what it comes to.
type Step = (&'static str, &'static str, &'static str);

const POST: Step = ("assignPost", "AssignPostInput", "PostAssigned { postId }");
const BEGIN: Step = (
    "openTrajectory",
    "OpenTrajectoryInput",
    "TrajectoryStepped { trajectoryId version }",
);
const JOIN: Step = (
    "assignTeam",
    "AssignTeamInput",
    "TrajectoryStepped { trajectoryId version }",
);
const CONSENT: Step = ("recordConsent", "RecordConsentInput", "ConsentNoted { consentId }");
const WRITE: Step = ("writeEntry", "WriteEntryInput", "EntryWritten { entryId }");
const ASK: Step = ("requestAccess", "AskToReadInput", "AskedToRead { requestId }");
const OPEN: Step = ("openDossier", "OpenDossierInput", "DossierOpened { accessId }");

/// Of what a person is told nothing yet: with that decision one asks to read.
const WITHHELD: &str = "{ dossiers {
    wellbeing { entries { ... on Withheld { decisionId } } } learning { entries { ... on Withheld { decisionId } } } } }";

/// A pupil who is guided, and the school where, by their ids.
#[derive(Debug, Clone)]
pub struct At {
    /// The pupil.
    pub pupil: String,
    /// The school.
    pub school: String,
}

/// Makes them.
#[derive(Debug)]
pub struct Dossiers<'a> {
    client: &'a Client,
    today: NaiveDate,
}

fn text(of: &Value, name: &str) -> Result<String, AskError> {
    let text = of.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or(AskError::Refused("a question"))
}

impl<'a> Dossiers<'a> {
    /// By this client, today.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            today: brussels_day(client.clock.now()),
        }
    }

    /// Both: of a pupil whose parents decide, and of one who decides.
    ///
    /// # Errors
    /// A step was not possible.
    pub async fn make(&self, of_11: &At, of_15: &At) -> Result<(), AskError> {
        for (worker, post, at) in [
            ("clb-worker", "ANCHOR", of_11),
            ("clb-worker", "ANCHOR", of_15),
            ("nurse", "NURSE", of_15),
        ] {
            let posted = json!({
                "workerId": self.id(worker).await?, "schoolId": at.school, "post": post, "begins": self.today,
            });
            self.guides("clb-director", POST, posted).await?;
        }
        self.wellbeing(of_15).await?;
        self.health(of_15).await?;
        self.learning(of_11).await
    }

    /// The pupil of fifteen asked for it, consents, and reads after the talk what is not closed.
    async fn wellbeing(&self, at: &At) -> Result<(), AskError> {
        let trajectory = self.begins("clb-worker", at, ("WELLBEING", "PUPIL")).await?;
        self.joins(&trajectory, "psychologist").await?;
        self.consents("psychologist", &trajectory, "PUPIL").await?;
        let written = json!({ "trajectoryId": trajectory, "about": "PUPIL", "text": OF_WELLBEING });
        self.guides("psychologist", WRITE, written).await?;
        let closed = json!({
            "trajectoryId": trajectory, "about": "CONTEXT", "closed": ["THIRD_PARTY_CONFIDENTIAL"],
            "text": OF_A_THIRD_PERSON,
        });
        self.guides("psychologist", WRITE, closed).await?;
        let by = ("psychologist", trajectory.as_str());
        self.opened("pupil-15", "wellbeing", by).await
    }

    /// The nurse begins, and the doctor joins. Nobody has asked to read it.
    async fn health(&self, at: &At) -> Result<(), AskError> {
        let trajectory = self.begins("nurse", at, ("HEALTH", "CLB")).await?;
        self.joins(&trajectory, "doctor").await?;
        self.consents("nurse", &trajectory, "PUPIL").await?;
        let written = json!({ "trajectoryId": trajectory, "medical": true, "about": "PUPIL", "text": OF_HEALTH });
        self.guides("nurse", WRITE, written).await?;
        Ok(())
    }

    /// The parent of the pupil of eleven asked for it, consents, and reads after the talk.
    async fn learning(&self, at: &At) -> Result<(), AskError> {
        let trajectory = self.begins("clb-worker", at, ("LEARNING", "PARENT")).await?;
        self.consents("clb-worker", &trajectory, "PARENT").await?;
        let written = json!({ "trajectoryId": trajectory, "about": "PUPIL", "text": OF_LEARNING });
        self.guides("clb-worker", WRITE, written).await?;
        let by = ("clb-worker", trajectory.as_str());
        self.opened("parent", "learning", by).await
    }

    /// A trajectory in a domain, that somebody asked for.
    async fn begins(&self, by: &str, at: &At, (domain, asked_by): (&str, &str)) -> Result<String, AskError> {
        let new = json!({ "pupilId": at.pupil, "domain": domain, "phase": "EXTENDED_CARE", "askedBy": asked_by });
        let begun = self.guides(by, BEGIN, new).await?;
        text(&begun, "trajectoryId")
    }

    /// A worker joins the team of a trajectory that has just begun.
    async fn joins(&self, trajectory: &str, worker: &str) -> Result<(), AskError> {
        let place = json!({
            "trajectoryId": trajectory, "version": 1, "workerId": self.id(worker).await?, "begins": self.today,
        });
        self.guides("clb-director", JOIN, place).await?;
        Ok(())
    }

    async fn consents(&self, by: &str, trajectory: &str, who: &str) -> Result<(), AskError> {
        let answer = json!({ "to": "GUIDANCE", "by": who, "form": "NOTED", "reply": "GIVEN", "givenOn": self.today });
        let noted = json!({ "trajectoryId": trajectory, "answer": answer });
        self.guides(by, CONSENT, noted).await?;
        Ok(())
    }

    /// A person asks to read, and a worker opens a trajectory after the talk.
    async fn opened(&self, person: &str, domain: &str, (by, trajectory): (&str, &str)) -> Result<(), AskError> {
        let rights = Purpose::RightsOfThePerson;
        let withheld = self.client.ask_for(person, Some(rights), WITHHELD, Value::Null).await?;
        let entries = withheld.pointer(&format!("/dossiers/0/{domain}/entries"));
        let decision = text(entries.unwrap_or(&Value::Null), "decisionId")?;
        let asks = json!({ "decisionId": decision, "reason": "Verzonnen vraag van de demo: wat staat er over mij?" });
        let asked = self.step(person, rights, ASK, asks).await?;
        let ends = self.today.checked_add_days(Days::new(OPEN_DAYS)).unwrap_or(self.today);
        let open = json!({
            "requestId": text(&asked, "requestId")?, "version": 1, "trajectoryId": trajectory, "talkOn": self.today,
            "ends": ends, "inPupilsInterest": person == "parent",
        });
        self.guides(by, OPEN, open).await?;
        Ok(())
    }

    /// The id of a persona.
    async fn id(&self, persona: &str) -> Result<String, AskError> {
        let viewer = self.client.ask(persona, "{ viewer { id } }", Value::Null).await?;
        text(viewer.get("viewer").unwrap_or(&Value::Null), "id")
    }

    /// A step of someone of the CLB.
    async fn guides(&self, by: &str, step: Step, input: Value) -> Result<Value, AskError> {
        self.step(by, Purpose::Guidance, step, input).await
    }

    async fn step(&self, by: &str, purpose: Purpose, step: Step, input: Value) -> Result<Value, AskError> {
        let (mutation, takes, done) = step;
        let query =
            format!("mutation($input: {takes}!) {{ did: {mutation}(input: $input) {{ __typename ... on {done} }} }}");
        let variables = json!({ "input": input });
        let mut answer = self.client.ask_for(by, Some(purpose), &query, variables).await?;
        let did = answer.get_mut("did").map(Value::take).unwrap_or_default();
        let came_to = did.get("__typename").and_then(Value::as_str).unwrap_or_default();
        if done.split(' ').next() == Some(came_to) {
            Ok(did)
        } else {
            Err(AskError::Refused(mutation))
        }
    }
}
