//! All that is known of some pupils: read after the lock in the transaction that changes them; and, of that, what a
//! reader's evidence or a look over all pupils is counted from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_entities::absence::mark::{Mark, Weight};
use hub_entities::absence::tally::{CarriedIn, HalfDayMark, Tally};
use hub_entities::evaluation::{Facts, Known, Latest, LawBook, Outcome, Totals, evaluate};
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::law::compulsory::{Place, turns_five};
use hub_entities::time::{HalfDay, Part, Period, SchoolYear};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::Judge;
use crate::store::DbError;
use crate::store::agreement::{binding, in_force};
use crate::store::sql::{list, list_from, rows};

/// Whose state is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Of<'a> {
    /// These pupils'.
    These(&'a [PupilId]),
    /// Of all pupils after the first and up to the second: what lies together is read together.
    Between(PupilId, PupilId),
}

impl Of<'_> {
    fn is_nobody(self) -> bool {
        matches!(self, Self::These([]))
    }

    /// The condition on a column, and its values.
    fn condition(self, column: &str) -> (String, Vec<Value>) {
        match self {
            Self::These(pupils) => (format!("{column} in ?"), vec![list(pupils)]),
            Self::Between(after, last) => (
                format!("({column} > ? and {column} <= ?)"),
                vec![after.into(), last.into()],
            ),
        }
    }
}

/// All that is known of some pupils.
#[derive(Debug, Default)]
pub(in crate::store) struct State {
    pub(super) known: BTreeMap<PupilId, Vec<Known>>,
    carried: BTreeMap<(PupilId, SchoolYear), Vec<CarriedIn>>,
    pub(super) totals: BTreeMap<(PupilId, SchoolYear), Totals>,
    latest: BTreeMap<(PupilId, SchoolYear), Vec<Latest>>,
    births: BTreeMap<PupilId, NaiveDate>,
    early_warnings: BTreeMap<PupilId, u16>,
    pub(super) open_conflicts: BTreeSet<(PupilId, HalfDay)>,
    records: BTreeMap<PupilId, u32>,
    school_of: HashMap<RecordId, SchoolId>,
    enrolments: HashMap<RecordId, Vec<Period>>,
    classes: BTreeMap<(PupilId, SchoolYear), Vec<InClass>>,
    days_off: HashMap<SchoolId, BTreeSet<NaiveDate>>,
}

/// A place in a class: when, and the grade that its source gives.
type InClass = (Period, Option<String>);

impl State {
    /// Everything: what is registered, what was counted of it, what was signalled; and what is agreed on this day.
    pub(super) async fn load<C: ConnectionTrait>(
        db: &C,
        pupils: &[PupilId],
        years: &[SchoolYear],
        day: NaiveDate,
    ) -> Result<Self, DbError> {
        let mut state = Self::counted(db, pupils, years).await?;
        state.load_early_warnings(db, Of::These(pupils), day).await?;
        state.load_outcome(db, Of::These(pupils), years).await?;
        Ok(state)
    }

    /// Only what is counted: half-days, carried-in numbers, birth dates, enrolments, classes, local days off.
    pub(in crate::store) async fn counted<C: ConnectionTrait>(
        db: &C,
        pupils: &[PupilId],
        years: &[SchoolYear],
    ) -> Result<Self, DbError> {
        let mut state = Self::default();
        let of = Of::These(pupils);
        if of.is_nobody() || years.is_empty() {
            return Ok(state);
        }
        state.load_half_days(db, of, years, "").await?;
        state.load_circumstances(db, of, years).await?;
        Ok(state)
    }

    /// What an evaluation rests on and what came of the last one, without the half-days that weigh nothing: a
    /// twentieth of them all.
    pub(super) async fn weighed<C: ConnectionTrait>(
        db: &C,
        of: Of<'_>,
        year: SchoolYear,
        day: NaiveDate,
    ) -> Result<Self, DbError> {
        let mut state = Self::default();
        let years = &[year];
        state.load_early_warnings(db, of, day).await?;
        state.load_circumstances(db, of, years).await?;
        let weighing = weighing();
        state
            .load_half_days(db, of, years, &format!("and mark in ({weighing})"))
            .await?;
        // What weighs nothing contradicts a B of another school.
        let several = state.with_several_records();
        if !several.is_empty() {
            let rest = format!("and mark not in ({weighing})");
            state.load_half_days(db, Of::These(&several), years, &rest).await?;
        }
        state.load_outcome(db, of, years).await?;
        Ok(state)
    }

    async fn load_half_days<C: ConnectionTrait>(
        &mut self,
        db: &C,
        of: Of<'_>,
        years: &[SchoolYear],
        and: &str,
    ) -> Result<(), DbError> {
        let (of_pupils, mut values) = of.condition("pupil_id");
        values.push(list(years));
        let text = format!(
            "select pupil_id, record_id, day, part, mark, revision from absence
             where {of_pupils} and school_year in ? {and} order by pupil_id, day, part, record_id"
        );
        for row in rows(db, &text, values).await? {
            let known = Known {
                record: row.try_get_by_index(1)?,
                at: half_day(row.try_get_by_index(2)?, row.try_get_by_index(3)?)?,
                mark: mark(row.try_get_by_index(4)?)?,
                revision: row.try_get_by_index(5)?,
            };
            self.known.entry(row.try_get_by_index(0)?).or_default().push(known);
        }
        Ok(())
    }

    /// Numbers carried in, birth dates, and the local days off of the schools.
    async fn load_circumstances<C: ConnectionTrait>(
        &mut self,
        db: &C,
        of: Of<'_>,
        years: &[SchoolYear],
    ) -> Result<(), DbError> {
        let (of_pupils, mut values) = of.condition("c.pupil_id");
        values.push(list(years));
        let text = format!(
            "select c.pupil_id, c.school_year, c.record_id, c.half_days, c.begins_on, r.id
             from carried_in c
             left join school s on s.institution_number = c.former_institution
             left join record r on r.school_id = s.id and r.pupil_id = c.pupil_id
             where {of_pupils} and c.school_year in ?"
        );
        for row in rows(db, &text, values).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            let record: RecordId = row.try_get_by_index(2)?;
            let former: Option<RecordId> = row.try_get_by_index(5)?;
            let carried = self.carried.entry(key).or_default();
            // A record has one number in a school year; the former school may know the pupil under several keys.
            if let Some(known) = carried.iter_mut().find(|one| one.record == record) {
                known.former.extend(former);
                continue;
            }
            let half_days: i16 = row.try_get_by_index(3)?;
            carried.push(CarriedIn {
                record,
                half_days: u16::try_from(half_days).unwrap_or_default(),
                from_begin: row.try_get_by_index(4)?,
                former: former.into_iter().collect(),
            });
        }

        let (of_pupils, values) = of.condition("pupil_id");
        let text = format!("select pupil_id, id, school_id, birth_date from record where {of_pupils}");
        let mut schools: BTreeSet<SchoolId> = BTreeSet::new();
        for row in rows(db, &text, values).await? {
            let pupil: PupilId = row.try_get_by_index(0)?;
            let school = row.try_get_by_index(2)?;
            schools.insert(school);
            self.school_of.insert(row.try_get_by_index(1)?, school);
            let records = self.records.entry(pupil).or_default();
            *records = records.saturating_add(1);
            // Of several birth dates the earliest holds: compulsory education begins no later than that.
            if let Some(birth) = row.try_get_by_index::<Option<NaiveDate>>(3)? {
                let earliest = self.births.entry(pupil).or_insert(birth);
                *earliest = birth.min(*earliest);
            }
        }

        self.load_places(db, years).await?;

        let text = "select id, days_off from school where id in ?";
        for row in rows(db, text, vec![list_from(schools)]).await? {
            let days: serde_json::Value = row.try_get_by_index(1)?;
            let days: BTreeSet<NaiveDate> =
                serde_json::from_value(days).map_err(|_unreadable| DbError::Unreadable {
                    column: "school.days_off",
                })?;
            self.days_off.insert(row.try_get_by_index(0)?, days);
        }
        Ok(())
    }

    /// When pupils were enrolled where, and in which classes, of those of whom it matters: of one whom a single school
    /// knows nobody contradicts that school, and only in the year in which one turns five the class decides.
    async fn load_places<C: ConnectionTrait>(&mut self, db: &C, years: &[SchoolYear]) -> Result<(), DbError> {
        let several = self.with_several_records();
        if !several.is_empty() {
            let text = "select r.id, e.begins_on, e.ends_on from record r left join enrolment e on e.record_id = r.id
                        where r.pupil_id in ?";
            for row in rows(db, text, vec![list(&several)]).await? {
                let periods = self.enrolments.entry(row.try_get_by_index(0)?).or_default();
                if let Some(begins) = row.try_get_by_index(1)? {
                    let ends = row.try_get_by_index(2)?;
                    periods.push(Period { begins, ends });
                }
            }
        }
        let is_five = |born: &NaiveDate| years.iter().any(|year| turns_five(*born, *year));
        let five = self.births.iter().filter(|(_, born)| is_five(born));
        let five: Vec<PupilId> = five.map(|(pupil, _)| *pupil).collect();
        if five.is_empty() {
            return Ok(());
        }
        let text = "select r.pupil_id, c.school_year, c.grade, m.begins_on, m.ends_on, e.begins_on, e.ends_on
             from record r join membership m on m.record_id = r.id join class_group c on c.id = m.class_id
             join enrolment e on e.record_id = r.id
             where r.pupil_id in ?";
        for row in rows(db, text, vec![list(&five)]).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            // Not asked for above: where a table has grown since it was last looked at, PostgreSQL would begin with the classes
            // of the year and read the places of all their pupils.
            if !years.contains(&key.1) {
                continue;
            }
            let (in_class, ends): (Option<NaiveDate>, Option<NaiveDate>) =
                (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
            let (enrolled, left): (NaiveDate, Option<NaiveDate>) = (row.try_get_by_index(5)?, row.try_get_by_index(6)?);
            let during = Period {
                begins: in_class.map_or(enrolled, |begins| begins.max(enrolled)),
                ends: ends.into_iter().chain(left).min(),
            };
            let classes = self.classes.entry(key).or_default();
            classes.push((during, row.try_get_by_index(2)?));
        }
        Ok(())
    }

    /// Those whom schools, or one school under several keys, know by more than one record.
    fn with_several_records(&self) -> Vec<PupilId> {
        let several = self.records.iter().filter(|(_, records)| **records > 1);
        several.map(|(pupil, _)| *pupil).collect()
    }

    /// From how many half-days on the schools of these pupils want a warning, by the agreements that bind on a day.
    async fn load_early_warnings<C: ConnectionTrait>(
        &mut self,
        db: &C,
        of: Of<'_>,
        day: NaiveDate,
    ) -> Result<(), DbError> {
        if of.is_nobody() {
            return Ok(());
        }
        let (of_pupils, mut values) = of.condition("e.pupil_id");
        let (binding, of_binding) = binding(day);
        let text = format!(
            "select e.pupil_id, min(a.early_warning) from agreement a join enrolment e on e.school_id = a.school_id
             where a.early_warning is not null and {of_pupils} and {} and {binding} group by e.pupil_id",
            in_force("e")
        );
        values.extend([Value::from(day), day.into()]);
        values.extend(of_binding);
        for row in rows(db, &text, values).await? {
            let half_days: i16 = row.try_get_by_index(1)?;
            let half_days = u16::try_from(half_days).unwrap_or_default();
            self.early_warnings.insert(row.try_get_by_index(0)?, half_days);
        }
        Ok(())
    }

    /// What came of the last evaluation: totals, signals, conflicts.
    async fn load_outcome<C: ConnectionTrait>(
        &mut self,
        db: &C,
        of: Of<'_>,
        years: &[SchoolYear],
    ) -> Result<(), DbError> {
        if of.is_nobody() || years.is_empty() {
            return Ok(());
        }
        let (of_pupils, of_these) = of.condition("pupil_id");
        let both = || {
            let mut values = of_these.clone();
            values.push(list(years));
            values
        };
        let text = format!(
            "select pupil_id, school_year, half_days, carried, pending, reached_5, reached_30 from tally
             where {of_pupils} and school_year in ?"
        );
        for row in rows(db, &text, both()).await? {
            let totals = Totals {
                half_days: row.try_get_by_index(2)?,
                carried: row.try_get_by_index(3)?,
                pending: row.try_get_by_index(4)?,
                reached_5: row.try_get_by_index(5)?,
                reached_30: row.try_get_by_index(6)?,
            };
            self.totals
                .insert((row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?)), totals);
        }

        let text = format!(
            "select pupil_id, school_year, id, key, generation, state, half_days, reached_on, version, warned_at
             from signal s
             where {of_pupils} and school_year in ?
             and generation = (select max(generation) from signal o where o.key = s.key)"
        );
        for row in rows(db, &text, both()).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            self.latest.entry(key).or_default().push(latest(&row)?);
        }

        let text = format!("select pupil_id, day, part from conflict where {of_pupils} and resolved_at is null");
        for row in rows(db, &text, of_these).await? {
            let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
            self.open_conflicts.insert((row.try_get_by_index(0)?, at));
        }
        Ok(())
    }

    /// What follows for one pupil in one school year.
    pub(super) fn outcome(&self, judge: &Judge<'_>, pupil: PupilId, year: SchoolYear) -> Outcome {
        self.facts(judge.book, pupil, year, |facts| evaluate(facts, judge.now))
    }

    /// The tally of one pupil in one school year, over the records of all schools.
    pub(in crate::store) fn tally(&self, book: &LawBook, pupil: PupilId, year: SchoolYear) -> Tally {
        self.facts(book, pupil, year, |facts| facts.tally())
    }

    fn facts<T>(&self, book: &LawBook, pupil: PupilId, year: SchoolYear, of: impl FnOnce(Facts<'_>) -> T) -> T {
        let key = (pupil, year);
        let half_days: Vec<HalfDayMark> = self.half_days(pupil, year).collect();
        let classes = self.classes.get(&key).into_iter().flatten();
        let places: Vec<Place> = classes
            .map(|(during, grade)| book.place(year, *during, grade.as_deref()))
            .collect();
        of(Facts {
            pupil,
            year,
            half_days: &half_days,
            carried: self.carried.get(&key).map(Vec::as_slice).unwrap_or_default(),
            book: &book.year(year),
            counts: book.counting(year, self.births.get(&pupil).copied(), &places),
            latest: self.latest.get(&key).map(Vec::as_slice).unwrap_or_default(),
            early_warning: self.early_warnings.get(&pupil).copied(),
        })
    }

    /// Whether what is stored of a pupil is what follows from its half-days.
    pub(super) fn is_settled(&self, pupil: PupilId, year: SchoolYear, outcome: &Outcome) -> bool {
        let open = self
            .open_conflicts
            .range((pupil, first(year))..)
            .take_while(|(of, _)| *of == pupil);
        let open = open.map(|(_, at)| *at).filter(|at| year.contains(at.day));
        outcome.steps.is_empty()
            && self.totals.get(&(pupil, year)).copied().unwrap_or_default() == outcome.totals
            && open.eq(outcome.conflicts.iter().copied())
    }

    /// The half-days of a pupil in a school year, but for those that their school had off.
    pub(super) fn half_days(&self, pupil: PupilId, year: SchoolYear) -> impl Iterator<Item = HalfDayMark> {
        let known = self.known.get(&pupil).map(Vec::as_slice).unwrap_or_default();
        let counted = known
            .iter()
            .filter(move |one| year.contains(one.at.day) && !self.is_off(one.record, one.at.day));
        counted.map(|one| HalfDayMark {
            record: one.record,
            at: one.at,
            mark: one.mark,
            enrolled: self.is_enrolled(one.record, one.at.day),
        })
    }

    /// The school that speaks in this record.
    pub(super) fn school_of(&self, record: RecordId) -> Option<SchoolId> {
        self.school_of.get(&record).copied()
    }

    /// Whether the pupil was enrolled by this record on a day. Of a pupil's only record that was not asked.
    fn is_enrolled(&self, record: RecordId, day: NaiveDate) -> bool {
        let periods = self.enrolments.get(&record);
        periods.is_none_or(|periods| periods.iter().any(|period| period.contains(day)))
    }

    /// Whether the school of this record had a local day off: what it says of that day does not count. Another
    /// school may have had lessons.
    fn is_off(&self, record: RecordId, day: NaiveDate) -> bool {
        let school = self.school_of.get(&record);
        school
            .and_then(|school| self.days_off.get(school))
            .is_some_and(|off| off.contains(&day))
    }
}

fn first(year: SchoolYear) -> HalfDay {
    HalfDay::new(year.first_day(), Part::Am)
}

/// The stored numbers of the marks that weigh something: what the index `absence_that_weighs` holds.
fn weighing() -> String {
    let weighing = Mark::ALL.into_iter().filter(|mark| mark.weight() != Weight::Nothing);
    let numbers: Vec<String> = weighing.map(|mark| mark.to_i16().to_string()).collect();
    numbers.join(", ")
}

fn latest(row: &QueryResult) -> Result<Latest, DbError> {
    let state: String = row.try_get_by_index(5)?;
    Ok(Latest {
        id: row.try_get_by_index(2)?,
        key: row.try_get_by_index(3)?,
        generation: row.try_get_by_index(4)?,
        state: state
            .parse()
            .map_err(|_unknown| DbError::Unreadable { column: "signal.state" })?,
        half_days: row.try_get_by_index(6)?,
        reached_on: row.try_get_by_index(7)?,
        version: row.try_get_by_index(8)?,
        warned_at: row.try_get_by_index(9)?,
    })
}

pub(super) fn half_day(day: NaiveDate, part: i16) -> Result<HalfDay, DbError> {
    let part = Part::from_i16(part).ok_or(DbError::Unreadable { column: "absence.part" })?;
    Ok(HalfDay::new(day, part))
}

pub(super) fn mark(stored: i16) -> Result<Mark, DbError> {
    Mark::from_i16(stored).ok_or(DbError::Unreadable { column: "absence.mark" })
}
