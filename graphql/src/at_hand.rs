//! Rows that are answered in one go.
//!
//! async-graphql makes a future of every field of every row, whether there is anything to wait for or not. In a page of
//! 200 half-days those 1,400 futures cost more than reading the rows. A row that has its values at hand gives them
//! here one after the other; what a field is, who may ask for it and whether a document is valid stays the schema's.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{Display, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerError, ServerResult, Value, registry};
use chrono::NaiveDate;

use crate::scalar::{Day, Gid, Year};

/// A row that can have all its values at hand.
pub(crate) trait AtHand: OutputType {
    /// Fetches what is selected of this row and of its siblings, the other rows of its list, at once. `false` where
    /// something must be waited for row by row, or could not be had: then each is resolved as any other object.
    fn fetch(
        &self,
        _context: &ContextSelectionSet<'_>,
        _of: &Positioned<SelectionSet>,
    ) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    /// The value of one field, after it was fetched.
    fn value<'a>(&self, asking: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value>;
}

/// A list of such rows, which are siblings; in the schema it is a list as any other.
#[derive(Debug, Clone)]
pub struct Rows<T>(pub(crate) Arc<Vec<T>>);

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self(Arc::new(rows))
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

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

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match self.0.first() {
            Some(first) if !first.fetch(context, context.item).await => {
                resolve_list(context, field, self.0.iter(), Some(self.0.len())).await
            }
            _ => Asking::new(context).list(context.item, &self.0),
        }
    }
}

/// One such row; in the schema it is an object as any other.
#[derive(Debug, Clone)]
pub(crate) struct Row<T>(pub(crate) T);

impl<T: AtHand> OutputType for Row<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if self.0.fetch(context, context.item).await {
            Asking::new(context).object(context.item, &self.0)
        } else {
            self.0.resolve(context, field).await
        }
    }
}

/// The fields selected of a row, those in fragments too.
pub(crate) fn selected<'a>(
    context: &ContextSelectionSet<'a>,
    of: &'a Positioned<SelectionSet>,
    found: &mut Vec<&'a Positioned<Field>>,
) {
    for selection in &of.node.items {
        match &selection.node {
            Selection::Field(field) => found.push(field),
            Selection::InlineFragment(inline) => selected(context, &inline.node.selection_set, found),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = context.query_env.fragments.get(&spread.node.fragment_name.node) {
                    selected(context, &fragment.node.selection_set, found);
                }
            }
        }
    }
}

/// Fetches what is selected of a row that stands below a field of another.
pub(crate) async fn fetch_below<T: AtHand>(
    row: &T,
    name: &str,
    context: &ContextSelectionSet<'_>,
    of: &Positioned<SelectionSet>,
) -> bool {
    let mut fields = Vec::new();
    selected(context, of, &mut fields);
    for field in fields {
        if field.node.name.node == name && !row.fetch(context, &field.node.selection_set).await {
            return false;
        }
    }
    true
}

/// A row that has no such value: its list of fields is not that of the schema. The tests ask for every field.
pub(crate) fn missing(field: &Positioned<Field>) -> ServerError {
    let error: async_graphql::Error = crate::problem::Problem::Unavailable.into();
    error.into_server_error(field.pos)
}

/// A value that is answered as it stands.
pub(crate) trait Leaf {
    /// As it is answered.
    fn leaf(&self) -> Value;
}

impl Leaf for String {
    fn leaf(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Leaf for i32 {
    fn leaf(&self) -> Value {
        (*self).into()
    }
}

impl Leaf for NaiveDate {
    fn leaf(&self) -> Value {
        // As long as it will be: it is written digit by digit.
        let mut text = String::with_capacity("2026-09-01".len());
        let written = write!(text, "{self}");
        debug_assert!(written.is_ok(), "a text takes whatever is written");
        Value::String(text)
    }
}

impl Leaf for Day {
    fn leaf(&self) -> Value {
        self.0.leaf()
    }
}

impl Leaf for Year {
    fn leaf(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl<T: Display> Leaf for Gid<T> {
    fn leaf(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl<T: Leaf> Leaf for Option<T> {
    fn leaf(&self) -> Value {
        self.as_ref().map_or(Value::Null, Leaf::leaf)
    }
}

/// The rows of one answer, and what is selected of them: worked out once for each selection, not for each row.
pub(crate) struct Asking<'a, 'b> {
    /// Where it is asked.
    pub(crate) context: &'b ContextSelectionSet<'a>,
    shapes: RefCell<Vec<(&'a SelectionSet, Rc<Shape<'a>>)>>,
}

/// What a row looks like that answers one selection.
struct Shape<'a> {
    fields: Vec<&'a Positioned<Field>>,
    /// An answer whose values are still to come, where no field is asked for twice.
    blank: Option<IndexMap<Name, Value>>,
}

impl<'a, 'b> Asking<'a, 'b> {
    fn new(context: &'b ContextSelectionSet<'a>) -> Self {
        let shapes = RefCell::default();
        Self { context, shapes }
    }

    fn shape(&self, of: &'a Positioned<SelectionSet>) -> Rc<Shape<'a>> {
        let mut shapes = self.shapes.borrow_mut();
        if let Some((_, known)) = shapes.iter().find(|(set, _)| std::ptr::eq(*set, &raw const of.node)) {
            return Rc::clone(known);
        }
        let mut fields = Vec::new();
        selected(self.context, of, &mut fields);
        let places = fields.iter().map(|field| (key(field), Value::Null));
        let blank = Some(places.collect::<IndexMap<_, _>>()).filter(|blank| blank.len() == fields.len());
        let shape = Rc::new(Shape { fields, blank });
        shapes.push((&of.node, Rc::clone(&shape)));
        shape
    }

    /// What is selected of each row, after it was fetched.
    pub(crate) fn list<T: AtHand>(&self, of: &'a Positioned<SelectionSet>, rows: &[T]) -> ServerResult<Value> {
        let rows = rows.iter().map(|row| self.object(of, row));
        Ok(Value::List(rows.collect::<ServerResult<_>>()?))
    }

    /// What is selected of one row.
    pub(crate) fn object<T: AtHand>(&self, of: &'a Positioned<SelectionSet>, row: &T) -> ServerResult<Value> {
        let shape = self.shape(of);
        let value = |field: &'a Positioned<Field>| match field.node.name.node.as_str() {
            "__typename" => Ok(Value::String(T::type_name().into_owned())),
            _ => row.value(self, field),
        };
        let mut answer = shape.blank.clone().unwrap_or_default();
        if shape.blank.is_some() {
            for (place, field) in answer.values_mut().zip(&shape.fields) {
                *place = value(field)?;
            }
        } else {
            for field in &shape.fields {
                put(&mut answer, key(field), value(field)?);
            }
        }
        Ok(Value::Object(answer))
    }
}

fn key(field: &Positioned<Field>) -> Name {
    field.node.response_key().node.clone()
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
