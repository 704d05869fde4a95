//! Writing the access log.

use hub_entities::access_line;
use sea_orm::Value;

use super::sql::bulk;
use super::{Db, DbError};

/// Writes lines. A line that is there already is not written twice.
pub async fn write(db: &Db, lines: &[access_line::Model]) -> Result<(), DbError> {
    let tuples: Vec<Vec<Value>> = lines
        .iter()
        .map(|line| {
            vec![
                line.id.into(),
                line.at.into(),
                line.principal_id.into(),
                line.role.into(),
                line.realm.into(),
                line.purpose.into(),
                line.categories.into(),
                line.pupils.into(),
                line.pupil_ids.clone().into(),
                line.request_id.into(),
            ]
        })
        .collect();
    let head = "insert into access_line
        (id, at, principal_id, role, realm, purpose, categories, pupils, pupil_ids, request_id)";
    let tx = db.begin().await?;
    let mut tuples = tuples.into_iter();
    while let Some(power) = tuples.len().checked_ilog2() {
        // By powers of two: whatever their number, the statement has few texts, and each stays prepared.
        let some: Vec<Vec<Value>> = tuples.by_ref().take(1 << power).collect();
        bulk(&tx, head, 10, some.into_iter(), "on conflict (id) do nothing").await?;
    }
    tx.commit().await?;
    Ok(())
}
