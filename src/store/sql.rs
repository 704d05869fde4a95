//! Statements, written once: `?` stands for the next value, on both databases.

use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement, Value};

use super::DbError;

/// A statement and its values. `?` becomes `$1`, `$2` … on PostgreSQL.
pub(super) fn statement(backend: DatabaseBackend, text: &str, values: Vec<Value>) -> Statement {
    let text = if backend == DatabaseBackend::Postgres {
        numbered(text)
    } else {
        text.to_owned()
    };
    Statement::from_sql_and_values(backend, text, values)
}

/// `?` inside quotes would be numbered too: the statements here have none.
fn numbered(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(16));
    let mut number = 0_u32;
    for part in text.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(before) => {
                number = number.saturating_add(1);
                out.push_str(before);
                out.push('$');
                out.push_str(&number.to_string());
            }
            None => out.push_str(part),
        }
    }
    out
}

/// `(?, ?, ?)` for a list of so many values; a list of none matches nothing.
pub(super) fn list_of(count: usize) -> String {
    if count == 0 {
        "(null)".to_owned()
    } else {
        format!("({})", vec!["?"; count].join(", "))
    }
}

/// Runs a statement; says how many rows it changed.
pub(super) async fn execute<C: ConnectionTrait>(db: &C, text: &str, values: Vec<Value>) -> Result<u64, DbError> {
    Ok(db
        .execute_raw(statement(db.get_database_backend(), text, values))
        .await?
        .rows_affected())
}

/// All rows of a query.
pub(super) async fn rows<C: ConnectionTrait>(
    db: &C,
    text: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbError> {
    Ok(db
        .query_all_raw(statement(db.get_database_backend(), text, values))
        .await?)
}

/// The one row of a query, if there is one.
pub(super) async fn row<C: ConnectionTrait>(
    db: &C,
    text: &str,
    values: Vec<Value>,
) -> Result<Option<QueryResult>, DbError> {
    Ok(db
        .query_one_raw(statement(db.get_database_backend(), text, values))
        .await?)
}

/// The most values one statement carries: under the limits of SQLite (32,766) and PostgreSQL (65,535).
const MOST_VALUES: usize = 32_000;

/// Many rows in as few statements as the databases take: `head values (…), (…) tail`.
///
/// All full statements have the same text, so each is prepared once.
pub(super) async fn bulk<C: ConnectionTrait>(
    db: &C,
    head: &str,
    columns: usize,
    rows: impl ExactSizeIterator<Item = Vec<Value>>,
    tail: &str,
) -> Result<(), DbError> {
    let most = MOST_VALUES.checked_div(columns).unwrap_or(1).clamp(1, 2_000);
    let mut rows = rows;
    let tuple = list_of(columns);
    loop {
        let count = rows.len().min(most);
        if count == 0 {
            return Ok(());
        }
        let values: Vec<Value> = rows.by_ref().take(count).flatten().collect();
        let text = format!("{head} values {} {tail}", vec![tuple.as_str(); count].join(", "));
        execute(db, &text, values).await?;
    }
}

/// Ids as values of an `in` list.
pub(super) fn values_of<T: Copy + Into<Value>>(ids: &[T]) -> Vec<Value> {
    ids.iter().map(|id| (*id).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_for_postgres() {
        let text = numbered("select a from b where c = ? and d in (?, ?)");
        assert_eq!(text, "select a from b where c = $1 and d in ($2, $3)");
        assert_eq!(numbered("select 1"), "select 1");
        assert_eq!(list_of(0), "(null)");
        assert_eq!(list_of(2), "(?, ?)");
    }
}
