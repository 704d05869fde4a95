//! Records that are known and change: written together, as a roster changes them by the hundred.

use chrono::NaiveDate;
use hub_entities::id::{EnrolmentId, RecordId, SchoolId};
use sea_orm::Value;

use super::records::KnownRecord;
use super::{PupilSaid, ReportSaid, columns, write_names};
use crate::store::DbError;
use crate::store::ledger::Work;
use crate::store::sql::bulk;
use crate::store::transaction::Transaction;

/// What one transaction changes. Nothing of it is in the database until [`Changed::write`].
#[derive(Debug, Default)]
pub(super) struct Changed {
    records: Vec<Vec<Value>>,
    reported: Vec<(RecordId, ReportSaid)>,
    corrected: Vec<Vec<Value>>,
    enrolled: Vec<Vec<Value>>,
    ended: Vec<(RecordId, NaiveDate)>,
}

impl Changed {
    /// Another word on a record.
    pub(super) fn say(&mut self, work: &Work<'_>, record: RecordId, said: &PupilSaid, hash: Vec<u8>) {
        let mut row = columns(said);
        row.extend::<[Value; 4]>([hash.into(), work.run.into(), work.now.into(), record.into()]);
        self.records.push(row);
        self.reported.push((record, said.report.clone()));
    }

    /// Sees to it that the record has the enrolment that the source says.
    pub(super) fn enrol(&mut self, work: &Work<'_>, school: SchoolId, record: &KnownRecord, said: &PupilSaid) {
        let stay = record.stay(said, work.scope.day());
        if let Some(same) = stay.same {
            let row = vec![stay.begins_on.into(), said.ends_on.into(), work.run.into(), same.into()];
            self.corrected.push(row);
            return;
        }
        self.enrolled.push(vec![
            EnrolmentId(work.ids.next(work.now)).into(),
            record.id.into(),
            record.pupil_id.into(),
            school.into(),
            stay.begins_on.into(),
            said.ends_on.into(),
            work.run.into(),
        ]);
    }

    /// The record is no longer enrolled from this day on.
    pub(super) fn end(&mut self, record: RecordId, on: NaiveDate) {
        self.ended.push((record, on));
    }

    /// Writes what was changed.
    pub(super) async fn write(self, tx: &Transaction, work: &Work<'_>) -> Result<(), DbError> {
        let head = "with said (identifier, stamnummer, given_name, family_name, sex, sort_name, birth_date, street,
            postal_code, city, contacts, language, national_index, content_hash, run_id, changed_at, id) as (";
        let tail = ") update record set identifier = said.identifier, stamnummer = said.stamnummer,
            given_name = said.given_name, family_name = said.family_name, sex = said.sex, sort_name = said.sort_name,
            birth_date = said.birth_date, street = said.street, postal_code = said.postal_code, city = said.city,
            contacts = said.contacts, language = said.language, national_index = said.national_index,
            content_hash = said.content_hash, run_id = said.run_id, changed_at = said.changed_at,
            revision = record.revision + 1
            from said where record.id = said.id";
        bulk(tx, head, 17, self.records.into_iter(), tail).await?;
        write_names(tx, self.reported).await?;
        let head = "with said (begins_on, ends_on, run_id, id) as (";
        let tail = ") update enrolment set begins_on = said.begins_on, ends_on = said.ends_on, run_id = said.run_id
            from said where enrolment.id = said.id";
        bulk(tx, head, 4, self.corrected.into_iter(), tail).await?;
        let head = "insert into enrolment (id, record_id, pupil_id, school_id, begins_on, ends_on, run_id)";
        let tail = "on conflict (record_id, begins_on)
            do update set ends_on = excluded.ends_on, run_id = excluded.run_id";
        bulk(tx, head, 7, self.enrolled.into_iter(), tail).await?;
        end_enrolments(tx, work, self.ended).await
    }
}

/// Ends what is open of these records: from this day on each is no longer enrolled, nor in a class.
pub(super) async fn end_enrolments(
    tx: &Transaction,
    work: &Work<'_>,
    ended: Vec<(RecordId, NaiveDate)>,
) -> Result<(), DbError> {
    let rows = ended.into_iter();
    let rows: Vec<Vec<Value>> = rows
        .map(|(record, on)| vec![record.into(), on.into(), work.run.into()])
        .collect();
    let head = "with said (record_id, ends_on, run_id) as (";
    let open = |table: &str| {
        format!(
            "from said where {table}.record_id = said.record_id
             and ({table}.ends_on is null or {table}.ends_on > said.ends_on)"
        )
    };
    let tail = format!(
        ") update enrolment set ends_on = said.ends_on, run_id = said.run_id {}",
        open("enrolment")
    );
    bulk(tx, head, 3, rows.clone().into_iter(), &tail).await?;
    let tail = format!(") update membership set ends_on = said.ends_on {}", open("membership"));
    bulk(tx, head, 3, rows.into_iter(), &tail).await
}
