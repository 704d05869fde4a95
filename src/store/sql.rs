//! Statements, written once: `?` stands for the next value, on both databases, and `in ?` for a list.
//!
//! A list is one value, an array, on PostgreSQL: the text of a statement does not depend on how many there are,
//! so the server prepares each statement once. SQLite has no arrays and gets a `?` for each.

use sea_orm::sea_query::{ArrayType, ValueType};
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement, Value};

use super::DbError;

/// A statement and its values.
pub(super) fn statement(backend: DatabaseBackend, text: &str, values: Vec<Value>) -> Statement {
    let (text, values) = if backend == DatabaseBackend::Postgres {
        (numbered(text, &values), values)
    } else {
        spread(text, values)
    };
    Statement::from_sql_and_values(backend, text, values)
}

/// For PostgreSQL: `?` becomes `$1`, `$2` …, and `in ?` becomes `= any($1)` where the value is a list.
///
/// `?` inside quotes would be numbered too: the statements here have none.
fn numbered(text: &str, values: &[Value]) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(32));
    let mut values = values.iter();
    let mut number = 0_u32;
    for part in text.split_inclusive('?') {
        let Some(before) = part.strip_suffix('?') else {
            out.push_str(part);
            continue;
        };
        number = number.saturating_add(1);
        match (values.next(), before.strip_suffix("in ")) {
            (Some(Value::Array(..)), Some(before)) => {
                out.push_str(before);
                out.push_str("= any($");
                out.push_str(&number.to_string());
                out.push(')');
            }
            _ => {
                out.push_str(before);
                out.push('$');
                out.push_str(&number.to_string());
            }
        }
    }
    out
}

/// For SQLite: `in ?` becomes `in (?, ?, …)` where the value is a list; a list of none matches nothing.
fn spread(text: &str, values: Vec<Value>) -> (String, Vec<Value>) {
    if !values.iter().any(|value| matches!(value, Value::Array(..))) {
        return (text.to_owned(), values);
    }
    let mut out = String::with_capacity(text.len().saturating_add(64));
    let mut all = Vec::with_capacity(values.len());
    let mut values = values.into_iter();
    for part in text.split_inclusive('?') {
        match (
            part.strip_suffix('?'),
            part.ends_with('?').then(|| values.next()).flatten(),
        ) {
            (Some(before), Some(Value::Array(_, list))) => {
                let list = list.map(|list| *list).unwrap_or_default();
                out.push_str(before);
                out.push_str(&list_of(list.len()));
                all.extend(list);
            }
            (_, value) => {
                out.push_str(part);
                all.extend(value);
            }
        }
    }
    (out, all)
}

/// `(?, ?, ?)` for so many values; none matches nothing.
pub(super) fn list_of(count: usize) -> String {
    if count == 0 {
        "(null)".to_owned()
    } else {
        format!("({})", vec!["?"; count].join(", "))
    }
}

/// A list, as the one value of an `in ?`.
pub(super) fn list<T: Into<Value> + ValueType>(of: impl IntoIterator<Item = T>) -> Value {
    let values = of.into_iter().map(Into::into).collect();
    Value::Array(T::array_type(), Some(Box::new(values)))
}

/// Ids as values of an `in` list that is written out.
pub(super) fn values_of<T: Copy + Into<Value>>(ids: &[T]) -> Vec<Value> {
    ids.iter().map(|id| (*id).into()).collect()
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

/// The most rows one statement carries as columns.
const MOST_ROWS: usize = 10_000;

/// Many rows in as few statements as the databases take: `head` is `insert into … (…)`.
///
/// On PostgreSQL rows without nulls go as one array a column: planning a list of thousands of tuples costs it more
/// than inserting them.
pub(super) async fn bulk<C: ConnectionTrait>(
    db: &C,
    head: &str,
    columns: usize,
    rows: impl ExactSizeIterator<Item = Vec<Value>>,
    tail: &str,
) -> Result<(), DbError> {
    let arrays = db.get_database_backend() == DatabaseBackend::Postgres;
    let most = if arrays {
        MOST_ROWS
    } else {
        MOST_VALUES.checked_div(columns).unwrap_or(1).clamp(1, 2_000)
    };
    let mut rows = rows;
    loop {
        let some: Vec<Vec<Value>> = rows.by_ref().take(most).collect();
        if some.is_empty() {
            return Ok(());
        }
        match arrays.then(|| column_types(&some)).flatten() {
            Some(types) => {
                let text = format!("{head} select * from unnest{} {tail}", list_of(columns));
                execute(db, &text, transposed(types, some)).await?;
            }
            None => insert_tuples(db, head, columns, some, tail).await?,
        }
    }
}

async fn insert_tuples<C: ConnectionTrait>(
    db: &C,
    head: &str,
    columns: usize,
    rows: Vec<Vec<Value>>,
    tail: &str,
) -> Result<(), DbError> {
    let most = MOST_VALUES.checked_div(columns).unwrap_or(1).max(1);
    let tuple = list_of(columns);
    let mut rows = rows.into_iter();
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

/// What each column is made of; `None` where a value is null or of no kind that goes as an array.
fn column_types(rows: &[Vec<Value>]) -> Option<Vec<ArrayType>> {
    if !rows.iter().flatten().all(is_there) {
        return None;
    }
    rows.first()?.iter().map(array_type).collect()
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Bool(value) => value.is_some(),
        Value::SmallInt(value) => value.is_some(),
        Value::Int(value) => value.is_some(),
        Value::BigInt(value) => value.is_some(),
        Value::String(value) => value.is_some(),
        Value::Bytes(value) => value.is_some(),
        Value::Json(value) => value.is_some(),
        Value::Uuid(value) => value.is_some(),
        Value::ChronoDate(value) => value.is_some(),
        Value::ChronoDateTimeUtc(value) => value.is_some(),
        _ => false,
    }
}

fn array_type(value: &Value) -> Option<ArrayType> {
    Some(match value {
        Value::Bool(_) => ArrayType::Bool,
        Value::SmallInt(_) => ArrayType::SmallInt,
        Value::Int(_) => ArrayType::Int,
        Value::BigInt(_) => ArrayType::BigInt,
        Value::String(_) => ArrayType::String,
        Value::Bytes(_) => ArrayType::Bytes,
        Value::Json(_) => ArrayType::Json,
        Value::Uuid(_) => ArrayType::Uuid,
        Value::ChronoDate(_) => ArrayType::ChronoDate,
        Value::ChronoDateTimeUtc(_) => ArrayType::ChronoDateTimeUtc,
        _ => return None,
    })
}

fn transposed(types: Vec<ArrayType>, rows: Vec<Vec<Value>>) -> Vec<Value> {
    let mut columns: Vec<Vec<Value>> = types.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let arrays = types.into_iter().zip(columns);
    arrays
        .map(|(of, column)| Value::Array(of, Some(Box::new(column))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "select a from b where c = ? and d in ? and e > ?";

    #[test]
    fn values_are_numbered_for_postgres() {
        let values = vec![1.into(), list([7_i32, 8]), 2.into()];
        let asked = statement(DatabaseBackend::Postgres, TEXT, values);
        assert_eq!(asked.sql, "select a from b where c = $1 and d = any($2) and e > $3");
        assert_eq!(asked.values.unwrap().0.len(), 3);
        assert_eq!(numbered("select 1", &[]), "select 1");
    }

    #[test]
    fn lists_are_spread_for_sqlite() {
        let asked = statement(
            DatabaseBackend::Sqlite,
            TEXT,
            vec![1.into(), list([7_i32, 8]), 2.into()],
        );
        assert_eq!(asked.sql, "select a from b where c = ? and d in (?, ?) and e > ?");
        assert_eq!(asked.values.unwrap().0, [1.into(), 7.into(), 8.into(), 2.into()]);
        let (text, values) = spread("select a from b where c in ?", vec![list::<i32>([])]);
        assert_eq!((text.as_str(), values.len()), ("select a from b where c in (null)", 0));
    }

    #[test]
    fn a_null_goes_as_a_tuple() {
        let row = |id: Option<i32>| vec![Value::from("a"), id.into()];
        assert_eq!(
            column_types(&[row(Some(1))]),
            Some(vec![ArrayType::String, ArrayType::Int])
        );
        assert_eq!(column_types(&[row(Some(1)), row(None)]), None);
        let columns = transposed(
            vec![ArrayType::String, ArrayType::Int],
            vec![row(Some(1)), row(Some(2))],
        );
        assert_eq!(columns.get(1), Some(&list([1, 2])));
    }
}
