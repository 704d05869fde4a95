//! A small world: CLBs, schools and pupils whose every number is written by hand in the test.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clb_hub::app::SignedIn;
use clb_hub::http::house::House;
use clb_hub::http::service::Principals as _;
use clb_hub::store::carried::{CarriedSaid, merge_carried};
use clb_hub::store::lease::Lease;
use clb_hub::store::ledger::Work;
use clb_hub::store::roster::{
    ClassSaid, MembershipSaid, PupilSaid, end_missing, end_missing_memberships, keys, merge_classes, merge_memberships,
    merge_pupils, standing,
};
use clb_hub::store::run::{Begun, Coming, Progress, begin};
use clb_hub::store::setup::Registration;
use clb_hub::store::staging::put_rows;
use clb_hub::store::{Db, ledger, relations};
use hub_entities::absence::letters::Reading;
use hub_entities::agreement::{self, AgreementState, Party};
use hub_entities::category::Categories;
use hub_entities::client_grant::{self, Tasks};
use hub_entities::dossier::Mode;
use hub_entities::evaluation::{LawBook, Said};
use hub_entities::id::{
    AgreementId, ClbId, ClientGrantId, GapId, Ids, PrincipalId, PupilId, RecordId, RunId, SchoolId, SeededIds, SourceId,
};
use hub_entities::law::Laws;
use hub_entities::law::compulsory::Settings;
use hub_entities::operation::{Actor, Discipline, Operation, Role};
use hub_entities::party::{clb, school};
use hub_entities::policy::{Action, Decision, Scope, decide};
use hub_entities::principal;
use hub_entities::source::{KeyKind, RunKind, connection, gap, run};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseConnection, EntityTrait, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, Set,
};

use super::database::TestDatabase;

/// A date, from its text.
pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An instant, from its text.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A morning.
pub(crate) fn am(text: &str) -> HalfDay {
    HalfDay::new(day(text), Part::Am)
}

/// An afternoon.
pub(crate) fn pm(text: &str) -> HalfDay {
    HalfDay::new(day(text), Part::Pm)
}

/// The database, the laws and the ids of a test.
pub(crate) struct World {
    pub(crate) db: Db,
    /// Past every scope: for what a test compares.
    pub(crate) look: DatabaseConnection,
    pub(crate) book: Arc<LawBook>,
    pub(crate) ids: Arc<SeededIds>,
    pub(crate) now: DateTime<Utc>,
}

/// A school with a source of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct School {
    pub(crate) id: SchoolId,
    pub(crate) source: SourceId,
}

impl World {
    /// An empty world in which it is this instant.
    pub(crate) async fn new(database: &TestDatabase, now: &str) -> Self {
        let book = Arc::new(LawBook::new(Laws::embedded().unwrap(), Settings::default()));
        let db = database.open().await;
        let look = sea_orm::Database::connect(&database.url).await.unwrap();
        Self {
            db,
            look,
            book,
            ids: Arc::new(SeededIds::new(1)),
            now: at(now),
        }
    }

    /// The operator's right to set things up.
    pub(crate) async fn operator(&self) -> Scope {
        self.decided(Actor::Hub, Action::Administer).await
    }

    /// The scope that the policy gives this actor for this action; fails the test when it refuses.
    pub(crate) async fn decided(&self, actor: Actor, action: Action) -> Scope {
        let operation = Operation {
            actor,
            purpose: None,
            now: self.now,
            request: uuid::Uuid::nil(),
        };
        let relations = relations::load(&self.db, &operation).await.unwrap();
        match decide(&operation, &relations, action) {
            Decision::Allowed(scope) => scope,
            Decision::Refused(why) => panic!("refused: {why}"),
        }
    }

    /// Registers as the operator.
    pub(crate) async fn registration(&self) -> Registration {
        Registration::begin(&self.db, &self.operator().await).await.unwrap()
    }

    /// The CLB with this number; a new one if there is none.
    pub(crate) async fn clb(&self, number: &str) -> ClbId {
        let registration = self.registration().await;
        let new = ClbId(self.ids.next(self.now));
        let known = registration.find_clb(number).await.unwrap();
        let id = known.map_or(new, |known| known.id);
        let clb = clb::Model {
            id,
            institution_number: number.to_owned(),
            name: "CLB".to_owned(),
        };
        registration.put_clb(&clb).await.unwrap();
        registration.commit().await.unwrap();
        id
    }

    /// A school with a source, served by this CLB since 2020 for these categories.
    pub(crate) async fn school(&self, number: &str, clb: ClbId, categories: Categories) -> School {
        let school = self.school_alone(number).await;
        self.signed(school, clb, categories, "2020-09-01").await;
        school
    }

    /// A school with a source, served by no CLB.
    pub(crate) async fn school_alone(&self, number: &str) -> School {
        let registration = self.registration().await;
        let id = SchoolId(self.ids.next(self.now));
        let school = school::Model {
            id,
            institution_number: number.to_owned(),
            name: "School".to_owned(),
            city: "Gemeente".to_owned(),
            days_off: serde_json::json!([]),
        };
        registration.put_school(&school).await.unwrap();
        registration.commit().await.unwrap();
        self.source_of(id, "files").await
    }

    async fn source_of(&self, school: SchoolId, name: &str) -> School {
        let registration = self.registration().await;
        let source = SourceId(self.ids.next(self.now));
        let connection = connection::Model {
            id: source,
            school_id: school,
            name: name.to_owned(),
            letters: "discimus".to_owned(),
            letter_overrides: serde_json::json!({}),
            settings: serde_json::json!({}),
            watermark: serde_json::json!({}),
        };
        registration.put_source(&connection).await.unwrap();
        registration.commit().await.unwrap();
        School { id: school, source }
    }

    /// An agreement that both parties have accepted, from this day on; who signed is of no matter here.
    pub(crate) async fn signed(&self, school: School, clb: ClbId, categories: Categories, begins: &str) {
        self.signed_with(school, clb, categories, begins, |_signed| {}).await;
    }

    /// The same, on terms of its own.
    pub(crate) async fn signed_with(
        &self,
        school: School,
        clb: ClbId,
        categories: Categories,
        begins: &str,
        terms: impl FnOnce(&mut agreement::Model),
    ) {
        let mut signed = agreement::Model {
            id: AgreementId(self.ids.next(self.now)),
            school_id: school.id,
            clb_id: clb,
            state: AgreementState::Accepted,
            categories,
            ground: Some("test".to_owned()),
            begins_on: day(begins),
            ends_on: None,
            school_first_days: 0,
            early_warning: None,
            releases_to_software: false,
            proposed_by: None,
            proposed_for: Party::School,
            proposed_at: self.now,
            decided_by: None,
            decided_at: Some(self.now),
            ended_by: None,
            ended_at: None,
            version: 1,
        };
        terms(&mut signed);
        let row = agreement::Entity::insert(agreement::ActiveModel::from(signed));
        row.exec_without_returning(&self.look).await.unwrap();
    }

    /// A second source of the same school.
    pub(crate) async fn another_source(&self, school: School, name: &str) -> School {
        self.source_of(school.id, name).await
    }

    /// What the school's source may bring in.
    pub(crate) async fn source_scope(&self, school: School) -> Scope {
        self.decided(
            Actor::Source {
                id: school.source,
                school: school.id,
            },
            Action::Sync,
        )
        .await
    }

    /// A run under way, with its lease.
    pub(crate) async fn run(&self, school: School, scope: &Scope, kind: RunKind) -> (Lease, run::Model) {
        let id = self.ids.next(self.now);
        let lease = Lease::acquire(&self.db, &format!("test/{id}"), "test", Duration::from_mins(10))
            .await
            .unwrap();
        let lease = lease.unwrap();
        let coming = Coming {
            id: RunId(id),
            source: school.source,
            kind,
            content_hash: id.as_bytes().to_vec(),
            complete: false,
            now: self.now,
        };
        match begin(&self.db, scope, &lease, coming).await.unwrap() {
            Begun::Fresh(run) => (lease, run),
            other => panic!("not a fresh run: {other:?}"),
        }
    }

    pub(crate) fn work<'a>(&'a self, scope: &'a Scope, lease: &'a Lease, run: RunId) -> Work<'a> {
        Work {
            scope,
            lease,
            run,
            book: &self.book,
            ids: &*self.ids,
            now: self.now,
        }
    }

    /// Merges what the school says of pupils, in one transaction: what it changed.
    pub(crate) async fn roster(&self, school: School, said: &[(&str, PupilSaid)]) -> Progress {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        let said: Vec<(String, PupilSaid)> = said
            .iter()
            .map(|(key, pupil)| ((*key).to_owned(), pupil.clone()))
            .collect();
        let progress = merge_pupils(&self.db, self.work(&scope, &lease, run.id), &said, None)
            .await
            .unwrap();
        self.done(&lease, run).await;
        progress
    }

    /// Merges what the school says of pupils; the record and the pupil of each.
    pub(crate) async fn pupils(&self, school: School, said: &[(&str, PupilSaid)]) -> Vec<(RecordId, PupilId)> {
        self.roster(school, said).await;
        let scope = self.source_scope(school).await;
        let known = keys(&self.db, &scope, KeyKind::SourceKey).await.unwrap();
        said.iter().map(|(key, _)| known[*key]).collect()
    }

    /// Merges classes of 2026-2027 with the grade that the school gives each, in one transaction: what it changed.
    pub(crate) async fn classes(&self, school: School, said: &[(&str, Option<&str>)]) -> Progress {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        let class = |(key, grade): &(&str, Option<&str>)| {
            let class = ClassSaid {
                name: (*key).to_owned(),
                grade: grade.map(str::to_owned),
                school_year: SchoolYear(2026),
            };
            ((*key).to_owned(), class)
        };
        let said: Vec<(String, ClassSaid)> = said.iter().map(class).collect();
        let progress = merge_classes(&self.db, self.work(&scope, &lease, run.id), &said, None).await;
        self.done(&lease, run).await;
        progress.unwrap()
    }

    /// Merges places in classes, in one transaction: what it changed.
    pub(crate) async fn places(&self, school: School, said: &[(&str, MembershipSaid)]) -> Progress {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        let said: Vec<(String, MembershipSaid)> = said
            .iter()
            .map(|(key, place)| ((*key).to_owned(), place.clone()))
            .collect();
        let progress = merge_memberships(&self.db, self.work(&scope, &lease, run.id), &said, None).await;
        self.done(&lease, run).await;
        progress.unwrap()
    }

    /// What follows when a complete read no longer held these places.
    pub(crate) async fn without_places(&self, school: School, keys: &[&str]) {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        self.stage(&lease, run.id, "left_place", keys).await;
        let work = self.work(&scope, &lease, run.id);
        while end_missing_memberships(&self.db, work, 200).await.unwrap() > 0 {}
        self.done(&lease, run).await;
    }

    /// Merges what the school says of half-days, in one transaction.
    pub(crate) async fn say(&self, school: School, said: &[(RecordId, HalfDay, Reading)]) -> Progress {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Absences).await;
        let said: Vec<Said> = said
            .iter()
            .map(|(record, at, reading)| Said {
                record: *record,
                at: *at,
                reading: *reading,
            })
            .collect();
        let work = self.work(&scope, &lease, run.id);
        let progress = ledger::merge_half_days(&self.db, work, &said, None).await.unwrap();
        self.done(&lease, run).await;
        progress
    }

    /// Merges numbers carried in from former schools, in one transaction.
    pub(crate) async fn carry(&self, school: School, said: &[CarriedSaid]) -> Progress {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::CarriedIn).await;
        let work = self.work(&scope, &lease, run.id);
        let progress = merge_carried(&self.db, work, said).await.unwrap();
        self.done(&lease, run).await;
        progress
    }

    /// What follows when a complete read held these pupils alone: how many were ended.
    pub(crate) async fn complete(&self, school: School, keys: &[&str]) -> i64 {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        let left = standing(&self.db, &scope).await.unwrap().left(keys.iter().copied());
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        self.stage(&lease, run.id, "left", &left).await;
        let mut ended = 0;
        loop {
            let some = end_missing(&self.db, self.work(&scope, &lease, run.id), 500)
                .await
                .unwrap();
            ended += some;
            if some == 0 {
                break;
            }
        }
        self.done(&lease, run).await;
        ended
    }

    /// Puts rows with these keys aside as a read does.
    pub(crate) async fn stage(&self, lease: &Lease, run: RunId, kind: &'static str, keys: &[&str]) {
        let rows = keys.iter().map(|key| ((*key).to_owned(), serde_json::json!({})));
        put_rows(&self.db, lease, run, kind, rows.collect()).await.unwrap();
    }

    /// Someone who signs in for a school or a CLB; software under a grant for everything.
    pub(crate) async fn someone(&self, role: Role, school: Option<SchoolId>, clb: Option<ClbId>) -> Actor {
        let someone = self.registered(role, school, clb).await;
        if role == Role::SchoolClient {
            self.grant(&someone, Tasks::all()).await;
        }
        someone
    }

    /// A grant of its school to software, long since and without end, over the school's first source.
    pub(crate) async fn grant(&self, to: &Actor, tasks: Tasks) -> ClientGrantId {
        let Actor::Principal {
            id: client,
            school: Some(school),
            ..
        } = to
        else {
            panic!("only a school's software has grants")
        };
        let of_school = connection::Entity::find().filter(connection::Column::SchoolId.eq(*school));
        let source = of_school.order_by_asc(connection::Column::Id).one(&self.look).await;
        let id = ClientGrantId(self.ids.next(self.now));
        let grant = client_grant::Model {
            id,
            school_id: *school,
            client_id: *client,
            source_id: source.unwrap().unwrap().id,
            tasks,
            begins_at: at("2020-01-01T00:00:00Z"),
            ends_at: None,
            issued_by: None,
            issued_at: at("2020-01-01T00:00:00Z"),
            revoked_by: None,
            revoked_at: None,
        };
        grant.into_active_model().insert(&self.look).await.unwrap();
        id
    }

    /// Someone who is registered, and no more.
    pub(crate) async fn registered(&self, role: Role, school: Option<SchoolId>, clb: Option<ClbId>) -> Actor {
        self.principal(role, school, clb, None).await
    }

    /// A pupil, or a parent of that pupil.
    pub(crate) async fn person(&self, role: Role, pupil: PupilId) -> Actor {
        self.principal(role, None, None, Some(pupil)).await
    }

    async fn principal(
        &self,
        role: Role,
        school: Option<SchoolId>,
        clb: Option<ClbId>,
        pupil: Option<PupilId>,
    ) -> Actor {
        let id = PrincipalId(self.ids.next(self.now));
        let new = principal::Model {
            id,
            issuer: "https://issuer.example".to_owned(),
            subject: id.to_string(),
            role,
            school_id: school,
            clb_id: clb,
            pupil_id: pupil,
            discipline: None,
            begins_at: at("2020-01-01T00:00:00Z"),
            ends_at: None,
        };
        let registration = self.registration().await;
        registration.put_principal(&new).await.unwrap();
        registration.commit().await.unwrap();
        Actor::Principal {
            id,
            role,
            school,
            clb,
            pupil,
        }
    }

    /// A worker of a CLB, of this discipline.
    pub(crate) async fn worker(&self, clb: ClbId, discipline: Discipline) -> Actor {
        let who = self.someone(Role::ClbWorker, None, Some(clb)).await;
        let Actor::Principal { id, .. } = &who else {
            panic!("a worker is a principal")
        };
        let row = principal::ActiveModel {
            id: Set(*id),
            discipline: Set(Some(discipline)),
            ..Default::default()
        };
        row.update(&self.look).await.unwrap();
        who
    }

    /// From now on the hub keeps the dossiers of this CLB.
    pub(crate) async fn keeps_dossiers(&self, clb: ClbId) {
        let registration = self.registration().await;
        registration.put_dossiers(clb, Mode::Hub).await.unwrap();
        registration.commit().await.unwrap();
    }

    /// From this instant on someone acts no more: the worker has left.
    pub(crate) async fn end_principal(&self, who: &Actor, at: DateTime<Utc>) {
        let Actor::Principal { id, .. } = who else {
            panic!("only a principal ends")
        };
        let ended = principal::ActiveModel {
            id: Set(*id),
            ends_at: Set(Some(at)),
            ..Default::default()
        };
        ended.update(&self.look).await.unwrap();
    }

    /// A roster of the school that waits for a person.
    pub(crate) async fn held(&self, school: School) -> RunId {
        let scope = self.source_scope(school).await;
        let (lease, run) = self.run(school, &scope, RunKind::Roster).await;
        let id = run.id;
        let held = run::Model {
            state: hub_entities::source::RunState::Held,
            ..run
        };
        clb_hub::store::run::set_state(&self.db, &lease, held).await.unwrap();
        id
    }

    /// A letter that no table knows, met so many times, last in this run of the school.
    pub(crate) async fn gap(&self, school: School, run: RunId, letter: &str, occurrences: i64) -> GapId {
        let id = GapId(self.ids.next(self.now));
        let gap = gap::Model {
            id,
            source_id: school.source,
            rule: "letter".to_owned(),
            detail: letter.to_owned(),
            occurrences,
            run_id: run,
            first_seen_at: self.now,
            last_seen_at: self.now,
        };
        gap.into_active_model().insert(&self.look).await.unwrap();
        id
    }

    /// Signs someone of this world in at a hub.
    pub(crate) async fn sign_in(&self, house: &House, actor: &Actor) -> SignedIn {
        let Actor::Principal { id, .. } = actor else {
            panic!("only a principal signs in")
        };
        let found = house.find("https://issuer.example", &id.to_string(), self.now).await;
        found.unwrap().unwrap()
    }

    /// The run has come to its end.
    pub(crate) async fn done(&self, lease: &Lease, run: run::Model) {
        let done = run::Model {
            state: hub_entities::source::RunState::Done,
            finished_at: Some(self.now),
            ..run
        };
        clb_hub::store::run::set_state(&self.db, lease, done).await.unwrap();
    }
}

/// A pupil born then, enrolled since 1 September 2026.
pub(crate) fn born(birth: &str) -> PupilSaid {
    PupilSaid {
        given_name: Some("Test".to_owned()),
        family_name: Some("Leerling".to_owned()),
        birth_date: Some(day(birth)),
        begins_on: Some(day("2026-09-01")),
        ..PupilSaid::default()
    }
}

/// A place in a class, all year.
pub(crate) fn place(class: &str, pupil: &str) -> MembershipSaid {
    MembershipSaid {
        gone: false,
        class_key: class.to_owned(),
        pupil_key: pupil.to_owned(),
        begins_on: Some(day("2026-09-01")),
        ends_on: None,
    }
}
