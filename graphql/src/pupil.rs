//! A pupil (leerling) as the viewer's school or CLB may see it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Lookahead, SimpleObject};
use chrono::NaiveDate;
use hub_entities::category::{Categories, Category as Basic};
use hub_entities::id::{EnrolmentId, PupilId};
use hub_entities::time::SchoolYear;

use crate::absence::{Absence, AbsenceConnection, AbsenceCount, HalfDayRow, TallyRow};
use crate::asked::{Asked, counted};
use crate::at_hand::{Row, Rows};
use crate::batch::Batch;
use crate::category::Category;
use crate::class_group::{self, ClassGroup, ClassRow};
use crate::hub::Answer;
use crate::page::{Page, Slice, connection};
use crate::problem::Problem;
use crate::scalar::{Gid, Year};
use crate::school::SchoolRow;
use crate::signal::{self, Signal, SignalRow};

mod at_hand;

/// What the hub answers of one pupil: the columns asked for, as far as they were agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PupilRow {
    /// identity: given name.
    pub given_name: Option<String>,
    /// identity: family name.
    pub family_name: Option<String>,
    /// identity: sex.
    pub sex: Option<String>,
    /// birth: date of birth.
    pub birth_date: Option<NaiveDate>,
    /// address: all of it.
    pub address: Option<Address>,
    /// contact: parents and guardians.
    pub contacts: Option<Vec<Contact>>,
    /// language: at home.
    pub language: Option<String>,
    /// The categories this viewer may see of the pupil.
    pub agreed: Categories,
    /// The canonical pupil.
    pub id: Option<PupilId>,
    /// truancy: the tally of the year a list is filtered by, where the list brings it along.
    pub tally: Option<TallyRow>,
}

/// Where a pupil lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, SimpleObject)]
#[graphql(serial)]
pub struct Address {
    /// Street and number.
    #[graphql(tag = "class:agreed.address")]
    pub street: Option<String>,
    /// Postal code.
    #[graphql(tag = "class:agreed.address")]
    pub postal_code: Option<String>,
    /// Municipality (gemeente).
    #[graphql(tag = "class:agreed.address")]
    pub city: Option<String>,
}

/// A parent or guardian as the school lists them. A contact is no authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, SimpleObject, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[graphql(serial)]
pub struct Contact {
    /// What they are to the pupil: `parent`, `guardian` or `relative`.
    #[graphql(tag = "class:agreed.contact")]
    pub role: Option<String>,
    /// Given name (voornaam).
    #[graphql(tag = "class:agreed.contact")]
    pub given_name: Option<String>,
    /// Family name (naam).
    #[graphql(tag = "class:agreed.contact")]
    pub family_name: Option<String>,
    /// Telephone.
    #[graphql(tag = "class:agreed.contact")]
    pub phone: Option<String>,
    /// E-mail address.
    #[graphql(tag = "class:agreed.contact")]
    pub email: Option<String>,
}

/// An enrolment at a school (inschrijving).
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(serial)]
pub struct Enrolment {
    /// Its id.
    #[graphql(tag = "class:agreed.enrolment")]
    pub id: Gid<EnrolmentId>,
    /// The school year of its first day.
    #[graphql(tag = "class:agreed.enrolment")]
    pub school_year: Year,
    /// The first day.
    #[graphql(tag = "class:agreed.enrolment")]
    pub begins: NaiveDate,
    /// The first day no longer enrolled.
    #[graphql(tag = "class:agreed.enrolment")]
    pub ends: Option<NaiveDate>,
    /// The school.
    #[graphql(tag = "class:agreed.enrolment")]
    pub school: SchoolRow,
}

/// Problematic absence (problematische afwezigheid, code B) of one pupil in one school year.
#[derive(SimpleObject)]
#[graphql(complex, serial)]
pub struct Truancy {
    /// Half-days that count, carried-in included.
    #[graphql(tag = "class:agreed.truancy")]
    pub count: i32,
    /// Of these, carried in from a former school, without dates.
    #[graphql(tag = "class:agreed.truancy")]
    pub carried: i32,
    /// Half-days that are not yet explained and may turn out to count.
    #[graphql(tag = "class:agreed.truancy")]
    pub pending: i32,
    /// When the fifth was reached.
    #[graphql(tag = "class:agreed.truancy")]
    pub reached5: Option<NaiveDate>,
    /// When the thirtieth was reached.
    #[graphql(tag = "class:agreed.truancy")]
    pub reached30: Option<NaiveDate>,
    #[graphql(skip)]
    pupil: PupilId,
    #[graphql(skip)]
    year: SchoolYear,
    #[graphql(skip)]
    level: Arc<Level>,
}

/// What a count rests on, for this viewer.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(serial)]
pub struct Evidence {
    /// The half-days registered by schools whose data this viewer may see, with their dates.
    #[graphql(tag = "class:agreed.truancy")]
    pub own_half_days: Vec<HalfDayRow>,
    /// The rest of the count, of other schools or carried in, as one number.
    #[graphql(tag = "class:agreed.truancy")]
    pub elsewhere_count: i32,
}

#[ComplexObject]
impl Truancy {
    /// What the count rests on, for this viewer.
    #[graphql(tag = "class:agreed.truancy")]
    async fn evidence(&self, context: &Context<'_>) -> Result<Evidence, Problem> {
        let asked = Asked::of(context)?;
        let load = || asked.hub.evidence(asked.operation, &self.level.ids, self.year);
        let dated = self
            .level
            .evidence
            .get(self.year, &self.pupil, load)
            .await?
            .unwrap_or_default();
        let own = i32::try_from(dated.len()).unwrap_or(i32::MAX);
        Ok(Evidence {
            own_half_days: dated,
            elsewhere_count: self.count.saturating_sub(own).max(0),
        })
    }
}

/// The pupils of one list level, and what was loaded for all of them.
#[derive(Default)]
pub(crate) struct Level {
    ids: Vec<PupilId>,
    enrolments: Batch<(), PupilId, Rows<Enrolment>>,
    classes: Batch<SchoolYear, PupilId, (Vec<ClassRow>, Arc<class_group::Level>)>,
    absences: Batch<(SchoolYear, Page), PupilId, Slice<Absence>>,
    counts: Batch<SchoolYear, PupilId, Rows<AbsenceCount>>,
    tallies: Batch<SchoolYear, PupilId, TallyRow>,
    evidence: Batch<SchoolYear, PupilId, Vec<HalfDayRow>>,
    signals: Batch<(), PupilId, (Vec<SignalRow>, Arc<signal::Level>)>,
}

/// A pupil (leerling): what the school said, as far as it was agreed. What was not agreed is null
/// and named in `withheld`.
#[derive(SimpleObject)]
#[graphql(complex, serial)]
pub struct Pupil {
    /// The pupil's id in the hub: a link without content.
    #[graphql(tag = "class:public")]
    pub id: Gid<PupilId>,
    /// Given name (voornaam).
    #[graphql(tag = "class:agreed.identity")]
    pub given_name: Option<String>,
    /// Family name (naam).
    #[graphql(tag = "class:agreed.identity")]
    pub family_name: Option<String>,
    /// Sex as the school's system gives it.
    #[graphql(tag = "class:agreed.identity")]
    pub sex: Option<String>,
    /// Date of birth.
    #[graphql(tag = "class:agreed.birth")]
    pub birth_date: Option<NaiveDate>,
    /// Where the pupil lives.
    #[graphql(tag = "class:agreed.address")]
    pub address: Option<Address>,
    /// Parents and guardians as the school lists them. A contact is no authority.
    #[graphql(tag = "class:agreed.contact")]
    pub contacts: Option<Vec<Contact>>,
    /// Language at home.
    #[graphql(tag = "class:agreed.language")]
    pub language: Option<String>,
    /// The categories that this viewer does not get of this pupil.
    #[graphql(tag = "class:case")]
    pub withheld: Vec<Category>,
    #[graphql(skip)]
    level: Arc<Level>,
}

/// The categories of the columns that are asked for below a field that gives pupils.
pub(crate) fn columns(look: &Lookahead<'_>) -> Categories {
    const FIELDS: [(&str, Basic); 7] = [
        ("givenName", Basic::Identity),
        ("familyName", Basic::Identity),
        ("sex", Basic::Identity),
        ("birthDate", Basic::Birth),
        ("address", Basic::Address),
        ("contacts", Basic::Contact),
        ("language", Basic::Language),
    ];
    FIELDS
        .into_iter()
        .filter(|(field, _)| look.field(field).exists())
        .map(|(_, category)| category)
        .collect()
}

/// The pupils of one list level: they know each other as siblings.
pub(crate) fn siblings(rows: Vec<(PupilId, PupilRow)>) -> Vec<Pupil> {
    level(rows, Batch::default())
}

/// The pupils of a list that was filtered by the counts of this year, and brought them along.
pub(crate) fn counted_siblings(rows: Vec<(PupilId, PupilRow)>, year: SchoolYear) -> Vec<Pupil> {
    let all: Option<HashMap<PupilId, TallyRow>> = rows
        .iter()
        .map(|(id, row)| row.tally.map(|tally| (*id, tally)))
        .collect();
    level(rows, all.map_or_else(Batch::default, |all| Batch::known(year, all)))
}

fn level(rows: Vec<(PupilId, PupilRow)>, tallies: Batch<SchoolYear, PupilId, TallyRow>) -> Vec<Pupil> {
    let level = Arc::new(Level {
        tallies,
        ..Level::among(rows.iter().map(|(id, _)| *id))
    });
    rows.into_iter().map(|(id, row)| at_level(id, row, &level)).collect()
}

/// A pupil of a level that is known.
pub(crate) fn at_level(id: PupilId, row: PupilRow, level: &Arc<Level>) -> Pupil {
    Pupil {
        id: Gid(row.id.unwrap_or(id)),
        given_name: row.given_name,
        family_name: row.family_name,
        sex: row.sex,
        birth_date: row.birth_date,
        address: row.address,
        contacts: row.contacts,
        language: row.language,
        withheld: Categories::all()
            .without(row.agreed)
            .iter()
            .map(Category::from)
            .collect(),
        level: Arc::clone(level),
    }
}

/// One pupil, if the viewer has a relation with it.
pub(crate) async fn one(asked: &Asked<'_>, id: PupilId, columns: Categories) -> Answer<Option<Pupil>> {
    let found = asked.hub.pupils_by_id(asked.operation, &[id], columns).await?;
    let found = found.into_iter().map(|(asked, row)| (row.id.unwrap_or(asked), row));
    Ok(siblings(found.collect()).pop())
}

impl Pupil {
    async fn all_enrolments(&self, asked: &Asked<'_>) -> Answer<Rows<Enrolment>> {
        let load = || self.level.load_enrolments(asked);
        let found = self.level.enrolments.get((), &self.id.0, load).await?;
        Ok(found.unwrap_or_default())
    }

    fn counted(&self, row: TallyRow, year: SchoolYear) -> Truancy {
        Truancy {
            count: row.count,
            carried: row.carried,
            pending: row.pending,
            reached5: row.reached5,
            reached30: row.reached30,
            pupil: self.id.0,
            year,
            level: Arc::clone(&self.level),
        }
    }
}

/// The enrolment that holds on this day.
fn holds_on(day: NaiveDate, all: &Rows<Enrolment>) -> Option<&Enrolment> {
    all.0
        .iter()
        .find(|one| one.begins <= day && one.ends.is_none_or(|ends| day < ends))
}

impl Level {
    /// The level of these pupils.
    pub(crate) fn among(ids: impl Iterator<Item = PupilId>) -> Self {
        let mut ids: Vec<PupilId> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids, ..Self::default() }
    }

    async fn load_enrolments(&self, asked: &Asked<'_>) -> Answer<HashMap<PupilId, Rows<Enrolment>>> {
        let found = asked.hub.enrolments(asked.operation, &self.ids).await?;
        Ok(found.into_iter().map(|(id, all)| (id, all.into())).collect())
    }

    async fn load_counts(&self, asked: &Asked<'_>, year: SchoolYear) -> Answer<HashMap<PupilId, Rows<AbsenceCount>>> {
        let found = asked.hub.absence_counts(asked.operation, &self.ids, year).await?;
        Ok(found.into_iter().map(|(id, all)| (id, all.into())).collect())
    }
}

pub(crate) fn year_or_now(asked: &Asked<'_>, year: Option<Year>) -> SchoolYear {
    year.map_or_else(|| SchoolYear::of(asked.operation.today()), |year| year.0)
}

#[ComplexObject]
impl Pupil {
    /// The enrolment that holds today, if this viewer may see it.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn current_enrolment(&self, context: &Context<'_>) -> Result<Option<Row<Enrolment>>, Problem> {
        let asked = Asked::of(context)?;
        let all = self.all_enrolments(&asked).await?;
        Ok(holds_on(asked.operation.today(), &all).cloned().map(Row))
    }

    /// Enrolments, latest first.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn enrolments(&self, context: &Context<'_>) -> Result<Rows<Enrolment>, Problem> {
        self.all_enrolments(&Asked::of(context)?).await
    }

    /// The classes in which the pupil sits.
    #[graphql(tag = "class:agreed.enrolment")]
    async fn classes(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The school year; the running one if left out.")] school_year: Option<
            Year,
        >,
    ) -> Result<Vec<ClassGroup>, Problem> {
        let asked = Asked::of(context)?;
        let year = year_or_now(&asked, school_year);
        let load = || async {
            let found = asked.hub.classes_of(asked.operation, &self.level.ids, year).await?;
            let level = class_group::Level::of(found.values().flatten().map(|row| row.id).collect());
            let with_level = |(id, rows)| (id, (rows, Arc::clone(&level)));
            Ok(found.into_iter().map(with_level).collect())
        };
        let found = self.level.classes.get(year, &self.id.0, load).await?;
        Ok(found.map_or_else(Vec::new, |(rows, level)| class_group::at_level(rows, &level)))
    }

    /// Half-days of absence in day order.
    #[graphql(tag = "class:agreed.truancy")]
    async fn absences(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:public", desc = "The school year; the running one if left out.")] school_year: Option<
            Year,
        >,
    ) -> Result<AbsenceConnection, Problem> {
        let asked = Asked::of(context)?;
        let year = year_or_now(&asked, school_year);
        let list = format!("absences {} {year}", self.id.0);
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let slice = if page.after.is_some() {
            // A cursor belongs to one pupil's list: there is nothing to load for the siblings.
            asked
                .hub
                .absences(asked.operation, &[self.id.0], year, &page)
                .await?
                .remove(&self.id.0)
        } else {
            let load = || asked.hub.absences(asked.operation, &self.level.ids, year, &page);
            self.level.absences.get((year, page.clone()), &self.id.0, load).await?
        };
        let slice = slice.unwrap_or_else(|| Slice::empty(page.count));
        Ok(AbsenceConnection::of(&list, slice))
    }

    /// How many half-days of each code, in code order.
    #[graphql(tag = "class:agreed.truancy")]
    async fn absence_counts(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The school year; the running one if left out.")] school_year: Option<
            Year,
        >,
    ) -> Result<Rows<AbsenceCount>, Problem> {
        let asked = Asked::of(context)?;
        let year = year_or_now(&asked, school_year);
        let load = || self.level.load_counts(&asked, year);
        Ok(self.level.counts.get(year, &self.id.0, load).await?.unwrap_or_default())
    }

    /// Problematic absence; null where truancy was not agreed.
    #[graphql(tag = "class:agreed.truancy")]
    async fn truancy(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The school year; the running one if left out.")] school_year: Option<
            Year,
        >,
    ) -> Result<Option<Truancy>, Problem> {
        let asked = Asked::of(context)?;
        let year = year_or_now(&asked, school_year);
        let load = || asked.hub.tallies(asked.operation, &self.level.ids, year);
        let row = self.level.tallies.get(year, &self.id.0, load).await?;
        Ok(row.map(|row| self.counted(row, year)))
    }

    /// Signals about this pupil, latest first.
    #[graphql(tag = "class:case")]
    async fn signals(&self, context: &Context<'_>) -> Result<Vec<Signal>, Problem> {
        let asked = Asked::of(context)?;
        let load = || async {
            let found = asked.hub.signals_of(asked.operation, &self.level.ids).await?;
            let level = signal::Level::of(found.values().flatten());
            let with_level = |(id, rows)| (id, (rows, Arc::clone(&level)));
            Ok(found.into_iter().map(with_level).collect())
        };
        let found = self.level.signals.get((), &self.id.0, load).await?;
        Ok(found.map_or_else(Vec::new, |(rows, level)| signal::at_level(rows, &level)))
    }
}

connection!(
    /// A page of pupils.
    PupilConnection,
    PupilEdge,
    Pupil,
    "class:agreed.enrolment",
    at hand
);
