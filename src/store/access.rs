//! Writing the access log.

use hub_entities::access_line;
use sea_orm::Value;

use super::sql::{bulk, execute};
use super::transaction::Transaction;
use super::{Db, DbError};

/// Writes lines. A line that is there already is not written twice, so that what was written of some may be written again
/// with all of them: each statement is committed by itself.
pub async fn write(db: &Db, lines: &[access_line::Model]) -> Result<(), DbError> {
    let tail = "on conflict (id) do nothing";
    // Those that name no purpose apart: rows without nulls go the short way.
    let named = lines.iter().filter_map(|line| Some((line, line.purpose?)));
    let named: Vec<Vec<Value>> = named
        .map(|(line, purpose)| {
            let mut row = tuple(line);
            row.push(purpose.into());
            row
        })
        .collect();
    let unnamed = lines.iter().filter(|line| line.purpose.is_none());
    let unnamed: Vec<Vec<Value>> = unnamed.map(tuple).collect();
    let head = |columns| format!("insert into access_line ({columns})");
    bulk(db.reader(), &head(COLUMNS), 9, unnamed.into_iter(), tail).await?;
    let named_columns = head(&format!("{COLUMNS}, purpose"));
    bulk(db.reader(), &named_columns, 10, named.into_iter(), tail).await
}

/// Writes a line in a transaction that goes on to what it tells of: of what was released under secrecy nothing leaves without
/// one.
pub(super) async fn write_first(tx: &Transaction, line: &access_line::Model) -> Result<(), DbError> {
    let values = [tuple(line), vec![line.purpose.into(), line.shared.clone().into()]].concat();
    let text = format!("insert into access_line ({COLUMNS}, purpose, shared) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    execute(tx, &text, values).await?;
    Ok(())
}

const COLUMNS: &str = "id, at, principal_id, role, realm, categories, pupils, pupil_ids, request_id";

fn tuple(line: &access_line::Model) -> Vec<Value> {
    vec![
        line.id.into(),
        line.at.into(),
        line.principal_id.into(),
        line.role.into(),
        line.realm.into(),
        line.categories.into(),
        line.pupils.into(),
        line.pupil_ids.clone().into(),
        line.request_id.into(),
    ]
}
