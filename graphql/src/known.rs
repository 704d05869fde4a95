//! Documents that were found valid before.
//!
//! Whether a document fits a schema follows from the two alone, but for the values of its variables; a front-end sends the
//! same few documents all day, and to find them valid each time is a fifth of what a small question costs. So the rules
//! run once for each document and realm; after that only values are looked at, and where those are more than a plain scalar
//! of just the type that the document declares, the rules run again.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_graphql::parser::types::{BaseType, DocumentOperations, ExecutableDocument, OperationDefinition, Type};
use async_graphql::{Request, Value};
use hub_entities::operation::Realm;

/// A document that was read, and where it was found valid. Goes with a request as its data.
#[derive(Debug)]
pub struct Known {
    document: ExecutableDocument,
    valid: AtomicU8,
}

impl Known {
    /// A document of which nothing is known yet.
    pub const fn new(document: ExecutableDocument) -> Self {
        let valid = AtomicU8::new(0);
        Self { document, valid }
    }

    /// What it says.
    pub const fn document(&self) -> &ExecutableDocument {
        &self.document
    }

    /// The document of a request, if it came with one.
    pub(crate) fn of(request: &Request) -> Option<Arc<Self>> {
        let with = request.data.get(&TypeId::of::<Arc<Self>>())?;
        with.downcast_ref().cloned()
    }

    /// Whether this request, which is of this document, needs no more rules in this realm.
    pub(crate) fn is_valid(&self, realm: Realm, request: &Request) -> bool {
        self.valid.load(Ordering::Relaxed) & bit(realm) != 0 && self.is_plain(request)
    }

    /// The rules have passed in this realm.
    pub(crate) fn found_valid(&self, realm: Realm) {
        self.valid.fetch_or(bit(realm), Ordering::Relaxed);
    }

    /// Whether each value is a plain scalar of the type that the operation declares.
    fn is_plain(&self, request: &Request) -> bool {
        let Some(operation) = self.operation(request.operation_name.as_deref()) else {
            return false;
        };
        request.variables.iter().all(|(name, value)| {
            let mut declared = operation.variable_definitions.iter();
            declared
                .find(|definition| definition.node.name.node == *name)
                .is_some_and(|definition| is_plain(&definition.node.var_type.node, value))
        })
    }

    fn operation(&self, name: Option<&str>) -> Option<&OperationDefinition> {
        match (&self.document.operations, name) {
            (DocumentOperations::Single(only), None) => Some(&only.node),
            (DocumentOperations::Multiple(all), Some(name)) => all.get(name).map(|found| &found.node),
            _ => None,
        }
    }
}

/// Never `null`: whether that may stand where the variable does is for the rules to say.
fn is_plain(declared: &Type, value: &Value) -> bool {
    let BaseType::Named(name) = &declared.base else {
        return false;
    };
    match (name.as_str(), value) {
        ("ID" | "String", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
        ("Int", Value::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        _ => false,
    }
}

const fn bit(realm: Realm) -> u8 {
    match realm {
        Realm::School => 1,
        Realm::Clb => 2,
        Realm::Person => 4,
        Realm::Operations => 8,
    }
}
