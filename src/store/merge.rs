//! Merging two canonical pupils that turn out to be one.
//!
//! Everything their records brought goes along, both are counted again, and signals follow from the
//! new counts, so that none is lost and none doubled (R43).

use hub_entities::competence::Ground;
use hub_entities::id::PupilId;
use sea_orm::Value;

use super::clb_tally::follow;
use super::competence::derive_untold;
use super::ledger::{Judge, reevaluate};
use super::run::Progress;
use super::sql::{execute, list};
use super::transaction::Transaction;
use super::{DbError, audience};

/// Makes two pupils one: every record of `from` becomes `into`'s, and the old id keeps resolving.
/// The caller holds the locks of both.
pub(super) async fn merge(
    tx: &Transaction,
    judge: &Judge<'_>,
    from: PupilId,
    into: PupilId,
    progress: &mut Progress,
) -> Result<(), DbError> {
    for table in [
        "record",
        "enrolment",
        "membership",
        "carried_in",
        "absence",
        "signal",
        "outbox",
    ] {
        let text = format!("update {table} set pupil_id = ? where pupil_id = ?");
        execute(tx, &text, vec![into.into(), from.into()]).await?;
    }
    // Ties by enrolment are derived again below; the others go with the person.
    let text = "update competence set pupil_id = ? where pupil_id = ? and ground in (?, ?)";
    let grounds = [Ground::HomeEducation, Ground::OwnRequest].map(Value::from);
    let mut values: Vec<Value> = vec![into.into(), from.into()];
    values.extend(grounds);
    execute(tx, text, values).await?;
    for table in ["conflict", "conflict_side"] {
        execute(
            tx,
            &format!("delete from {table} where pupil_id = ?"),
            vec![from.into()],
        )
        .await?;
    }
    execute(tx, "delete from tally where pupil_id = ?", vec![from.into()]).await?;
    let values: Vec<Value> = vec![into.into(), from.into(), from.into()];
    execute(
        tx,
        "update pupil set merged_into = ? where id = ? or merged_into = ?",
        values,
    )
    .await?;
    settle(tx, judge, &[from, into], progress).await
}

/// Counts the half-days of these pupils from the rows, derives their CLBs and evaluates them.
pub(super) async fn settle(
    tx: &Transaction,
    judge: &Judge<'_>,
    pupils: &[PupilId],
    progress: &mut Progress,
) -> Result<(), DbError> {
    let of_pupils = list(pupils);
    let text = "delete from absence_count where pupil_id in ?";
    execute(tx, text, vec![of_pupils.clone()]).await?;
    let text = "insert into absence_count (pupil_id, school_year, school_id, mark, half_days)
         select a.pupil_id, a.school_year, r.school_id, a.mark, count(*)
         from absence a join record r on r.id = a.record_id
         where a.pupil_id in ? group by a.pupil_id, a.school_year, r.school_id, a.mark";
    execute(tx, text, vec![of_pupils]).await?;
    derive_untold(tx, judge.ids, pupils, judge.now).await?;
    reevaluate(tx, judge, pupils, progress).await?;
    follow(tx, pupils).await?;
    // Of what stands now.
    audience::settle(tx, judge.ids, pupils, judge.now).await
}
