//! A hub of a few rows that counts what it is asked.

mod dossiers;
mod matching;
mod software;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Request, Response};
use async_trait::async_trait;
use chrono::NaiveDate;
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::category::Categories;
use hub_entities::id::{
    AgreementId, ClassId, ClbId, EnrolmentId, EventId, GapId, PrincipalId, PupilId, RunId, SchoolId, SignalId, SourceId,
};
use hub_entities::operation::{Actor, Operation, Realm, Role};
use hub_entities::signal::{EventKind, SignalState, Track};
use hub_entities::time::SchoolYear;
use hub_graphql::absence::{Absence, AbsenceCount, HalfDayRow, TallyRow};
use hub_graphql::agreement::AgreementRow;
use hub_graphql::change::{ChangeRow, ChangeTold};
use hub_graphql::class_group::{ClassRow, MemberRow};
use hub_graphql::dossier::{AskedFor, DossierRow};
use hub_graphql::hub::{
    Agreements, Alerts, Answer, Changed, Changes, Classes, Decided, Operations, Position, Proposal, Pupils, Schools,
    Signals, Stepped, Update,
};
use hub_graphql::operations::{GapRow, RunRow, SourceRow};
use hub_graphql::page::{CursorKey, Mark, Page, Slice, SortKey};
use hub_graphql::problem::Problem;
use hub_graphql::pupil::{Address, Contact, Enrolment, PupilRow};
use hub_graphql::pupils::{PupilFilter, PupilOrder};
use hub_graphql::scalar::{Gid, Year};
use hub_graphql::school::SchoolRow;
use hub_graphql::signal::{ProofRow, ReportedRow, SignalFilter, SignalRow};
use hub_graphql::{Options, Schemas, schemas};
use uuid::Uuid;

/// The pupils of the viewer are 1 to this.
pub(crate) const PUPILS: u128 = 100;

/// Counts what is asked; fails everything when it is told to.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) asked: AtomicUsize,
    pub(crate) broken: bool,
    /// Lists are answered, what belongs to their rows is not.
    pub(crate) broken_below: bool,
    /// What there is of dossiers; else nothing.
    pub(crate) dossiers: Option<Dossiers>,
}

/// Dossiers of these pupils, with what is asked of them.
type Dossiers = Box<dyn Fn(&Operation, &[PupilId], &AskedFor) -> HashMap<PupilId, DossierRow> + Send + Sync>;

pub(crate) fn pupil(number: u128) -> PupilId {
    PupilId(Uuid::from_u128(number))
}

fn year() -> SchoolYear {
    SchoolYear(2026)
}

impl Fake {
    fn count(&self) -> Answer<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.broken { Err(Problem::Unavailable) } else { Ok(()) }
    }

    fn for_each<V>(&self, of: &[PupilId], value: impl Fn(PupilId) -> V) -> Answer<HashMap<PupilId, V>> {
        self.count()?;
        if self.broken_below {
            return Err(Problem::Unavailable);
        }
        let known = of.iter().filter(|id| (1..=PUPILS).contains(&id.0.as_u128()));
        Ok(known.map(|id| (*id, value(*id))).collect())
    }
}

fn row(id: PupilId) -> PupilRow {
    PupilRow {
        given_name: Some(format!("Given{}", id.0.as_u128())),
        family_name: Some(format!("Family{}", id.0.as_u128())),
        sex: Some("X".to_owned()),
        birth_date: NaiveDate::from_ymd_opt(2012, 2, 29),
        address: Some(Address {
            street: Some("Dorp 1".to_owned()),
            postal_code: Some("9000".to_owned()),
            city: Some("Gent".to_owned()),
        }),
        contacts: Some(vec![Contact {
            role: Some("guardian".to_owned()),
            given_name: Some("Voornaam".to_owned()),
            family_name: Some("Naam".to_owned()),
            phone: Some("09".to_owned()),
            email: Some("a@example.org".to_owned()),
        }]),
        language: None,
        agreed: Categories::default_agreement(),
        id: Some(id),
        tally: None,
    }
}

fn school(id: SchoolId) -> SchoolRow {
    SchoolRow {
        id: Gid(id),
        institution_number: "012345".to_owned(),
        name: "De Linde".to_owned(),
        city: "Gent".to_owned(),
    }
}

fn signal(id: SignalId) -> SignalRow {
    SignalRow {
        id,
        kind: "truancy.5".to_owned(),
        state: SignalState::Raised,
        generation: 1,
        year: year(),
        count: 5,
        reached_on: None,
        raised_at: chrono::DateTime::UNIX_EPOCH,
        withdrawn_at: None,
        backfill: false,
        version: 3,
        pupil: Some(pupil(1)),
        proofs: Vec::new(),
    }
}

#[async_trait]
impl Pupils for Fake {
    async fn pupils_by_id(&self, _: &Operation, ids: &[PupilId], _: Categories) -> Answer<HashMap<PupilId, PupilRow>> {
        self.for_each(ids, row)
    }

    async fn pupil_by_source_key(&self, _: &Operation, key: &str) -> Answer<Option<PupilId>> {
        self.count()?;
        Ok(key.parse().ok().map(pupil))
    }

    async fn pupils(
        &self,
        _: &Operation,
        _: &PupilFilter,
        _: PupilOrder,
        page: &Page,
        _: Categories,
    ) -> Answer<Slice<PupilRow>> {
        self.count()?;
        let from = page.after.as_ref().map_or(0, |mark| mark.id.as_u128());
        let to = (from + u128::from(page.first)).min(PUPILS);
        let at = |number| {
            let id = pupil(number);
            (
                Mark {
                    key: SortKey::Id,
                    id: id.0,
                },
                row(id),
            )
        };
        Ok(Slice {
            rows: (from + 1..=to).map(at).collect(),
            more: to < PUPILS,
            total: page.count.then_some(100),
        })
    }

    async fn enrolments(&self, _: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<Enrolment>>> {
        // Every other pupil left school; the others are there, and were elsewhere before.
        self.for_each(of, |id| {
            let number = id.0.as_u128();
            let one = |nth: u128, begins: &str, ends: Option<&str>| Enrolment {
                id: Gid(EnrolmentId(Uuid::from_u128(number * 10 + nth))),
                school_year: Year(SchoolYear::of(begins.parse().unwrap())),
                begins: begins.parse().unwrap(),
                ends: ends.map(|ends| ends.parse().unwrap()),
                school: school(SchoolId(Uuid::from_u128(nth))),
            };
            let now = one(2, "2026-09-01", number.is_multiple_of(2).then_some("2026-10-01"));
            vec![now, one(1, "2025-09-01", Some("2026-07-01"))]
        })
    }

    async fn classes_of(
        &self,
        _: &Operation,
        of: &[PupilId],
        _: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<ClassRow>>> {
        self.for_each(of, |_| Vec::new())
    }

    async fn absences(
        &self,
        _: &Operation,
        of: &[PupilId],
        _: SchoolYear,
        page: &Page,
    ) -> Answer<HashMap<PupilId, Slice<Absence>>> {
        self.for_each(of, |id| Slice {
            rows: vec![(
                Mark {
                    key: SortKey::Id,
                    id: id.0,
                },
                Absence {
                    day: hub_graphql::scalar::Day("2026-09-03".parse().unwrap()),
                    part: hub_graphql::absence::PartOfDay::Pm,
                    code: "B".into(),
                    school_id: SchoolId(Uuid::from_u128(9)).to_string().as_str().into(),
                },
            )],
            more: false,
            total: page.count.then_some(1),
        })
    }

    async fn absence_counts(
        &self,
        _: &Operation,
        of: &[PupilId],
        _: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<AbsenceCount>>> {
        self.for_each(of, |id| {
            let n = i32::try_from(id.0.as_u128()).unwrap();
            vec![AbsenceCount {
                code: "B".to_owned(),
                n,
            }]
        })
    }

    async fn tallies(&self, _: &Operation, of: &[PupilId], _: SchoolYear) -> Answer<HashMap<PupilId, TallyRow>> {
        self.for_each(of, |_| TallyRow {
            count: 7,
            carried: 2,
            pending: 1,
            reached5: NaiveDate::from_ymd_opt(2026, 10, 5),
            reached30: None,
        })
    }

    async fn evidence(
        &self,
        _: &Operation,
        of: &[PupilId],
        _: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<HalfDayRow>>> {
        self.for_each(of, |_| Vec::new())
    }
}

#[async_trait]
impl Classes for Fake {
    async fn classes_by_id(&self, _: &Operation, ids: &[ClassId]) -> Answer<HashMap<ClassId, ClassRow>> {
        self.count()?;
        let class = |id: &ClassId| ClassRow {
            id: *id,
            name: "1A".to_owned(),
            grade: None,
            year: year(),
            school: school(SchoolId(Uuid::from_u128(9))),
        };
        Ok(ids.iter().map(|id| (*id, class(id))).collect())
    }

    async fn classes(&self, _: &Operation, _: SchoolId, _: SchoolYear, page: &Page) -> Answer<Slice<ClassRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn members(
        &self,
        _: &Operation,
        of: &[ClassId],
        page: &Page,
        _: Categories,
    ) -> Answer<HashMap<ClassId, Slice<MemberRow>>> {
        self.count()?;
        let member = |number| {
            let member = MemberRow {
                id: pupil(number),
                pupil: row(pupil(number)),
                begins: None,
                ends: None,
            };
            let mark = Mark {
                key: SortKey::Id,
                id: pupil(number).0,
            };
            (mark, member)
        };
        let slice = Slice {
            rows: (1..=u128::from(page.first)).map(member).collect(),
            more: false,
            total: None,
        };
        Ok(of.iter().map(|id| (*id, slice.clone())).collect())
    }
}

#[async_trait]
impl Schools for Fake {
    async fn schools_by_id(&self, _: &Operation, ids: &[SchoolId]) -> Answer<HashMap<SchoolId, SchoolRow>> {
        self.count()?;
        Ok(ids.iter().map(|id| (*id, school(*id))).collect())
    }

    async fn schools(&self, _: &Operation, page: &Page) -> Answer<Slice<SchoolRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }
}

#[async_trait]
impl Signals for Fake {
    async fn signals_by_id(&self, _: &Operation, ids: &[SignalId]) -> Answer<HashMap<SignalId, SignalRow>> {
        self.count()?;
        Ok(ids.iter().map(|id| (*id, signal(*id))).collect())
    }

    async fn signals(&self, _: &Operation, _: &SignalFilter, page: &Page) -> Answer<Slice<SignalRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn reported(&self, _: &Operation, _: &[SignalId], _: Categories) -> Answer<HashMap<SignalId, ReportedRow>> {
        self.count()?;
        Ok(HashMap::new())
    }

    async fn signals_of(&self, _: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<SignalRow>>> {
        self.for_each(of, |_| vec![signal(SignalId(Uuid::from_u128(5)))])
    }

    /// The last digit decides what comes of it.
    async fn report(&self, operation: &Operation, id: SignalId, _: Option<i32>) -> Answer<Stepped> {
        self.count()?;
        Ok(match id.0.as_u128() {
            1 => Stepped::Changed(7),
            2 => Stepped::Withdrawn,
            3 => Stepped::Unknown,
            _ => {
                let proof = ProofRow {
                    track: Track::Report,
                    by: PrincipalId(Uuid::from_u128(4)),
                    party: SchoolId(Uuid::from_u128(9)).to_string(),
                    at: operation.now,
                };
                Stepped::Done(Box::new(signal(id)), proof)
            }
        })
    }

    async fn accept(&self, _: &Operation, _: SignalId, _: Option<i32>) -> Answer<Stepped> {
        self.count()?;
        Ok(Stepped::Unknown)
    }
}

#[async_trait]
impl Changes for Fake {
    async fn changes(&self, _: &Operation, after: Option<Position>, first: u32, _: Categories) -> Answer<Changed> {
        self.count()?;
        let epoch = Uuid::from_u128(77);
        if after.is_some_and(|after| after.epoch != epoch) {
            return Err(Problem::CursorExpired);
        }
        let from = after.map_or(0, |after| after.position);
        let change = |position| {
            let at = Position { epoch, position };
            let row = ChangeRow {
                id: EventId(Uuid::from_u128(u128::try_from(position).unwrap())),
                kind: EventKind::Raised,
                signal: SignalId(Uuid::from_u128(5)),
                pupil: Some(pupil(1)),
                told: Some(ChangeTold {
                    signal_kind: "truancy.5".to_owned(),
                    school: None,
                    year: year(),
                    count: 5,
                    version: 1,
                    occurred_at: chrono::DateTime::UNIX_EPOCH,
                }),
            };
            (at, row)
        };
        let position = from + i64::from(first);
        Ok(Changed {
            rows: (from + 1..=position).map(change).collect(),
            end: Position { epoch, position },
            more: true,
        })
    }
}

/// Tells where it stands, one event, one that is no longer the viewer's, and that it is over. From 77 on it fails.
#[async_trait]
impl Alerts for Fake {
    async fn signals(
        &self,
        _: &Operation,
        after: Option<Position>,
        _: Categories,
    ) -> Answer<BoxStream<'static, Answer<Update>>> {
        self.count()?;
        let epoch = Uuid::from_u128(77);
        if after.is_some_and(|after| after.epoch != epoch) {
            return Err(Problem::CursorExpired);
        }
        let from = after.map_or(0, |after| after.position);
        let at = |position| Position { epoch, position };
        let row = |kind, told| ChangeRow {
            id: EventId(Uuid::from_u128(6)),
            kind,
            signal: SignalId(Uuid::from_u128(5)),
            pupil: Some(pupil(1)),
            told,
        };
        let told = ChangeTold {
            signal_kind: "truancy.5".to_owned(),
            school: None,
            year: year(),
            count: 5,
            version: 1,
            occurred_at: chrono::DateTime::UNIX_EPOCH,
        };
        let mut updates = vec![
            Ok(Update::Stands(at(from))),
            Ok(Update::Happened(at(from + 1), row(EventKind::Raised, Some(told)))),
            Ok(Update::Happened(at(from + 2), row(EventKind::NoLongerYours, None))),
        ];
        if from >= 77 {
            updates.extend([Err(Problem::Unavailable), Ok(Update::Stands(at(from)))]);
        } else {
            let clb = Some(ClbId(Uuid::from_u128(9)));
            let school = None;
            updates.push(Ok(Update::NoLongerYours {
                at: at(from + 2),
                school,
                clb,
            }));
        }
        Ok(futures::stream::iter(updates).boxed())
    }
}

#[async_trait]
impl Agreements for Fake {
    async fn agreements(&self, _: &Operation, page: &Page) -> Answer<Slice<AgreementRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn agreement(&self, _: &Operation, _: AgreementId) -> Answer<Option<AgreementRow>> {
        self.count()?;
        Ok(None)
    }

    async fn propose(&self, _: &Operation, _: Proposal) -> Answer<Decided> {
        self.count()?;
        Ok(Decided::Unknown)
    }

    async fn accept_agreement(&self, _: &Operation, _: AgreementId, _: i32) -> Answer<Decided> {
        self.count()?;
        Ok(Decided::Changed(4))
    }

    async fn end_agreement(&self, _: &Operation, _: AgreementId, _: i32, _: NaiveDate) -> Answer<Decided> {
        self.count()?;
        Ok(Decided::State)
    }
}

#[async_trait]
impl Operations for Fake {
    async fn sources(&self, _: &Operation, page: &Page) -> Answer<Slice<SourceRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn runs(&self, _: &Operation, page: &Page) -> Answer<Slice<RunRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn gaps(&self, _: &Operation, page: &Page) -> Answer<Slice<GapRow>> {
        self.count()?;
        Ok(Slice::empty(page.count))
    }

    async fn source(&self, _: &Operation, _: SourceId) -> Answer<Option<SourceRow>> {
        self.count()?;
        Ok(None)
    }

    async fn run(&self, _: &Operation, _: RunId) -> Answer<Option<RunRow>> {
        self.count()?;
        Ok(None)
    }

    async fn gap(&self, _: &Operation, _: GapId) -> Answer<Option<GapRow>> {
        self.count()?;
        Ok(None)
    }

    async fn approve_run(&self, _: &Operation, _: RunId) -> Answer<Option<RunRow>> {
        self.count()?;
        Ok(None)
    }
}

/// A viewer with this number in this role.
pub(crate) fn viewer(number: u128, role: Role) -> Operation {
    Operation {
        actor: Actor::Principal {
            id: PrincipalId(Uuid::from_u128(number)),
            role,
            school: Some(SchoolId(Uuid::from_u128(9))),
            clb: Some(ClbId(Uuid::from_u128(8))),
            pupil: None,
        },
        purpose: None,
        now: "2026-11-22T10:00:00Z".parse().unwrap(),
        request: Uuid::from_u128(1),
    }
}

/// The schemas over this hub.
pub(crate) fn over(fake: Fake) -> (Schemas, Arc<Fake>) {
    with(fake, Options::default())
}

/// The same, with these options.
pub(crate) fn with(fake: Fake, options: Options) -> (Schemas, Arc<Fake>) {
    let hub = Arc::new(fake);
    let keys = CursorKey::new(&[7; 32]);
    {
        let port: Arc<dyn hub_graphql::hub::Hub> = hub.clone();
        let alerts: Arc<dyn Alerts> = hub.clone();
        (schemas(&port, &alerts, &keys, options), hub)
    }
}

/// Asks as a viewer in a role.
pub(crate) async fn ask(schemas: &Schemas, operation: Operation, query: &str) -> Response {
    let realm = operation.realm().unwrap_or(Realm::Person);
    schemas.execute(realm, Request::new(query), operation).await
}

/// The answer as JSON, which must be without errors.
pub(crate) async fn answer(schemas: &Schemas, operation: Operation, query: &str) -> serde_json::Value {
    let response = ask(schemas, operation, query).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    response.data.into_json().unwrap()
}

/// The code of the one error.
pub(crate) async fn code(schemas: &Schemas, operation: Operation, query: &str) -> String {
    let response = ask(schemas, operation, query).await;
    assert_eq!(response.data, async_graphql::Value::Null);
    let answer = serde_json::to_value(&response).unwrap();
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}
