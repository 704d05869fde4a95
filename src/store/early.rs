//! Early warnings that become due without a half-day: an agreement begins that wants one, and a pupil has the number
//! already.

use hub_entities::id::PupilId;
use hub_entities::law::threshold::SignalKind;
use hub_entities::signal::SignalState;
use hub_entities::time::{SchoolYear, brussels_day};
use sea_orm::Value;
use uuid::Uuid;

use super::agreement::{binding, in_force};
use super::lease::Lease;
use super::ledger::{Judge, reevaluate};
use super::run::Progress;
use super::sql::rows;
use super::{Db, DbError};

/// Pupils evaluated in one transaction.
const CHUNK: u32 = 200;

/// Raises what is due by the agreements of today. Says how many warnings there were.
pub async fn warn_those_due(db: &Db, lease: &Lease, judge: &Judge<'_>) -> Result<i64, DbError> {
    let mut progress = Progress::default();
    let mut after = PupilId(Uuid::nil());
    loop {
        let pupils = due(db, after, judge).await?;
        let Some(last) = pupils.last().copied() else {
            return Ok(progress.raised);
        };
        let tx = db.begin().await?;
        lease.fence(db, &tx).await?;
        db.dialect().lock_pupils(&tx, &pupils).await?;
        reevaluate(&tx, judge, &pupils, &mut progress).await?;
        tx.commit().await?;
        after = last;
    }
}

/// The next pupils behind this one who have the number at which an agreement of their school wants a warning, and of
/// whom none stands.
async fn due(db: &Db, after: PupilId, judge: &Judge<'_>) -> Result<Vec<PupilId>, DbError> {
    let day = brussels_day(judge.now);
    let (binding, of_binding) = binding(day);
    let text = format!(
        "select distinct t.pupil_id from agreement a join enrolment e on e.school_id = a.school_id
         join tally t on t.pupil_id = e.pupil_id and t.half_days >= a.early_warning
         where a.early_warning is not null and t.pupil_id > ? and t.school_year = ? and {} and {binding}
         and not exists (select 1 from signal s where s.pupil_id = t.pupil_id and s.school_year = t.school_year
                         and s.kind = ? and s.state = ?)
         order by t.pupil_id limit ?",
        in_force("e")
    );
    let mut values: Vec<Value> = vec![after.into(), SchoolYear::of(day).into(), day.into(), day.into()];
    values.extend(of_binding);
    values.extend([SignalKind::TruancyEarly.name().into(), SignalState::Raised.into()]);
    values.push(CHUNK.into());
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
