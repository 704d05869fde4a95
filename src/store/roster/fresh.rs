//! Pupils and records that are new: written together, as a roster brings them by the hundred.

use std::collections::HashMap;

use hub_entities::id::{EnrolmentId, PupilId, RecordId, SchoolId};
use sea_orm::Value;

use super::{PupilSaid, ReportSaid, columns, write_names};
use crate::store::DbError;
use crate::store::ledger::Work;
use crate::store::sql::bulk;
use crate::store::transaction::Transaction;

/// What one transaction adds. Nothing of it is in the database until [`Fresh::write`].
#[derive(Debug, Default)]
pub(super) struct Fresh {
    pupils: Vec<Vec<Value>>,
    records: Vec<Vec<Value>>,
    enrolments: Vec<Vec<Value>>,
    reported: Vec<(RecordId, ReportSaid)>,
    by_index: HashMap<Vec<u8>, PupilId>,
}

impl Fresh {
    /// The pupil of a new record with this blind index, if there is one.
    pub(super) fn of_index(&self, index: Option<&[u8]>) -> Option<PupilId> {
        self.by_index.get(index?).copied()
    }

    /// A new record of the school, of this pupil or else of a new one; says whose it is.
    pub(super) fn add(
        &mut self,
        work: &Work<'_>,
        school: SchoolId,
        of: Option<PupilId>,
        (key, said): (&str, &PupilSaid),
        hash: Vec<u8>,
    ) -> PupilId {
        let pupil = of.unwrap_or_else(|| {
            let id = PupilId(work.ids.next(work.now));
            self.pupils.push(vec![id.into(), work.now.into()]);
            id
        });
        let record = RecordId(work.ids.next(work.now));
        let mut row = columns(said);
        row.extend::<[Value; 8]>([
            hash.into(),
            work.run.into(),
            work.now.into(),
            record.into(),
            pupil.into(),
            school.into(),
            key.into(),
            1_i32.into(),
        ]);
        self.records.push(row);
        if !said.report.is_empty() {
            self.reported.push((record, said.report.clone()));
        }
        self.enrolments.push(vec![
            EnrolmentId(work.ids.next(work.now)).into(),
            record.into(),
            pupil.into(),
            school.into(),
            said.begins_on
                .or(said.presumed.map(|presumed| presumed.on))
                .unwrap_or_else(|| work.scope.day())
                .into(),
            said.ends_on.into(),
            work.run.into(),
        ]);
        if let Some(index) = &said.national_index {
            self.by_index.entry(index.clone()).or_insert(pupil);
        }
        pupil
    }

    /// Writes what was added.
    pub(super) async fn write(self, tx: &Transaction) -> Result<(), DbError> {
        let head = "insert into pupil (id, created_at)";
        bulk(tx, head, 2, self.pupils.into_iter(), "").await?;
        let head = "insert into record (identifier, stamnummer, given_name, family_name, sex, sort_name, birth_date,
            street, postal_code, city, contacts, language, national_index, content_hash, run_id, changed_at,
            id, pupil_id, school_id, source_key, revision)";
        bulk(tx, head, 21, self.records.into_iter(), "").await?;
        let head = "insert into enrolment (id, record_id, pupil_id, school_id, begins_on, ends_on, run_id)";
        bulk(tx, head, 7, self.enrolments.into_iter(), "").await?;
        write_names(tx, self.reported).await
    }
}
