//! The fields of an answer in the order of the question (GraphQL specification §7.2.2).
//!
//! The library runs sibling fields at once and writes each down as it comes to its end, so their order
//! would tell how long each took.

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};

/// The response keys of one selection in order, each with those below it.
#[derive(Debug, Default)]
struct Keys(Vec<(Name, Self)>);

impl Keys {
    /// Adds a selection; a key that is there already keeps its place and gets what is new below it.
    fn add(&mut self, document: &ExecutableDocument, selected: &SelectionSet) {
        for selection in &selected.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = &field.node.response_key().node;
                    let place = self.0.iter().position(|(known, _)| known == name);
                    let place = place.unwrap_or(self.0.len());
                    if place == self.0.len() {
                        self.0.push((name.clone(), Self::default()));
                    }
                    if let Some((_, below)) = self.0.get_mut(place) {
                        below.add(document, &field.node.selection_set.node);
                    }
                }
                Selection::InlineFragment(fragment) => self.add(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    fn place(&self, name: &Name) -> usize {
        let place = self.0.iter().position(|(key, _)| key == name);
        place.unwrap_or(self.0.len())
    }

    fn arrange(&self, value: &mut Value) {
        match value {
            Value::List(all) => all.iter_mut().for_each(|one| self.arrange(one)),
            Value::Object(fields) => {
                // Most come in order already: then a look along both is enough.
                let asked = self.0.iter().map(|(name, _)| name);
                if fields.keys().eq(asked) {
                    let below = self.0.iter().zip(fields.values_mut());
                    for ((_, below), value) in below.filter(|((_, below), _)| !below.0.is_empty()) {
                        below.arrange(value);
                    }
                    return;
                }
                if !fields.keys().is_sorted_by_key(|name| self.place(name)) {
                    fields.sort_by_cached_key(|name, _| self.place(name));
                }
                for (name, below) in &self.0 {
                    if !below.0.is_empty()
                        && let Some(value) = fields.get_mut(name)
                    {
                        below.arrange(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Puts the fields of an answer in the order of the operation that was asked. The document has been
/// validated: a fragment does not spread itself.
pub(crate) fn arrange(document: &ExecutableDocument, operation: Option<&str>, data: &mut Value) {
    let asked = match (&document.operations, operation) {
        (DocumentOperations::Single(only), _) => Some(only),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(_), None) => None,
    };
    if let Some(asked) = asked {
        let mut keys = Keys::default();
        keys.add(document, &asked.node.selection_set.node);
        keys.arrange(data);
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn arranged(question: &str, operation: Option<&str>, data: &str) -> String {
        let mut data: Value = serde_json::from_str(data).unwrap();
        arrange(&parse_query(question).unwrap(), operation, &mut data);
        serde_json::to_string(&data).unwrap()
    }

    #[test]
    fn fields_come_in_the_order_of_the_question_at_every_level() {
        let question = "{ b { y x: z } ...F c: d { ... on T { q } p } b { w } } fragment F on Query { a }";
        let data = r#"{"c":[{"p":1,"q":2},null],"a":1,"b":{"w":1,"x":2,"y":3}}"#;
        let expected = r#"{"b":{"y":3,"x":2,"w":1},"a":1,"c":[{"q":2,"p":1},null]}"#;
        assert_eq!(arranged(question, None, data), expected);
    }

    #[test]
    fn of_several_operations_the_one_that_was_asked_counts() {
        let question = "query one { a b } query two { b a }";
        assert_eq!(arranged(question, Some("two"), r#"{"a":1,"b":2}"#), r#"{"b":2,"a":1}"#);
        assert_eq!(arranged(question, Some("one"), r#"{"b":1,"a":2}"#), r#"{"a":2,"b":1}"#);
    }
}
