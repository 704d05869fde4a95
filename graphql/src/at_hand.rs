//! Lists whose rows are all there: answered in one go.
//!
//! async-graphql makes a future of every field of every row, whether there is anything to wait for or not. In a page of
//! 200 half-days those 1,400 futures cost more than reading the rows. A row that has its values at hand gives them
//! here one after the other; what a field is, who may ask for it and whether a document is valid stays the schema's.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value, registry};

/// A row with all its values at hand.
pub(crate) trait AtHand: OutputType {
    /// The value of one field of it. The document is valid, so the field is one of its own.
    fn value(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value>;
}

/// A list of such rows; in the schema it is a list as any other.
#[derive(Debug, Clone)]
pub struct Rows<T>(pub(crate) Vec<T>);

impl<T: AtHand> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        let rows = self.0.iter().map(|row| object(context, context.item, row));
        Ok(Value::List(rows.collect::<ServerResult<_>>()?))
    }
}

/// What is selected of one row.
pub(crate) fn object<T: AtHand>(
    context: &ContextSelectionSet<'_>,
    of: &Positioned<SelectionSet>,
    row: &T,
) -> ServerResult<Value> {
    let mut answer = IndexMap::with_capacity(of.node.items.len());
    select(context, of, row, &mut answer)?;
    Ok(Value::Object(answer))
}

fn select<T: AtHand>(
    context: &ContextSelectionSet<'_>,
    of: &Positioned<SelectionSet>,
    row: &T,
    answer: &mut IndexMap<Name, Value>,
) -> ServerResult<()> {
    for selection in &of.node.items {
        match &selection.node {
            Selection::Field(field) => {
                let value = if field.node.name.node == "__typename" {
                    Value::String(T::type_name().into_owned())
                } else {
                    row.value(context, field)?
                };
                put(answer, field.node.response_key().node.clone(), value);
            }
            // A row is of one type, and a valid document spreads nothing else over it.
            Selection::InlineFragment(fragment) => select(context, &fragment.node.selection_set, row, answer)?,
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = context.query_env.fragments.get(&spread.node.fragment_name.node) {
                    select(context, &fragment.node.selection_set, row, answer)?;
                }
            }
        }
    }
    Ok(())
}

/// A field that was asked for twice holds what was asked for in either place.
fn put(answer: &mut IndexMap<Name, Value>, key: Name, value: Value) {
    match answer.entry(key) {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(mut place) => {
            if let (Value::Object(before), Value::Object(more)) = (place.get_mut(), value) {
                for (key, value) in more {
                    put(before, key, value);
                }
            }
        }
    }
}
