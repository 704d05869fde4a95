//! Statements, written once: `?` stands for the next value, on both databases.

use sea_orm::{DatabaseBackend, Statement, Value};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_for_postgres() {
        assert_eq!(
            numbered("select a from b where c = ? and d in (?, ?)"),
            "select a from b where c = $1 and d in ($2, $3)"
        );
        assert_eq!(numbered("select 1"), "select 1");
        assert_eq!(list_of(0), "(null)");
        assert_eq!(list_of(2), "(?, ?)");
    }
}
