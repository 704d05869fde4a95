//! What is told of each record, by the sender's own key: kept so that it can be asked again.

use hub_entities::category::Categories;
use hub_entities::delivery::{Outcome, RecordKind, Told, Why};
use hub_entities::id::{QuarantineId, RunId};
use sea_orm::Value;

use super::Intake;
use crate::store::DbError;
use crate::store::sql::{bulk, execute, list};
use crate::store::transaction::Transaction;

/// A record, as its sender names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What kind.
    pub kind: RecordKind,
    /// Its key.
    pub key: String,
    /// The key of the pupil it is about; empty of a class.
    pub pupil: String,
}

impl Intake {
    /// Keeps the latest word on each record. What was known already says nothing new of one that was taken over; what
    /// has no key of its own is in the answer alone.
    pub(super) async fn keep(&self, run: RunId, records: Vec<Record>, told: &[Told]) -> Result<(), DbError> {
        let keyed = records.into_iter().zip(told);
        let keyed = keyed.filter(|(_, told)| !matches!(told.why, Some(Why::Key | Why::Repeated)));
        let tuples: Vec<Vec<Value>> = keyed
            .map(|(record, told)| {
                let dropped: Categories = told.dropped.iter().copied().collect();
                vec![
                    self.connection.id.into(),
                    record.kind.into(),
                    record.key.into(),
                    record.pupil.into(),
                    told.outcome.into(),
                    told.why.map_or("", Why::name).into(),
                    dropped.into(),
                    run.into(),
                    self.call.now.into(),
                ]
            })
            .collect();
        let head = "insert into delivery
            (source_id, kind, record_key, pupil_key, outcome, why, dropped, run_id, received_at)";
        let tail = "on conflict (source_id, kind, record_key) do update set pupil_key = excluded.pupil_key,
            outcome = excluded.outcome, why = excluded.why, dropped = excluded.dropped, run_id = excluded.run_id,
            received_at = excluded.received_at
            where excluded.outcome <> 'unchanged' or delivery.outcome not in ('accepted', 'unchanged')";
        bulk(&self.tx, head, 9, tuples.into_iter(), tail).await
    }
}

/// What was held for this run has come to its end.
pub(in crate::store) async fn settle_held(
    tx: &Transaction,
    run: RunId,
    (outcome, why): (Outcome, Option<Why>),
) -> Result<(), DbError> {
    let text = "update delivery set outcome = ?, why = ? where run_id = ? and outcome = 'held'";
    let values: Vec<Value> = vec![outcome.into(), why.map_or("", Why::name).into(), run.into()];
    execute(tx, text, values).await?;
    Ok(())
}

/// What waited in quarantine in these rows was worked off.
pub(in crate::store) async fn settle_quarantined(tx: &Transaction, worked_off: &[QuarantineId]) -> Result<(), DbError> {
    let text = "update delivery set outcome = 'accepted', why = '' where outcome = 'quarantined' and exists (
         select 1 from quarantine q where q.id in ? and q.kind = 'absences'
         and q.source_id = delivery.source_id and q.source_key = delivery.pupil_key)";
    execute(tx, text, vec![list(worked_off)]).await?;
    Ok(())
}
