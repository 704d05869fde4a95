//! Keeps, beside each CLB that is or was competent for a pupil, what was counted of it: the way from a CLB to its
//! highest counts. It leads to a row and gives no right to it: whoever reads asks for the relation of today all the same.

use hub_entities::id::PupilId;

use super::DbError;
use super::sql::{execute, list};
use super::transaction::Transaction;

/// Follows the counts and ties of these pupils, in the transaction that changed either. The caller holds their locks.
pub(super) async fn follow(tx: &Transaction, pupils: &[PupilId]) -> Result<(), DbError> {
    if pupils.is_empty() {
        return Ok(());
    }
    let of_pupils = list(pupils);
    let text = "delete from clb_tally where pupil_id in ? and not exists (
           select 1 from tally t join competence c on c.pupil_id = t.pupil_id
           where t.pupil_id = clb_tally.pupil_id and t.school_year = clb_tally.school_year and t.half_days > 0
           and c.clb_id = clb_tally.clb_id)";
    execute(tx, text, vec![of_pupils.clone()]).await?;
    let text = "insert into clb_tally (pupil_id, clb_id, school_year, half_days)
         select distinct t.pupil_id, c.clb_id, t.school_year, t.half_days
         from tally t join competence c on c.pupil_id = t.pupil_id
         where t.pupil_id in ? and t.half_days > 0
         on conflict (pupil_id, clb_id, school_year) do update set half_days = excluded.half_days
         where clb_tally.half_days <> excluded.half_days";
    execute(tx, text, vec![of_pupils]).await?;
    Ok(())
}
