//! All that a viewer may read of one pupil, as one JSON document (R62): put together of the same reads that answer it field by
//! field, so that each part is decided, and logged, as it is there. That it is exported is a line of its own, before the first of
//! them (R33).

mod document;
mod words;

use async_trait::async_trait;
use hub_entities::access_line;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{AccessLineId, ClbId, PupilId, SchoolId};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Protected, Step, Verdict};
use hub_entities::time::SchoolYear;
use hub_graphql::access_log::LogFilter;
use hub_graphql::dossier::AskedFor;
use hub_graphql::dossier::export::ExportRow;
use hub_graphql::hub::{AccessLogs as _, Answer, Dossiers as _, Exports, Rights as _, Signals as _};
use hub_graphql::page::Page;
use serde_json::{Value, json};

use self::document::{Document, Places};
pub use self::words::{EXPORTED, Said, Word};
use super::answer::schools;
use super::asking::granted;
use super::rights::Myself;
use super::{App, failed};
use crate::store::read::own::{self, Basic};
use crate::store::read::{absence, enrolment, pupil as pupils};

/// The most lines of the access log in one document: the latest. The ones before are read in pages.
const LINES: u32 = 10_000;

/// The most half-days of one school year in one document: more than all schools of a pupil have.
const HALF_DAYS: u32 = 2_000;

/// For how many school years a worker's document looks back: a school career.
const CAREER: i16 = 16;

/// The step of an export, in this class.
const fn exports(class: Class) -> Asked {
    Asked::Do(Step::Export, class)
}

/// What there is to read of a dossier, as a person or as a team: of each of these classes these parts.
fn parts(of_domain: &[Part], with_releases: bool) -> Vec<Field> {
    let secret = Class::ALL.iter().copied().filter(|class| class.domain().is_some());
    let domains = secret.flat_map(|class| of_domain.iter().filter_map(move |part| Field::new(class, *part)));
    let medical = Field::new(Class::Medical, Part::Entries);
    let releases = Field::new(Class::Shared, Part::Releases).filter(|_| with_releases);
    domains.chain(medical).chain(releases).collect()
}

impl App {
    /// The public facts of these schools and CLBs.
    async fn places(&self, operation: &Operation, schools_of: Vec<SchoolId>, clbs: &[ClbId]) -> Answer<Places> {
        let Some(scope) = self.decide(operation, Action::ReadPublic)? else {
            return Ok(Places::default());
        };
        Ok(Places {
            schools: schools(&self.db, &scope, schools_of).await?,
            clbs: self.organisations(operation, clbs).await?,
        })
    }

    /// What schools say of the own pupil, and what follows from it, behind its line in the main store.
    async fn own_basic(&self, of: &Myself<'_>, grant: &Grant) -> Answer<Basic> {
        let operation = of.operation;
        let line = access_line::Model {
            id: AccessLineId(self.ids.next(operation.now)),
            at: operation.now,
            principal_id: of.principal,
            role: of.person.role,
            realm: of.person.role.realm(),
            purpose: operation.purpose,
            categories: Categories::all(),
            pupils: 1,
            pupil_ids: json!([grant.pupil()]),
            shared: None,
            request_id: operation.request,
        };
        let read = own::basic(&self.db, grant, &line).await;
        read.map_err(|fault| failed(&fault))
    }

    /// What a worker may read of a pupil as agreed with the schools.
    async fn agreed_basic(&self, operation: &Operation, pupil: PupilId, document: &mut Document) -> Answer<Value> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(Value::Null);
        };
        let of = [pupil];
        let found = pupils::by_id(&self.db, &scope, &of, Categories::all()).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let Some(one) = found.into_values().next() else {
            return Ok(Value::Null);
        };
        let enrolments = enrolment::of_pupils(&self.db, &scope, &of).await;
        let mut enrolments = enrolments.map_err(|fault| failed(&fault))?;
        let mut left = Categories::all().without(one.withheld);
        let this = SchoolYear::of(operation.today());
        let (mut half_days, mut tallies, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for year in (this.0.saturating_sub(CAREER)..=this.0).map(SchoolYear) {
            let page = absence::page(&self.db, &scope, &of, year, None, HALF_DAYS).await;
            let mut page = page.map_err(|fault| failed(&fault))?;
            let mut some = page.remove(&pupil).unwrap_or_default();
            document.cut(&mut some, HALF_DAYS, "absences");
            left = some.iter().fold(left, |left, one| {
                left.with(absence::category(&scope, one.school, one.mark))
            });
            half_days.extend(some);
            let tally = absence::tallies(&self.db, &scope, &of, year).await;
            let tally = tally.map_err(|fault| failed(&fault))?.remove(&pupil);
            tallies.extend(
                tally
                    .filter(|tally| tally.half_days > 0 || tally.pending > 0)
                    .map(|tally| (year, tally)),
            );
            let sits = enrolment::classes_of(&self.db, &scope, &of, year).await;
            classes.extend(sits.map_err(|fault| failed(&fault))?.remove(&pupil).unwrap_or_default());
        }
        if !tallies.is_empty() {
            left = left.with(Category::Truancy);
        }
        self.note(operation, of, left)?;
        let signals = self
            .signals_of(operation, &of)
            .await?
            .remove(&pupil)
            .unwrap_or_default();
        let seen = half_days.iter().map(|one| one.school).chain(one.school);
        let places = self.places(operation, seen.collect(), &[]).await?;
        let enrolments = enrolments.remove(&pupil).unwrap_or_default();
        Ok(document::agreed(
            (&one, &enrolments, &classes),
            (&half_days, &tallies),
            &signals,
            &places,
        ))
    }
}

#[async_trait]
impl Exports for App {
    async fn own_export(&self, operation: &Operation) -> Answer<Option<ExportRow>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(None);
        };
        let (ties, clbs) = self.own_ties(&of).await?;
        let asked = [exports(Class::Case)];
        let mut verdict = Verdict::Nothing;
        let mut decision = None;
        for clb in &clbs {
            let reader = of.at(*clb);
            let (verdicts, line) = self.decided_on(&reader, &ties, (Step::Export.name(), &asked))?;
            decision = decision.or(Some(line.id));
            reader.note(line).await?;
            verdict = verdicts
                .into_iter()
                .next()
                .map_or(Verdict::Nothing, |(_, verdict)| verdict);
        }
        if clbs.is_empty() {
            // In no CLB's log: the line in the main store is the one there is.
            let (verdicts, line) =
                self.decided_on(&of.at(ClbId(uuid::Uuid::nil())), &ties, (Step::Export.name(), &asked))?;
            decision = Some(line.id);
            verdict = verdicts
                .into_iter()
                .next()
                .map_or(Verdict::Nothing, |(_, verdict)| verdict);
        }
        let mut document = Document::new(operation, of.person);
        let basic = match (verdict, decision) {
            (Verdict::Granted(grant), _) => {
                let basic = self.own_basic(&of, &grant).await?;
                let clbs: Vec<ClbId> = basic.competence.iter().map(|one| one.at.0).collect();
                let places = self.places(operation, document::schools_of(&basic), &clbs).await?;
                document.whole(basic.is_whole, "basic");
                document::basic(&basic, &places)
            }
            (Verdict::Withheld(why), Some(decision)) => document::withheld(why, decision),
            (Verdict::Withheld(_), None) | (Verdict::Nothing, _) => return Ok(None),
        };
        document.put("basic", basic);
        let fields = parts(&[Part::Trajectories, Part::Entries], false);
        let dossiers = self.own_dossiers(operation, &fields).await?;
        document.own_dossiers(&fields, dossiers);
        document.requests(self.own_requests(operation).await?);
        let page = Page {
            first: LINES,
            after: None,
            count: false,
        };
        let log = self.access_log(operation, &LogFilter::default(), &page).await?;
        document.log(log);
        document.row().map(Some)
    }

    async fn pupil_export(&self, operation: &Operation, pupil: PupilId) -> Answer<Option<Protected<ExportRow>>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(None);
        };
        let of_teams = Class::ALL.iter().copied();
        let of_teams =
            of_teams.filter(|class| class.domain().is_some() || matches!(class, Class::Medical | Class::Shared));
        let asked: Vec<Asked> = of_teams.map(exports).collect();
        let (verdicts, facts) = self.about_one(&reader, pupil, &asked).await?;
        let line = reader
            .line(self.ids.blind(), pupil, Step::Export.name(), &verdicts)
            .on(facts);
        let decision = line.id;
        reader.note(line).await?;
        let grants = granted(&verdicts);
        let Some(grant) = grants.first() else {
            let why = verdicts.iter().find_map(|(_, verdict)| match verdict {
                Verdict::Withheld(why) => Some(*why),
                Verdict::Granted(_) | Verdict::Nothing => None,
            });
            return Ok(why.map(|why| Protected::withheld(why, decision)));
        };
        let mut document = Document::of_pupil(operation, pupil, reader.role);
        let basic = self.agreed_basic(operation, pupil, &mut document).await?;
        document.put("basic", basic);
        let all = [Part::Trajectories, Part::Entries, Part::Consents, Part::Referrals];
        let may = |field: &Field| grants.iter().any(|grant| grant.asked() == exports(field.class()));
        let fields: Vec<Field> = parts(&all, true).into_iter().filter(may).collect();
        let all = AskedFor { fields, teams: true };
        let mut dossiers = self.dossiers(operation, &[pupil], &all).await?;
        document.dossier(&all.fields, dossiers.remove(&pupil));
        Ok(Some(Protected::granted(grant, document.row()?)))
    }
}
