//! Several questions in one statement: a way to the database costs both sides as much as a short question itself.

use std::array;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, TryGetable, Value};

use super::DbError;
use super::sql::rows;

/// A column: what is asked for, and the type that PostgreSQL knows it by.
pub(super) type Column = (&'static str, &'static str);

/// A question, one of several.
pub(super) struct Question {
    /// What is asked for.
    pub(super) columns: Vec<Column>,
    /// Of what: all behind the columns.
    pub(super) from: String,
    /// The values in it.
    pub(super) values: Vec<Value>,
    /// By which of the columns its rows are sorted.
    pub(super) order: &'static [usize],
}

/// A row of an answer.
pub(super) struct Answer {
    row: QueryResult,
    begins: usize,
}

impl Answer {
    /// What stands in a column of the question.
    pub(super) fn get<T: TryGetable>(&self, column: usize) -> Result<T, DbErr> {
        self.row.try_get_by_index(self.begins.saturating_add(column))
    }
}

/// A row of a question that was asked alone.
impl From<QueryResult> for Answer {
    fn from(row: QueryResult) -> Self {
        Self { row, begins: 0 }
    }
}

/// The names of columns, for a question that is asked alone.
pub(super) fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// The rows of each question, in its order; to what is not asked there are none. Each question has columns of its own, which
/// are null in the rows of the others.
pub(super) async fn ask<C: ConnectionTrait, const N: usize>(
    db: &C,
    questions: [Option<Question>; N],
) -> Result<[Vec<Answer>; N], DbError> {
    let mut answers = array::from_fn(|_| Vec::new());
    let asked: Vec<(usize, Question)> = questions
        .into_iter()
        .enumerate()
        .filter_map(|(nth, question)| Some((nth, question?)))
        .collect();
    if asked.is_empty() {
        return Ok(answers);
    }
    let Statement { text, values, begins } = together(asked);
    for row in rows(db, &text, values).await? {
        let nth: i32 = row.try_get_by_index(0)?;
        let nth = usize::try_from(nth).ok();
        let of = nth.and_then(|nth| Some((answers.get_mut(nth)?, *begins.get(nth)?)));
        let (of, begins) = of.ok_or(DbError::Unreadable { column: "question" })?;
        of.push(Answer { row, begins });
    }
    Ok(answers)
}

struct Statement {
    text: String,
    values: Vec<Value>,
    /// In which column each question begins; the first holds which question a row answers.
    begins: Vec<usize>,
}

fn together(asked: Vec<(usize, Question)>) -> Statement {
    let nulls: Vec<Vec<String>> = asked
        .iter()
        .map(|(_, question)| {
            question
                .columns
                .iter()
                .map(|(_, of)| format!("cast(null as {of})"))
                .collect()
        })
        .collect();
    let mut order = vec!["1".to_owned()];
    let (mut parts, mut values, mut begins) = (Vec::new(), Vec::new(), Vec::new());
    let mut column = 1_usize;
    for (place, (nth, question)) in asked.into_iter().enumerate() {
        let own = question.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let all = nulls
            .iter()
            .enumerate()
            .flat_map(|(other, nulls)| if other == place { &own } else { nulls });
        let all: Vec<&str> = all.map(String::as_str).collect();
        parts.push(format!("select {nth}, {} {}", all.join(", "), question.from));
        values.extend(question.values);
        // Columns are counted from one where rows are sorted, and from nought where they are read.
        let sorted = question
            .order
            .iter()
            .map(|own| column.saturating_add(*own).saturating_add(1));
        order.extend(sorted.map(|number| number.to_string()));
        begins.resize(nth.saturating_add(1), column);
        column = column.saturating_add(question.columns.len());
    }
    let text = format!("{} order by {}", parts.join(" union all "), order.join(", "));
    Statement { text, values, begins }
}

#[cfg(test)]
mod tests {
    use super::*;

    // By hand.
    #[test]
    fn each_question_has_its_own_columns() {
        let one = Question {
            columns: vec![("a.id", "uuid"), ("a.at", "timestamptz")],
            from: "from a where a.b = ?".to_owned(),
            values: vec![1.into()],
            order: &[1, 0],
        };
        let other = Question {
            columns: vec![("c.text", "text")],
            from: "from c where c.d = ?".to_owned(),
            values: vec![2.into()],
            order: &[0],
        };
        let asked = together(vec![(0, one), (2, other)]);
        assert_eq!(
            asked.text,
            "select 0, a.id, a.at, cast(null as text) from a where a.b = ? union all \
             select 2, cast(null as uuid), cast(null as timestamptz), c.text from c where c.d = ? order by 1, 3, 2, 4"
        );
        assert_eq!(asked.values, [1.into(), 2.into()]);
        assert_eq!((asked.begins[0], asked.begins[2]), (1, 3));
    }
}
