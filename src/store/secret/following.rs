//! Following what the main store decided: each intent is done here once, in one transaction with its line and with the
//! note that it is done.

use hub_entities::id::{DecisionId, Ids, PrincipalId};
use hub_entities::operation::{Purpose, Role};
use hub_entities::policy::{Reach, Scope};
use sea_orm::Value;
use uuid::Uuid;

use super::line::{self, Line};
use super::{NOBODY, Secrets, key};
use crate::store::DbError;
use crate::store::intent::Intent;
use crate::store::sql::execute;
use crate::store::transaction::Transaction;

/// Begins what an intent is to do. `None` when it was done before: then nothing is done again.
pub(super) async fn begin(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    intent: &Intent,
    (action, purpose, granted): (&str, Purpose, String),
) -> Result<Option<Transaction>, DbError> {
    match scope.reach() {
        Reach::Operations => {}
        _ => return Err(DbError::OutOfScope),
    }
    let tx = secrets.apart.within(&[intent.clb]).await?;
    key::keep(&secrets.apart, &tx, (intent.clb, intent.pupil.unwrap_or(NOBODY))).await?;
    let text = "insert into intent_done (id, clb_id, done_at) values (?, ?, ?) on conflict (id) do nothing";
    let values: Vec<Value> = vec![intent.id.into(), intent.clb.into(), intent.at.into()];
    if execute(&tx, text, values).await? == 0 {
        tx.commit().await?;
        return Ok(None);
    }
    // The hub's own count is no principal: it is written as whoever works on this machine is.
    let (by, role) = intent.by.unwrap_or((PrincipalId(Uuid::nil()), Role::Operator));
    let line = Line {
        id: DecisionId(ids.blind()),
        clb: intent.clb,
        at: intent.at,
        by,
        role,
        purpose: Some(purpose),
        assured: false,
        pupil: intent.pupil.unwrap_or(NOBODY),
        action: action.to_owned(),
        granted: vec![granted],
        withheld: Vec::new(),
        facts: String::new(),
        request: intent.request,
    };
    line::write(&tx, std::slice::from_ref(&line)).await?;
    Ok(Some(tx))
}
