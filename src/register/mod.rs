//! What an operator registers: parties, principals, sources, agreements signed on paper.
//!
//! One path for the verb `register` and for the demo: a [`File`] is applied in one transaction. Everything is found
//! again by its natural key, so registering twice changes nothing; what a file does not name stays as it is.

mod file;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use hub_connectors::connection::Connection;
use hub_connectors::contract::Stream;
use hub_connectors::live::Live;
use hub_entities::agreement::{AgreementState, Binding, Party};
use hub_entities::id::{AgreementId, ClbId, Ids, PrincipalId, PupilId, SchoolId, SourceId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::party::{clb, school};
use hub_entities::policy::{Action, Decision, Scope, decide};
use hub_entities::source::connection;
use hub_entities::time::{Clock, SchoolYear, brussels_midnight};
use hub_entities::{agreement, principal};

pub use file::{Agreement, Clb, File, Principal, School, Source, Who};
pub use reader::{Fault, Faults};

use crate::store::setup::{self, Registration};
use crate::store::{Db, DbError, relations};

/// The annotated example of a file: `clb-hub register --example`.
pub const EXAMPLE: &str = include_str!("../../clb-hub.register.example.toml");

/// The register, as the hub's own operator on this machine.
#[derive(Clone)]
pub struct Register {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    scope: Scope,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").finish_non_exhaustive()
    }
}

/// Why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The file says what cannot be; nothing was changed.
    #[error("nothing was changed\n{0}")]
    Faulty(#[from] Faults),
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] DbError),
}

/// How many of a kind are new, changed, or were known already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Were not there.
    pub new: u32,
    /// Were there, otherwise.
    pub changed: u32,
    /// Were there like this.
    pub unchanged: u32,
}

/// What a file did, by kind; no names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// CLBs.
    pub clbs: Count,
    /// Schools.
    pub schools: Count,
    /// Sources.
    pub sources: Count,
    /// Principals.
    pub principals: Count,
    /// Agreements.
    pub agreements: Count,
    /// Schools that have other days off than before, with the school years of these: their pupils are to be counted
    /// again.
    pub recount: BTreeSet<(SchoolId, SchoolYear)>,
}

impl Count {
    /// Counts one: what was there, and what is to be. Says whether it must be written.
    fn add<T: PartialEq>(&mut self, was: Option<&T>, is: &T) -> bool {
        let count = match was {
            None => &mut self.new,
            Some(was) if was == is => {
                self.unchanged = self.unchanged.saturating_add(1);
                return false;
            }
            Some(_) => &mut self.changed,
        };
        *count = count.saturating_add(1);
        true
    }
}

/// The right of the hub's own operator: whoever can read the configuration of this machine has it.
pub async fn operator(db: &Db, now: DateTime<Utc>) -> Result<Scope, DbError> {
    let operation = Operation {
        actor: Actor::Hub,
        purpose: None,
        now,
        request: uuid::Uuid::nil(),
    };
    let relations = relations::load(db, &operation).await?;
    match decide(&operation, &relations, Action::Administer) {
        Decision::Allowed(scope) => Ok(scope),
        Decision::Refused(_) => Err(DbError::OutOfScope),
    }
}

impl Register {
    /// Opens the register: whoever can read the configuration of this machine may.
    pub async fn open(db: &Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, DbError> {
        let scope = operator(db, clock.now()).await?;
        Ok(Self {
            db: db.clone(),
            clock,
            ids,
            scope,
        })
    }

    /// Registers what a file says, all of it or nothing. A dry run says what it would do, and does nothing.
    ///
    /// # Errors
    /// Every fault that the file has with what is there, or the store's.
    pub async fn apply(&self, file: &File, dry_run: bool) -> Result<Outcome, RegisterError> {
        let registration = Registration::begin(&self.db, &self.scope).await?;
        let mut applying = Applying {
            register: self,
            registration: &registration,
            now: self.clock.now(),
            faults: Faults::default(),
            outcome: Outcome::default(),
        };
        applying.all(file).await?;
        let Applying { faults, outcome, .. } = applying;
        match faults.settle(outcome) {
            Ok(outcome) if !dry_run => {
                registration.commit().await?;
                Ok(outcome)
            }
            settled => {
                registration.undo().await?;
                Ok(settled?)
            }
        }
    }

    /// A pupil or a parent who may sign in from now on, for this pupil; of one who is there already, for whom. No file names
    /// pupils: only the demo registers any, of those whom it invented itself.
    pub async fn person(&self, who: &Who, role: Role, pupil: PupilId) -> Result<PupilId, DbError> {
        let registration = Registration::begin(&self.db, &self.scope).await?;
        let found = registration.find_principal(&who.issuer, &who.subject).await?;
        if let Some(there) = found.and_then(|found| found.pupil_id) {
            return Ok(there);
        }
        let now = self.clock.now();
        let person = principal::Model {
            id: PrincipalId(self.ids.next(now)),
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
            role,
            school_id: None,
            clb_id: None,
            pupil_id: Some(pupil),
            discipline: None,
            begins_at: now,
            ends_at: None,
        };
        registration.put_principal(&person).await?;
        registration.commit().await?;
        Ok(pupil)
    }

    /// A school by its institution number.
    pub async fn find_school(&self, institution_number: &str) -> Result<Option<SchoolId>, DbError> {
        setup::find_school(&self.db, &self.scope, institution_number).await
    }

    /// The source of a school by its name.
    pub async fn find_source(
        &self,
        institution_number: &str,
        name: &str,
    ) -> Result<Option<connection::Model>, DbError> {
        setup::find_source(&self.db, &self.scope, institution_number, name).await
    }
}

fn days_of(school: &school::Model) -> Result<BTreeSet<NaiveDate>, DbError> {
    serde_json::from_value(school.days_off.clone()).map_err(|_unreadable| DbError::Unreadable {
        column: "school.days_off",
    })
}

/// One file on its way into the database.
struct Applying<'a> {
    register: &'a Register,
    registration: &'a Registration,
    now: DateTime<Utc>,
    faults: Faults,
    outcome: Outcome,
}

impl Applying<'_> {
    /// In the order in which they refer to each other.
    async fn all(&mut self, file: &File) -> Result<(), DbError> {
        for clb in &file.clbs {
            self.clb(clb).await?;
        }
        for school in &file.schools {
            self.school(school).await?;
        }
        for source in &file.sources {
            self.source(source).await?;
        }
        for principal in &file.principals {
            self.principal(principal).await?;
        }
        for agreement in &file.agreements {
            self.agreement(agreement).await?;
        }
        Ok(())
    }

    fn new_id(&self) -> uuid::Uuid {
        self.register.ids.next(self.now)
    }

    async fn clb(&mut self, said: &Clb) -> Result<(), DbError> {
        let was = self.registration.find_clb(&said.institution_number).await?;
        let is = clb::Model {
            id: was.as_ref().map_or_else(|| ClbId(self.new_id()), |was| was.id),
            institution_number: said.institution_number.clone(),
            name: said.name.clone(),
        };
        let before = match was {
            Some(was) => {
                let kept = self.registration.find_dossiers(was.id).await?;
                Some((was, kept))
            }
            None => None,
        };
        let kept = said.dossiers.or(before.as_ref().and_then(|(_, kept)| *kept));
        let after = (is, kept);
        if self.outcome.clbs.add(before.as_ref(), &after) {
            self.registration.put_clb(&after.0).await?;
            if let Some(kept) = kept {
                self.registration.put_dossiers(after.0.id, kept).await?;
            }
        }
        Ok(())
    }

    async fn school(&mut self, said: &School) -> Result<(), DbError> {
        let was = self.registration.find_school(&said.institution_number).await?;
        let is = school::Model {
            id: was.as_ref().map_or_else(|| SchoolId(self.new_id()), |was| was.id),
            institution_number: said.institution_number.clone(),
            name: said.name.clone(),
            city: said.city.clone(),
            days_off: serde_json::json!(said.days_off),
        };
        if self.outcome.schools.add(was.as_ref(), &is) {
            self.registration.put_school(&is).await?;
            if let Some(was) = was {
                let (before, after) = (days_of(&was)?, said.days_off.iter().copied().collect());
                let other = before.symmetric_difference(&after);
                self.outcome
                    .recount
                    .extend(other.map(|day| (is.id, SchoolYear::of(*day))));
            }
        }
        Ok(())
    }

    /// A school that the file or the database knows; a fault otherwise.
    async fn school_of(&mut self, line: usize, section: &str, number: &str) -> Result<Option<SchoolId>, DbError> {
        let found = self.registration.find_school(number).await?;
        if found.is_none() {
            self.faults
                .add(line, section, "school", "no school is registered with this number");
        }
        Ok(found.map(|school| school.id))
    }

    /// A CLB that the file or the database knows; a fault otherwise.
    async fn clb_of(&mut self, line: usize, section: &str, number: &str) -> Result<Option<ClbId>, DbError> {
        let found = self.registration.find_clb(number).await?;
        if found.is_none() {
            self.faults
                .add(line, section, "clb", "no CLB is registered with this number");
        }
        Ok(found.map(|clb| clb.id))
    }

    async fn source(&mut self, said: &Source) -> Result<(), DbError> {
        let Some(school_id) = self.school_of(said.line, "source", &said.school).await? else {
            return Ok(());
        };
        let was = self.registration.find_source(school_id, &said.name).await?;
        let overrides: serde_json::Map<_, _> = said
            .overrides
            .iter()
            .map(|(letter, means)| (letter.clone(), means.clone().into()))
            .collect();
        let settings = serde_json::to_value(&said.files);
        let is = connection::Model {
            id: was.as_ref().map_or_else(|| SourceId(self.new_id()), |was| was.id),
            school_id,
            name: said.name.clone(),
            letters: said.letters.clone(),
            letter_overrides: overrides.into(),
            settings: settings.map_err(|_never| DbError::Unreadable {
                column: "source.settings",
            })?,
            watermark: was.as_ref().map(|was| was.watermark.clone()).unwrap_or_default(),
        };
        if self.outcome.sources.add(was.as_ref(), &is) {
            self.registration.put_source(&is).await?;
        }
        if let Some(live) = &said.files.live {
            self.pulled_once(said, live, &is).await?;
        }
        Ok(())
    }

    /// One system says who a school's pupils are, and one who was absent: of two, each would take back what the other
    /// says.
    async fn pulled_once(&mut self, said: &Source, live: &Live, is: &connection::Model) -> Result<(), DbError> {
        for other in self.registration.sources_of(is.school_id).await? {
            let settings: Option<Connection> = serde_json::from_value(other.settings).ok();
            let Some(theirs) = settings
                .and_then(|settings| settings.live)
                .filter(|_| other.id != is.id)
            else {
                continue;
            };
            for stream in [Stream::Roster, Stream::Absences] {
                if live.brings(stream) && theirs.brings(stream) {
                    let rule = "another source of this school pulls the same; say what each of them `pulls`";
                    self.faults.add(said.line, "source", "live", rule);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn principal(&mut self, said: &Principal) -> Result<(), DbError> {
        let school_id = match &said.school {
            Some(number) => self.school_of(said.line, "principal", number).await?,
            None => None,
        };
        let clb_id = match &said.clb {
            Some(number) => self.clb_of(said.line, "principal", number).await?,
            None => None,
        };
        if (said.school.is_some(), said.clb.is_some()) != (school_id.is_some(), clb_id.is_some()) {
            return Ok(());
        }
        let was = self
            .registration
            .find_principal(&said.who.issuer, &said.who.subject)
            .await?;
        let begins = said.begins_on.map(brussels_midnight);
        let is = principal::Model {
            id: was.as_ref().map_or_else(|| PrincipalId(self.new_id()), |was| was.id),
            issuer: said.who.issuer.clone(),
            subject: said.who.subject.clone(),
            role: said.role,
            school_id,
            clb_id,
            pupil_id: None,
            discipline: said.discipline,
            begins_at: begins.or(was.as_ref().map(|was| was.begins_at)).unwrap_or(self.now),
            ends_at: said
                .ends_on
                .map(brussels_midnight)
                .or(was.as_ref().and_then(|was| was.ends_at)),
        };
        if let Some(was) = &was {
            let acts_as = |one: &principal::Model| (one.role, one.school_id, one.clb_id, one.pupil_id, one.discipline);
            if acts_as(was) != acts_as(&is) {
                let rule = "this principal acts in another role or for another; end it, and register another subject";
                self.faults.add(said.line, "principal", "role", rule);
                return Ok(());
            }
            // Who has lost its rights gets them back from nobody by repeating an old file.
            if was.ends_at.is_some_and(|ends| ends <= self.now) && is.ends_at > was.ends_at {
                let rule = "this principal has ended, and stays so; register another subject";
                self.faults.add(said.line, "principal", "ends_on", rule);
                return Ok(());
            }
        }
        if self.outcome.principals.add(was.as_ref(), &is) {
            self.registration.put_principal(&is).await?;
        }
        Ok(())
    }

    async fn agreement(&mut self, said: &Agreement) -> Result<(), DbError> {
        let school_id = self.school_of(said.line, "agreement", &said.school).await?;
        let clb_id = self.clb_of(said.line, "agreement", &said.clb).await?;
        let (Some(school_id), Some(clb_id)) = (school_id, clb_id) else {
            return Ok(());
        };
        let theirs = self.registration.find_agreements(school_id, clb_id).await?;
        let terms = |one: &agreement::Model| {
            (
                one.categories,
                one.ground.clone(),
                one.school_first_days,
                one.early_warning,
                one.releases_to_software,
            )
        };
        let facts = |one: &agreement::Model| (one.begins_on, terms(one));
        let is = agreement::Model {
            id: AgreementId(self.new_id()),
            school_id,
            clb_id,
            state: AgreementState::Accepted,
            categories: said.categories,
            ground: said.ground.clone(),
            begins_on: said.begins_on,
            ends_on: None,
            school_first_days: said.school_first_days,
            early_warning: said.early_warning,
            releases_to_software: said.releases_to_software,
            proposed_by: None,
            proposed_for: Party::School,
            proposed_at: self.now,
            decided_by: None,
            decided_at: Some(self.now),
            ended_by: None,
            ended_at: None,
            version: 1,
        };
        // The first one between the two; also when it was changed or ended since, it is this one.
        if theirs
            .iter()
            .any(|one| Binding::from((*one).clone()).in_force().is_some() && facts(one) == facts(&is))
        {
            self.outcome.agreements.add(Some(&()), &());
            return Ok(());
        }
        if !theirs.is_empty() {
            let rule = "the two have another agreement or proposal; they change it themselves, over GraphQL";
            self.faults.add(said.line, "agreement", "clb", rule);
            return Ok(());
        }
        let for_school = self
            .signed(said.line, "signed_for_school", &said.signed_for_school)
            .await?;
        let for_clb = self.signed(said.line, "signed_for_clb", &said.signed_for_clb).await?;
        let (Some(for_school), Some(for_clb)) = (for_school, for_clb) else {
            return Ok(());
        };
        let put = self
            .registration
            .put_agreement(&is, (&for_school, &for_clb), &*self.register.ids, self.now)
            .await;
        match put {
            Err(DbError::OutOfScope) => {
                let rule = "who signed acts for another than the party";
                self.faults.add(said.line, "agreement", "signed_for_school", rule);
            }
            put => {
                put?;
                self.outcome.agreements.add(None, &());
            }
        }
        Ok(())
    }

    /// The right of who signed to decide on agreements: the same that the mutation asks for.
    async fn signed(&mut self, line: usize, key: &str, who: &Who) -> Result<Option<Scope>, DbError> {
        let row = self.registration.find_principal(&who.issuer, &who.subject).await?;
        let scope = match row.and_then(|row| row.actor_at(self.now)) {
            Some(actor) => {
                let operation = Operation {
                    actor,
                    purpose: None,
                    now: self.now,
                    request: self.new_id(),
                };
                let relations = self.registration.relations(&operation).await?;
                match decide(&operation, &relations, Action::DecideAgreement) {
                    Decision::Allowed(scope) => Some(scope),
                    Decision::Refused(_) => None,
                }
            }
            None => None,
        };
        if scope.is_none() {
            let rule = "names no principal who may sign today: the school's data manager, the CLB's director";
            self.faults.add(line, "agreement", key, rule);
        }
        Ok(scope)
    }
}
