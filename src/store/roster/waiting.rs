//! Places in classes whose class or pupil no roster has named yet: each waits in quarantine under its own key, with the
//! latest word on it, until a roster brings what it lacks or says that it is gone (design §5).

use std::collections::HashMap;

use hub_entities::id::SourceId;
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{KeyKind, RunKind};
use sea_orm::{ConnectionTrait, Value};

use super::{MembershipSaid, write_memberships};
use crate::store::ledger::Work;
use crate::store::loss::{Unmatched, replace_unmatched};
use crate::store::sql::{execute, list_from, rows};
use crate::store::{Db, DbError};

/// Places matched in one transaction.
const CHUNK: usize = 200;

const UNREADABLE: DbError = DbError::Unreadable {
    column: "quarantine.body",
};
use crate::store::transaction::Transaction;

fn source_of(scope: &Scope) -> Result<SourceId, DbError> {
    match scope.reach() {
        Reach::Source { source, .. } => Ok(*source),
        _ => Err(DbError::OutOfScope),
    }
}

/// The places that wait, of the scope's source: by their own key.
pub(super) async fn waiting_places<C: ConnectionTrait>(
    db: &C,
    scope: &Scope,
) -> Result<HashMap<String, MembershipSaid>, DbError> {
    let text = "select source_key, body from quarantine where source_id = ? and kind = ? and resolved_at is null";
    let values: Vec<Value> = vec![source_of(scope)?.into(), RunKind::Roster.into()];
    let mut waiting = HashMap::new();
    for row in rows(db, text, values).await? {
        let body: Vec<u8> = row.try_get_by_index(1)?;
        let said = serde_json::from_slice(&body).map_err(|_unreadable| UNREADABLE)?;
        waiting.insert(row.try_get_by_index(0)?, said);
    }
    Ok(waiting)
}

/// Puts places in quarantine, each in place of an older word on it; says how many.
pub(super) async fn wait<'a>(
    tx: &Transaction,
    work: &Work<'_>,
    said: impl Iterator<Item = &'a (String, MembershipSaid)>,
) -> Result<i64, DbError> {
    let one = |(key, said): &(String, MembershipSaid)| {
        Ok(Unmatched {
            source_key: key.clone(),
            key_kind: KeyKind::SourceKey,
            rows: 1,
            body: serde_json::to_vec(said).map_err(|_never| UNREADABLE)?,
        })
    };
    let unmatched: Vec<Unmatched> = said.map(one).collect::<Result<_, DbError>>()?;
    let count = i64::try_from(unmatched.len()).unwrap_or(i64::MAX);
    replace_unmatched(tx, work, RunKind::Roster, unmatched).await?;
    Ok(count)
}

/// Places with these keys have found where they belong, or are gone.
pub(super) async fn waits_no_longer(
    tx: &Transaction,
    work: &Work<'_>,
    keys: impl Iterator<Item = String>,
) -> Result<(), DbError> {
    let keys = list_from(keys);
    end_waiting(tx, work, "?", vec![keys]).await
}

/// The same of those that a complete read did not hold: put aside as `left_place`.
pub(super) async fn waits_left(tx: &Transaction, work: &Work<'_>) -> Result<(), DbError> {
    let left = "(select s.source_key from staged_row s where s.run_id = ? and s.kind = 'left_place')";
    end_waiting(tx, work, left, vec![work.run.into()]).await
}

/// The line stays, what it held goes.
async fn end_waiting(tx: &Transaction, work: &Work<'_>, keys: &str, of_keys: Vec<Value>) -> Result<(), DbError> {
    let text = format!(
        "update quarantine set resolved_at = ?, body = ?
         where source_id = ? and kind = ? and resolved_at is null and source_key in {keys}"
    );
    let mut values: Vec<Value> = vec![
        work.now.into(),
        Vec::<u8>::new().into(),
        source_of(work.scope)?.into(),
        RunKind::Roster.into(),
    ];
    values.extend(of_keys);
    execute(tx, &text, values).await?;
    Ok(())
}

/// Works off the places whose class and pupil are known by now. Signals that follow are counted in the run of the work.
pub async fn work_off_places(db: &Db, work: Work<'_>) -> Result<(), DbError> {
    let waiting: Vec<_> = waiting_places(db.reader(), work.scope).await?.into_iter().collect();
    for some in waiting.chunks(CHUNK) {
        let tx = db.begin().await?;
        work.lease.fence(db, &tx).await?;
        let (progress, _) = write_memberships(db, &tx, &work, some).await?;
        let text = "update sync_run set raised = raised + ?, withdrawn = withdrawn + ? where id = ?";
        let values: Vec<Value> = vec![progress.raised.into(), progress.withdrawn.into(), work.run.into()];
        execute(&tx, text, values).await?;
        tx.commit().await?;
    }
    Ok(())
}
