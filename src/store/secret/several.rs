//! Several questions in one statement: a way to the database costs both sides as much as a short question itself.

use std::array;
use std::sync::Arc;

use hub_entities::id::ClbId;
use sea_orm::{QueryResult, TryGetable};

use super::SecretDb;
use crate::store::DbError;
use crate::store::asked::Words;

/// A column: what is asked for, and the type that PostgreSQL knows it by.
pub(super) type Column = (&'static str, &'static str);

/// A question, one of several.
pub(super) struct Question {
    /// What is asked for.
    pub(super) columns: Vec<Column>,
    /// Of what: all behind the columns.
    pub(super) from: Words,
}

/// A row of an answer.
pub(super) struct Answer {
    row: QueryResult,
    /// Where each column of the question stands; one that was asked alone has its own.
    places: Option<Arc<[usize]>>,
}

impl Answer {
    /// What stands in a column of the question.
    pub(super) fn get<T: TryGetable>(&self, column: usize) -> Result<T, DbError> {
        let place = self
            .places
            .as_ref()
            .map_or(Some(column), |places| places.get(column).copied());
        let place = place.ok_or(DbError::Unreadable { column: "question" })?;
        Ok(self.row.try_get_by_index(place)?)
    }
}

/// A row of a question that was asked alone.
impl From<QueryResult> for Answer {
    fn from(row: QueryResult) -> Self {
        Self { row, places: None }
    }
}

/// The names of columns, for a question that is asked alone.
pub(super) fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// The rows of each question to this CLB, in no order; to what is not asked there are none. `with` is said before them all.
pub(super) async fn ask<const N: usize>(
    apart: &SecretDb,
    clb: ClbId,
    with: Words,
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
    let words = std::iter::once(&with).chain(asked.iter().map(|(_, question)| &question.from));
    let (shape, values) = apart.shapes.of(words, pieces(&with, &asked), || {
        let (text, places) = together(&asked);
        (format!("{}{text}", with.pieces().concat()), places)
    });
    for row in apart.ask(clb, (Arc::clone(&shape), values)).await? {
        let nth: i32 = row.try_get_by_index(0)?;
        let nth = usize::try_from(nth).ok();
        let of = nth.and_then(|nth| Some((answers.get_mut(nth)?, shape.places.get(nth)?)));
        let (of, places) = of.ok_or(DbError::Unreadable { column: "question" })?;
        of.push(Answer {
            row,
            places: Some(Arc::clone(places)),
        });
    }
    Ok(answers)
}

/// All that their text is made of.
fn pieces(with: &Words, asked: &[(usize, Question)]) -> Vec<&'static str> {
    let mut all = Vec::with_capacity(128);
    all.extend(with.pieces());
    for (nth, question) in asked {
        // Each in its place, behind those that are not asked.
        all.resize(all.len().saturating_add(*nth), "");
        all.push("select");
        all.extend(question.columns.iter().map(|(name, _)| *name));
        all.extend(question.from.pieces());
    }
    all
}

/// Each column of a question stands in the next place of its type, whichever question had that before: the server makes
/// ready for every column of a statement before it looks for a row.
fn together(asked: &[(usize, Question)]) -> (String, Vec<Arc<[usize]>>) {
    let mut types: Vec<&'static str> = Vec::new();
    let mut of_each: Vec<Vec<Option<&'static str>>> = Vec::with_capacity(asked.len());
    let mut places: Vec<Arc<[usize]>> = Vec::new();
    for (nth, question) in asked {
        let mut own: Vec<Option<&'static str>> = vec![None; types.len()];
        let at = question.columns.iter().map(|(name, of)| {
            let mut free = types.iter().zip(&own);
            let place = free.position(|(known, taken)| known == of && taken.is_none());
            let place = place.unwrap_or_else(|| {
                types.push(of);
                own.push(None);
                types.len().saturating_sub(1)
            });
            if let Some(place) = own.get_mut(place) {
                *place = Some(name);
            }
            place.saturating_add(1)
        });
        let at: Arc<[usize]> = at.collect();
        places.resize(*nth, Arc::default());
        places.push(at);
        of_each.push(own);
    }
    let parts: Vec<String> = asked
        .iter()
        .zip(of_each)
        .map(|((nth, question), own)| {
            let mut text = format!("select {nth}");
            let own = own.into_iter().chain(std::iter::repeat(None));
            for (of, name) in types.iter().zip(own) {
                match name {
                    Some(name) => text.extend([", ", name]),
                    None => text.extend([", cast(null as ", of, ")"]),
                }
            }
            text.push(' ');
            text.extend(question.from.pieces().iter().copied());
            text
        })
        .collect();
    (parts.join(" union all "), places)
}

#[cfg(test)]
mod tests {
    use super::*;

    // By hand.
    #[test]
    fn a_column_stands_in_a_place_of_its_type() {
        let one = Question {
            columns: vec![("a.id", "uuid"), ("a.at", "timestamptz"), ("a.of", "uuid")],
            from: Words::default().say("from a where a.b = ?"),
        };
        let other = Question {
            columns: vec![("c.text", "text"), ("c.by", "uuid")],
            from: Words::default().say("from c where ").say("c.d = ?"),
        };
        let (text, places) = together(&[(0, one), (2, other)]);
        assert_eq!(
            text,
            "select 0, a.id, a.at, a.of, cast(null as text) from a where a.b = ? union all \
             select 2, c.by, cast(null as timestamptz), cast(null as uuid), c.text from c where c.d = ?"
        );
        assert_eq!(
            places.iter().map(|at| at.to_vec()).collect::<Vec<_>>(),
            [vec![1, 2, 3], vec![], vec![4, 1]]
        );
    }
}
