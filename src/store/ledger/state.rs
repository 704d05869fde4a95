//! All that is known of the pupils of a transaction, read after the lock; and, of that, what a reader's
//! evidence is counted from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_entities::absence::mark::Mark;
use hub_entities::absence::tally::{CarriedIn, HalfDayMark, Tally};
use hub_entities::evaluation::{Facts, Known, Latest, LawBook, Totals};
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};

use crate::store::DbError;
use crate::store::sql::{list_of, rows, values_of};

/// All that is known of some pupils, read after the lock.
#[derive(Debug, Default)]
pub(in crate::store) struct State {
    pub(super) known: BTreeMap<PupilId, Vec<Known>>,
    pub(super) carried: BTreeMap<(PupilId, SchoolYear), Vec<CarriedIn>>,
    pub(super) totals: BTreeMap<(PupilId, SchoolYear), Totals>,
    pub(super) latest: BTreeMap<(PupilId, SchoolYear), Vec<Latest>>,
    pub(super) births: BTreeMap<PupilId, NaiveDate>,
    pub(super) open_conflicts: BTreeSet<(PupilId, HalfDay)>,
    school_of: HashMap<RecordId, SchoolId>,
    days_off: HashMap<SchoolId, BTreeSet<NaiveDate>>,
}

impl State {
    pub(super) async fn load(
        tx: &DatabaseTransaction,
        pupils: &[PupilId],
        years: &[SchoolYear],
    ) -> Result<Self, DbError> {
        let mut state = Self::counted(tx, pupils, years).await?;
        if pupils.is_empty() || years.is_empty() {
            return Ok(state);
        }
        let of_pupils = list_of(pupils.len());
        let of_years = list_of(years.len());
        let both = || -> Vec<Value> {
            let years = years.iter().map(|year| Value::from(year.0));
            values_of(pupils).into_iter().chain(years).collect()
        };

        let text = format!(
            "select pupil_id, school_year, half_days, carried, pending, reached_5, reached_30 from tally
             where pupil_id in {of_pupils} and school_year in {of_years}"
        );
        for row in rows(tx, &text, both()).await? {
            let totals = Totals {
                half_days: row.try_get_by_index(2)?,
                carried: row.try_get_by_index(3)?,
                pending: row.try_get_by_index(4)?,
                reached_5: row.try_get_by_index(5)?,
                reached_30: row.try_get_by_index(6)?,
            };
            state
                .totals
                .insert((row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?)), totals);
        }

        let text = format!(
            "select pupil_id, school_year, id, key, generation, state, half_days, reached_on, version from signal s
             where pupil_id in {of_pupils} and school_year in {of_years}
             and generation = (select max(generation) from signal o where o.key = s.key)"
        );
        for row in rows(tx, &text, both()).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            state.latest.entry(key).or_default().push(latest(&row)?);
        }

        let text =
            format!("select pupil_id, day, part from conflict where pupil_id in {of_pupils} and resolved_at is null");
        for row in rows(tx, &text, values_of(pupils)).await? {
            let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
            state.open_conflicts.insert((row.try_get_by_index(0)?, at));
        }
        Ok(state)
    }

    /// Only what is counted: half-days, carried-in numbers, birth dates, local days off.
    pub(in crate::store) async fn counted<C: ConnectionTrait>(
        tx: &C,
        pupils: &[PupilId],
        years: &[SchoolYear],
    ) -> Result<Self, DbError> {
        let mut state = Self::default();
        if pupils.is_empty() || years.is_empty() {
            return Ok(state);
        }
        let of_pupils = list_of(pupils.len());
        let of_years = list_of(years.len());
        let both = || -> Vec<Value> {
            let years = years.iter().map(|year| Value::from(year.0));
            values_of(pupils).into_iter().chain(years).collect()
        };

        let text = format!(
            "select pupil_id, record_id, day, part, mark, revision from absence
             where pupil_id in {of_pupils} and school_year in {of_years} order by pupil_id, day, part, record_id"
        );
        for row in rows(tx, &text, both()).await? {
            let known = Known {
                record: row.try_get_by_index(1)?,
                at: half_day(row.try_get_by_index(2)?, row.try_get_by_index(3)?)?,
                mark: mark(row.try_get_by_index(4)?)?,
                revision: row.try_get_by_index(5)?,
            };
            state.known.entry(row.try_get_by_index(0)?).or_default().push(known);
        }

        let text = format!(
            "select c.pupil_id, c.school_year, c.record_id, c.half_days, c.begins_on, r.id
             from carried_in c
             left join school s on s.institution_number = c.former_institution
             left join record r on r.school_id = s.id and r.pupil_id = c.pupil_id
             where c.pupil_id in {of_pupils} and c.school_year in {of_years}"
        );
        for row in rows(tx, &text, both()).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            let half_days: i16 = row.try_get_by_index(3)?;
            state.carried.entry(key).or_default().push(CarriedIn {
                record: row.try_get_by_index(2)?,
                half_days: u16::try_from(half_days).unwrap_or_default(),
                from_begin: row.try_get_by_index(4)?,
                former: row.try_get_by_index(5)?,
            });
        }

        let text = format!(
            "select pupil_id, min(birth_date) from record
             where pupil_id in {of_pupils} and birth_date is not null group by pupil_id"
        );
        for row in rows(tx, &text, values_of(pupils)).await? {
            state.births.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }

        state.load_days_off(tx, pupils).await?;
        Ok(state)
    }

    /// The tally of one pupil in one school year, over the records of all schools.
    pub(in crate::store) fn tally(&self, book: &LawBook, pupil: PupilId, year: SchoolYear) -> Tally {
        let facts = Facts {
            pupil,
            year,
            half_days: &self.half_days(pupil, year).collect::<Vec<_>>(),
            carried: self.carried.get(&(pupil, year)).map(Vec::as_slice).unwrap_or_default(),
            book: &book.year(year),
            counts: book.counting(year, self.births.get(&pupil).copied()),
            latest: &[],
        };
        facts.tally()
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
        })
    }

    /// Whether the school of this record had a local day off: what it says of that day does not count. Another
    /// school may have had lessons.
    fn is_off(&self, record: RecordId, day: NaiveDate) -> bool {
        let school = self.school_of.get(&record);
        school
            .and_then(|school| self.days_off.get(school))
            .is_some_and(|off| off.contains(&day))
    }

    async fn load_days_off<C: ConnectionTrait>(&mut self, tx: &C, pupils: &[PupilId]) -> Result<(), DbError> {
        let of_pupils = list_of(pupils.len());
        let text = format!("select id, school_id from record where pupil_id in {of_pupils}");
        for row in rows(tx, &text, values_of(pupils)).await? {
            self.school_of
                .insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
        let text = format!(
            "select id, days_off from school where id in (select school_id from record where pupil_id in {of_pupils})"
        );
        for row in rows(tx, &text, values_of(pupils)).await? {
            let days: serde_json::Value = row.try_get_by_index(1)?;
            let days: BTreeSet<NaiveDate> =
                serde_json::from_value(days).map_err(|_unreadable| DbError::Unreadable {
                    column: "school.days_off",
                })?;
            self.days_off.insert(row.try_get_by_index(0)?, days);
        }
        Ok(())
    }
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
    })
}

fn half_day(day: NaiveDate, part: i16) -> Result<HalfDay, DbError> {
    let part = Part::from_i16(part).ok_or(DbError::Unreadable { column: "absence.part" })?;
    Ok(HalfDay::new(day, part))
}

fn mark(stored: i16) -> Result<Mark, DbError> {
    Mark::from_i16(stored).ok_or(DbError::Unreadable { column: "absence.mark" })
}
