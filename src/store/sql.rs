//! Statements, written once: `?` stands for the next value, on both databases, and `in ?` for the next list.

use sea_orm::sea_query::ValueType;
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement, Value};

use super::DbError;

/// A statement and its values. `?` becomes `$1`, `$2` … on PostgreSQL. A [`list`] after `in` becomes one array there, and
/// elsewhere as many values, the last one repeated up to a power of two: whatever the length of a list, a statement has one
/// text or a few, and each stays prepared.
pub(super) fn statement(backend: DatabaseBackend, text: &str, values: Vec<Value>) -> Statement {
    let postgres = backend == DatabaseBackend::Postgres;
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut given: Vec<Value> = Vec::with_capacity(values.len());
    let mut values = values.into_iter();
    for part in text.split_inclusive('?') {
        // `?` inside quotes would be counted too: the statements here have none.
        let Some(before) = part.strip_suffix('?') else {
            out.push_str(part);
            continue;
        };
        match values.next() {
            Some(Value::Array(_, Some(all))) if !postgres => {
                out.push_str(before);
                let count = if all.is_empty() {
                    0
                } else {
                    all.len().next_power_of_two()
                };
                out.push_str(&list_of(count));
                let last = all.last().cloned();
                given.extend(all.into_iter().chain(last.into_iter().cycle()).take(count));
            }
            value => {
                let is_list = matches!(value, Some(Value::Array(..)));
                given.extend(value);
                let number = given.len();
                let (before, place) = match before.strip_suffix("in ") {
                    Some(before) if is_list => (before, format!("= any(${number})")),
                    _ if postgres => (before, format!("${number}")),
                    _ => (before, "?".to_owned()),
                };
                out.push_str(before);
                out.push_str(&place);
            }
        }
    }
    given.extend(values);
    Statement::from_sql_and_values(backend, out, given)
}

/// The values of `in ?`.
pub(super) fn list<T: Copy + Into<Value> + ValueType>(of: &[T]) -> Value {
    let values = of.iter().map(|one| (*one).into()).collect();
    Value::Array(T::array_type(), Some(Box::new(values)))
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
    fn a_list_is_one_value_for_postgres_and_few_texts_elsewhere() {
        let of = |backend, ids: &[i32]| {
            let text = "select a from b where c in ? and d = ? and e in (?, ?)";
            let values = vec![list(ids), 7.into(), 8.into(), 9.into()];
            let made = statement(backend, text, values);
            (made.sql, made.values.map_or(0, |values| values.0.len()))
        };
        let one = "select a from b where c = any($1) and d = $2 and e in ($3, $4)".to_owned();
        for ids in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(of(DatabaseBackend::Postgres, ids), (one.clone(), 4));
        }
        let many = |list: &str| format!("select a from b where c in {list} and d = ? and e in (?, ?)");
        assert_eq!(of(DatabaseBackend::Sqlite, &[]), (many("(null)"), 3));
        assert_eq!(of(DatabaseBackend::Sqlite, &[1]), (many("(?)"), 4));
        assert_eq!(of(DatabaseBackend::Sqlite, &[1, 2, 3]), (many("(?, ?, ?, ?)"), 7));
    }

    #[test]
    fn values_are_numbered_for_postgres() {
        let numbered = |text: &str, values| statement(DatabaseBackend::Postgres, text, values).sql;
        let text = numbered(
            "select a from b where c = ? and d in (?, ?)",
            vec![1.into(), 2.into(), 3.into()],
        );
        assert_eq!(text, "select a from b where c = $1 and d in ($2, $3)");
        assert_eq!(numbered("select 1", Vec::new()), "select 1");
        assert_eq!(list_of(0), "(null)");
        assert_eq!(list_of(2), "(?, ?)");
    }
}
