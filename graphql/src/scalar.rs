//! Ids and school years as they stand in an answer.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;

use async_graphql::parser::types::Field;
use async_graphql::{
    ContextSelectionSet, ID, InputType, InputValueError, InputValueResult, Name, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value, registry,
};
use chrono::NaiveDate;
use hub_entities::time::SchoolYear;

/// An id of ours as GraphQL's `ID`: typed here, prefixed outside (`pup_…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gid<T>(pub T);

impl<T: Display + Send + Sync> OutputType for Gid<T> {
    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::String(self.0.to_string()))
    }
}

/// A date in a long list: the library's own scalar looks its format up again for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub NaiveDate);

impl OutputType for Day {
    fn type_name() -> Cow<'static, str> {
        <NaiveDate as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <NaiveDate as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::String(self.0.to_string()))
    }
}

/// A text that stands in many rows of a list: made once, and shared by them. `S` is what it is in the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Often<S>(Name, PhantomData<fn() -> S>);

impl<S> From<&str> for Often<S> {
    fn from(text: &str) -> Self {
        Self(Name::new(text), PhantomData)
    }
}

impl<S> Often<S> {
    /// As it is answered. A name is the only shared text that the library has; it is written as any other.
    pub(crate) fn shared(&self) -> Value {
        Value::Enum(self.0.clone())
    }
}

impl<S: InputType> OutputType for Often<S> {
    fn type_name() -> Cow<'static, str> {
        <S as InputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <S as InputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.shared())
    }
}

/// A school year (schooljaar), such as `2026-2027`: 1 September to 31 August.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Year(pub SchoolYear);

/// A school year (schooljaar), such as `2026-2027`: 1 September to 31 August.
#[Scalar(name = "SchoolYear")]
impl ScalarType for Year {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => text
                .parse()
                .map(Self)
                .map_err(|_wrong| InputValueError::custom("a school year looks like `2026-2027`")),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The id of any noun, where one field gives several kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId(String);

impl<T: Display> From<&Gid<T>> for NodeId {
    fn from(id: &Gid<T>) -> Self {
        Self(id.0.to_string())
    }
}

impl OutputType for NodeId {
    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::String(self.0.clone()))
    }
}
