//! The document itself: JSON with the names of the columns and enums as the hub keeps them.

use std::collections::HashMap;

use hub_entities::dossier::entry::ClosedGrounds;
use hub_entities::id::{ClbId, DecisionId, PupilId, SchoolId};
use hub_entities::operation::{Operation, Role};
use hub_entities::policy::secret::{EntryFacts, Field, Protected, Reader as Capacity, Withheld};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use hub_graphql::access_log::LookRow;
use hub_graphql::dossier::correction::OwnCorrectionRow;
use hub_graphql::dossier::export::ExportRow;
use hub_graphql::dossier::own::{OwnDossierRow, OwnRequestRow, OwnRequestRows};
use hub_graphql::dossier::{ConsentRows, DossierRow, EntryRow, TrajectoryRow, Values};
use hub_graphql::hub::Answer;
use hub_graphql::page::Slice;
use hub_graphql::problem::Problem;
use hub_graphql::school::{ClbRow, SchoolRow};
use hub_graphql::signal::SignalRow;
use serde_json::{Map, Value, json};

use super::super::answer::code;
use crate::store::read::absence::{Absence, Tally};
use crate::store::read::class_group::Class;
use crate::store::read::enrolment::Enrolment;
use crate::store::read::own::{Basic, Record, Registered};
use crate::store::read::pupil::Pupil;
use crate::store::read::signal::Signal;
use crate::store::secret::ties::Person;

/// How the document is laid out; rises when a reader of the former one would read it wrongly.
const FORMAT: &str = "clb-hub.export/1";

/// What stands above it (domain facts §4.4: a copy is marked confidential and for youth help only).
const NOTICE: &str = "Vertrouwelijk. Alleen bestemd voor jeugdhulp. / Confidential. For youth help only.";

/// The most text of entries in one document, in bytes.
const TEXT: usize = 16 * 1024 * 1024;

/// Public facts of schools and CLBs.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) schools: HashMap<SchoolId, SchoolRow>,
    pub(super) clbs: HashMap<ClbId, ClbRow>,
}

impl Places {
    fn school(&self, id: SchoolId) -> Value {
        self.schools.get(&id).map_or_else(|| json!({ "id": id }), school)
    }

    fn clb(&self, id: ClbId) -> Value {
        self.clbs.get(&id).map_or_else(|| json!({ "id": id }), clb)
    }
}

fn school(of: &SchoolRow) -> Value {
    json!({ "id": of.id.0, "institutionNumber": of.institution_number, "name": of.name, "city": of.city })
}

fn clb(of: &ClbRow) -> Value {
    json!({ "id": of.id.0, "institutionNumber": of.institution_number, "name": of.name })
}

/// A document under way.
#[derive(Debug)]
pub(super) struct Document {
    all: Map<String, Value>,
    /// Which lists are longer than the document takes.
    cut: Vec<&'static str>,
    /// How much text of entries it may still hold.
    room: usize,
}

impl Document {
    /// For a person.
    pub(super) fn new(operation: &Operation, person: Person) -> Self {
        Self::of_pupil(operation, person.pupil, person.role)
    }

    /// About this pupil, for someone in this role.
    pub(super) fn of_pupil(operation: &Operation, pupil: PupilId, role: Role) -> Self {
        let head = [
            ("format", json!(FORMAT)),
            ("confidential", json!(true)),
            ("notice", json!(NOTICE)),
            ("madeAt", json!(operation.now)),
            ("request", json!(operation.request)),
            ("pupilId", json!(pupil)),
            ("madeFor", json!(role)),
        ];
        Self {
            all: head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            cut: Vec::new(),
            room: TEXT,
        }
    }

    /// Puts a part in.
    pub(super) fn put(&mut self, name: &str, part: Value) {
        self.all.insert(name.to_owned(), part);
    }

    /// Notes that a list is not whole.
    pub(super) fn whole(&mut self, is_whole: bool, name: &'static str) {
        if !is_whole && !self.cut.contains(&name) {
            self.cut.push(name);
        }
    }

    /// Leaves what is over the bound out of a list of which one more was read.
    pub(super) fn cut<T>(&mut self, some: &mut Vec<T>, most: u32, name: &'static str) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.whole(some.len() <= most, name);
        some.truncate(most);
    }

    /// The document as it leaves.
    pub(super) fn row(mut self) -> Answer<ExportRow> {
        let is_whole = self.cut.is_empty();
        self.put("leftToRead", json!(self.cut));
        let document = serde_json::to_string(&self.all).map_err(|_unwritable| Problem::Unavailable)?;
        Ok(ExportRow { document, is_whole })
    }

    /// What was opened of the dossiers, CLB by CLB, part by part.
    pub(super) fn own_dossiers(&mut self, fields: &[Field], dossiers: Vec<OwnDossierRow>) {
        let mut all = Vec::with_capacity(dossiers.len());
        for mut one in dossiers {
            let parts = self.parts(fields, &mut one.row, Self::own_values);
            all.push(json!({ "clb": clb(&one.clb), "parts": parts }));
        }
        self.put("dossiers", Value::Array(all));
    }

    /// The dossier as its teams read it.
    pub(super) fn dossier(&mut self, fields: &[Field], row: Option<DossierRow>) {
        let parts = row.map(|mut row| self.parts(fields, &mut row, Self::values));
        self.put("dossier", json!({ "parts": parts.unwrap_or_default() }));
    }

    /// Each field by its name: its value, or why it is withheld.
    fn parts(
        &mut self,
        fields: &[Field],
        row: &mut DossierRow,
        value: impl Fn(&mut Self, Values) -> Value,
    ) -> Map<String, Value> {
        let mut parts = Map::new();
        for field in fields {
            let told = match row.fields.remove(field) {
                Some(Protected::Granted(opened)) => json!({ "value": value(self, opened.into_inner()) }),
                Some(Protected::Withheld { why, decision }) => withheld(why, decision),
                None => continue,
            };
            parts.insert(field.to_string(), told);
        }
        parts
    }

    /// Entries, as far as there is room for their text.
    fn entries(&mut self, rows: Vec<EntryRow>, entry: impl Fn(&EntryRow) -> Value) -> Vec<Value> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(room) = self.room.checked_sub(row.text.len()) else {
                self.whole(false, "entries");
                break;
            };
            self.room = room;
            all.push(entry(&row));
        }
        all
    }

    /// What a person reads: nobody of the CLB is named.
    fn own_values(&mut self, values: Values) -> Value {
        match values {
            Values::Trajectories(rows) => rows.iter().map(trajectory).collect(),
            Values::Entries(rows) => Value::Array(self.entries(rows, entry)),
            Values::Consents(_) | Values::Referrals(_) | Values::Releases(_) => Value::Null,
        }
    }

    /// What a team reads. Entries that are never open to the pupil stand apart: they are not handed over.
    fn values(&mut self, values: Values) -> Value {
        match values {
            Values::Trajectories(rows) => rows.iter().map(of_team).collect(),
            Values::Entries(rows) => {
                let (open, closed) = rows.into_iter().partition(is_open);
                let named = |row: &EntryRow| with(entry(row), "author", json!(row.author));
                let closed_for = |row: &EntryRow| with(named(row), "closed", grounds(row.closed));
                json!({ "entries": self.entries(open, named), "closedToThePupil": self.entries(closed, closed_for) })
            }
            Values::Consents(rows) => consents(&rows),
            Values::Referrals(rows) => {
                let referral = |one: &hub_graphql::dossier::referral::ReferralRow| {
                    json!({ "id": one.id, "trajectoryId": one.trajectory, "sector": one.said.sector, "partner": one.said.partner,
                        "reason": one.said.reason, "state": one.state, "outcome": one.outcome, "author": one.author,
                        "writtenAt": one.written_at, "version": one.version })
                };
                rows.iter().map(referral).collect()
            }
            Values::Releases(rows) => {
                let release = |one: &hub_graphql::dossier::release::ReleaseRow| {
                    json!({ "id": one.id, "trajectoryId": one.trajectory, "schoolId": one.school, "health": one.health,
                        "title": one.title, "advice": one.advice, "purpose": one.purpose, "author": one.author,
                        "releasedAt": one.released_at, "endsOn": one.ends_on, "overFor": one.over.map(|(why, _)| why),
                        "overAt": one.over.map(|(_, at)| at), "version": one.version })
                };
                rows.iter().map(release).collect()
            }
        }
    }

    /// What was asked in the own name.
    pub(super) fn requests(&mut self, told: Option<Protected<OwnRequestRows>>) {
        let requests = protected(told, |rows| {
            json!({
                "toRead": rows.requests.iter().map(request).collect::<Vec<_>>(),
                "corrections": rows.corrections.iter().map(correction).collect::<Vec<_>>(),
            })
        });
        self.put("requests", requests);
    }

    /// Who looked.
    pub(super) fn log(&mut self, told: Option<Protected<Slice<LookRow>>>) {
        let mut is_whole = true;
        let log = protected(told, |slice| {
            is_whole = !slice.more;
            slice.rows.iter().map(|(_, row)| look(row)).collect()
        });
        self.whole(is_whole, "accessLog");
        self.put("accessLog", log);
    }
}

/// Why something is not in the document.
pub(super) fn withheld(why: Withheld, decision: DecisionId) -> Value {
    json!({ "withheld": { "code": why.code(), "canAsk": why.can_ask(), "decisionId": decision } })
}

fn protected<T>(told: Option<Protected<T>>, value: impl FnOnce(T) -> Value) -> Value {
    match told {
        Some(Protected::Granted(opened)) => json!({ "value": value(opened.into_inner()) }),
        Some(Protected::Withheld { why, decision }) => withheld(why, decision),
        None => Value::Null,
    }
}

/// The same with one more.
fn with(mut of: Value, name: &str, value: Value) -> Value {
    if let Some(all) = of.as_object_mut() {
        all.insert(name.to_owned(), value);
    }
    of
}

fn is_open(row: &EntryRow) -> bool {
    let facts = EntryFacts {
        about: row.about,
        about_the_viewer: false,
        closed: row.closed,
    };
    facts.is_there_for(Capacity::Pupil)
}

fn grounds(closed: ClosedGrounds) -> Value {
    closed.iter().map(|ground| json!(ground)).collect()
}

fn trajectory(row: &TrajectoryRow) -> Value {
    json!({ "id": row.id, "domain": row.domain, "phase": row.phase, "state": row.state, "askedBy": row.asked_by,
        "obligation": row.obligation, "openedAt": row.opened_at, "closedAt": row.closed_at })
}

fn of_team(row: &TrajectoryRow) -> Value {
    let team = row.team.iter();
    let team: Vec<Value> = team
        .map(|(worker, begins, ends)| json!({ "worker": worker, "begins": begins, "ends": ends }))
        .collect();
    let of = with(trajectory(row), "team", Value::Array(team));
    let of = with(of, "lapsedAt", json!(row.lapsed_at));
    with(of, "version", json!(row.version))
}

fn entry(row: &EntryRow) -> Value {
    json!({ "id": row.id, "trajectoryId": row.trajectory, "about": row.about, "writtenAt": row.written_at,
        "version": row.version, "ownWordsOf": row.own_words, "text": row.text })
}

fn consents(rows: &ConsentRows) -> Value {
    let answers = rows.answers.iter().map(|one| {
        let said = &one.consent;
        json!({ "id": one.id, "trajectoryId": one.trajectory, "to": said.to, "by": said.by, "form": said.form,
            "reply": said.reply, "givenOn": said.given_on, "endsOn": said.ends_on, "revokedOn": said.revoked_on,
            "note": one.note, "author": one.author, "writtenAt": one.written_at, "version": one.version })
    });
    let judged = rows.judgements.iter().map(|one| {
        json!({ "trajectoryId": one.trajectory, "capability": one.capability, "from": one.from, "author": one.author,
            "reason": one.reason })
    });
    json!({ "answers": answers.collect::<Vec<_>>(), "judgements": judged.collect::<Vec<_>>() })
}

fn request(row: &OwnRequestRow) -> Value {
    json!({ "id": row.id, "clb": clb(&row.clb), "requestedAt": row.at, "answerBy": row.answer_by, "state": row.state,
        "answeredAt": row.answered_at, "answer": row.answer })
}

fn correction(row: &OwnCorrectionRow) -> Value {
    json!({ "id": row.id, "clb": clb(&row.clb), "entryId": row.entry, "kind": row.kind, "requestedAt": row.at,
        "answerBy": row.answer_by, "text": row.text, "state": row.state, "answeredAt": row.answered_at,
        "answer": row.answer })
}

fn look(row: &LookRow) -> Value {
    json!({ "at": row.at, "clb": clb(&row.clb), "role": row.role, "purpose": row.purpose, "emergency": row.emergency })
}

const fn part(at: HalfDay) -> &'static str {
    match at.part {
        Part::Am => "am",
        Part::Pm => "pm",
    }
}

fn tally((year, of): &(SchoolYear, Tally)) -> Value {
    json!({ "schoolYear": year.to_string(), "halfDays": of.half_days, "carried": of.carried, "pending": of.pending,
        "reached5": of.reached_5, "reached30": of.reached_30 })
}

/// The schools of which something is said.
pub(super) fn schools_of(basic: &Basic) -> Vec<SchoolId> {
    let records = basic.records.iter().map(|one| one.school);
    let enrolments = basic.enrolments.iter().map(|one| one.at);
    let days = basic.half_days.iter().chain(&basic.formerly).map(|one| one.school);
    records.chain(enrolments).chain(days).collect()
}

fn record(one: &Record, places: &Places) -> Value {
    json!({ "school": places.school(one.school), "identifier": one.identifier, "registrationNumber": one.stamnummer,
        "givenName": one.given_name, "familyName": one.family_name, "sex": one.sex, "birthDate": one.birth_date,
        "street": one.street, "postalCode": one.postal_code, "city": one.city, "contacts": one.contacts,
        "language": one.language, "changedAt": one.changed_at })
}

fn registered(one: &Registered) -> Value {
    let said = json!({ "day": one.at.day, "part": part(one.at), "code": code(one.mark), "schoolId": one.school });
    match one.ended_at {
        Some(until) => with(said, "until", json!(until)),
        None => said,
    }
}

fn own_signal(one: &Signal) -> Value {
    // By whom is not told: roles and organisation, not names of staff (CJEU C-579/21).
    let step = |step: &crate::store::read::signal::Step| json!({ "track": step.track, "party": hub_graphql::signal::party_of(step.track, step.party), "at": step.at });
    json!({ "id": one.id, "kind": one.kind, "schoolYear": one.year.to_string(), "generation": one.generation,
        "state": one.state, "halfDays": one.half_days, "reachedOn": one.reached_on, "raisedAt": one.raised_at,
        "withdrawnAt": one.withdrawn_at, "steps": one.steps.iter().map(step).collect::<Vec<_>>() })
}

/// What the main store keeps of the pupil, for the person.
pub(super) fn basic(of: &Basic, places: &Places) -> Value {
    let enrolments = of.enrolments.iter();
    let enrolments: Vec<Value> = enrolments
        .map(|one| json!({ "school": places.school(one.at), "begins": one.begins_on, "ends": one.ends_on }))
        .collect();
    let classes = of.classes.iter().map(|one| {
        let (school, year, name) = &one.at;
        json!({ "school": places.school(*school), "schoolYear": year.to_string(), "name": name, "begins": one.begins_on,
            "ends": one.ends_on })
    });
    let competence = of.competence.iter().map(
        |one| json!({ "clb": places.clb(one.at.0), "ground": one.at.1, "begins": one.begins_on, "ends": one.ends_on }),
    );
    let carried = of.carried.iter().map(|one| {
        json!({ "school": places.school(one.school), "schoolYear": one.year.to_string(), "halfDays": one.half_days,
            "begins": one.begins_on, "formerInstitution": one.former })
    });
    json!({ "value": {
        "records": of.records.iter().map(|one| record(one, places)).collect::<Vec<_>>(),
        "enrolments": enrolments,
        "classes": classes.collect::<Vec<_>>(),
        "competence": competence.collect::<Vec<_>>(),
        "absences": of.half_days.iter().map(registered).collect::<Vec<_>>(),
        "formerAbsences": of.formerly.iter().map(registered).collect::<Vec<_>>(),
        "truancy": of.tallies.iter().map(tally).collect::<Vec<_>>(),
        "carriedIn": carried.collect::<Vec<_>>(),
        "signals": of.signals.iter().map(own_signal).collect::<Vec<_>>(),
    } })
}

/// What was agreed, for the worker: what was not is named.
pub(super) fn agreed(
    (pupil, enrolments, classes): (&Pupil, &[Enrolment], &[Class]),
    (half_days, tallies): (&[Absence], &[(SchoolYear, Tally)]),
    signals: &[SignalRow],
    places: &Places,
) -> Value {
    let withheld: Vec<&str> = pupil
        .withheld
        .iter()
        .map(hub_entities::category::Category::name)
        .collect();
    let facts = |of: &crate::store::read::school::School| json!({ "id": of.id, "institutionNumber": of.institution_number, "name": of.name, "city": of.city });
    let enrolments = enrolments.iter();
    let enrolments =
        enrolments.map(|one| json!({ "school": facts(&one.school), "begins": one.begins_on, "ends": one.ends_on }));
    let classes = classes.iter();
    let classes = classes
        .map(|one| json!({ "school": facts(&one.school), "schoolYear": one.year.to_string(), "name": one.name, "grade": one.grade }));
    let half_days = half_days
        .iter()
        .map(|one| json!({ "day": one.at.day, "part": part(one.at), "code": code(one.mark), "schoolId": one.school }));
    let signals = signals.iter().map(|one| {
        let steps = one.proofs.iter();
        let steps: Vec<Value> = steps
            .map(|step| json!({ "track": step.track, "by": step.by, "party": step.party, "at": step.at }))
            .collect();
        json!({ "id": one.id, "kind": one.kind, "schoolYear": one.year.to_string(), "generation": one.generation,
            "state": one.state, "halfDays": one.count, "reachedOn": one.reached_on, "raisedAt": one.raised_at,
            "withdrawnAt": one.withdrawn_at, "steps": steps })
    });
    json!({ "value": {
        "record": { "school": pupil.school.map(|school| places.school(school)), "givenName": pupil.given_name,
            "familyName": pupil.family_name, "sex": pupil.sex, "birthDate": pupil.birth_date, "street": pupil.street,
            "postalCode": pupil.postal_code, "city": pupil.city, "contacts": pupil.contacts, "language": pupil.language },
        "notAgreed": withheld,
        "enrolments": enrolments.collect::<Vec<_>>(),
        "classes": classes.collect::<Vec<_>>(),
        "absences": half_days.collect::<Vec<_>>(),
        "truancy": tallies.iter().map(tally).collect::<Vec<_>>(),
        "signals": signals.collect::<Vec<_>>(),
    } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Document {
        Document {
            all: Map::new(),
            cut: Vec::new(),
            room: 10,
        }
    }

    fn entry_of(text: &str) -> EntryRow {
        EntryRow {
            id: hub_entities::id::EntryId(uuid::Uuid::nil()),
            trajectory: hub_entities::id::TrajectoryId(uuid::Uuid::nil()),
            about: hub_entities::dossier::entry::About::Pupil,
            closed: ClosedGrounds::NONE,
            author: hub_entities::id::PrincipalId(uuid::Uuid::nil()),
            written_at: chrono::DateTime::UNIX_EPOCH,
            version: 1,
            own_words: None,
            adds_to: None,
            text: text.to_owned(),
        }
    }

    /// What is over a bound is left out, and named: nobody takes half for the whole.
    #[test]
    fn what_is_left_out_of_a_document_is_named() {
        let mut document = empty();
        let mut list = vec![1, 2, 3];
        document.cut(&mut list, 3, "absences");
        assert_eq!((list.len(), document.cut.len()), (3, 0));
        document.cut(&mut list, 2, "absences");
        document.cut(&mut list, 1, "absences");
        assert_eq!(list, [1]);
        let told = document.entries(vec![entry_of("123456"), entry_of("12345"), entry_of("1")], |row| {
            json!(row.text)
        });
        assert_eq!(told, [json!("123456")]);
        let row = document.row().unwrap();
        assert_eq!(
            (row.document.as_str(), row.is_whole),
            (r#"{"leftToRead":["absences","entries"]}"#, false)
        );
        let whole = empty().row().unwrap();
        assert!(whole.is_whole);
    }
}
