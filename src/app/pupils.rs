//! Pupils, as the viewer's school or CLB may see them.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PupilId, SchoolId};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_entities::time::{HalfDay, Part, SchoolYear};
use hub_graphql::absence::{Absence, AbsenceCount, HalfDayRow, TallyRow};
use hub_graphql::hub::{Answer, Pupils};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::problem::Problem;
use hub_graphql::pupil::{Address, Contact, Enrolment, PupilRow};
use hub_graphql::pupils::{PupilFilter, PupilOrder};
use hub_graphql::scalar::{Day, Gid, Year};

use super::answer::{code, counted, number, school_row, slice, text};
use super::{App, failed, lock};
use crate::store::read::absence as absences;
use crate::store::read::enrolment as enrolments;
use crate::store::read::pupil::{self as pupils, After, Filter, Order, Pupil};

impl App {
    /// Notes what left of these pupils: of these categories, those that were agreed.
    fn note_rows<'a>(
        &self,
        operation: &Operation,
        rows: impl IntoIterator<Item = &'a Pupil>,
        columns: Categories,
    ) -> Answer<()> {
        for pupil in rows {
            self.note(operation, [pupil.id], columns.without(pupil.withheld))?;
        }
        Ok(())
    }

    /// Notes for the access log that these categories of these pupils left: after the read, of those found.
    pub(super) fn note(
        &self,
        operation: &Operation,
        of: impl IntoIterator<Item = PupilId>,
        categories: Categories,
    ) -> Answer<()> {
        let request = self.request(operation)?;
        let mut seen = lock(&request.seen);
        let mut of = of.into_iter().peekable();
        if of.peek().is_some() {
            seen.categories = seen.categories.or(categories);
            seen.pupils.extend(of);
        }
        Ok(())
    }
}

/// A tally as it is answered.
const fn tally(tally: absences::Tally) -> TallyRow {
    TallyRow {
        count: tally.half_days,
        carried: tally.carried,
        pending: tally.pending,
        reached5: tally.reached_5,
        reached30: tally.reached_30,
    }
}

/// A row as it is answered.
pub(super) fn row(pupil: Pupil, columns: Categories) -> PupilRow {
    let address = Address {
        street: pupil.street,
        postal_code: pupil.postal_code,
        city: pupil.city,
    };
    let empty = address == Address::default();
    PupilRow {
        id: Some(pupil.id),
        given_name: pupil.given_name,
        family_name: pupil.family_name,
        sex: pupil.sex,
        birth_date: pupil.birth_date,
        address: (columns.has(Category::Address) && !empty).then_some(address),
        contacts: pupil.contacts.as_ref().map(contacts),
        language: pupil.language,
        agreed: Categories::all().without(pupil.withheld),
        tally: pupil.tally.map(tally),
    }
}

/// How the pupil and those the school lists are reached.
fn contacts(stored: &serde_json::Value) -> Vec<Contact> {
    let others = stored.get("others").cloned().unwrap_or_default();
    let mut contacts: Vec<Contact> = serde_json::from_value(others).unwrap_or_default();
    let text = |key: &str| stored.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let own = Contact {
        role: Some("self".to_owned()),
        phone: text("phone"),
        email: text("email"),
        ..Contact::default()
    };
    if own.phone.is_some() || own.email.is_some() {
        contacts.insert(0, own);
    }
    contacts
}

/// What a list tells by which pupils stand in it, and in which order: a filter and a sort key are answers too.
fn told_by(filter: &Filter) -> Categories {
    let told = [
        (filter.school.is_some() || filter.class.is_some(), Category::Enrolment),
        (
            filter.at_least.is_some() || filter.order == Order::HalfDays,
            Category::Truancy,
        ),
        (filter.order == Order::Name, Category::Identity),
    ];
    told.into_iter()
        .filter(|(told, _)| *told)
        .map(|(_, category)| category)
        .collect()
}

const fn order(order: PupilOrder) -> Order {
    match order {
        PupilOrder::Id => Order::Id,
        PupilOrder::FamilyName => Order::Name,
        PupilOrder::TruancyCount => Order::HalfDays,
    }
}

fn mark(pupil: &Pupil, order: Order) -> Mark {
    let key = match order {
        Order::Id => SortKey::Id,
        Order::Name => pupil.sort_name.clone().map_or(SortKey::Id, SortKey::Text),
        Order::HalfDays => SortKey::Number(i64::from(pupil.half_days.unwrap_or_default())),
    };
    Mark { key, id: pupil.id.0 }
}

#[async_trait]
impl Pupils for App {
    async fn pupils_by_id(
        &self,
        operation: &Operation,
        ids: &[PupilId],
        columns: Categories,
    ) -> Answer<HashMap<PupilId, PupilRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = pupils::by_id(&self.db, &scope, ids, columns)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note_rows(operation, found.values(), columns)?;
        Ok(found.into_iter().map(|(id, pupil)| (id, row(pupil, columns))).collect())
    }

    async fn pupil_by_source_key(&self, operation: &Operation, key: &str) -> Answer<Option<PupilId>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(None);
        };
        let key = self.intake(operation).pupil_key(key).into_owned();
        let found = pupils::by_source_key(&self.db, &scope, &key).await;
        found.map_err(|fault| failed(&fault))
    }

    async fn pupils(
        &self,
        operation: &Operation,
        filter: &PupilFilter,
        by: PupilOrder,
        page: &Page,
        columns: Categories,
    ) -> Answer<Slice<PupilRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(Slice::empty(page.count));
        };
        let filter = Filter {
            school: filter.school,
            class: filter.class,
            at_least: filter.truancy_count_at_least,
            year: filter.year,
            order: order(by),
        };
        let after = page.after.as_ref().map(|mark| After {
            id: PupilId(mark.id),
            name: text(page).map(str::to_owned),
            half_days: number(page).and_then(|number| i32::try_from(number).ok()),
        });
        let total = counted(page, pupils::count(&self.db, &scope, &filter)).await?;
        let found = pupils::page(&self.db, &scope, &filter, after.as_ref(), page.first, columns).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let first = usize::try_from(page.first).unwrap_or(usize::MAX);
        self.note_rows(operation, found.iter().take(first), columns.or(told_by(&filter)))?;
        Ok(slice(found, page, total, |pupil| {
            (mark(&pupil, filter.order), row(pupil, columns))
        }))
    }

    async fn enrolments(&self, operation: &Operation, of: &[PupilId]) -> Answer<HashMap<PupilId, Vec<Enrolment>>> {
        let columns = Categories::NONE.with(Category::Enrolment);
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = enrolments::of_pupils(&self.db, &scope, of)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note(operation, found.keys().copied(), columns)?;
        let answer = |one: enrolments::Enrolment| Enrolment {
            id: Gid(one.id),
            school_year: Year(SchoolYear::of(one.begins_on)),
            begins: one.begins_on,
            ends: one.ends_on,
            school: school_row(one.school),
        };
        Ok(found
            .into_iter()
            .map(|(pupil, all)| (pupil, all.into_iter().map(answer).collect()))
            .collect())
    }

    async fn classes_of(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<hub_graphql::class_group::ClassRow>>> {
        let columns = Categories::NONE.with(Category::Enrolment);
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = enrolments::classes_of(&self.db, &scope, of, year)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note(operation, found.keys().copied(), columns)?;
        Ok(found
            .into_iter()
            .map(|(pupil, all)| (pupil, all.into_iter().map(super::classes::row).collect()))
            .collect())
    }

    async fn absences(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
        page: &Page,
    ) -> Answer<HashMap<PupilId, Slice<Absence>>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let after = match &page.after {
            Some(mark) => Some((half_day(mark)?, SchoolId(mark.id))),
            None => None,
        };
        let found = absences::page(&self.db, &scope, of, year, after, page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        let first = usize::try_from(page.first).unwrap_or(usize::MAX);
        for (pupil, rows) in &found {
            let rows = rows.iter().take(first);
            let left = rows.map(|one| absences::category(&scope, one.school, one.mark));
            self.note(operation, [*pupil], left.collect())?;
        }
        let totals = if page.count {
            let counts = absences::counts(&self.db, &scope, of, year)
                .await
                .map_err(|fault| failed(&fault))?;
            counts
                .into_iter()
                .map(|(pupil, all)| (pupil, all.iter().map(|one| one.half_days).sum()))
                .collect()
        } else {
            HashMap::new()
        };
        let (mut codes, mut schools) = (Once::default(), Once::default());
        let answer = |(pupil, rows): (PupilId, Vec<absences::Absence>)| {
            let total = page.count.then(|| totals.get(&pupil).copied().unwrap_or_default());
            let rows = slice(rows, page, total, |one| {
                let key = SortKey::HalfDay(one.at.day, one.at.part.to_i16());
                let absence = Absence {
                    day: Day(one.at.day),
                    part: one.at.part.into(),
                    code: codes.of(one.mark, || code(one.mark).into()),
                    school_id: schools.of(one.school, || one.school.to_string().as_str().into()),
                };
                (Mark { key, id: one.school.0 }, absence)
            });
            (pupil, rows)
        };
        Ok(found.into_iter().map(answer).collect())
    }

    async fn absence_counts(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<AbsenceCount>>> {
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = absences::counts(&self.db, &scope, of, year)
            .await
            .map_err(|fault| failed(&fault))?;
        for (pupil, counts) in &found {
            let left = counts.iter();
            let left = left.map(|one| absences::category(&scope, one.school, one.mark));
            self.note(operation, [*pupil], left.collect())?;
        }
        // In the order of the marks, so those of several schools stand together.
        let answer = |counts: Vec<absences::Count>| {
            let of_mark = counts.chunk_by(|one, next| one.mark == next.mark);
            let sum = |same: &[absences::Count]| {
                let n: i64 = same.iter().map(|one| one.half_days).sum();
                Some(AbsenceCount {
                    code: code(same.first()?.mark).to_owned(),
                    n: i32::try_from(n).unwrap_or(i32::MAX),
                })
            };
            of_mark.filter_map(sum).collect()
        };
        Ok(found
            .into_iter()
            .map(|(pupil, counts)| (pupil, answer(counts)))
            .collect())
    }

    async fn tallies(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, TallyRow>> {
        let columns = Categories::NONE.with(Category::Truancy);
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = absences::tallies(&self.db, &scope, of, year)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note(operation, found.keys().copied(), columns)?;
        Ok(found.into_iter().map(|(pupil, of)| (pupil, tally(of))).collect())
    }

    async fn evidence(
        &self,
        operation: &Operation,
        of: &[PupilId],
        year: SchoolYear,
    ) -> Answer<HashMap<PupilId, Vec<HalfDayRow>>> {
        let columns = Categories::NONE.with(Category::Truancy);
        let Some(scope) = self.decide(operation, Action::ReadPupils)? else {
            return Ok(HashMap::new());
        };
        let found = absences::evidence(&self.db, &scope, &self.book, of, year)
            .await
            .map_err(|fault| failed(&fault))?;
        self.note(operation, found.keys().copied(), columns)?;
        let answer = |at: HalfDay| HalfDayRow {
            day: at.day,
            part: at.part.into(),
        };
        Ok(found
            .into_iter()
            .map(|(pupil, all)| (pupil, all.into_iter().map(answer).collect()))
            .collect())
    }
}

/// The half-day that a cursor stands for.
fn half_day(mark: &Mark) -> Answer<HalfDay> {
    let at = match mark.key {
        SortKey::HalfDay(day, part) => Part::from_i16(part).map(|part| HalfDay::new(day, part)),
        _ => None,
    };
    at.ok_or(Problem::CursorInvalid)
}

/// What is made once of each that occurs, for a list of many rows with few of them.
struct Once<K, V>(Vec<(K, V)>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V: Clone> Once<K, V> {
    fn of(&mut self, key: K, make: impl FnOnce() -> V) -> V {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        let made = make();
        self.0.push((key, made.clone()));
        made
    }
}
