//! Statements, written once: `?` stands for the next value, on both databases, and `in ?` for the next list.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use sea_orm::sea_query::{ArrayType, ValueType};
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement, Value};
use serde_json::Value as Json;

use super::DbError;

/// From so many keys on PostgreSQL looks each of them up. Otherwise it may compare every row with all of them: a plan that
/// was made while a table was empty, and is kept while it fills, does.
const LOOKED_UP: usize = 100;

/// A statement and its values. `?` becomes `$1`, `$2` … on PostgreSQL. A [`list`] after `in` becomes one array there, and
/// elsewhere as many values, the last one repeated up to a power of two: whatever the length of a list, a statement has one
/// text or a few, and each stays prepared.
///
/// A list of one is that one on PostgreSQL: an index is then searched by it under any plan. One that was made while the
/// table was empty may read every row before the array and compare it with that.
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
            Some(Value::Array(_, Some(all))) if all.len() == 1 && before.ends_with("in ") => {
                out.push_str(before.strip_suffix("in ").unwrap_or(before));
                given.extend(*all);
                out.push_str("= $");
                out.push_str(&given.len().to_string());
            }
            value => {
                let is_list = matches!(value, Some(Value::Array(..)));
                let are_keys = matches!(&value, Some(Value::Array(ArrayType::String | ArrayType::Bytes, Some(all)))
                    if all.len() >= LOOKED_UP);
                given.extend(value);
                let number = given.len();
                let (before, place) = match before.strip_suffix("in ") {
                    Some(_) if are_keys => (before, format!("(select unnest(${number}))")),
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

/// The values of `in ?`, one after the other.
pub(super) fn list_from<T: Into<Value> + ValueType>(of: impl IntoIterator<Item = T>) -> Value {
    let values = of.into_iter().map(Into::into).collect();
    Value::Array(T::array_type(), Some(Box::new(values)))
}

/// The values of `in ?`.
pub(super) fn list<T: Copy + Into<Value> + ValueType>(of: &[T]) -> Value {
    list_from(of.iter().copied())
}

/// `(?, ?, ?)` for so many values; none matches nothing.
fn list_of(count: usize) -> String {
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

/// The most rows one statement carries as columns.
const MOST_ROWS: usize = 10_000;

/// Many rows in as few statements as the databases take: `head` is `insert into … (…)`, or the beginning of a statement
/// in which they are a table.
///
/// On PostgreSQL rows without nulls go as one array a column, and others as one document: planning a list of thousands of
/// tuples costs it more than inserting them. One row that is inserted goes as itself.
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
        // What is only a table there has no columns that tell of what kind its values are.
        let alone = some.len() == 1 && head.starts_with("insert into ");
        if !arrays || alone {
            insert_tuples(db, head, columns, some, tail).await?;
        } else if let Some(types) = column_types(&some) {
            let text = format!("{head} select * from unnest{} {tail}", list_of(columns));
            execute(db, &text, transposed(types, some)).await?;
        } else if let Some((types, document)) = document(&some)? {
            let text = format!("{head} select * from json_to_recordset(?::json) as said ({types}) {tail}");
            execute(db, &text, vec![document.into()]).await?;
        } else {
            insert_tuples(db, head, columns, some, tail).await?;
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
    // By powers of two: whatever their number, the statement has few texts, and each stays prepared.
    while let Some(power) = rows.len().min(most).checked_ilog2() {
        let count = 1 << power;
        let values: Vec<Value> = rows.by_ref().take(count).flatten().collect();
        let text = format!("{head} values {} {tail}", vec![tuple.as_str(); count].join(", "));
        execute(db, &text, values).await?;
    }
    Ok(())
}

/// What each column is made of; `None` where a value is null or of no kind that goes as an array.
fn column_types(rows: &[Vec<Value>]) -> Option<Vec<ArrayType>> {
    if !rows.iter().flatten().all(is_there) {
        return None;
    }
    rows.first()?.iter().map(array_type).collect()
}

/// Rows as a document of PostgreSQL, and the columns in it with their types; `None` where one is of no kind that goes so.
fn document(rows: &[Vec<Value>]) -> Result<Option<(String, String)>, DbError> {
    let columns = rows.first().into_iter().flatten().enumerate();
    let typed = columns.map(|(place, value)| Some(format!("c{place} {}", type_name(&array_type(value)?)?)));
    let Some(types) = typed.collect::<Option<Vec<String>>>() else {
        return Ok(None);
    };
    let names: Vec<String> = (0..types.len()).map(|place| format!("c{place}")).collect();
    let row = |row: &Vec<Value>| -> BTreeMap<String, Json> {
        let values = names.iter().zip(row);
        let there = values.filter(|(_, value)| is_there(value));
        there.map(|(name, value)| (name.clone(), json_of(value))).collect()
    };
    let document = serde_json::to_string(&rows.iter().map(row).collect::<Vec<_>>());
    let document = document.map_err(|fault| sea_orm::DbErr::Json(fault.to_string()))?;
    Ok(Some((types.join(", "), document)))
}

/// How PostgreSQL calls it.
const fn type_name(of: &ArrayType) -> Option<&'static str> {
    Some(match of {
        ArrayType::Bool => "boolean",
        ArrayType::SmallInt => "smallint",
        ArrayType::Int => "integer",
        ArrayType::BigInt => "bigint",
        ArrayType::String => "text",
        ArrayType::Bytes => "bytea",
        ArrayType::Json => "jsonb",
        ArrayType::Uuid => "uuid",
        ArrayType::ChronoDate => "date",
        ArrayType::ChronoDateTimeUtc => "timestamptz",
        _ => return None,
    })
}

/// A value as PostgreSQL reads it back into its type.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Bool(Some(value)) => (*value).into(),
        Value::SmallInt(Some(value)) => (*value).into(),
        Value::Int(Some(value)) => (*value).into(),
        Value::BigInt(Some(value)) => (*value).into(),
        Value::String(Some(value)) => value.as_str().into(),
        Value::Bytes(Some(value)) => {
            let digits = value.iter().fold(String::from("\\x"), |mut digits, byte| {
                for half in [byte >> 4, byte & 0x0F] {
                    digits.extend(char::from_digit(u32::from(half), 16));
                }
                digits
            });
            digits.into()
        }
        Value::Json(Some(value)) => (**value).clone(),
        Value::Uuid(Some(value)) => value.to_string().into(),
        Value::ChronoDate(Some(value)) => value.to_string().into(),
        Value::ChronoDateTimeUtc(Some(value)) => value.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
        _ => Json::Null,
    }
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

    #[test]
    fn a_list_is_one_value_for_postgres_and_few_texts_elsewhere() {
        let of = |backend, ids: &[i32]| {
            let text = "select a from b where c in ? and d = ? and e in (?, ?)";
            let values = vec![list(ids), 7.into(), 8.into(), 9.into()];
            let made = statement(backend, text, values);
            (made.sql, made.values.map_or(0, |values| values.0.len()))
        };
        let many = "select a from b where c = any($1) and d = $2 and e in ($3, $4)".to_owned();
        for ids in [&[][..], &[1, 2, 3]] {
            assert_eq!(of(DatabaseBackend::Postgres, ids), (many.clone(), 4));
        }
        let one = "select a from b where c = $1 and d = $2 and e in ($3, $4)".to_owned();
        assert_eq!(of(DatabaseBackend::Postgres, &[1]), (one, 4));
        let keys: Vec<String> = (0..100).map(|key: u8| key.to_string()).collect();
        let asked = |keys: &[String]| {
            let keys = list_from(keys.iter().cloned());
            statement(DatabaseBackend::Postgres, "select a from b where c in ?", vec![keys]).sql
        };
        assert_eq!(asked(&keys), "select a from b where c in (select unnest($1))");
        assert_eq!(asked(&keys[1..]), "select a from b where c = any($1)");
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

    #[test]
    fn a_null_goes_in_a_document() {
        let row = |id: Option<i32>| vec![Value::from("a"), id.into()];
        assert_eq!(
            column_types(&[row(Some(1))]),
            Some(vec![ArrayType::String, ArrayType::Int])
        );
        let some = [row(Some(1)), row(None)];
        assert_eq!(column_types(&some), None);
        let expected = ("c0 text, c1 integer", r#"[{"c0":"a","c1":1},{"c0":"a"}]"#);
        let (types, text) = document(&some).unwrap().unwrap();
        assert_eq!((types.as_str(), text.as_str()), expected);
        let bytes = Value::from(vec![0x00_u8, 0x9F, 0xFA]);
        assert_eq!(json_of(&bytes), "\\x009ffa");
        let columns = transposed(
            vec![ArrayType::String, ArrayType::Int],
            vec![row(Some(1)), row(Some(2))],
        );
        assert_eq!(columns.get(1), Some(&list(&[1, 2])));
    }
}
