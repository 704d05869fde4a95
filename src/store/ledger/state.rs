//! All that is known of the pupils of a transaction, read after the lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_entities::absence::mark::Mark;
use hub_entities::absence::tally::CarriedIn;
use hub_entities::evaluation::{Known, Latest, Totals};
use hub_entities::id::{PupilId, RecordId, SchoolId};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use sea_orm::{DatabaseTransaction, QueryResult, Value};

use crate::store::DbError;
use crate::store::sql::{list, rows};

/// All that is known of some pupils, read after the lock.
#[derive(Debug, Default)]
pub(super) struct State {
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
        let mut state = Self::default();
        if pupils.is_empty() || years.is_empty() {
            return Ok(state);
        }
        let both = || -> Vec<Value> { vec![list(pupils.iter().copied()), list(years.iter().copied())] };

        let text = "select pupil_id, record_id, day, part, mark, revision from absence
             where pupil_id in ? and school_year in ? order by pupil_id, day, part, record_id";
        for row in rows(tx, text, both()).await? {
            let known = Known {
                record: row.try_get_by_index(1)?,
                at: half_day(row.try_get_by_index(2)?, row.try_get_by_index(3)?)?,
                mark: mark(row.try_get_by_index(4)?)?,
                revision: row.try_get_by_index(5)?,
            };
            state.known.entry(row.try_get_by_index(0)?).or_default().push(known);
        }

        let text = "select c.pupil_id, c.school_year, c.record_id, c.half_days, c.begins_on, r.id
             from carried_in c
             left join school s on s.institution_number = c.former_institution
             left join record r on r.school_id = s.id and r.pupil_id = c.pupil_id
             where c.pupil_id in ? and c.school_year in ?";
        for row in rows(tx, text, both()).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            let half_days: i16 = row.try_get_by_index(3)?;
            state.carried.entry(key).or_default().push(CarriedIn {
                record: row.try_get_by_index(2)?,
                half_days: u16::try_from(half_days).unwrap_or_default(),
                from_begin: row.try_get_by_index(4)?,
                former: row.try_get_by_index(5)?,
            });
        }

        let text = "select pupil_id, school_year, half_days, carried, pending, reached_5, reached_30 from tally
             where pupil_id in ? and school_year in ?";
        for row in rows(tx, text, both()).await? {
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

        let text =
            "select pupil_id, school_year, id, key, generation, state, half_days, reached_on, version from signal s
             where pupil_id in ? and school_year in ?
             and generation = (select max(generation) from signal o where o.key = s.key)";
        for row in rows(tx, text, both()).await? {
            let key = (row.try_get_by_index(0)?, SchoolYear(row.try_get_by_index(1)?));
            state.latest.entry(key).or_default().push(latest(&row)?);
        }

        let text = "select pupil_id, min(birth_date) from record
             where pupil_id in ? and birth_date is not null group by pupil_id";
        for row in rows(tx, text, vec![list(pupils.iter().copied())]).await? {
            state.births.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }

        let text = "select pupil_id, day, part from conflict where pupil_id in ? and resolved_at is null";
        for row in rows(tx, text, vec![list(pupils.iter().copied())]).await? {
            let at = half_day(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
            state.open_conflicts.insert((row.try_get_by_index(0)?, at));
        }
        state.load_days_off(tx, pupils).await?;
        Ok(state)
    }

    /// Whether the school of this record had a local day off: what it says of that day does not count. Another
    /// school may have had lessons.
    pub(super) fn is_off(&self, record: RecordId, day: NaiveDate) -> bool {
        let school = self.school_of.get(&record);
        school
            .and_then(|school| self.days_off.get(school))
            .is_some_and(|off| off.contains(&day))
    }

    async fn load_days_off(&mut self, tx: &DatabaseTransaction, pupils: &[PupilId]) -> Result<(), DbError> {
        let text = "select id, school_id from record where pupil_id in ?";
        for row in rows(tx, text, vec![list(pupils.iter().copied())]).await? {
            self.school_of
                .insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
        let text = "select id, days_off from school where id in (select school_id from record where pupil_id in ?)";
        for row in rows(tx, text, vec![list(pupils.iter().copied())]).await? {
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
