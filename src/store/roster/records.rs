//! The records of a chunk as they stand, each thing about all of them read by one statement.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use hub_entities::id::{EnrolmentId, PupilId, RecordId, SchoolId};
use hub_entities::pupil::record;
use hub_entities::time::SchoolYear;
use sea_orm::{ConnectionTrait, FromQueryResult as _, QueryResult};

use super::reported::{ReportSaid, names_of};
use super::{PupilSaid, Unsaid};
use crate::store::DbError;
use crate::store::sql::{list, list_from, rows, statement};
use crate::store::transaction::Transaction;

/// A record as far as merging needs it.
#[derive(Debug)]
pub(super) struct KnownRecord {
    pub(super) id: RecordId,
    pub(super) pupil_id: PupilId,
    pub(super) content_hash: Vec<u8>,
    pub(super) birth_date: Option<NaiveDate>,
    /// By the day on which they begin.
    pub(super) enrolments: BTreeMap<NaiveDate, Enrolment>,
}

/// An enrolment of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enrolment {
    pub(super) id: EnrolmentId,
    pub(super) ends_on: Option<NaiveDate>,
    /// The first day, not before its own, of a place in a class that is known; its own where one says none.
    pub(super) first_place: Option<NaiveDate>,
}

/// How a record is enrolled by what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    /// Which of its enrolments that is; none where it is enrolled again.
    pub(super) same: Option<EnrolmentId>,
    /// The first day of it.
    pub(super) begins_on: NaiveDate,
}

impl KnownRecord {
    /// How it is enrolled by what is said of it.
    pub(super) fn stay(&self, said: &PupilSaid, today: NaiveDate) -> Stay {
        let presumed = said.presumed.filter(|_| said.begins_on.is_none());
        let Some((begins, latest)) = self.enrolments.last_key_value() else {
            let begins_on = said.begins_on.or(presumed.map(|presumed| presumed.on));
            return Stay {
                same: None,
                begins_on: begins_on.unwrap_or(today),
            };
        };
        let is_same = said.begins_on.is_none_or(|said| said == *begins);
        let is_open = latest
            .ends_on
            .is_none_or(|ends| said.begins_on.is_none_or(|said| said < ends) && said.ends_on.is_some());
        if is_open || (is_same && said.ends_on == latest.ends_on) {
            // The same enrolment: its days may have been corrected, but not to those of an earlier one.
            let presumed = presumed.filter(|presumed| presumed.of_all && self.may_begin(*begins, *latest, presumed.on));
            let corrected = said.begins_on.filter(|said| !self.enrolments.contains_key(said));
            let corrected = corrected.or(presumed.map(|presumed| presumed.on));
            return Stay {
                same: Some(latest.id),
                begins_on: corrected.unwrap_or(*begins),
            };
        }
        // Enrolled again after having left.
        let presumed = presumed.map(|presumed| presumed.on);
        let presumed = presumed.filter(|day| day > begins && latest.ends_on.is_some_and(|ends| ends <= *day));
        let said = said.begins_on.filter(|said| said > begins);
        Stay {
            same: None,
            begins_on: said.or(presumed).unwrap_or(today.max(*begins)),
        }
    }

    /// Whether the latest enrolment, which begins on a day that is known, may be presumed to begin on this one: former ones
    /// had ended by then, and no place in a class is known that began sooner.
    fn may_begin(&self, known: NaiveDate, latest: Enrolment, on: NaiveDate) -> bool {
        let is_over = |(_, former): (_, &Enrolment)| former.ends_on.is_some_and(|ends| ends <= on);
        if on < known {
            return self.enrolments.range(..known).all(is_over);
        }
        let sooner = latest.first_place.is_some_and(|place| place < on);
        !sooner && SchoolYear::of(on) == SchoolYear::of(known)
    }

    /// Whether what is said of it, with what a row does not speak of as it stands, is known.
    pub(super) fn knows(&self, said: &PupilSaid, today: NaiveDate) -> Result<bool, DbError> {
        if said.gone {
            return Ok(!self.is_open(said.ends_on.unwrap_or(today)));
        }
        Ok(self.is_enrolled_as(said, today) && self.content_hash == said.content_hash()?)
    }

    /// Whether it is enrolled already as is said.
    fn is_enrolled_as(&self, said: &PupilSaid, today: NaiveDate) -> bool {
        let latest = self.enrolments.last_key_value();
        let as_said = |(begins, latest): (&NaiveDate, &Enrolment)| {
            let stay = self.stay(said, today);
            stay.same == Some(latest.id) && stay.begins_on == *begins && said.ends_on == latest.ends_on
        };
        said.unsaid.schools || latest.is_some_and(as_said)
    }

    /// Whether it is enrolled on this day or has yet to be.
    pub(super) fn is_open(&self, on: NaiveDate) -> bool {
        let mut all = self.enrolments.values();
        all.any(|one| one.ends_on.is_none_or(|ends| ends > on))
    }
}

/// The records of these keys.
pub(super) async fn records_of(
    tx: &Transaction,
    school: SchoolId,
    keys: &[&str],
) -> Result<HashMap<String, KnownRecord>, DbError> {
    let text = format!(
        "select {RECORD}, {ENROLMENT} from record r left join enrolment e on e.record_id = r.id
         where r.school_id = ? and r.source_key in ?"
    );
    let values = vec![school.into(), list_from(keys.iter().map(|key| (*key).to_owned()))];
    let mut known: HashMap<String, KnownRecord> = HashMap::new();
    for row in rows(tx, &text, values).await? {
        let (key, record) = record_of(&row)?;
        let record = known.entry(key).or_insert(record);
        if let Some((begins, enrolment)) = enrolment_of(&row, 5)? {
            record.enrolments.insert(begins, enrolment);
        }
    }
    Ok(known)
}

/// The records of a school.
pub(super) async fn all_records<C: ConnectionTrait>(
    db: &C,
    school: SchoolId,
) -> Result<HashMap<String, KnownRecord>, DbError> {
    let mut of_record: HashMap<RecordId, BTreeMap<NaiveDate, Enrolment>> = HashMap::new();
    // By themselves: PostgreSQL would read those of every school to join them.
    let text = format!("select e.record_id, {ENROLMENT} from enrolment e where e.school_id = ?");
    for row in rows(db, &text, vec![school.into()]).await? {
        if let Some((begins, enrolment)) = enrolment_of(&row, 1)? {
            let all = of_record.entry(row.try_get_by_index(0)?).or_default();
            all.insert(begins, enrolment);
        }
    }
    let text = format!("select {RECORD} from record r where r.school_id = ?");
    let mut known = HashMap::new();
    for row in rows(db, &text, vec![school.into()]).await? {
        let (key, mut record) = record_of(&row)?;
        record.enrolments = of_record.remove(&record.id).unwrap_or_default();
        known.insert(key, record);
    }
    Ok(known)
}

/// What merging needs of a record, and of an enrolment.
const RECORD: &str = "r.source_key, r.id, r.pupil_id, r.content_hash, r.birth_date";
const ENROLMENT: &str = "e.id, e.begins_on, e.ends_on,
    (select min(coalesce(m.begins_on, e.begins_on)) from membership m
     where m.record_id = e.record_id and (m.begins_on is null or m.begins_on >= e.begins_on))";

fn record_of(row: &QueryResult) -> Result<(String, KnownRecord), DbError> {
    let record = KnownRecord {
        id: row.try_get_by_index(1)?,
        pupil_id: row.try_get_by_index(2)?,
        content_hash: row.try_get_by_index(3)?,
        birth_date: row.try_get_by_index(4)?,
        enrolments: BTreeMap::new(),
    };
    Ok((row.try_get_by_index(0)?, record))
}

/// The enrolment in a row, from this column on; with the day on which it begins.
fn enrolment_of(row: &QueryResult, at: usize) -> Result<Option<(NaiveDate, Enrolment)>, DbError> {
    let Some(id) = row.try_get_by_index(at)? else {
        return Ok(None);
    };
    let enrolment = Enrolment {
        id,
        ends_on: row.try_get_by_index(at.saturating_add(2))?,
        first_place: row.try_get_by_index(at.saturating_add(3))?,
    };
    Ok(Some((row.try_get_by_index(at.saturating_add(1))?, enrolment)))
}

/// What is said of each pupil whose row leaves something out, with that as it stands.
pub(super) async fn completed<C: ConnectionTrait>(
    db: &C,
    said: &[(String, PupilSaid)],
    known: &HashMap<String, KnownRecord>,
) -> Result<HashMap<String, PupilSaid>, DbError> {
    let open = said
        .iter()
        .filter(|(_, pupil)| !pupil.gone && pupil.unsaid != Unsaid::default());
    let open: Vec<(&String, &PupilSaid, RecordId)> = open
        .filter_map(|(key, pupil)| Some((key, pupil, known.get(key)?.id)))
        .collect();
    if open.is_empty() {
        return Ok(HashMap::new());
    }
    let records: Vec<RecordId> = open.iter().map(|(_, _, record)| *record).collect();
    let text = "select * from record where id in ?";
    let asked = statement(db.get_database_backend(), text, vec![list(&records)]);
    let stands = record::Model::find_by_statement(asked).all(db).await?;
    let stands: HashMap<RecordId, record::Model> = stands.into_iter().map(|record| (record.id, record)).collect();
    let for_reports = names_of(db, &records).await?;
    let one = |(key, pupil, record): (&String, &PupilSaid, RecordId)| {
        let stands = stands.get(&record)?;
        let for_report = for_reports.get(&record).cloned().unwrap_or_default();
        Some((key.clone(), complete(stands, for_report, pupil)))
    };
    Ok(open.into_iter().filter_map(one).collect())
}

/// The row with what it does not speak of as it stands.
fn complete(stands: &record::Model, for_report: ReportSaid, said: &PupilSaid) -> PupilSaid {
    let mut whole = said.clone();
    let stands = stands.clone();
    if said.unsaid.person {
        whole.report.given_name = for_report.given_name;
        whole.report.family_name = for_report.family_name;
        whole.identifier = stands.identifier;
        whole.stamnummer = stands.stamnummer;
        whole.given_name = stands.given_name;
        whole.family_name = stands.family_name;
        whole.sort_name = stands.sort_name;
        whole.street = stands.street;
        whole.postal_code = stands.postal_code;
        whole.city = stands.city;
        whole.contacts = stands.contacts;
        whole.language = stands.language;
        whole.national_index = stands.national_index;
    }
    if said.unsaid.birth {
        whole.report.birth_date = for_report.birth_date;
        whole.birth_date = stands.birth_date;
        whole.sex = stands.sex;
    }
    whole
}

/// Whose records carry which blind index, as a transaction changes them.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    of_index: HashMap<Vec<u8>, BTreeMap<RecordId, PupilId>>,
    of_record: HashMap<RecordId, Vec<u8>>,
}

impl Indexes {
    /// The records with one of these, at whatever school.
    pub(super) async fn of(tx: &Transaction, indexes: impl Iterator<Item = Vec<u8>>) -> Result<Self, DbError> {
        let mut all = Self::default();
        let indexes: Vec<Vec<u8>> = indexes.collect();
        if indexes.is_empty() {
            return Ok(all);
        }
        let text = "select national_index, id, pupil_id from record where national_index in ?";
        for row in rows(tx, text, vec![list_from(indexes)]).await? {
            let (index, record) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            all.give(record, row.try_get_by_index(2)?, Some(index));
        }
        Ok(all)
    }

    /// The pupil of another record with this blind index, if there is one; of several the first.
    pub(super) fn other(&self, index: Option<&[u8]>, but: Option<RecordId>) -> Option<PupilId> {
        let records = self.of_index.get(index?)?.iter();
        let others = records.filter(|(record, _)| Some(**record) != but);
        others.map(|(_, pupil)| *pupil).min()
    }

    /// From now on this record carries this index and no other.
    pub(super) fn give(&mut self, record: RecordId, pupil: PupilId, index: Option<Vec<u8>>) {
        if let Some(before) = self.of_record.remove(&record)
            && let Some(records) = self.of_index.get_mut(&before)
        {
            records.remove(&record);
        }
        if let Some(index) = index {
            self.of_index.entry(index.clone()).or_default().insert(record, pupil);
            self.of_record.insert(record, index);
        }
    }
}
